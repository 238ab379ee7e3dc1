"""One head that did not collapse: seeds are tried in turn, and each that failed is told."""

from __future__ import annotations

import warnings
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from magxr.errors import CollapseError, MagxrWarning
from magxr.models import split as splits
from magxr.models.checkpoint import checkpoint_in
from magxr.models.collapse import collapsed
from magxr.models.fit import Progress, fit, logits
from magxr.models.learners import DenseLearner, PooledLearner
from magxr.models.pooled_head import sigmoid
from magxr.models.radial_fit import solve
from magxr.models.spread import spread_of

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from magxr.models.cnn_head import CnnHead
    from magxr.models.dense_head import DenseHead
    from magxr.models.learners import Learner
    from magxr.models.pooled_head import PooledHead
    from magxr.models.protocol import Protocol
    from magxr.models.radial_head import RadialHead
    from magxr.models.samples import Samples

    Spread = tuple[NDArray[np.float32], NDArray[np.float32]]


@dataclass(frozen=True, slots=True)
class Task:
    """What all seeds of a training have in common."""

    samples: Samples
    labels: NDArray[Any]
    protocol: Protocol
    head: str
    outputs: int = 1
    """Of a CNN."""
    window: int | None = None
    retries: int = 3
    checkpoint: str | Path | None = None
    about: str = ""
    """Hash of windows and labels, for the checkpoint."""


@dataclass(frozen=True, slots=True)
class Attempt:
    """A head that was trained, what it says of every window, and how it came about."""

    head: PooledHead | DenseHead | RadialHead | CnnHead
    probability: NDArray[np.float32]
    progress: Progress
    tried: list[dict[str, Any]]


def attempt(task: Task, codes: NDArray[np.int8], seed: int, step: int = 1, name: str = "head") -> Attempt:
    """Train with ``seed``, then, where that collapses, with ``seed + step`` and so on.

    Raises
    ------
    CollapseError
        If training collapses with every seed.
    """
    spread: Spread | None = None
    if task.head != "cnn":
        rows = np.flatnonzero(codes == splits.TRAIN)
        spread = spread_of(values for _, values in task.samples.in_order(rows))
    tried: list[dict[str, Any]] = []
    head: PooledHead | DenseHead | RadialHead | CnnHead
    for number in range(task.retries + 1):
        own = seed + number * step
        learner: Learner | None = None
        if spread is not None and task.head == "radial":
            head, progress = solve(task.samples, task.labels, codes, task.protocol, own, spread)
        else:
            learner = _learner(task, spread, own)
            about = [task.about, task.head, task.outputs, asdict(task.protocol), own, task.samples.memory]
            kept = checkpoint_in(task.checkpoint, f"{name}-seed{own}", [*about, codes.tolist()])
            progress = fit(learner, task.samples, task.labels, codes, task.protocol, own, kept)
            head = learner.head()
        trouble, probability = progress.trouble, np.empty(0, np.float32)
        if trouble is None:
            probability = _answers(learner, head, task.samples)
            trouble = collapsed(probability[codes == splits.TRAIN])
        tried.append({"seed": own, "collapsed": trouble})
        if trouble is None:
            return Attempt(head, probability, progress, tried)
        warnings.warn(f"training with seed {own} collapsed: {trouble}", MagxrWarning, stacklevel=4)
    seeds = [t["seed"] for t in tried]
    msg = (
        f"training collapsed with every seed of {seeds} ({tried[-1]['collapsed']}); lower "
        f"learning_rate={task.protocol.learning_rate}, or check that windows of the two labels differ at all"
    )
    raise CollapseError(msg)


def _learner(task: Task, spread: Spread | None, seed: int) -> Learner:
    if spread is not None and task.head == "pooled":
        return PooledLearner(*spread, task.protocol)
    if spread is not None:
        return DenseLearner(*spread, task.protocol, seed)
    from magxr.models.cnn import CnnLearner

    return CnnLearner(int(task.window or 0), task.protocol, seed, task.outputs)


def _answers(learner: Learner | None, head: Any, samples: Samples) -> NDArray[np.float32]:
    """Return the probability of every window, of the head as it will be saved."""
    found = np.empty(len(samples.features), np.float32)
    for rows, values in samples.in_order(np.arange(found.size)):
        if learner is None or hasattr(head, "probability"):
            found[rows] = head.probability(values)
        else:
            found[rows] = sigmoid(logits(learner, values))
    return found

"""The loop of training: epochs of batches, early stopping, a history, and a state after every epoch."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from magxr.errors import ParameterError
from magxr.models import split as splits
from magxr.models.collapse import diverged

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from magxr.models.checkpoint import Checkpoint
    from magxr.models.learners import Learner, State
    from magxr.models.protocol import Protocol
    from magxr.models.samples import Samples

_ROWS = 512


@dataclass(slots=True)
class Progress:
    """How far a training is, beside the learner's own state."""

    epoch: int = 0
    """Epochs that are done."""
    history: list[dict[str, float]] = field(default_factory=list)
    best_epoch: int = 0
    """Epoch, from 1, with the smallest loss on the validation set; 0 where none is looked for."""
    best: State | None = None
    """The learner's state then."""
    trouble: str | None = None
    """Why training stopped early, if it went wrong."""
    stopped: bool = False
    """Whether patience ran out."""


def fit(
    learner: Learner,
    samples: Samples,
    labels: NDArray[Any],
    codes: NDArray[np.int8],
    protocol: Protocol,
    seed: int,
    checkpoint: Checkpoint | None = None,
) -> Progress:
    """Train a head: binary cross-entropy on the windows whose code is "training".

    Parameters
    ----------
    learner : Learner
        Fresh; it ends as the trained head, or as the best one of the validation set with ``patience``.
    samples : Samples
        Features of all windows, shape (n, d).
    labels : ndarray of int, shape (n,)
        1 linear, 0 nonlinear.
    codes : ndarray of int8, shape (n,)
        See `magxr.models.split`.
    protocol : Protocol
    seed : int
        Fixes the order of windows, and what dropout leaves out.
    checkpoint : Checkpoint, optional
        Where the state is kept; a training found there goes on, and ends with the same bits.

    Notes
    -----
    Loss and accuracy of an epoch are those of each window after the last step of its group (see `Samples`):
    where all windows fit into memory, those after the epoch.
    """
    rows = np.flatnonzero(codes == splits.TRAIN)
    held_out = np.flatnonzero(codes == splits.VALIDATION)
    if protocol.patience is not None and not held_out.size:
        msg = f"patience={protocol.patience} needs a validation set; this split has none: leave patience out"
        raise ParameterError(msg)
    truth = labels.astype(np.float64)
    weight = class_weights(truth, rows, protocol.balanced)
    rng = np.random.default_rng(seed)
    done = _resumed(learner, rng, checkpoint)
    with np.errstate(over="ignore", invalid="ignore"):  # a run that diverges is found and told
        while done.epoch < protocol.epochs and done.trouble is None and not done.stopped:
            entry = _epoch(learner, samples, rows, truth, weight, protocol.batch_size, rng)
            if held_out.size:
                entry |= _judged(learner, samples, held_out, truth)
            done.epoch += 1
            done.history.append(entry)
            done.trouble = diverged(entry["loss"], protocol.learning_rate)
            if protocol.patience is not None and done.trouble is None:
                _remember_best(done, learner, protocol.patience)
            if checkpoint is not None:
                _keep(checkpoint, done, learner, rng)
    if done.best is not None and done.trouble is None:
        learner.restore(done.best)
    return done


def class_weights(truth: NDArray[np.float64], rows: NDArray[np.int64], balanced: bool) -> NDArray[np.float64]:
    """Return the weight of every window: with ``balanced`` both classes of ``rows`` count alike."""
    if not balanced:
        return np.ones_like(truth)
    shares = np.array([np.mean(truth[rows] == 0), np.mean(truth[rows] == 1)])
    return np.asarray(0.5 / shares[truth.astype(int)])


def _epoch(
    learner: Learner,
    samples: Samples,
    rows: NDArray[np.int64],
    truth: NDArray[np.float64],
    weight: NDArray[np.float64],
    size: int,
    rng: np.random.Generator,
) -> dict[str, float]:
    loss = right = 0.0
    for group, values, order in samples.shuffled(rows, rng):
        for start in range(0, order.size, size):
            batch = order[start : start + size]
            learner.step(values[batch], truth[group[batch]], weight[group[batch]], rng)
        logit = logits(learner, values)
        loss += cross_entropy(logit, truth[group]) * group.size
        right += float(np.sum((logit >= 0) == (truth[group] == 1)))
    return {"loss": loss / rows.size, "accuracy": right / rows.size}


def _judged(
    learner: Learner, samples: Samples, rows: NDArray[np.int64], truth: NDArray[np.float64]
) -> dict[str, float]:
    loss = right = 0.0
    for group, values in samples.in_order(rows):
        logit = logits(learner, values)
        loss += cross_entropy(logit, truth[group]) * group.size
        right += float(np.sum((logit >= 0) == (truth[group] == 1)))
    return {"val_loss": loss / rows.size, "val_accuracy": right / rows.size}


def logits(learner: Learner, values: NDArray[Any]) -> NDArray[np.float64]:
    """Return the logit of every window, some at a time: as floats their features need little memory."""
    parts = [learner.logits(values[i : i + _ROWS]) for i in range(0, len(values), _ROWS)]
    return np.concatenate([np.empty(0), *parts])


def cross_entropy(logit: NDArray[np.float64], y: NDArray[Any]) -> float:
    """Return the mean binary cross-entropy, from logits."""
    return float(np.mean(np.logaddexp(0.0, logit) - y * logit))


def _remember_best(done: Progress, learner: Learner, patience: int) -> None:
    losses = [h["val_loss"] for h in done.history]
    if done.best is None or losses[-1] < losses[done.best_epoch - 1]:
        done.best_epoch, done.best = done.epoch, learner.state()
    done.stopped = done.epoch - done.best_epoch >= patience


def _keep(checkpoint: Checkpoint, done: Progress, learner: Learner, rng: np.random.Generator) -> None:
    about = {
        "epoch": done.epoch,
        "history": done.history,
        "best_epoch": done.best_epoch,
        "trouble": done.trouble,
        "stopped": done.stopped,
        "rng": rng.bit_generator.state,
    }
    arrays = {f"now.{k}": a for k, a in learner.state().items()}
    arrays |= {f"best.{k}": a for k, a in (done.best or {}).items()}
    checkpoint.save(about, arrays)


def _resumed(learner: Learner, rng: np.random.Generator, checkpoint: Checkpoint | None) -> Progress:
    found = None if checkpoint is None else checkpoint.load()
    if found is None:
        return Progress()
    about, arrays = found
    rng.bit_generator.state = about.pop("rng")
    parts: dict[str, State] = {"now": {}, "best": {}}
    for name, array in arrays.items():
        part, _, own = name.partition(".")
        parts[part][own] = array
    learner.restore(parts["now"])
    return Progress(**about, best=parts["best"] or None)

"""Train a head on labelled windows: the trunk runs once per window, the head learns from its features."""

from __future__ import annotations

import warnings
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from magxr.errors import MagxrWarning, ModelError, ParameterError
from magxr.models import split as splits
from magxr.models import worker
from magxr.models.backbones import EMBEDDED, backbone
from magxr.models.evaluate import confusion
from magxr.models.heads import PooledHead, sigmoid, spread

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import ArrayLike, NDArray

_CONSTANT = 1e-3
"""Range of probabilities over the training set below which a network has collapsed to a constant."""


@dataclass(frozen=True, slots=True)
class Protocol:
    """How a head is trained. The defaults are the paper's."""

    epochs: int = 25
    batch_size: int = 32
    learning_rate: float = 1e-3
    seed: int = 0
    weight_decay: float = 0.0
    """Half the squared weights times this is added to the loss; the paper has none."""
    balanced: bool = False
    """Weigh the classes so that both count alike; the paper does not."""

    def check(self) -> None:
        """Refuse values out of range."""
        for name, value, good in (
            ("epochs", self.epochs, self.epochs >= 1),
            ("batch_size", self.batch_size, self.batch_size >= 1),
            ("learning_rate", self.learning_rate, 0 < self.learning_rate < np.inf),
            ("weight_decay", self.weight_decay, 0 <= self.weight_decay < np.inf),
        ):
            if not good:
                rule = "not negative" if name == "weight_decay" else "positive"
                msg = f"{name}={value} is out of range: it must be {rule} and finite"
                raise ParameterError(msg)


@dataclass(frozen=True, slots=True)
class TrainedModel:
    """A trained head and everything known about its training."""

    head: PooledHead
    trunk: str
    trunk_weights: str | None
    window: int | None
    report: dict[str, Any] = field(repr=False)
    """Protocol, split, history, accuracies with intervals, leakage: plain numbers, goes into the card."""

    def save(
        self,
        folder: str | Path,
        *,
        name: str | None = None,
        spacing: tuple[float, float],
        trained_on: str,
        limits: tuple[str, ...] = (),
        overwrite: bool = False,
    ) -> Any:
        """Write head and card into a folder and return its `ModelSpec`; see `magxr.models.card.save`."""
        from magxr.models import card

        return card.save(
            self,
            folder,
            name=name,
            spacing=spacing,
            trained_on=trained_on,
            limits=limits,
            overwrite=overwrite,
        )


def train(
    windows: NDArray[np.floating],
    labels: ArrayLike,
    *,
    groups: ArrayLike | None = None,
    positions: ArrayLike | None = None,
    split: splits.Split = "block",
    ratio: tuple[float, float, float] = (6, 2, 2),
    epochs: int = 25,
    batch_size: int = 32,
    learning_rate: float = 1e-3,
    weight_decay: float = 0.0,
    balanced: bool = False,
    seed: int = 0,
    retries: int = 3,
    head: Literal["pooled"] = "pooled",
    trunk: str = EMBEDDED,
    trunk_weights: str | Path | None = None,
) -> TrainedModel:
    """Train a head on labelled windows with the paper's protocol.

    Parameters
    ----------
    windows : ndarray of float, shape (n, size, size)
        Anomaly in nT, raw or diffused, as they will be classified; NaN as for `magxr.models.worker.predict`.
        Every window is scaled to 0..1 by its own extremes.
    labels : array_like of int, shape (n,)
        1 linear, 0 nonlinear; leave ambiguous windows out.
    groups, split, ratio
        See `magxr.models.split.split_windows`.
    positions : array_like of int, shape (n, 2) or (n, 3), optional
        First row and column of every window (with the map's number before them). With them the report says
        how many test pixels were trained on, and a blocked split drops training windows that touch others.
    epochs, batch_size, learning_rate, weight_decay, balanced
        See `Protocol`: binary cross-entropy and Adam, 25 epochs of batches of 32 at 0.001 in the paper.
    seed : int
        Fixes the split and the order of windows.
    retries : int
        How many other seeds are tried where training collapses to a constant answer.
    head : {"pooled"}
        Logistic model on mean and standard deviation of the last feature map.
    trunk, trunk_weights
        See `magxr.models.worker.features`.

    Returns
    -------
    TrainedModel
        With ``report``; ``save`` writes it to a folder that `magxr.models.spec.load` reads.

    Raises
    ------
    ParameterError
        If labels, groups or numbers do not fit.
    ModelError
        If training collapses for every seed.

    Notes
    -----
    The trunk is frozen, so the result equals training through it, at one run of the trunk per window
    instead of one per window and epoch.
    """
    truth = np.asarray(labels)
    if len(windows) != truth.size:
        msg = f"{len(windows)} windows for {truth.size} labels; there must be one each"
        raise ParameterError(msg)
    splits.check_labels(truth)
    protocol = Protocol(epochs, batch_size, learning_rate, seed, weight_decay, balanced)
    protocol.check()
    codes = splits.split_windows(truth, split=split, groups=groups, ratio=ratio, seed=seed)
    size = int(windows.shape[-1])
    how: dict[str, Any] = {"split": split, "ratio": list(ratio)}
    if positions is not None:
        if split == "block":
            codes = splits.leave_out_overlaps(positions, codes, size)
            how["left_out"] = int(np.sum(codes == splits.LEFT_OUT))
            fix = f"larger blocks: {how['left_out']} windows that touch other sets were left out"
            splits.check_both_classes(truth, codes, fix)
        how["leakage"] = splits.leakage(positions, codes, size)
    values = worker.features(trunk, windows, trunk_weights=trunk_weights)
    return train_on_features(
        values, truth, codes, protocol, retries=retries, head=head, trunk=trunk,
        trunk_weights=trunk_weights, window=size, how=how,
    )  # fmt: skip


def train_on_features(
    features: NDArray[np.floating],
    labels: ArrayLike,
    codes: NDArray[np.int8],
    protocol: Protocol | None = None,
    *,
    retries: int = 3,
    head: str = "pooled",
    trunk: str = EMBEDDED,
    trunk_weights: str | Path | None = None,
    window: int | None = None,
    how: dict[str, Any] | None = None,
) -> TrainedModel:
    """Train a head on features that were computed before.

    Parameters
    ----------
    features : ndarray of float, shape (n, d)
        From `magxr.models.worker.features`.
    labels : array_like of int, shape (n,)
    codes : ndarray of int8, shape (n,)
        From `magxr.models.split.split_windows`; -1 is used for nothing.
    protocol : Protocol, optional
    retries, head, trunk, trunk_weights
        As for `train`.
    window : int, optional
        Side of the windows that the features come from.
    how : dict, optional
        What the report should say about the split.
    """
    protocol = protocol or Protocol()
    protocol.check()
    if head != "pooled":
        msg = f"unknown head {head!r}; there is 'pooled'"
        raise ModelError(msg)
    backbone(trunk)
    truth = np.asarray(labels)
    if not np.isfinite(features).all():
        bad = int(np.sum(~np.isfinite(features).all(axis=1)))
        msg = f"the features of {bad} of {len(features)} windows are not finite; compute them again"
        raise ModelError(msg)
    learnt, tried = None, []
    for attempt in range(retries + 1):
        fitted, history = _fit(features, truth, codes, protocol, protocol.seed + attempt)
        trouble = _collapsed(fitted, features[codes == splits.TRAIN])
        tried.append({"seed": protocol.seed + attempt, "collapsed": trouble})
        if trouble is None:
            learnt = fitted
            break
        warnings.warn(
            f"training with seed {protocol.seed + attempt} collapsed: {trouble}", MagxrWarning, stacklevel=2
        )
    if learnt is None:
        seeds = [t["seed"] for t in tried]
        msg = (
            f"training collapsed with every seed of {seeds} ({tried[-1]['collapsed']}); lower "
            f"learning_rate={protocol.learning_rate}, or check that windows of the two labels differ at all"
        )
        raise ModelError(msg)
    probability = learnt.probability(features)
    report: dict[str, Any] = {
        "protocol": {f: getattr(protocol, f) for f in Protocol.__dataclass_fields__},
        "optimiser": "Adam (0.9, 0.999, 1e-7), binary cross-entropy",
        "head": head,
        "parameters": learnt.parameters,
        **(how or {}),
        "attempts": tried,
        "history": history,
    }
    for side, name in ((splits.TRAIN, "train"), (splits.VALIDATION, "validation"), (splits.TEST, "test")):
        held = codes == side
        if held.any():
            report[name] = confusion(truth[held], probability[held]).report()
    return TrainedModel(learnt, trunk, None if trunk_weights is None else str(trunk_weights), window, report)


def _fit(
    features: NDArray[np.floating], labels: NDArray, codes: NDArray[np.int8], protocol: Protocol, seed: int
) -> tuple[PooledHead, list[dict[str, float]]]:
    rng = np.random.default_rng(seed)
    held = codes == splits.TRAIN
    mean, scale = spread(features[held])
    empty = PooledHead(mean, scale, np.zeros(mean.size, np.float32), 0.0)
    x, y = empty.standardise(features[held]), labels[held].astype(np.float64)
    x_other, y_other = (
        empty.standardise(features[codes == splits.VALIDATION]),
        labels[codes == splits.VALIDATION],
    )
    shares = np.array([np.mean(y == 0), np.mean(y == 1)])
    weight = 0.5 / shares[y.astype(int)] if protocol.balanced else np.ones_like(y)
    state = np.zeros(x.shape[1] + 1)  # the loss is convex: a random start would only add noise to the weights
    first, second, step = np.zeros_like(state), np.zeros_like(state), 0
    history = []
    with np.errstate(over="ignore", invalid="ignore"):  # a run that diverges is found and told below
        for _ in range(protocol.epochs):
            order = rng.permutation(y.size)
            for start in range(0, y.size, protocol.batch_size):
                batch = order[start : start + protocol.batch_size]
                error = weight[batch] * (sigmoid(x[batch] @ state[:-1] + state[-1]) - y[batch]) / batch.size
                gradient = np.append(error @ x[batch] + protocol.weight_decay * state[:-1], error.sum())
                step += 1
                first += 0.1 * (gradient - first)
                second += 0.001 * (gradient**2 - second)
                rate = protocol.learning_rate * np.sqrt(1 - 0.999**step) / (1 - 0.9**step)
                state -= rate * first / (np.sqrt(second) + 1e-7)
            history.append(
                {
                    "loss": _loss(x @ state[:-1] + state[-1], y),
                    "accuracy": float(np.mean((x @ state[:-1] + state[-1] >= 0) == (y == 1))),
                    **(
                        {
                            "val_loss": _loss(x_other @ state[:-1] + state[-1], y_other),
                            "val_accuracy": float(
                                np.mean((x_other @ state[:-1] + state[-1] >= 0) == (y_other == 1))
                            ),
                        }
                        if y_other.size
                        else {}
                    ),
                }
            )
    return PooledHead(mean, scale, state[:-1].astype(np.float32), float(np.float32(state[-1]))), history


def _loss(logit: NDArray[np.float64], y: NDArray) -> float:
    """Mean binary cross-entropy, from logits."""
    return float(np.mean(np.logaddexp(0.0, logit) - y * logit))


def _collapsed(head: PooledHead, features: NDArray[np.floating]) -> str | None:
    """Say what is wrong with a head that gives every training window the same answer, or no number."""
    if not (np.isfinite(head.weights).all() and np.isfinite(head.bias)):
        return "the loss is not finite"
    probability = head.probability(features)
    span = float(np.ptp(probability))
    if span < _CONSTANT:
        return f"every training window gets the same probability, {float(probability[0]):.3f}"
    return None

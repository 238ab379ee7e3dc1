"""Blocked cross-validation of a pooled head: whole blocks are predicted by heads that never saw them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from magxr.errors import ParameterError
from magxr.models import bootstrap
from magxr.models.compare import compare
from magxr.models.heads import sigmoid
from magxr.models.spread import spread
from magxr.studies.interval import LEVEL

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

PENALTY = 1.0
"""Half the squared weights times this is added to the summed loss."""
DRAWS = 2000
"""Redraws of blocks for an interval."""
_TRIES = 200


def folds_of(truth: NDArray[np.int_], blocks: NDArray[np.intp], count: int, seed: int) -> NDArray[np.intp]:
    """Give whole blocks to folds of about equal numbers of both classes; return the fold of every window.

    Raises
    ------
    ParameterError
        If there are fewer blocks than folds, or no draw leaves both classes outside of every fold.
    """
    names, code = np.unique(blocks, return_inverse=True)
    if names.size < count:
        fix = "use smaller blocks (block=), fewer folds (folds=), or label more of the map"
        msg = f"{names.size} blocks hold labelled windows, fewer than folds={count}; {fix}"
        raise ParameterError(msg)
    held = np.stack([np.bincount(code, truth == c, names.size) for c in (0, 1)], axis=1)
    rng = np.random.default_rng(seed)
    best, chosen = np.inf, None
    for _ in range(_TRIES):
        fold = np.empty(names.size, np.intp)
        fold[rng.permutation(names.size)] = np.arange(names.size) % count
        sums = np.stack([held[fold == f].sum(axis=0) for f in range(count)])
        if ((held.sum(axis=0) - sums) == 0).any():
            continue
        off = float(np.ptp(sums / held.sum(axis=0), axis=0).sum())
        if off < best:
            best, chosen = off, fold
    if chosen is None:
        msg = (
            "no draw of blocks leaves both classes to train on in every fold: one class lies in one block; "
            "use smaller blocks (block=) or label the other class elsewhere too"
        )
        raise ParameterError(msg)
    result: NDArray[np.intp] = chosen[code]
    return result


def out_of_fold(
    features: Floats,
    truth: NDArray[np.int_],
    folds: NDArray[np.intp],
    positions: NDArray[np.int64],
    size: int,
) -> Floats:
    """Return each window's probability of "linear" by a head trained without its fold.

    Parameters
    ----------
    features : ndarray, shape (n, d)
    truth, folds : ndarray, shape (n,)
        Labels 0 and 1; from `folds_of`.
    positions : ndarray, shape (n, 2)
        First row and column of every window, cells.
    size : int
        Side of a window, cells: training windows that share a cell with the fold are left out too.

    Raises
    ------
    ParameterError
        If what is left to train on lacks a class.
    """
    found = np.full(truth.size, np.nan)
    for fold in np.unique(folds):
        tested = folds == fold
        apart = np.abs(positions[:, None, :] - positions[None, tested, :])
        free = ~(apart < size).all(axis=2).any(axis=1)
        if np.unique(truth[free]).size < 2:
            msg = (
                f"fold {fold} leaves {int(free.sum())} windows to train on that share no cell with it, not "
                "of both classes; use larger blocks (block=), fewer folds (folds=), or label more of the map"
            )
            raise ParameterError(msg)
        found[tested] = _fitted(features[free], truth[free], features[tested])
    return found


def _fitted(features: Floats, truth: NDArray[np.int_], asked: Floats) -> Floats:
    """Fit a logistic model on standardised features, both classes weighing alike; return probabilities."""
    from scipy.optimize import minimize

    mean, scale = spread(features)
    x, new = (features - mean) / scale, (asked - mean) / scale
    # The penalty does not mind a rotation, so that no more than as many directions as windows count.
    _, _, axes = np.linalg.svd(x, full_matrices=False)
    x, new = x @ axes.T, new @ axes.T
    weight = np.where(truth == 1, 0.5 / np.mean(truth == 1), 0.5 / np.mean(truth == 0))

    def loss(w: Floats) -> tuple[float, Floats]:
        z = x @ w[:-1] + w[-1]
        off = weight * (sigmoid(z) - truth)
        value = np.sum(weight * (np.logaddexp(0.0, z) - truth * z)) + 0.5 * PENALTY * np.sum(w[:-1] ** 2)
        return float(value), np.append(x.T @ off + PENALTY * w[:-1], off.sum())

    w = minimize(loss, np.zeros(x.shape[1] + 1), jac=True, method="L-BFGS-B", options={"maxiter": 500}).x
    return sigmoid(new @ w[:-1] + w[-1])


def balanced(
    truth: NDArray[np.int_], probability: Floats, blocks: NDArray[np.intp], *, level: float, seed: int = 0
) -> tuple[float, float, float]:
    """Return the balanced accuracy and the ends of its interval by redrawing blocks."""
    found = bootstrap.interval(truth, probability, blocks, confidence=level, draws=DRAWS, seed=seed)
    return found.value, found.low, found.high


def paired_gain(
    truth: NDArray[np.int_],
    without: Floats,
    probability: Floats,
    blocks: NDArray[np.intp],
    *,
    level: float = LEVEL,
    seed: int = 0,
) -> tuple[float, float, float]:
    """Return by how much balanced accuracy grows, with the ends of its interval by redrawing blocks.

    Both answers are redrawn together, so that what is hard for both does not widen the interval.
    """
    answers = {"with": probability, "without": without}
    found = compare(truth, answers, blocks, together=False, confidence=level, draws=DRAWS, seed=seed)
    place = found.names.index("with"), found.names.index("without")
    return float(found.difference[place]), float(found.low[place]), float(found.high[place])

"""Blocked cross-validation of a pooled head: whole blocks are predicted by heads that never saw them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from magxr.errors import CollapseError, ParameterError
from magxr.models import bootstrap
from magxr.models.compare import compare
from magxr.models.folds import fold_codes
from magxr.models.protocol import Protocol
from magxr.models.split import TEST, TRAIN, VALIDATION, leave_out_overlaps
from magxr.models.train import train_on_features
from magxr.studies.interval import LEVEL

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

PROTOCOL = Protocol(weight_decay=0.01, balanced=True)
"""How heads are trained: as that of the model "transfer"."""
DRAWS = 2000
"""Redraws of blocks for an interval."""


def codes_of(
    truth: NDArray[np.int_],
    blocks: NDArray[np.int64],
    positions: NDArray[np.int64],
    size: int,
    *,
    folds: int,
    seed: int,
) -> NDArray[np.int8]:
    """Give every window its set in each fold: tested in one, trained on or left out in the others.

    Parameters
    ----------
    truth, blocks : ndarray, shape (n,)
        Labels 0 and 1; the block of every window.
    positions : ndarray, shape (n, 2)
        First row and column of every window, cells.
    size : int
        Side of a window, cells: windows that share a cell with those tested are left out of training.
    folds, seed : int
        See `magxr.models.folds.fold_codes`.

    Returns
    -------
    ndarray of int8, shape (folds, n)
        Codes of `magxr.models.split`; none is "validation".

    Raises
    ------
    ParameterError
        If there are too few blocks, a fold lacks a class, or what is left to train on does.
    """
    codes = fold_codes(truth, folds=folds, groups=blocks, seed=seed)
    codes[codes == VALIDATION] = TRAIN  # epochs are fixed: nothing is chosen by a validation set
    for fold, own in enumerate(codes):
        own[:] = leave_out_overlaps(positions, own, size)
        if np.unique(truth[own == TRAIN]).size < 2:
            msg = (
                f"fold {fold} leaves {int(np.sum(own == TRAIN))} windows to train on that share no cell with "
                "it, not of both classes; use larger blocks (block=), fewer folds (folds=), or label more of "
                "the map"
            )
            raise ParameterError(msg)
    return codes


def out_of_fold(features: Floats, truth: NDArray[np.int_], codes: NDArray[np.int8]) -> Floats:
    """Return each window's probability of "linear" by a head trained without its fold.

    Parameters
    ----------
    features : ndarray, shape (n, d)
    truth : ndarray, shape (n,)
        Labels 0 and 1.
    codes : ndarray, shape (folds, n)
        From `codes_of`.

    Warns
    -----
    MagxrWarning
        Where training collapses, since features tell nothing of the labels: windows of that fold get 0.5.
    """
    told = np.full(truth.size, 0.5)
    for own in codes:
        try:
            model = train_on_features(features, truth, own, PROTOCOL, retries=0)
        except CollapseError:  # another seed would end in the same place: the loss is convex
            continue
        assert model.out_of_fold is not None  # every fold tests
        told = np.where(own == TEST, model.out_of_fold, told)
    return told


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

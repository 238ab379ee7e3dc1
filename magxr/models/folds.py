"""Cross-validation by blocks: every window is tested once, by heads that saw nothing of its block."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from magxr.errors import ParameterError
from magxr.models.split import TEST, TRAIN, VALIDATION, Split, check_both_classes, check_labels

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

_TRIES = 200


def fold_codes(
    labels: ArrayLike,
    *,
    folds: int,
    split: Split = "block",
    groups: ArrayLike | None = None,
    seed: int = 0,
) -> NDArray[np.int8]:
    """Give every window its set in each fold: tested in one, validated in the next, trained on in the others.

    Parameters
    ----------
    labels : array_like of int, shape (n,)
        1 linear, 0 nonlinear.
    folds : int
        At least 3. Five folds are 6:2:2 splits, as the paper's, in which each window is tested once.
    split : {"block", "random"}
        Whole groups, or single windows, to one fold; see `magxr.models.split.split_windows`.
    groups : array_like of int, shape (n,), optional
        Block, scene or region of every window; needed for "block".
    seed : int
        Fixes the draw.

    Returns
    -------
    ndarray of int8, shape (folds, n)
        0 training, 1 validation, 2 test.

    Raises
    ------
    ParameterError
        If there are fewer windows or groups than folds, or a fold lacks a class.

    Notes
    -----
    Of 200 random orders of the groups, each dealt to the fold with the fewest windows, the one is taken whose
    folds come closest to equal shares of both classes. Single windows are dealt class by class.
    """
    truth = np.asarray(labels)
    check_labels(truth)
    if folds < 3:
        msg = f"folds={folds}: at least 3 are needed, one each to test, to validate and to train"
        raise ParameterError(msg)
    if truth.size < folds:
        msg = f"{truth.size} labelled windows for folds={folds}; label more, or ask for fewer folds"
        raise ParameterError(msg)
    rng = np.random.default_rng(seed)
    if split == "random":
        fold = np.empty(truth.size, np.int64)
        for c in (0, 1):
            mine = rng.permutation(np.flatnonzero(truth == c))
            fold[mine] = (np.arange(mine.size) + c) % folds
    elif split == "block":
        fold = _dealt(truth, groups, folds, rng)
    else:
        msg = f"split={split!r} is unknown; use 'block' or 'random'"
        raise ParameterError(msg)
    codes = np.full((folds, truth.size), TRAIN, np.int8)
    for f in range(folds):
        codes[f, fold == f] = TEST
        codes[f, fold == (f + 1) % folds] = VALIDATION
    check_both_classes(truth, codes, "fewer folds, smaller blocks or more labelled windows")
    return codes


def _dealt(
    truth: NDArray, groups: ArrayLike | None, folds: int, rng: np.random.Generator
) -> NDArray[np.int64]:
    if groups is None:
        msg = "split='block' needs groups=, the block of every window (see magxr.models.split.block_ids)"
        raise ParameterError(msg)
    names, code = np.unique(np.asarray(groups), return_inverse=True)
    if code.shape != truth.shape:
        msg = f"{code.size} groups for {truth.size} labels; there must be one each"
        raise ParameterError(msg)
    if names.size < folds:
        msg = f"{names.size} groups for folds={folds}; use smaller blocks or fewer folds"
        raise ParameterError(msg)
    counts = np.stack([np.bincount(code, truth == c, names.size) for c in (0, 1)], axis=1)
    totals = counts.sum(axis=0)
    best, chosen = np.inf, np.zeros(names.size, np.int64)
    for _ in range(_TRIES):
        held, fold = np.zeros((folds, 2)), np.empty(names.size, np.int64)
        for g in rng.permutation(names.size):
            fold[g] = int(np.argmin(held.sum(axis=1)))
            held[fold[g]] += counts[g]
        off = np.abs(held / totals - 1 / folds).max() + (10.0 if (held == 0).any() else 0.0)
        if off < best:
            best, chosen = off, fold
    return chosen[code]

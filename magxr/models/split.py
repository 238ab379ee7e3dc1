"""Cut labelled windows into training, validation and test sets, and say how much these share."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import numpy as np

from magxr.errors import ParameterError

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

Split = Literal["block", "random"]
TRAIN, VALIDATION, TEST, LEFT_OUT = 0, 1, 2, -1
_TRIES = 500


def split_windows(
    labels: ArrayLike,
    *,
    split: Split = "block",
    groups: ArrayLike | None = None,
    ratio: tuple[float, float, float] = (6, 2, 2),
    seed: int = 0,
) -> NDArray[np.int8]:
    """Give every window to the training, validation or test set.

    Parameters
    ----------
    labels : array_like of int, shape (n,)
        1 linear, 0 nonlinear.
    split : {"block", "random"}
        "random" draws single windows, as the paper does; windows that overlap then land on both sides.
        "block" draws whole groups, so that no group is on two sides.
    groups : array_like of int, shape (n,), optional
        Block, scene or region of every window; needed for "block".
    ratio : tuple of three float
        Shares of training, validation and test windows; the paper's are 6:2:2.
    seed : int
        Fixes the draw.

    Returns
    -------
    ndarray of int8, shape (n,)
        0 training, 1 validation, 2 test.

    Raises
    ------
    ParameterError
        If arguments do not fit, or no draw leaves both classes in every set.

    Notes
    -----
    Of 500 random orders of the groups the one is taken whose sets come closest to ``ratio`` in both
    classes.
    """
    truth = np.asarray(labels)
    check_labels(truth)
    if len(ratio) != 3 or min(ratio) <= 0:
        msg = f"ratio={ratio} must be three positive shares, e.g. (6, 2, 2)"
        raise ParameterError(msg)
    shares = np.cumsum(ratio)[:2] / sum(ratio)
    rng = np.random.default_rng(seed)
    if split == "random":
        order = rng.permutation(truth.size)
        codes = np.empty(truth.size, np.int8)
        codes[order] = np.searchsorted(np.rint(shares * truth.size), np.arange(truth.size), side="right")
        check_both_classes(truth, codes, "more labelled windows")
        return codes
    if split != "block":
        msg = f"split={split!r} is unknown; use 'block' or 'random'"
        raise ParameterError(msg)
    if groups is None:
        msg = (
            "split='block' needs groups=, the block of every window (see magxr.models.split.block_ids); "
            "or ask for split='random', whose accuracy is too good where windows overlap"
        )
        raise ParameterError(msg)
    return _by_group(truth, np.asarray(groups), shares, np.asarray(ratio) / sum(ratio), rng)


def check_labels(labels: NDArray) -> None:
    """Refuse labels other than 0 and 1, and a single class."""
    if labels.ndim != 1 or labels.size == 0:
        msg = f"labels have the shape {labels.shape}; they must be one per window, at least a few"
        raise ParameterError(msg)
    odd = sorted({v.item() for v in np.unique(labels)} - {0, 1})
    if odd:
        msg = (
            f"labels hold {odd[:5]}; training takes 1 (linear) and 0 (nonlinear): leave ambiguous windows out"
        )
        raise ParameterError(msg)
    if np.all(labels == labels[0]):
        what = "linear (1)" if labels[0] == 1 else "nonlinear (0)"
        msg = f"all {labels.size} labels are {what}; training needs both classes: label some of the other"
        raise ParameterError(msg)


def _by_group(
    truth: NDArray, groups: NDArray, shares: NDArray, ratio: NDArray, rng: np.random.Generator
) -> NDArray[np.int8]:
    if groups.shape != truth.shape:
        msg = f"{groups.size} groups for {truth.size} labels; there must be one each"
        raise ParameterError(msg)
    names, code = np.unique(groups, return_inverse=True)
    if names.size < 3:
        msg = (
            f"split='block' needs at least 3 groups, got {names.size} ({names.tolist()}); use smaller blocks"
        )
        raise ParameterError(msg)
    counts = np.stack([np.bincount(code, truth == c, names.size) for c in (0, 1)], axis=1)
    totals = counts.sum(axis=0)
    best, codes = np.inf, np.zeros(names.size, np.int8)
    for _ in range(_TRIES):
        order = rng.permutation(names.size)
        middle = np.cumsum(counts[order].sum(axis=1)) - counts[order].sum(axis=1) / 2
        sides = np.empty(names.size, np.int8)
        sides[order] = np.searchsorted(shares * truth.size, middle, side="right")
        held = np.stack([counts[sides == s].sum(axis=0) for s in range(3)]) / totals
        off = np.abs(held - ratio[:, None]).max() + (10.0 if (held == 0).any() else 0.0)
        if off < best:
            best, codes = off, sides
    chosen = codes[code]
    check_both_classes(truth, chosen, "smaller blocks or more labelled windows")
    return chosen


def check_both_classes(truth: NDArray, codes: NDArray, fix: str) -> None:
    """Refuse a split, or folds, with a set that lacks a class; ``fix`` ends the message."""
    for own in np.atleast_2d(codes):
        for side, name in ((TRAIN, "training"), (VALIDATION, "validation"), (TEST, "test")):
            found = np.unique(truth[own == side])
            if found.size < 2:
                msg = (
                    f"the {name} set of {np.sum(own == side)} windows does not hold both classes; give {fix}"
                )
                raise ParameterError(msg)


def block_ids(positions: ArrayLike, block: int) -> NDArray[np.int64]:
    """Return the square block that each window's first corner falls into, as group numbers.

    Parameters
    ----------
    positions : array_like of int, shape (n, 2) or (n, 3)
        First row and column of every window, pixels; with three columns the first is the map's number.
    block : int
        Side of a block, pixels; a few windows wide.
    """
    where = _positions(positions)
    cells = np.column_stack([where[:, 0], where[:, 1:] // block])
    return np.asarray(np.unique(cells, axis=0, return_inverse=True)[1], np.int64).ravel()


def leave_out_overlaps(positions: ArrayLike, codes: NDArray[np.int8], window: int) -> NDArray[np.int8]:
    """Take out of the training set what shares a pixel with the test set or the validation set.

    Validation windows that share a pixel with test windows go too. Returns new codes; -1 is left out.
    """
    where = _positions(positions)
    new = codes.copy()
    for side, others in ((VALIDATION, (TEST,)), (TRAIN, (VALIDATION, TEST))):
        mine = np.flatnonzero(new == side)
        against = where[np.isin(new, others)]
        for i in mine:
            same = against[against[:, 0] == where[i, 0]]
            if (np.abs(same[:, 1:] - where[i, 1:]) < window).all(axis=1).any():
                new[i] = LEFT_OUT
    return new


def leakage(positions: ArrayLike, codes: NDArray[np.int8], window: int) -> float:
    """Return the share of the test set's pixels that training windows cover too.

    Parameters
    ----------
    positions : array_like of int, shape (n, 2) or (n, 3)
        As for `block_ids`.
    codes : ndarray of int8, shape (n,)
        From `split_windows`.
    window : int
        Side of a window, pixels.
    """
    where = _positions(positions)
    shared = tested = 0
    for number in np.unique(where[:, 0]):
        here = where[:, 0] == number
        corner = where[here, 1:] - where[here, 1:].min(axis=0)
        covered = np.zeros((2, *(corner.max(axis=0) + window)), bool)
        for (row, column), side in zip(corner, codes[here], strict=True):
            if side in (TRAIN, TEST):
                covered[int(side == TEST), row : row + window, column : column + window] = True
        shared += int(np.sum(covered[0] & covered[1]))
        tested += int(np.sum(covered[1]))
    return shared / tested if tested else 0.0


def _positions(positions: ArrayLike) -> NDArray[np.int64]:
    where = np.asarray(positions)
    if where.ndim != 2 or where.shape[1] not in (2, 3) or where.dtype.kind not in "iu":
        msg = f"positions must be whole numbers of shape (n, 2) or (n, 3), got {where.dtype} of {where.shape}"
        raise ParameterError(msg)
    where = where.astype(np.int64)
    return np.column_stack([np.zeros(len(where), np.int64), where]) if where.shape[1] == 2 else where

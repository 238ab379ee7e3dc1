"""The sets that labelled windows are given to in a training, and what its report says of them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from magxr.models import split as splits
from magxr.models import vet
from magxr.models.folds import fold_codes

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import ArrayLike, NDArray


def sets(
    truth: NDArray[Any],
    size: int,
    *,
    positions: ArrayLike | None,
    groups: ArrayLike | None,
    split: splits.Split,
    ratio: tuple[float, float, float],
    folds: int | None,
    seed: int,
) -> tuple[NDArray[np.int8], dict[str, Any]]:
    """Return the set of every window, of shape (n,) or (folds, n), and what the report says of the split.

    Parameters are those of `magxr.models.train.train`; ``size`` is the side of a window.
    """
    how: dict[str, Any] = {"split": split, "ratio": list(ratio)}
    if folds is None:
        codes = splits.split_windows(truth, split=split, groups=groups, ratio=ratio, seed=seed)
    else:
        codes = fold_codes(truth, folds=folds, split=split, groups=groups, seed=seed)
        how = {"split": split, "folds": folds}
    if positions is None:
        return codes, how
    places = [tuple(p) for p in np.asarray(positions).tolist()]
    vet.check_contradictions(places, truth, "are the same window")
    each = list(np.atleast_2d(codes))
    if split == "block":
        each = [splits.leave_out_overlaps(positions, own, size) for own in each]
        how["left_out"] = int(sum(np.sum(own == splits.LEFT_OUT) for own in each))
        fix = f"larger blocks: {how['left_out']} windows that touch other sets were left out"
        splits.check_both_classes(truth, np.stack(each), fix)
    how["leakage"] = float(np.mean([splits.leakage(positions, own, size) for own in each]))
    return np.stack(each).reshape(codes.shape), how


def without_copies(names: Sequence[Any], truth: NDArray[Any], codes: NDArray[np.int8]) -> NDArray[np.int8]:
    """Leave out, in every fold, what is the same as a window held out; see `vet.leave_out_copies`."""
    each = [vet.leave_out_copies(names, own) for own in np.atleast_2d(codes)]
    kept = np.stack(each).reshape(codes.shape)
    splits.check_both_classes(truth, kept, "windows that are not copies of each other")
    return kept

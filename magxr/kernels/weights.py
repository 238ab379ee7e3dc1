"""Weights of normalised convolutions near gaps, and the mirror through the outermost cells."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numba import njit

from magxr.kernels import pages
from magxr.kernels.fir import STRICT, mirror

if TYPE_CHECKING:
    from numpy.typing import NDArray


@njit(**STRICT)
def mirrored_cell(i: int, n: int) -> int:
    """Fold the place of a row of cells into 0..n-1 at mirrors through the outermost ones."""
    if 0 <= i < n:
        return i
    i %= 2 * n - 2
    return i if i < n else 2 * n - 2 - i


def reciprocal(
    valid: NDArray[np.bool_],
    down: NDArray[np.float64],
    along: NDArray[np.float64],
    dtype: np.dtype[Any],
    *,
    cells: bool,
) -> NDArray[Any]:
    """Return what a Gaussian sum over valid places must be multiplied by to be their weighted mean.

    Exactly 1 where all places in reach are valid, so that a block without gaps gives the same bits
    without looking; 0 where none is.

    Parameters
    ----------
    valid : ndarray of bool, shape (n, m)
        Pixels, or cells with ``cells``, which are mirrored otherwise at the edges.
    down, along : ndarray
        Half a Gaussian for columns, shape (radius + 1,); for rows, one for all or one for each.
    """
    out = pages.empty(valid.shape, dtype)
    _reciprocal(valid, down, along, cells, out)
    return out


@njit(**STRICT)
def _reciprocal(
    valid: NDArray[np.bool_],
    down: NDArray[np.float64],
    along: NDArray[np.float64],
    cells: bool,
    out: NDArray[Any],
) -> None:
    """Divide the weight of a neighbourhood without gaps by that of the valid part of it, by plain sums."""
    n, m = valid.shape
    reach, wide = down.size - 1, along.shape[1] - 1
    whole = np.empty(n, np.bool_)
    for i in range(n):
        whole[i] = valid[i].all()
    column = np.empty(m + 2 * wide)
    weight = np.empty(m)
    for i in range(n):
        beside = True
        for k in range(-reach, reach + 1):
            beside &= whole[mirrored_cell(i + k, n) if cells else mirror(i + k, n)]
        if beside:
            out[i] = 1.0
            continue
        core = column[wide:]
        for j in range(m):
            core[j] = down[0] if valid[i, j] else 0.0
        full = down[0]
        for k in range(1, reach + 1):
            a = valid[mirrored_cell(i - k, n) if cells else mirror(i - k, n)]
            b = valid[mirrored_cell(i + k, n) if cells else mirror(i + k, n)]
            full += down[k] * 2.0
            for j in range(m):
                core[j] += down[k] * (np.float64(a[j]) + np.float64(b[j]))
        for k in range(1, wide + 1):
            column[wide - k] = core[mirrored_cell(-k, m) if cells else mirror(-k, m)]
            core[m - 1 + k] = core[mirrored_cell(m - 1 + k, m) if cells else mirror(m - 1 + k, m)]
        taps = along[i] if along.shape[0] > 1 else along[0]
        for j in range(m):
            weight[j] = taps[0] * core[j]
        total = taps[0] * full
        for k in range(1, wide + 1):
            total += taps[k] * (full + full)
            left, right = column[wide - k :], core[k:]
            for j in range(m):
                weight[j] += taps[k] * (left[j] + right[j])
        for j in range(m):
            out[i, j] = total / weight[j] if weight[j] > 0.0 else 0.0

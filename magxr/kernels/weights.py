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
def _along(
    valid: NDArray[np.bool_], taps: NDArray[np.float64], cells: bool, out: NDArray[np.float64]
) -> None:
    """Add up a row by plain sums; the last value is that of a row without gaps."""
    m, wide = valid.size, taps.size - 1
    line = np.empty(m + 2 * wide)
    core = line[wide:]
    for j in range(m):
        core[j] = 1.0 if valid[j] else 0.0
    for k in range(1, wide + 1):
        line[wide - k] = core[mirrored_cell(-k, m) if cells else mirror(-k, m)]
        core[m - 1 + k] = core[mirrored_cell(m - 1 + k, m) if cells else mirror(m - 1 + k, m)]
    for j in range(m):
        out[j] = taps[0] * core[j]
    out[m] = taps[0]
    for k in range(1, wide + 1):
        left, right = line[wide - k :], core[k:]
        for j in range(m):
            out[j] += taps[k] * (left[j] + right[j])
        out[m] += taps[k] * 2.0


@njit(**STRICT)
def _reciprocal(
    valid: NDArray[np.bool_],
    down: NDArray[np.float64],
    along: NDArray[np.float64],
    cells: bool,
    out: NDArray[Any],
) -> None:
    """Divide the weight of a neighbourhood without gaps by that of the valid part of it.

    Rows are added up first, each with its own taps, as those of the tensor are. Those of the anomaly are
    added up last, with the taps of the row in the middle: by these taps, then, all rows are added up here.
    """
    n, m = valid.shape
    reach, size = down.size - 1, 2 * down.size - 1
    own = cells and along.shape[0] > 1
    whole = np.empty(n, np.bool_)
    for i in range(n):
        whole[i] = valid[i].all()
    rows = np.empty((size, m + 1))
    weight = np.empty(m + 1)
    held = np.full(size, -1)
    taps_held = -1
    for i in range(n):
        beside = True
        for k in range(-reach, reach + 1):
            beside &= whole[mirrored_cell(i + k, n) if cells else mirror(i + k, n)]
        if beside:
            out[i] = 1.0
            continue
        if along.shape[0] > 1 and not own and taps_held != i:
            held[:] = -1
            taps_held = i
        for k in range(-reach, reach + 1):
            row = mirrored_cell(i + k, n) if cells else mirror(i + k, n)
            if held[row % size] != row:
                taps = along[0]
                if along.shape[0] > 1:
                    taps = along[row] if own else along[i]
                _along(valid[row], taps, cells, rows[row % size])
                held[row % size] = row
        middle = rows[i % size]
        for j in range(m + 1):
            weight[j] = down[0] * middle[j]
        for k in range(1, reach + 1):
            a = rows[(mirrored_cell(i - k, n) if cells else mirror(i - k, n)) % size]
            b = rows[(mirrored_cell(i + k, n) if cells else mirror(i + k, n)) % size]
            for j in range(m + 1):
                weight[j] += down[k] * (a[j] + b[j])
        for j in range(m):
            out[i, j] = weight[m] / weight[j] if weight[j] > 0.0 else 0.0

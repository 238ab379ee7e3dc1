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
    _reciprocal(valid, _even(down, dtype), _even(along, dtype), cells, out)
    return out


def _even(taps: NDArray[np.float64], dtype: np.dtype[Any]) -> NDArray[Any]:
    """Fill half kernels with zeros to one plus an even number of taps."""
    return np.pad(taps, [(0, 0)] * (taps.ndim - 1) + [(0, (taps.shape[-1] - 1) % 2)]).astype(dtype)


@njit(**STRICT)
def _along(valid: NDArray[np.bool_], taps: NDArray[Any], cells: bool, line: Any, out: NDArray[Any]) -> None:
    """Add up a row by plain sums; the last value is that of a row without gaps."""
    m, wide = valid.size, taps.size - 1
    core = line[wide:]
    one, none = out.dtype.type(1), out.dtype.type(0)
    for j in range(m):
        core[j] = one if valid[j] else none
    for k in range(1, wide + 1):
        line[wide - k] = core[mirrored_cell(-k, m) if cells else mirror(-k, m)]
        core[m - 1 + k] = core[mirrored_cell(m - 1 + k, m) if cells else mirror(m - 1 + k, m)]
    w0 = taps[0]
    for j in range(m):
        out[j] = w0 * core[j]
    full = w0
    for k in range(1, wide, 2):
        w1, w2 = taps[k], taps[k + 1]
        left, right = line[wide - k - 1 :], core[k:]
        for j in range(m):
            out[j] = (out[j] + w1 * (left[j + 1] + right[j])) + w2 * (left[j] + right[j + 1])
        full = (full + w1 * (one + one)) + w2 * (one + one)
    out[m] = full


@njit(**STRICT)
def _down(rows: NDArray[Any], taps: NDArray[Any], places: NDArray[np.int64], weight: NDArray[Any]) -> None:
    """Add up the rows ``places[radius - k]`` and ``places[radius + k]`` by plain sums."""
    reach = taps.size - 1
    middle = rows[places[reach]]
    w0 = taps[0]
    for j in range(weight.size):
        weight[j] = w0 * middle[j]
    for k in range(1, reach, 2):
        w1, w2 = taps[k], taps[k + 1]
        a, b = rows[places[reach - k]], rows[places[reach + k]]
        c, d = rows[places[reach - k - 1]], rows[places[reach + k + 1]]
        for j in range(weight.size):
            weight[j] = (weight[j] + w1 * (a[j] + b[j])) + w2 * (c[j] + d[j])


@njit(**STRICT)
def _reciprocal(
    valid: NDArray[np.bool_], down: NDArray[Any], along: NDArray[Any], cells: bool, out: NDArray[Any]
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
    rows = np.empty((size, m + 1), out.dtype)
    weight = np.empty(m + 1, out.dtype)
    line = np.empty(m + 2 * along.shape[1], out.dtype)
    held = np.full(size, -1)
    places = np.empty(size, np.int64)
    taps_held = -1
    for i in range(n):
        beside = True
        for k in range(size):
            places[k] = mirrored_cell(i + k - reach, n) if cells else mirror(i + k - reach, n)
            beside &= whole[places[k]]
        if beside:
            out[i] = 1
            continue
        if along.shape[0] > 1 and not own and taps_held != i:
            held[:] = -1
            taps_held = i
        for k in range(size):
            row = places[k]
            if held[row % size] != row:
                taps = along[0]
                if along.shape[0] > 1:
                    taps = along[row] if own else along[i]
                _along(valid[row], taps, cells, line, rows[row % size])
                held[row % size] = row
            places[k] = row % size
        _down(rows, down, places, weight)
        full, made = weight[m], out[i]
        for j in range(m):
            # Where no valid place is in reach, every term of the sum is 0.
            made[j] = full / weight[j] if weight[j] > 0 else 0

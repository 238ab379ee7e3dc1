"""Weights of normalised convolutions near gaps, and the mirrors at the edges of pixels and of cells."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numba import njit

from magxr.kernels.fir import STRICT, gaussian_taps, mirror

if TYPE_CHECKING:
    from numpy.typing import NDArray


def reciprocal(valid: NDArray[np.bool_], sigma: float, dtype: np.dtype[Any]) -> NDArray[Any]:
    """Return what a Gaussian of the valid pixels must be multiplied by to be their weighted mean.

    Exactly 1 where all pixels in reach are valid, so that a block without gaps gives the same bits
    without looking; 0 in gaps.
    """
    out = np.empty(valid.shape, dtype)
    _reciprocal(valid.astype(np.float64), gaussian_taps(sigma), False, out)
    return out


def cell_reciprocal(valid: NDArray[np.bool_], rho: float, dtype: np.dtype[Any]) -> NDArray[Any]:
    """Return the same for cells with four valid corners, edge cells included, shape (n + 1, m + 1)."""
    around = np.pad(valid, 1, mode="symmetric")
    four = around[1:, 1:] & around[:-1, 1:] & around[1:, :-1] & around[:-1, :-1]
    out = np.empty(four.shape, dtype)
    _reciprocal(four.astype(np.float64), gaussian_taps(rho), True, out)
    return out


@njit(**STRICT)
def mirrored_cell(i: int, n: int) -> int:
    """Fold the place of a row of cells into 0..n-1 at mirrors through the outermost ones."""
    if 0 <= i < n:
        return i
    i %= 2 * n - 2
    return i if i < n else 2 * n - 2 - i


@njit(**STRICT)
def _reciprocal(
    valid: NDArray[np.float64], taps: NDArray[np.float64], cells: bool, out: NDArray[Any]
) -> None:
    """Divide the weight of a neighbourhood without gaps by that of the valid part of it, by plain sums."""
    n, m = valid.shape
    reach = taps.size - 1
    down = np.empty(m)
    column = taps[0]
    for k in range(1, reach + 1):
        column += taps[k] * 2.0
    full = taps[0] * column
    for k in range(1, reach + 1):
        full += taps[k] * (column + column)
    for i in range(n):
        for j in range(m):
            down[j] = taps[0] * valid[i, j]
        for k in range(1, reach + 1):
            a = mirrored_cell(i - k, n) if cells else mirror(i - k, n)
            b = mirrored_cell(i + k, n) if cells else mirror(i + k, n)
            for j in range(m):
                down[j] += taps[k] * (valid[a, j] + valid[b, j])
        for j in range(m):
            if valid[i, j] == 0.0:
                out[i, j] = 0.0
                continue
            weight = taps[0] * down[j]
            for k in range(1, reach + 1):
                a = mirrored_cell(j - k, m) if cells else mirror(j - k, m)
                b = mirrored_cell(j + k, m) if cells else mirror(j + k, m)
                weight += taps[k] * (down[a] + down[b])
            out[i, j] = full / weight

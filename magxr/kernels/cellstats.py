"""Mean and standard deviation of every channel over square crops of a map of cells, by running sums."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numba import njit

from magxr.kernels.fir import STRICT

if TYPE_CHECKING:
    from numpy.typing import NDArray


def crop_statistics(
    cells: NDArray[np.float32], size: int, step: int, around: NDArray[np.float32]
) -> NDArray[np.float32]:
    """Return mean and standard deviation of every channel over crops of ``size x size`` cells.

    Parameters
    ----------
    cells : ndarray of float32, shape (rows, columns, channels)
    size : int
        Side of a crop, cells.
    step : int
        Cells from one crop to the next; the first begins at the first cell.
    around : ndarray of float32, shape (channels,)
        A value near the mean of each channel, the same for all tiles of a map. It is taken off first, without
        which a small variance of large values would drown in the rounding of their squares.

    Returns
    -------
    ndarray of float32, shape (m, n, 2 * channels)
        First all means, then all standard deviations, of the crops that lie inside.

    Notes
    -----
    Sums run in float64, first along columns, then along rows: the work a crop does not depend on its size.
    """
    m, n = ((length - size) // step + 1 for length in cells.shape[:2])
    out = np.empty((m, n, 2 * cells.shape[2]), np.float32)
    _statistics(np.ascontiguousarray(cells), size, step, around.astype(np.float64), out)
    return out


@njit(**STRICT)
def _statistics(
    cells: NDArray[np.float32],
    size: int,
    step: int,
    around: NDArray[np.float64],
    out: NDArray[np.float32],
) -> None:
    rows, columns, channels = cells.shape
    first, second = np.zeros((columns, channels)), np.zeros((columns, channels))
    one, two = np.empty(channels), np.empty(channels)
    done = 0
    for i in range(rows):
        for j in range(columns):
            for c in range(channels):
                x = np.float64(cells[i, j, c]) - around[c]
                first[j, c] += x
                second[j, c] += x * x
            if i >= size:
                for c in range(channels):
                    x = np.float64(cells[i - size, j, c]) - around[c]
                    first[j, c] -= x
                    second[j, c] -= x * x
        begin = i - size + 1
        if begin < 0 or begin % step or done == out.shape[0]:
            continue
        one[:] = 0.0
        two[:] = 0.0
        for j in range(columns):
            for c in range(channels):
                one[c] += first[j, c]
                two[c] += second[j, c]
            if j >= size:
                for c in range(channels):
                    one[c] -= first[j - size, c]
                    two[c] -= second[j - size, c]
            west = j - size + 1
            if west >= 0 and west % step == 0 and west // step < out.shape[1]:
                for c in range(channels):
                    mean = one[c] / (size * size)
                    variance = two[c] / (size * size) - mean * mean
                    out[done, west // step, c] = np.float32(mean + around[c])
                    out[done, west // step, channels + c] = np.float32(np.sqrt(max(variance, 0.0)))
        done += 1

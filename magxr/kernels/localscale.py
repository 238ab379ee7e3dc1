"""Scale a map to 0..1 by the extremes around each cell, which vary slowly from cell to cell."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numba import njit

from magxr.kernels.fir import STRICT
from magxr.kernels.minmax import FLAT, NO_INFORMATION

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray


def margin(size: int) -> int:
    """Return how many cells on every side a cell's scale depends on."""
    return size - 1


def localscale(values: NDArray[np.floating], size: int) -> NDArray[np.float32]:
    """Scale every cell by smoothed extremes of the cells around it.

    Parameters
    ----------
    values : ndarray of float, shape (rows + 2 m, columns + 2 m)
        Anomaly, nT (or any unit: the result does not depend on it), with a margin of ``m = size - 1`` cells.
        Cells that are not finite are missing; beyond the map all are.
    size : int
        Side of the square, cells, whose extremes are taken, and again of the square they are averaged over.

    Returns
    -------
    ndarray of float32, shape (rows, columns)
        0 to 1, without NaN. Cells that are missing, or have no contrast around them (at the level of float32
        rounding), are 0.5.

    Notes
    -----
    ``(x - low) / (high - low)``, cut to 0..1, where ``low`` is the mean, over the square around the cell, of
    the minima of squares of the same size around *its* cells, and ``high`` that of maxima. A window's own
    extremes, which `magxr.kernels.minmax` takes, would jump wherever a peak enters or leaves it, and a map
    scaled so would show the jumps; the mean has none.

    Missing cells leave no trace in the extremes: they are left out, and a square with nothing but missing
    cells is left out of the mean. They become 0.5, half way between the extremes, which is where a trunk sees
    the least contrast to whatever is beside them. (The median that `minmax` gives them would cost a sort a
    cell.)

    The work a cell does not depend on ``size``: extremes by van Herk's algorithm, means by running sums in
    float64, so that the same cell in another block differs by the rounding of float64 at most.

    References
    ----------
    van Herk, A fast algorithm for local minimum and maximum filters on rectangular and octagonal kernels,
    Pattern Recognition Letters 13, 1992.
    """
    values = np.asarray(values, np.float32)
    missing = ~np.isfinite(values)
    inside = tuple(slice(size - 1, n - size + 1) for n in values.shape)
    lowest = _around(_minimum, np.where(missing, np.float32(np.inf), values), size)
    highest = -_around(_minimum, np.where(missing, np.float32(np.inf), -values), size)
    known = np.isfinite(lowest)
    if known.all():
        count: float | NDArray[np.float64] = float(size**2)
    else:
        lowest, highest = np.where(known, lowest, np.float32(0)), np.where(known, highest, np.float32(0))
        # a square of nothing but missing squares has sums of 0, and so no contrast
        count = np.maximum(np.rint(_around(_running_sum, known.astype(np.float64), size)), 1.0)
    low = _around(_running_sum, lowest.astype(np.float64), size) / count
    high = _around(_running_sum, highest.astype(np.float64), size) / count
    flat = high - low <= FLAT * np.maximum(np.abs(low), np.abs(high))
    scaled = (values[inside] - low) / np.where(flat, 1.0, high - low)
    scaled[flat | missing[inside]] = NO_INFORMATION
    return np.clip(scaled, 0.0, 1.0).astype(np.float32)


def _around(
    work: Callable[[NDArray[Any], int], NDArray[Any]], field: NDArray[Any], size: int
) -> NDArray[Any]:
    """Do it along rows, then along columns: of each square that lies inside, named by its first cell."""
    across = work(field, size)
    return np.ascontiguousarray(work(np.ascontiguousarray(across.T), size).T)


@njit(**STRICT)
def _minimum(field: NDArray[np.float32], size: int) -> NDArray[np.float32]:
    """Return the minimum of every ``size`` rows in a row, by two comparisons a cell."""
    n, m = field.shape
    out = np.empty((n - size + 1, m), field.dtype)
    back = np.empty((size, m), field.dtype)
    ahead = np.empty(m, field.dtype)
    for start in range(0, n - size + 1, size):
        back[size - 1] = field[start + size - 1]
        for k in range(size - 2, -1, -1):
            for j in range(m):
                back[k, j] = min(back[k + 1, j], field[start + k, j])
        out[start] = back[0]
        ahead[:] = np.inf
        for k in range(1, min(size, n - size + 1 - start)):
            for j in range(m):
                ahead[j] = min(ahead[j], field[start + size - 1 + k, j])
                out[start + k, j] = min(back[k, j], ahead[j])
    return out


@njit(**STRICT)
def _running_sum(field: NDArray[np.float64], size: int) -> NDArray[np.float64]:
    """Return the sum of every ``size`` rows in a row."""
    n, m = field.shape
    out = np.empty((n - size + 1, m))
    total = np.zeros(m)
    for i in range(n):
        for j in range(m):
            total[j] += field[i, j]
        if i >= size - 1:
            out[i - size + 1] = total
            for j in range(m):
                total[j] -= field[i - size + 1, j]
    return out

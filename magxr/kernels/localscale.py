"""Scale a map to 0..1 by the extremes around each cell, which vary slowly from cell to cell."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from scipy.ndimage import maximum_filter1d, minimum_filter1d

from magxr.kernels.minmax import FLAT, NO_INFORMATION

if TYPE_CHECKING:
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
    core = tuple(slice(size - 1, n - size + 1) for n in values.shape)
    found = []
    for filtered, absent in ((minimum_filter1d, np.inf), (maximum_filter1d, -np.inf)):
        field = np.where(missing, np.float32(absent), values)
        for axis in (0, 1):
            # an even square reaches one cell further back; the mean below one further ahead
            field = filtered(field, size, axis=axis, mode="constant", cval=absent)
        field = field[
            size // 2 : values.shape[0] - (size - 1) // 2, size // 2 : values.shape[1] - (size - 1) // 2
        ]
        found.append(_mean(field, size))
    low, high = found
    known = np.isfinite(low)
    low, high = np.where(known, low, 0.0), np.where(known, high, 0.0)
    flat = high - low <= FLAT * np.maximum(np.abs(low), np.abs(high))
    scaled = (values[core] - low) / np.where(flat, 1.0, high - low)
    scaled[flat | missing[core]] = NO_INFORMATION
    return np.clip(scaled, 0.0, 1.0).astype(np.float32)


def _mean(field: NDArray[np.float32], size: int) -> NDArray[np.float64]:
    """Return the mean of the finite cells of every ``size x size`` square; NaN where there is none."""
    known = np.isfinite(field)
    total = _box(np.where(known, field, np.float32(0)), size)
    if known.all():
        return total / size**2
    count = np.rint(_box(known, size))
    mean: NDArray[np.float64] = np.full(total.shape, np.nan)
    np.divide(total, count, out=mean, where=count > 0)
    return mean


def _box(field: NDArray[np.generic], size: int) -> NDArray[np.float64]:
    box: NDArray[np.float64] = np.asarray(field, np.float64)
    for axis in (0, 1):
        sums = np.zeros([n + (axis == k) for k, n in enumerate(box.shape)])
        inner = [slice(None)] * 2
        inner[axis] = slice(1, None)
        np.cumsum(box, axis=axis, out=sums[tuple(inner)])
        box = sums[size:] - sums[:-size] if axis == 0 else sums[:, size:] - sums[:, :-size]
    return box

r"""Bicubic spline through a grid, with a bounded reach.

The cubic spline through samples :math:`x_j` is :math:`s(t) = \sum_j c_j \beta^3(t - j)`. Its coefficients
are a recursive filter of the samples (Unser 1999), which is the symmetric filter

.. math:: c_j = \sqrt 3 \sum_k z^{|k|} x_{j+k}, \qquad z = \sqrt 3 - 2 \approx -0.268.

The sum is cut at 28 terms each way, where they drop below the rounding of float64, so that a coefficient
depends on 57 samples and no chunk matters. At the edge of the map the samples go on by point reflection,
:math:`x_{-k} = 2 x_0 - x_k`, which makes the second derivative vanish there: the natural spline.

References
----------
Unser, M. (1999). Splines: a perfect fit for signal and image processing. IEEE Signal Processing Magazine
16(6), 22-38.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Reals = NDArray[np.float64]
    Positions = tuple[NDArray[np.intp], Reals]

POLE = np.sqrt(3.0) - 2.0
TERMS = 28
"""Terms of the filter each way: 0.268 to the 28th is 1e-16."""
STRETCH = 12
"""Cells over which data is carried on into holes, so that a hole does not ring in its neighbours."""
REACH = TERMS + 2 + STRETCH
"""Halo, cells: filter, the four coefficients of a point, and what holes are stretched over with."""
_STRIP = 256


def respaced(
    block: NDArray[np.floating],
    rows: Positions,
    cols: Positions,
    *,
    halo: tuple[int, int, int, int],
) -> NDArray[np.floating]:
    """Evaluate the bicubic spline of a block at the crossings of new rows and columns.

    Parameters
    ----------
    block : (rows, cols) float
        Anomaly with its halo, nT, NaN where missing.
    rows, cols : ((n,) int, (n,) float64)
        Cell of the block at or before each new row or column, and the fraction of a cell beyond it, in
        [0, 1). At most half a cell outside of the cells that are not halo.
    halo : (int, int, int, int)
        Cells of halo: south, north, west, east; 0 at an edge of the map.

    Returns
    -------
    (n, m) float
        NaN where the nearest cell of the block is NaN.
    """
    out = np.full((len(rows[0]), len(cols[0])), np.nan, dtype=block.dtype)
    missing = ~np.isfinite(block)
    if missing.all():
        return out
    values = block.astype(np.float64)
    if missing.any():
        values[missing] = np.nan
        values = stretched(values)
    for axis in (0, 1):
        values = coefficients(values, axis, edges=(not halo[2 * axis], not halo[2 * axis + 1]))
    # Coefficient 0 belongs to sample -2 at an edge of the map, to sample TERMS within it (`coefficients`).
    south = rows[0] - 1 - (TERMS if halo[0] else -2)
    west = cols[0] - 1 - (TERMS if halo[2] else -2)
    up, across = _weights(rows[1]), _weights(cols[1])
    hole = missing[np.ix_(nearest(rows), nearest(cols))]
    for start in range(0, len(south), _STRIP):  # strips keep the float64 copies small
        part = slice(start, start + _STRIP)
        strip = _weighted([values[south[part] + k] for k in range(4)], [w[part, None] for w in up])
        out[part] = _weighted([strip[:, west + k] for k in range(4)], [w[None, :] for w in across])
    out[hole] = np.nan
    return out


def nearest(positions: Positions) -> NDArray[np.intp]:
    """Return the nearest cell of every position; the later one where two are as near."""
    near: NDArray[np.intp] = positions[0] + (positions[1] >= 0.5)
    return near


def coefficients(values: Reals, axis: int, *, edges: tuple[bool, bool]) -> Reals:
    """Return the spline coefficients along one axis.

    At an edge of the map two coefficients more than samples come out, elsewhere `TERMS` fewer: the first one
    belongs to sample -2 or `TERMS`.
    """
    more = TERMS + 2
    pad = [(0, 0), (0, 0)]
    pad[axis] = (more if edges[0] else 0, more if edges[1] else 0)
    x = np.moveaxis(np.pad(values, pad, mode="reflect", reflect_type="odd"), axis, 0)
    size = x.shape[0] - 2 * TERMS
    total = np.zeros((size, x.shape[1]))
    # The smallest terms first: their sum is not lost beside the large ones.
    for k in range(TERMS, 0, -1):
        total += POLE**k * (x[TERMS - k : TERMS - k + size] + x[TERMS + k : TERMS + k + size])
    total += x[TERMS : TERMS + size]
    total *= np.sqrt(3.0)
    return np.moveaxis(total, 0, axis)


def stretched(values: Reals) -> Reals:
    """Carry the data on into holes, ring by ring (mean of the neighbours that are there), then zeros.

    Only the filter sees these values; `STRETCH` rings away from the data they count less than 1e-6.
    """
    for _ in range(STRETCH):
        missing = np.isnan(values)
        if not missing.any():
            return values
        there = np.pad(~missing, 1).astype(np.float64)
        padded = np.pad(np.where(missing, 0.0, values), 1)
        total, count = np.zeros_like(values), np.zeros_like(values)
        rows, cols = values.shape
        for i in range(3):
            for j in range(3):
                total += padded[i : i + rows, j : j + cols]
                count += there[i : i + rows, j : j + cols]
        ring = missing & (count > 0)
        values[ring] = total[ring] / count[ring]
    return np.nan_to_num(values, nan=0.0, copy=False)


def _weights(t: Reals) -> list[Reals]:
    """Return the weights of the four coefficients around a point, by the fraction ``t`` of a cell."""
    u = 1.0 - t
    return [
        u * u * u / 6.0,
        2.0 / 3.0 - 0.5 * t * t * (2.0 - t),
        2.0 / 3.0 - 0.5 * u * u * (2.0 - u),
        t * t * t / 6.0,
    ]


def _weighted(parts: list[Reals], weights: list[Reals]) -> Reals:
    return (parts[0] * weights[0] + parts[3] * weights[3]) + (parts[1] * weights[1] + parts[2] * weights[2])

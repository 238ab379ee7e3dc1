"""Areas drawn by people, turned into cells: masks, sides of a barrier, linear and nonlinear zones."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from magxr.io.polygons import looks_like_polygons, polygons
from magxr.kernels.polygons import inside
from magxr.steps.cells import matched

if TYPE_CHECKING:
    import xarray as xr
    from numpy.typing import NDArray

    from magxr.geogrid import Grid

Values = Any
"""A 2-D numpy or Dask array."""


def mask_of(da: xr.DataArray, grid: Grid, where: Any, what: str) -> Values:
    """Return ``where`` (mask on the cells of ``da``, or polygons) in canonical order; nonzero is inside."""
    if not looks_like_polygons(where):
        return matched(da, where, what)
    drawn = np.zeros(grid.shape, dtype=bool)
    for polygon in polygons(where):
        drawn |= inside(polygon.rings, grid.latitude, grid.longitude)
    return drawn.astype(np.float32)


def sides_of(da: xr.DataArray, grid: Grid, barrier: Any, what: str) -> Values:
    """Return a label for every cell: those of a raster, or one for each combination of polygons."""
    if not looks_like_polygons(barrier):
        return matched(da, barrier, what)
    labels: NDArray[np.int64] = np.zeros(grid.shape, dtype=np.int64)
    for polygon in polygons(barrier):
        doubled = 2 * labels + inside(polygon.rings, grid.latitude, grid.longitude)
        labels = np.unique(doubled, return_inverse=True)[1].reshape(grid.shape)
    return labels.astype(np.float32)

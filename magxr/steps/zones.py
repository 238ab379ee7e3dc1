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
    labels: NDArray[np.intp] = np.zeros(grid.shape, dtype=np.intp)
    count = 1
    for polygon in polygons(barrier):
        within = inside(polygon.rings, grid.latitude, grid.longitude)
        before = labels[within]
        # Only what lies inside gets new labels, one for each that it had.
        had = np.flatnonzero(np.bincount(before, minlength=count))
        new = np.zeros(count, dtype=np.intp)
        new[had] = count + np.arange(len(had))
        labels[within] = new[before]
        count += len(had)
    left = np.bincount(labels.ravel(), minlength=count) > 0
    return (np.cumsum(left) - 1)[labels].astype(np.float32)

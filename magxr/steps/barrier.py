"""What nothing flows through and what stays as it is: barriers and held cells of a diffusion."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from magxr.errors import GridError, ParameterError
from magxr.io.lines import lines
from magxr.kernels.lines import between_labels, crossed
from magxr.steps.cells import matched

if TYPE_CHECKING:
    import xarray as xr
    from numpy.typing import NDArray

    from magxr.chunked.halo import Place
    from magxr.geogrid import Grid

Values = Any
"""A 2-D numpy or Dask array."""


def labels_or_lines(
    da: xr.DataArray, grid: Grid, barrier: Any
) -> tuple[Values | None, list[NDArray[np.float64]]]:
    """Return labels by cell in canonical order, or lines as columns and rows of the grid.

    Raises
    ------
    GridError
        If labels do not cover the cells of ``da``, or no line comes near the grid.
    ParameterError
        If ``barrier`` is neither labels nor lines.
    """
    if barrier is None:
        return None, []
    if hasattr(barrier, "dims") or getattr(barrier, "shape", None) == da.shape:
        return matched(da, barrier, "barrier"), []
    drawn = []
    for line in lines(barrier):
        columns = (line[:, 0] - grid.origin[1]) / grid.spacing[1]
        drawn.append(np.column_stack([columns, (line[:, 1] - grid.origin[0]) / grid.spacing[0]]))
    if not any(_near(line, grid) for line in drawn):
        fix = "check its coordinates (longitude, latitude)"
        msg = f"no line of the barrier comes near the grid; {fix}"
        raise GridError(msg)
    return None, drawn


def held(da: xr.DataArray, fixed: Any) -> Values:
    """Return which cells keep their value, in canonical order, as 1 and 0.

    Raises
    ------
    ParameterError
        If ``fixed`` is not made of truth values.
    GridError
        If it does not cover the cells of ``da``.
    """
    dtype = getattr(fixed, "dtype", None)
    if dtype != np.bool_:
        fix = "give True for measured cells, e.g. fixed=measured.notnull()"
        msg = f"fixed must be a grid of truth values, not {dtype or type(fixed).__name__}; {fix}"
        raise ParameterError(msg)
    return matched(da, fixed, "fixed")


def shut(
    labels: NDArray[Any] | None, drawn: list[NDArray[np.float64]], place: Place, period: float
) -> NDArray[np.bool_] | None:
    """Return the cells of a haloed block that nothing flows through."""
    if labels is not None:
        return between_labels(labels)
    if not drawn:
        return None
    south, north, west, east = place.halo
    rows = place.rows[0] - south, place.rows[1] + north
    return crossed(drawn, rows, (place.cols[0] - west, place.cols[1] + east), period)


def _near(line: NDArray[np.float64], grid: Grid) -> bool:
    rows = line[:, 1].max() >= 0 and line[:, 1].min() <= grid.shape[0] - 1
    period = 360.0 / grid.spacing[1]
    turns = np.floor((grid.shape[1] - line[:, 0].min()) / period)
    return bool(rows and line[:, 0].max() + turns * period >= 0)

"""What a run reads: a region of the catalog, a grid file, or a Dataset already at hand."""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr

from magxr.chunked.quantiles import check_extent, extremes
from magxr.errors import GridError, ParameterError
from magxr.geogrid import describe
from magxr.io.catalog import open_region
from magxr.io.chunking import TARGET
from magxr.io.crop import crop
from magxr.io.read import open_anomaly
from magxr.kernels.windows import centres
from magxr.labelled import anomaly, canonical
from magxr.steps.arguments import is_whole

if TYPE_CHECKING:
    from magxr.geogrid import Grid
    from magxr.runs.config import RunConfig


NEAREST_POLE = 85.0
"""Latitude beyond which cells are too narrow (a twelfth of their height) for a map of all longitudes."""


def open_source(config: RunConfig, given: xr.Dataset | xr.DataArray | None = None) -> xr.Dataset:
    """Open what the run works on, lazily, with the anomaly as its only grid.

    Parameters
    ----------
    config : RunConfig
    given : xarray.Dataset or xarray.DataArray, optional
        An anomaly already opened, instead of ``config.region``.

    Returns
    -------
    xarray.Dataset
        The anomaly in nT, Dask-backed.
    """
    how: dict[str, Any] = {"variable": config.variable, "units": config.units, "crs": config.crs}
    how["chunks"] = "auto"
    if given is not None:
        da = anomaly(given, config.variable)
        describe(da)
        ds = da.to_dataset(name="anomaly").assign_attrs(given.attrs if isinstance(given, xr.Dataset) else {})
        ds = crop(ds, config.bounds) if config.bounds else ds
    elif _is_file(config.region):
        ds = open_anomaly(config.path or config.region, **how)
        ds = crop(ds, config.bounds) if config.bounds else ds
    else:
        ds = open_region(config.region, path=config.path, bounds=config.bounds, **how)
    ds = _without_poles(ds, config.max_latitude)
    da = ds["anomaly"]
    if da.chunks is None or config.chunk:
        # Chunks of about the same length: a sliver at the end would be smaller than a halo.
        longest = config.chunk or TARGET
        da = da.chunk({d: math.ceil(n / math.ceil(n / longest)) for d, n in da.sizes.items()})
    return da.to_dataset(name=da.name).assign_attrs(ds.attrs)


def _without_poles(ds: xr.Dataset, most: float | None) -> xr.Dataset:
    """Leave out rows near the poles; a grid that goes round the globe and reaches them is refused.

    There a cell is a sliver of a few hundred metres, so that neither stripes nor windows keep their shape.
    """
    da = ds["anomaly"]
    grid, _ = describe(da)
    farthest = float(abs(grid.latitude[[0, -1]]).max())
    if most is None:
        if grid.wraps and farthest > NEAREST_POLE:
            fix = "leave the poles out with max_latitude=80 (--max-latitude 80)"
            msg = f"the grid goes round the globe and reaches {farthest:.4g} degrees of latitude; {fix}"
            raise GridError(msg)
        return ds
    kept = np.flatnonzero(abs(da[grid.lat].values) <= most + 1e-9)
    if kept.size < 2:
        msg = f"max_latitude={most:g} leaves {kept.size} of the {grid.shape[0]} rows; use a larger one"
        raise ParameterError(msg)
    if kept.size == grid.shape[0]:
        return ds
    cut = ds.isel({grid.lat: slice(int(kept[0]), int(kept[-1]) + 1)})
    if da.chunks is None:
        return cut
    # No sliver where the edge of the cut falls into a chunk.
    longest = max(da.chunks[da.get_axis_num(grid.lat)])
    return cut.chunk({grid.lat: math.ceil(kept.size / math.ceil(kept.size / longest))})


def check_values(ds: xr.Dataset) -> None:
    """Read the anomaly once and refuse values that no step could use, before anything is written.

    Raises
    ------
    GridError
        If all cells are missing or equal, some are infinite, or a fill value stands out.
    """
    values, _, _ = canonical(anomaly(ds))
    check_extent(extremes(values).compute())


def check_window(grid: Grid, window: int, config: RunConfig) -> None:
    """Refuse a working grid on which no window fits, before anything is computed.

    Raises
    ------
    GridError
        Naming the size of the grid and of the window.
    ParameterError
        If the stride does not fit the window.
    """
    if min(grid.shape) < window:
        rows, columns = grid.shape
        fix = "take a larger region or a finer spacing"
        msg = f"the working grid has {rows} x {columns} cells, the model's window {window} x {window}; {fix}"
        raise GridError(msg)
    whole = is_whole(config.stride, 1)
    if not whole or config.stride > window or (window - config.stride) % 2:
        rule = f"a whole number between 1 and {window}, and as even or odd as the window"
        msg = f"stride {config.stride!r} does not fit windows of {window} cells: it must be {rule}"
        raise ParameterError(msg)
    rows = centres(grid.shape[0], window, config.stride).count
    columns = centres(grid.shape[1], window, config.stride).count
    if min(rows, columns) < 2:
        most = [s for s in range(1, config.stride) if (window - s) % 2 == 0 and min(grid.shape) // s >= 2]
        fix = f"use a stride of {most[-1]} or less" if most else "take a larger region"
        msg = (
            f"stride {config.stride} leaves {rows} x {columns} predictions, at least 2 x 2 make a map; {fix}"
        )
        raise ParameterError(msg)


def _is_file(region: str) -> bool:
    # Names of regions hold neither dots nor slashes; a file may have no suffix at all.
    return bool(Path(region).suffix) or "/" in region or Path(region).is_file()

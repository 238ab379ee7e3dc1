"""Cut a box of longitude and latitude out of a grid, across the seam of the globe where need be."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import xarray as xr

from magxr.chunked.plan import is_chunked, rechunk
from magxr.errors import ParameterError
from magxr.geogrid import describe
from magxr.io.chunking import Chunks, plan

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray


def crop(ds: xr.Dataset, bounds: Sequence[float], *, chunks: Chunks = "auto") -> xr.Dataset:
    """Return the cells whose centres (or nodes) lie within a box.

    Parameters
    ----------
    ds : xarray.Dataset
        With ``anomaly`` on latitude and longitude, as `magxr.io.read.open_anomaly` returns it.
    bounds : four float
        West, south, east, north, degrees. East is east of west: (170, -10, -170, 10) crosses 180.
    chunks : "auto", int or dict, optional
        Chunks of the result.

    Returns
    -------
    xarray.Dataset
        The same variables on fewer cells. Where the box crosses the seam of the columns, longitude runs on
        (past 180 or 360) from one side to the other.

    Raises
    ------
    ParameterError
        If the bounds are out of range or hold fewer than 2 x 2 cells.
    """
    west, south, east, north = checked(bounds)
    grid, layout = describe(ds["anomaly"])
    lat, lon = ds[grid.lat].values, ds[grid.lon].values
    rows = np.flatnonzero((lat >= south) & (lat <= north))
    last = len(lon) - 1 if layout.repeated else len(lon)
    # A tenth of a thousandth of a cell: bounds that are meant to fall on a node do so in spite of rounding.
    slack = 1e-4 * grid.spacing[1]
    turned = west - slack + np.mod(lon[:last] - west + slack, 360.0)
    columns = np.flatnonzero(turned <= east + slack)
    if len(rows) < 2 or len(columns) < 2:
        msg = (
            f"bounds={tuple(bounds)} (west, south, east, north) hold {len(rows)} x {len(columns)} cells; "
            f"the grid covers longitude {lon.min():g}..{lon.max():g}, latitude {lat.min():g}..{lat.max():g}"
        )
        raise ParameterError(msg)
    out = ds.isel({grid.lat: slice(int(rows[0]), int(rows[-1]) + 1)})
    parts = [out.isel({grid.lon: slice(int(p[0]), int(p[-1]) + 1)}) for p in _runs(columns, turned)]
    out = (
        parts[0] if len(parts) == 1 else xr.concat(parts, grid.lon, join="override", combine_attrs="override")
    )
    told = ds[grid.lon].attrs
    if len(parts) > 1:
        along = np.concatenate([turned[p] for p in _runs(columns, turned)])
        out = out.assign_coords({grid.lon: (grid.lon, along, told)})
    for name, var in out.data_vars.items():
        if chunks is not None and is_chunked(var.data):
            planned = plan(var.sizes, {}, chunks)
            whole = tuple(_pieces(n, planned[d]) for d, n in var.sizes.items())
            out[name] = var.copy(data=rechunk(var.data, whole, why="cropped to bounds"))
    return out


def checked(bounds: Sequence[float]) -> tuple[float, float, float, float]:
    """Return west, south, east, north with east made larger than west, or tell what is wrong with them."""
    try:
        west, south, east, north = (float(b) for b in bounds)
    except (TypeError, ValueError) as error:
        msg = f"bounds={bounds!r} are not four numbers; give west, south, east, north in degrees"
        raise ParameterError(msg) from error
    if not all(np.isfinite([west, south, east, north])) or not -90 <= south < north <= 90:
        order = "west, south, east, north"
        msg = f"bounds={tuple(bounds)} ({order}): south must be below north, both within -90..90"
        raise ParameterError(msg)
    if not (-360 <= west <= 360 and -360 <= east <= 360):
        msg = f"bounds={tuple(bounds)}: west and east must lie within -360..360 degrees"
        raise ParameterError(msg)
    return west, south, east if east > west else east + 360.0, north


def _runs(columns: NDArray[np.intp], turned: NDArray[np.float64]) -> list[NDArray[np.intp]]:
    """Split columns into runs without a gap, in the order in which they follow each other on the globe."""
    runs = np.split(columns, np.flatnonzero(np.diff(columns) != 1) + 1)
    runs = [
        piece
        for run in runs
        for piece in np.split(run, np.flatnonzero(np.abs(np.diff(turned[run])) > 180.0) + 1)
    ]
    falling = bool(np.median(np.diff(turned)) < 0)
    return sorted(runs, key=lambda run: float(turned[run[0]]), reverse=falling)


def _pieces(size: int, length: int) -> tuple[int, ...]:
    return (length,) * (size // length) + ((size % length,) if size % length else ())

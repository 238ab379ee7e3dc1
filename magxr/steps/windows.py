"""Step 6: cut a map into the overlapping windows that people label and networks learn from."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any, get_args

import numpy as np
import xarray as xr

from magxr.chunked.blocks import Jobs, map_regions
from magxr.chunked.quantiles import check_some
from magxr.errors import MagxrWarning, ParameterError
from magxr.kernels.windows import Edges, starts, starts_around
from magxr.labelled import anomaly, canonical, signed
from magxr.steps.cells import filled
from magxr.steps.cutting import (
    check_window,
    cut_task,
    describe_grid,
    jobs_of,
    missing_task,
    need_xbatcher,
    places,
)

if TYPE_CHECKING:
    from collections.abc import Hashable

    from numpy.typing import NDArray

    from magxr.geogrid import Grid

    Starts = NDArray[np.int64]

_BLOCK_BYTES = 64 * 2**20
"""Windows of one task, at most about this many bytes."""


def windows(
    obj: xr.Dataset | xr.DataArray,
    *,
    size: int = 250,
    stride: int = 50,
    edges: Edges = "shift",
    variable: Hashable | None = None,
) -> xr.Dataset:
    """Cut a map into overlapping square windows.

    Parameters
    ----------
    obj : xarray.Dataset or xarray.DataArray
        Anomaly, nT, on latitude and longitude; numpy or Dask.
    size : int
        Side of a window, cells.
    stride : int
        Cells from one window to the next, at most ``size``.
    edges : {"shift", "pad", "drop"}
        What becomes of the cells left over after the last whole stride at the north and the east. "shift":
        one more window, moved back until it fits, so that every cell is seen and none is invented. "pad":
        one more on the stride, its outer part mirrored. "drop": none; the cells that no window sees are
        counted in ``attrs["cells_unseen"]`` and warned of.
    variable : hashable, optional
        Name of the anomaly in a Dataset, where units do not tell.

    Returns
    -------
    xarray.Dataset
        The anomaly with dims ``(window, row, column)``, south in row 0 and west in column 0 whatever the
        input's direction, lazy if ``obj`` is, chunked along ``window``. Coordinates along ``window``: its
        number (row by row from the south-west), ``latitude`` and ``longitude`` of its centre, the bounds
        ``south, north, west, east`` (outer edges of its cells, degrees), ``start_row`` and
        ``start_column`` in the map, and the lazy ``missing_share`` (float32, 0 to 1: cells that are not
        finite or, where the map has a coordinate ``filled``, were interpolated; mirrored cells do not
        count).

    Raises
    ------
    ParameterError
        If size or stride are out of range, or the windows do not go round a global map evenly.
    GridError
        If the map is smaller than a window, or is in memory and has no data at all. When computed: if it
        holds fill values.

    Notes
    -----
    Where longitude goes round the globe there is no east edge: windows go round too, at multiples of the
    stride from longitude 0, so the stride must divide the number of columns.

    xbatcher cuts the windows inside each task, from the block in memory.

    References
    ----------
    Ghosh et al. (2026), "Creating labeled training images": 250 x 250 windows, stride 50.
    """
    _check_edges(edges)
    da = anomaly(obj, variable)
    values, grid, _ = canonical(da)
    check_window(grid, size, stride)
    need_xbatcher("cutting windows")
    check_some(values, da.name)
    rows = starts(grid.shape[0], size, stride, edges)
    columns = (
        starts_around(grid.shape[1], stride, grid.column0)
        if grid.wraps
        else starts(grid.shape[1], size, stride, edges)
    )
    unseen = _unseen(grid, rows, columns, size)
    if unseen:
        cells = grid.shape[0] * grid.shape[1]
        msg = (
            f"windows of {size} at stride {stride} leave {unseen} of {cells} cells unseen; "
            "use edges='shift' or 'pad' to see them all"
        )
        warnings.warn(msg, MagxrWarning, stacklevel=2)
    cut, share = _lazily_cut(values, filled(da), grid, size, stride, rows, columns)
    told = {"size": size, "stride": stride, "edges": edges}
    attrs = {**signed(da.attrs, "windows", told), **told, "cells_unseen": unseen, **describe_grid(grid)}
    coords = {k: v for k, v in da.coords.items() if not {grid.lat, grid.lon} & set(v.dims)}
    coords |= places(grid, size, rows, columns)
    coords["missing_share"] = ("window", share, {"long_name": "share of missing or interpolated cells"})
    name = da.name if da.name is not None else "anomaly"
    return xr.Dataset(
        {name: (("window", "row", "column"), cut, {**signed(da.attrs, "windows", told)})},
        coords=coords,
        attrs={k: v for k, v in attrs.items() if k not in da.attrs or k == "history"},
    )


def _lazily_cut(
    values: Any, mask: Any, grid: Grid, size: int, stride: int, rows: Starts, columns: Starts
) -> tuple[Any, Any]:
    most = max(1, _BLOCK_BYTES // (size * size * values.dtype.itemsize))
    jobs, chunks = jobs_of(grid, size, rows, columns, most)
    share = map_regions(
        missing_task,
        [values] if mask is None else [values, mask],
        jobs,
        chunks=(chunks,),
        dtype=np.float32,
        step="missing",
        size=size,
    )
    cutting: Jobs = {(*n, 0, 0): job for n, job in jobs.items()}
    cut = map_regions(
        cut_task,
        [values],
        cutting,
        chunks=(chunks, (size,), (size,)),
        dtype=values.dtype,
        step="windows",
        size=size,
        stride=stride,
    )
    return cut, share


def _unseen(grid: Grid, rows: Starts, columns: Starts, size: int) -> int:
    seen = [min(int(rows[-1]) + size, grid.shape[0])]
    seen.append(grid.shape[1] if grid.wraps else min(int(columns[-1]) + size, grid.shape[1]))
    return grid.shape[0] * grid.shape[1] - seen[0] * seen[1]


def _check_edges(edges: str) -> None:
    if edges not in get_args(Edges):
        msg = f"edges is {edges!r}; use one of {', '.join(map(repr, get_args(Edges)))}"
        raise ParameterError(msg)

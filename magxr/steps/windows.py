"""Step 6: cut a map into the overlapping windows that people label and networks learn from."""

from __future__ import annotations

import warnings
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any, get_args

import numpy as np
import xarray as xr

from magxr.chunked.blocks import Job, Jobs, map_regions, reach
from magxr.errors import GridError, MagxrWarning, MissingExtraError, ParameterError
from magxr.kernels.windows import Edges, divisors, runs, shares, starts, starts_around
from magxr.labelled import anomaly, canonical, signed
from magxr.steps.cells import filled

if TYPE_CHECKING:
    from collections.abc import Hashable

    from numpy.typing import NDArray

    from magxr.chunked.blocks import Reach
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
        If the map is smaller than a window.

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


def check_window(grid: Grid, size: int, stride: int) -> None:
    """Refuse sizes and strides that the map cannot serve."""
    for name, value in {"size": size, "stride": stride}.items():
        if not isinstance(value, int | np.integer) or isinstance(value, bool) or value < 1:
            msg = f"{name} is {value!r}; it must be a whole number of cells, at least 1"
            raise ParameterError(msg)
    if stride > size:
        msg = f"stride {stride} is larger than the window of {size}; cells between windows would go unseen"
        raise ParameterError(msg)
    if size > min(grid.shape):
        msg = (
            f"a window of {size} x {size} cells is larger than the map of {grid.shape[0]} x "
            f"{grid.shape[1]}; use a smaller window, a finer spacing or a larger region"
        )
        raise GridError(msg)
    if grid.wraps and grid.shape[1] % stride:
        fit = divisors(grid.shape[1], size)
        shown = sorted(fit, key=lambda d: abs(d - stride))[:4]
        msg = (
            f"stride {stride} does not divide the {grid.shape[1]} columns that go round the globe, so "
            f"windows would not meet; strides that do: {', '.join(map(str, sorted(shown)))}"
        )
        raise ParameterError(msg)


def need_xbatcher(purpose: str) -> None:
    """Refuse before any work if xbatcher is not installed."""
    if find_spec("xbatcher") is None:
        package, extra = "xbatcher", "windows"
        raise MissingExtraError(package, extra, purpose)


def describe_grid(grid: Grid) -> dict[str, Any]:
    """Return the attrs from which `magxr.steps.labels` finds the cells of a window again."""
    return {
        "grid_shape": list(grid.shape),
        "grid_origin": list(grid.origin),
        "grid_spacing": list(grid.spacing),
        "grid_wraps": int(grid.wraps),
    }


def places(grid: Grid, size: int, rows: Starts, columns: Starts) -> dict[Hashable, Any]:
    """Return the coordinates along ``window`` of windows at all pairs of ``rows`` and ``columns``."""
    row, column = (a.ravel() for a in np.meshgrid(rows, columns, indexing="ij"))
    south = grid.origin[0] + (row - 0.5) * grid.spacing[0]
    west = grid.origin[1] + (column - 0.5) * grid.spacing[1]
    tall, wide = size * grid.spacing[0], size * grid.spacing[1]
    north_units, east_units = {"units": "degrees_north"}, {"units": "degrees_east"}
    return {
        "window": ("window", np.arange(len(row)), {"long_name": "window, row by row from the south-west"}),
        "latitude": ("window", south + tall / 2, {**north_units, "standard_name": "latitude"}),
        "longitude": ("window", west + wide / 2, {**east_units, "standard_name": "longitude"}),
        "south": ("window", south, north_units),
        "north": ("window", south + tall, north_units),
        "west": ("window", west, east_units),
        "east": ("window", west + wide, east_units),
        "start_row": ("window", row, {"long_name": "first row in the map, counted from the south"}),
        "start_column": ("window", column, {"long_name": "first column in the map, counted from the west"}),
    }


def jobs_of(grid: Grid, size: int, rows: Starts, columns: Starts, most: int) -> tuple[Jobs, tuple[int, ...]]:
    """Split windows into blocks of as many consecutive numbers each, and say what a block reads.

    A block is whole rows of windows where a row has at most ``most``; else a stretch of windows, which reads
    whole rows only where it runs on from one row to the next. All but the last are equal, as Zarr wants them.
    """
    wide, total = len(columns), len(rows) * len(columns)
    tall = -(-len(rows) // -(-len(rows) // (most // wide))) if wide <= most else 0
    step = tall * wide or -(-total // -(-total // most))
    jobs: Jobs = {}
    for n, begin in enumerate(range(0, total, step)):
        end = min(begin + step, total)
        low, high = begin // wide, (end - 1) // wide + 1
        r, c, skipped = rows[low:high], columns, begin - low * wide
        if high == low + 1:
            r, c, skipped = rows[low:high], columns[skipped : skipped + end - begin], 0
        across = reach(int(r[0]), int(r[-1]) + size, grid.shape[0], "mirror")
        along = reach(int(c[0]), int(c[-1]) + size, grid.shape[1], "wrap" if grid.wraps else "mirror")
        told = {
            "rows": r - r[0],
            "columns": c - c[0],
            "span": (across, along),
            "chosen": slice(skipped, skipped + end - begin),
        }
        jobs[(n,)] = Job(across, along, told)
    return jobs, (step,) * (total // step) + ((total % step,) if total % step else ())


def _lazily_cut(
    values: Any, mask: Any, grid: Grid, size: int, stride: int, rows: Starts, columns: Starts
) -> tuple[Any, Any]:
    most = max(1, _BLOCK_BYTES // (size * size * values.dtype.itemsize))
    jobs, chunks = jobs_of(grid, size, rows, columns, most)
    share = map_regions(
        _share,
        [values] if mask is None else [values, mask],
        jobs,
        chunks=(chunks,),
        dtype=np.float32,
        step="missing",
        size=size,
    )
    cutting: Jobs = {(*n, 0, 0): job for n, job in jobs.items()}
    cut = map_regions(
        _cut,
        [values],
        cutting,
        chunks=(chunks, (size,), (size,)),
        dtype=values.dtype,
        step="windows",
        size=size,
        stride=stride,
    )
    return cut, share


def _cut(
    block: NDArray[Any],
    *,
    rows: Starts,
    columns: Starts,
    span: tuple[Reach, Reach],  # noqa: ARG001 (told to every kernel of a job)
    chosen: slice,
    size: int,
    stride: int,
) -> NDArray[Any]:
    """Copy the windows out of a block in memory; xbatcher does each stretch of even stride."""
    out = np.empty((chosen.stop - chosen.start, size, size), dtype=block.dtype)
    for r in runs(rows, stride):
        for c in runs(columns, stride):
            part = block[rows[r][0] : rows[r][-1] + size, columns[c][0] : columns[c][-1] + size]
            generator = stream(part, size, stride)
            wide = c.stop - c.start
            for n in range((r.stop - r.start) * wide):
                at = (r.start + n // wide) * len(columns) + c.start + n % wide
                if chosen.start <= at < chosen.stop:
                    out[at - chosen.start] = generator[n].values
    return out


def stream(block: NDArray[Any], size: int, stride: int) -> Any:
    """Return the xbatcher generator of the windows of a block in memory, row by row from its first cell."""
    from xbatcher import BatchGenerator

    return BatchGenerator(
        xr.DataArray(block, dims=("row", "column")),
        input_dims={"row": size, "column": size},
        input_overlap={"row": size - stride, "column": size - stride},
        preload_batch=False,
    )


def _share(
    block: NDArray[Any],
    mask: NDArray[Any] | None = None,
    *,
    rows: Starts,
    columns: Starts,
    span: tuple[Reach, Reach],
    chosen: slice,
    size: int,
) -> NDArray[np.float32]:
    missing = ~np.isfinite(block)
    if mask is not None:
        missing |= mask > 0
    share = shares(missing, (span[0].real, span[1].real), size, rows, columns)
    return share.ravel()[chosen].astype(np.float32)


def _unseen(grid: Grid, rows: Starts, columns: Starts, size: int) -> int:
    seen = [min(int(rows[-1]) + size, grid.shape[0])]
    seen.append(grid.shape[1] if grid.wraps else min(int(columns[-1]) + size, grid.shape[1]))
    return grid.shape[0] * grid.shape[1] - seen[0] * seen[1]


def _check_edges(edges: str) -> None:
    if edges not in get_args(Edges):
        msg = f"edges is {edges!r}; use one of {', '.join(map(repr, get_args(Edges)))}"
        raise ParameterError(msg)

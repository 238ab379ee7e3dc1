"""Where the windows of a map lie, which of them a task cuts, and how it does."""

from __future__ import annotations

from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr

from magxr.chunked.blocks import Job, Jobs, reach
from magxr.chunked.quantiles import check_block
from magxr.errors import GridError, MissingExtraError, ParameterError
from magxr.kernels.windows import divisors, runs, shares

if TYPE_CHECKING:
    from collections.abc import Hashable

    from numpy.typing import NDArray

    from magxr.chunked.blocks import Reach
    from magxr.geogrid import Grid

    Starts = NDArray[np.int64]


def check_window(grid: Grid, size: int, stride: int) -> None:
    """Refuse sizes and strides that the map cannot serve."""
    for name, value in {"size": size, "stride": stride}.items():
        if not isinstance(value, int | np.integer) or isinstance(value, bool) or value < 1:
            msg = f"{name} is {value!r}; it must be a whole number of cells, at least 1"
            raise ParameterError(msg)
    if stride > size:
        fix = f"use at most {size}"
        msg = f"stride {stride} is larger than the window of {size}, so cells would go unseen; {fix}"
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


def planned(block: NDArray[Any], size: int, stride: int) -> list[tuple[slice, slice]]:
    """Return rows and columns of the windows of a block, row by row from its first cell, as xbatcher plans.

    They are taken from the array by this plan: xbatcher's own batches are labelled arrays, of which making
    one takes six times as long as copying the window.
    """
    from xbatcher import BatchSchema

    plan = BatchSchema(
        xr.DataArray(block, dims=("row", "column")),
        input_dims={"row": size, "column": size},
        input_overlap={"row": size - stride, "column": size - stride},
        concat_input_bins=False,
    )
    return [(one["row"], one["column"]) for (one,) in plan.selectors.values()]


def cut_task(
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
    check_block(block, infinite=True)
    out = np.empty((chosen.stop - chosen.start, size, size), dtype=block.dtype)
    for r in runs(rows, stride):
        for c in runs(columns, stride):
            part = block[rows[r][0] : rows[r][-1] + size, columns[c][0] : columns[c][-1] + size]
            windows = planned(part, size, stride)
            wide = c.stop - c.start
            for n in range((r.stop - r.start) * wide):
                at = (r.start + n // wide) * len(columns) + c.start + n % wide
                if chosen.start <= at < chosen.stop:
                    out[at - chosen.start] = part[windows[n]]
    return out


def missing_task(
    block: NDArray[Any],
    mask: NDArray[Any] | None = None,
    *,
    rows: Starts,
    columns: Starts,
    span: tuple[Reach, Reach],
    chosen: slice,
    size: int,
) -> NDArray[np.float32]:
    """Return the share of missing or interpolated cells of the chosen windows of a block, float32."""
    missing = ~np.isfinite(block)
    if mask is not None:
        missing |= mask > 0
    share = shares(missing, (span[0].real, span[1].real), size, rows, columns)
    return share.ravel()[chosen].astype(np.float32)

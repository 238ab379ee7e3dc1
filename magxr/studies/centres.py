"""Windows of any size around the same places on the ground: where these are, and what a model says there."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from magxr.chunked.blocks import Job, map_regions
from magxr.chunked.quantiles import check_block
from magxr.errors import GridError, ModelError, ParameterError
from magxr.kernels.windows import shares
from magxr.steps.arguments import number
from magxr.steps.cutting import jobs_of
from magxr.steps.spacing import KM_PER_DEGREE
from magxr.studies.votes import listed

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from magxr.chunked.blocks import Reach
    from magxr.geogrid import Grid
    from magxr.steps.predictor import Predictor
    from magxr.studies.respaced import Respaced

    Starts = NDArray[np.int64]
    Floats = NDArray[np.float64]

_BLOCK = 64
"""Most windows of one task."""
ANSWERS = ("probability", "missing_share", "wavelength")
"""What `answered` returns, in this order."""


SIZES = (0.5, 1.0, 1.5, 2.0, 2.5, 3.0, 3.5, 4.0, 5.0, 6.0, 7.0, 8.0)
"""Degrees; Fig. 12 goes from 0.5 to 8."""


class Places(NamedTuple):
    """Centres of windows, at all pairs of the two."""

    latitude: Floats
    longitude: Floats


def edges(grid: Grid) -> tuple[float, float, float, float]:
    """Return south, north, west and east end of a map, degrees: edges of its cells."""
    ends: list[float] = []
    for first, step, count in zip(grid.origin, grid.spacing, grid.shape, strict=True):
        ends += [first - 0.5 * step, first + (count - 0.5) * step]
    return ends[0], ends[1], ends[2], ends[3]


def fitting_sizes(sizes: Sequence[float] | None, grid: Grid, pixels: int) -> list[float]:
    """Return the sizes in ascending order, at least two; refuse those that do not fit."""
    if grid.wraps:
        msg = "the map goes round the globe, where windows have no common middle; cut out a part (bounds)"
        raise GridError(msg)
    south, north, west, east = edges(grid)
    side = min(north - south, east - west)
    largest = side / (1.0 + 4.0 / pixels)
    if sizes is None:
        found = [s for s in SIZES if s <= 0.5 * side]
    else:
        found = sorted(
            number("a size", s, above=0, unit="degrees") for s in listed("sizes", sizes, "(1, 2, 3)")
        )
    if found and found[-1] > largest:
        msg = (
            f"a window of {found[-1]:g} degrees does not fit into the map, whose shorter side has "
            f"{side:.4g}; use sizes up to {largest:.3g}, or half of it so that there are places to compare"
        )
        raise GridError(msg)
    if len(found) < 2:
        msg = (
            f"sizes={sizes!r} leave {len(found)} to compare on a map whose shorter side has {side:.4g} "
            "degrees; give at least two, e.g. sizes=(1, 2)"
        )
        raise ParameterError(msg)
    return found


def trained_for(predictor: Predictor, spacing: float) -> bool:
    """Tell whether a model was trained for a spacing, arcmin; one that does not say takes any."""
    allowed = getattr(predictor, "spacing", None)
    return allowed is None or allowed[0] * (1 - 1e-6) <= spacing <= allowed[1] * (1 + 1e-6)


def places(grid: Grid, widest: float, pixels: int, stride: float) -> Places:
    """Lay places ``stride`` degrees apart, in the middle of those that the widest window can stand around.

    Two of its cells are left at every side, since respaced cells need not end where the map does.
    """
    south, north, west, east = edges(grid)
    reach = 0.5 * widest + 2.0 * widest / pixels
    found = []
    for low, high in ((south, north), (west, east)):
        room = (high - low) - 2.0 * reach
        count = math.floor(room / stride + 1e-9) + 1 if room >= 0 else 0
        found.append(0.5 * (low + high) + stride * (np.arange(count) - 0.5 * (count - 1)))
    latitude, longitude = (np.asarray(f, dtype=np.float64) for f in found)
    return Places(latitude, longitude)


def starts(at: Places, grid: Grid, pixels: int) -> tuple[Starts, Starts]:
    """Return the first rows and columns of the windows nearest to the places: within half a cell of them."""
    found = []
    for centres, first, step, count in zip(at, grid.origin, grid.spacing, grid.shape, strict=True):
        start = np.rint((centres - (first - 0.5 * step)) / step - 0.5 * pixels).astype(np.int64)
        found.append(np.clip(start, 0, count - pixels))
    return found[0], found[1]


def answered(
    source: Respaced, at: Places, predictor: Predictor, *, max_missing: float, measured: bool
) -> Any:
    """Ask a model for every place; lazy.

    Parameters
    ----------
    source : Respaced
        The map on cells of which a window has ``predictor.window``.
    at : Places
    predictor : Predictor
    max_missing : float
        Share of a window's cells, 0 to 1; above it there is no answer.
    measured : bool
        Whether to measure the dominant wavelength too.

    Returns
    -------
    dask.array.Array
        Shape (3, places), float32, row by row from the south-west: `ANSWERS` (0 to 1, 0 to 1, km), NaN where
        there is none.
    """
    size = predictor.window
    rows, columns = starts(at, source.grid, size)
    jobs, chunks = jobs_of(source.grid, size, rows, columns, _BLOCK)
    degree = source.grid.spacing
    return map_regions(
        _task,
        [source.values, source.lost],
        {(0, *n): Job(job.rows, job.columns, job.told) for n, job in jobs.items()},
        chunks=((len(ANSWERS),), chunks),
        dtype=np.float32,
        step="window-sizes",
        predictor=predictor,
        max_missing=float(max_missing),
        ground=(source.grid.origin[0], *degree) if measured else None,
    )


def _task(
    block: NDArray[np.float32],
    lost: NDArray[np.bool_],
    *,
    rows: Starts,
    columns: Starts,
    span: tuple[Reach, Reach],
    chosen: slice,
    predictor: Predictor,
    max_missing: float,
    ground: tuple[float, float, float] | None,
) -> NDArray[np.float32]:
    check_block(block, infinite=True)
    size = predictor.window
    real = (span[0].real, span[1].real)
    share = shares(lost, real, size, rows, columns).ravel()[chosen]
    empty = shares(~np.isfinite(block), real, size, rows, columns).ravel()[chosen] >= 1.0
    corners = [(r, c) for r in rows for c in columns][chosen]
    out = np.full((len(ANSWERS), len(corners)), np.nan, dtype=np.float32)
    out[1] = share
    wanted = np.flatnonzero((share <= max_missing) & ~empty)
    for n in range(0, len(wanted), predictor.batch):
        now = wanted[n : n + predictor.batch]
        images = np.stack([block[r : r + size, c : c + size] for r, c in (corners[k] for k in now)])
        answer = np.asarray(predictor.predict(images), dtype=np.float32)
        if answer.shape != (len(images),):
            msg = f"the model answered shape {answer.shape}, not ({len(images)},), one for each window"
            raise ModelError(msg)
        out[0, now] = answer
        if ground is not None:
            out[2, now] = [
                _wavelength(image, span[0].start + int(corners[k][0]), ground)
                for image, k in zip(images, now, strict=True)
            ]
    return out


def _wavelength(image: NDArray[np.float32], row: int, ground: tuple[float, float, float]) -> float:
    """Return the dominant wavelength of one window, km, as `magxr.wavelength` measures it."""
    from magxr.kernels.spectrum import dominant, waves

    south, height, width = ground
    middle = south + height * (row + 0.5 * (len(image) - 1))
    across = width * KM_PER_DEGREE * math.cos(math.radians(middle))
    return dominant(image, waves(len(image), height * KM_PER_DEGREE, across)).wavelength

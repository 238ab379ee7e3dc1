"""How parallel the anomalies of a window are: a few dozen numbers that do not know which way they strike.

A network sees shapes; what tells lineations from other crust is that they keep one strike over a whole
window, at several scales at once. The gradient's direction, doubled so that a line and its reverse are the
same, is a complex number ``exp(2 i angle)``; the length of a mean of such numbers says how well directions
agree: 1 all parallel, 0 none. Turning or mirroring a window, or changing its polarity, units or level,
changes none of the numbers beyond rounding.
"""

from __future__ import annotations

import itertools
from functools import lru_cache
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numba import njit

from magxr.errors import ParameterError
from magxr.kernels import cellmeans, directions, lanes, stacks, strips, tensorrows, wavebands
from magxr.kernels.cellmeans import columns, side_of
from magxr.kernels.directions import NUMBERS, PARTS
from magxr.kernels.fir import STRICT
from magxr.kernels.stacks import STACKS
from magxr.kernels.strips import STRIPS
from magxr.kernels.tensorrows import RANGE
from magxr.kernels.wavebands import BANDS

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

LEVELS = (1, 2, 4)
"""Cells averaged to one before gradients are taken."""
EXTREME = 3.0
"""Values beyond this many interquartile ranges from the median are cut to it: a seamount has one vote."""
OUTLYING = 3.0
"""Departure from the median, interquartile ranges, beyond which a cell counts as a tail."""
SIDE = 50
"""Cells of a side that spectra and stacked profiles are taken from, about."""
FINE_SIDE = 125
"""Cells of a side that profiles of strips are taken from, about."""
SMALLEST = 64
"""Side of the smallest window, cells."""
_LEAST_SIDE = 8
"""Below this there is nothing to take a gradient of at the coarsest level."""

_OF_A_LEVEL = (
    f"coherence over {RANGE:g}",
    "agreement",
    "agreement by coherence",
    "coherence of the window",
    "agreement of gradients",
    *(f"{what} of {PARTS} x {PARTS} parts" for what in ("agreement", "coherence")),
    "steepness",
)
NAMES: tuple[str, ...] = (
    "spread over quartiles",
    "tails",
    *(f"{what}, cells of {k}" for k in LEVELS for what in _OF_A_LEVEL),
    *(f"agreement of cells of {a} with cells of {b}" for a, b in itertools.pairwise(LEVELS)),
    *STACKS,
    *STRIPS,
    *(f"{what} of {low:g} to {high:g} waves" for low, high in BANDS for what in ("power", "direction")),
)
"""What each number is, in order."""


class _Sizes(NamedTuple):
    """Tables for windows of one size."""

    coarse: int
    """Cells averaged to one for spectra and stacks."""
    fine: int
    """The same for strips."""
    most: int
    """Largest shift of strips."""
    filters: tensorrows.Filters
    whole: lanes.Lanes
    quarter: lanes.Lanes
    waves: wavebands.Waves


class _Space(NamedTuple):
    """Work space for a window."""

    values: Floats
    """Shape (size, `columns` of size)."""
    there: Floats
    averaged: Floats
    """Averaged cells, a plane of any level."""
    enough: Floats
    """Which of them are there."""
    cells: cellmeans.Space
    rows: tensorrows.Space
    stacks: stacks.Space
    strips: strips.Space
    bands: wavebands.Space


def alignment(windows: NDArray[np.floating[Any]]) -> NDArray[np.float32]:
    """Measure how parallel the anomalies of windows are.

    Parameters
    ----------
    windows : ndarray of float, shape (n, size, size)
        Anomaly, nT or any unit; cells that are not finite are missing. Sides of 64 cells or more.

    Returns
    -------
    ndarray of float32, shape (n, d)
        One row a window, one column a name of `NAMES`. A window without contrast or values is 0 throughout:
        nothing in it is parallel.

    Raises
    ------
    ParameterError
        If windows are not square, or have fewer than 8 cells a side.

    Notes
    -----
    Coherence is that of the structure tensor, ``sqrt((J11 - J22)^2 + 4 J12^2) / (J11 + J22)`` [1]_. All
    is relative to the window's own median and interquartile range. Compiled; it runs without the
    interpreter's lock.

    References
    ----------
    .. [1] Weickert, J. (1999), Coherence-enhancing diffusion filtering, Int. J. Comput. Vis. 31, 111-127.
    """
    if windows.ndim != 3 or windows.shape[1] != windows.shape[2] or windows.shape[1] < _LEAST_SIDE:
        rule = f"alignment is measured in square windows of {SMALLEST} cells a side or more"
        msg = (
            f"windows have the shape {windows.shape}; {rule} ({_LEAST_SIDE} at least), shape (n, size, size)"
        )
        raise ParameterError(msg)
    found = np.zeros((len(windows), len(NAMES)), np.float32)
    if len(windows) == 0:
        return found
    sizes = _sizes(windows.shape[1])
    space = _make_space(windows.shape[1], sizes)
    out = np.zeros(len(NAMES))
    for number, window in enumerate(windows):
        space.values[:, : len(window)] = window
        _measure(EXTREME, OUTLYING, sizes, space, out)
        found[number] = out
    return found


@lru_cache(maxsize=8)
def _sizes(size: int) -> _Sizes:
    coarse, fine = max(1, round(size / SIDE)), max(1, round(size / FINE_SIDE))
    side = side_of(size, coarse)
    return _Sizes(
        coarse,
        fine,
        strips.most_shift(side_of(size, fine)),
        tensorrows.make_filters(),
        lanes.make_lanes(side),
        lanes.make_lanes(side // 2),
        wavebands.make_waves(side),
    )


def _make_space(size: int, sizes: _Sizes) -> _Space:
    shape = (size, columns(size))
    return _Space(
        np.zeros(shape),
        np.zeros(shape),
        np.zeros(shape[0] * shape[1]),
        np.zeros(shape[0] * shape[1]),
        cellmeans.make_space(size),
        tensorrows.make_space(columns(size)),
        stacks.make_space(sizes.whole),
        strips.make_space(side_of(size, sizes.fine)),
        wavebands.make_space(side_of(size, sizes.coarse)),
    )


@njit(**STRICT)
def _measure(extreme: float, outlying: float, sizes: _Sizes, space: _Space, out: Floats) -> None:
    """Put the numbers of the window that lies in ``space.values``, which is spoilt, into ``out``."""
    out[:] = 0.0
    values, there = space.values, space.there
    known = cellmeans.standardise(values, there, extreme, outlying, space.cells, out)
    if known == 0:
        return
    every = known == values.shape[0] * values.shape[0]
    of_levels = 2
    agreed = of_levels + NUMBERS * len(LEVELS)
    of_stacks = agreed + len(LEVELS) - 1
    of_strips = of_stacks + len(STACKS)
    of_bands = of_strips + len(STRIPS)
    plane, enough, complete = _averaged(sizes.coarse, every, space)
    wavebands.measure(plane, enough, len(plane), sizes.waves, space.bands, out[of_bands:])
    angle = stacks.measure(
        plane, enough, len(plane), sizes.whole, sizes.quarter, space.stacks, out[of_stacks:of_strips]
    )
    stripped = False
    even = odd = 0.0
    for number in range(len(LEVELS)):
        level = LEVELS[number]
        plane, enough, complete = _averaged(level, every, space)
        own = out[of_levels + NUMBERS * number : of_levels + NUMBERS * (number + 1)]
        east, north = directions.measure(plane, enough, complete, level, sizes.filters, space.rows, own)
        if number > 0:
            out[agreed + number - 1] = even * east + odd * north
        even, odd = east, north
        if level == sizes.fine:
            stripped = True
            strips.measure(
                plane, enough, len(plane), angle, sizes.most, space.strips, out[of_strips:of_bands]
            )
    if not stripped:
        plane, enough, complete = _averaged(sizes.fine, every, space)
        strips.measure(plane, enough, len(plane), angle, sizes.most, space.strips, out[of_strips:of_bands])


@njit(**STRICT)
def _averaged(level: int, every: bool, space: _Space) -> tuple[Floats, Floats, bool]:
    """Return means of level x level cells, which of them are there, and whether all are."""
    if level == 1:
        return space.values, space.there, every
    side = side_of(space.values.shape[0], level)
    wide = columns(side)
    mean = space.averaged[: side * wide].reshape(side, wide)
    enough = space.enough[: side * wide].reshape(side, wide)
    complete = cellmeans.average(space.values, space.there, every, level, mean, enough, space.cells.line)
    return mean, enough, complete

"""How alike profiles across the strike are from one part of a window to the next, and what they look like.

A fracture zone shifts stripes, and a swarm of dykes or a shear zone has lines of unequal strength that end.
So the window is cut into strips along the strike; neighbouring profiles are compared as they lie and where
they fit best, and the profile of the whole window is described by its form.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numba import njit

from magxr.kernels.fir import STRICT
from magxr.kernels.lanesums import make_lanes, squares, total
from magxr.kernels.profiles import OVERLAP, fit, form

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]
    Bools = NDArray[np.bool_]

STRIPS = (
    "stacked variance, fine",
    "likeness of strips",
    "likeness of strips, least",
    "likeness of strips, shifted",
    "likeness of strips, shifted, least",
    "likeness of every second strip",
    "likeness of every second strip, shifted",
    "shift of strips",
    "tails of the profile",
    "lopsidedness of the profile",
    "crossings of the profile",
    "unevenness of crossings",
    "waves of the profile",
    "spread of waves of the profile",
    "roughness of the profile",
    "strongest wave of the profile",
    "profile over remainder",
    "size of the profile",
)
"""What `strips` returns, in order."""
COUNT = 5
"""Strips of a window."""
SHIFT = 0.1
"""Largest shift of neighbouring profiles that is tried, of the window's side."""
FINE = np.radians(np.arange(-4.0, 5.0))
"""Directions tried around the one given, radians."""
_TRIED = 9
_LEAST = 8
"""Cells of a lane in a strip from which it counts."""
_TINY = 1e-12


class Space(NamedTuple):
    """Work space."""

    level: Floats
    row: NDArray[np.int32]
    column: NDArray[np.int32]
    bins: NDArray[np.int32]
    """Of one row of cells, by direction tried."""
    total: Floats
    """By direction tried, or by strip, and lane."""
    cells: Floats
    profile: Floats
    work: Floats
    """Four lines more, for the form of the profile."""
    sums: Floats


def make_space(side: int) -> Space:
    """Allocate work space for windows of ``side`` cells."""
    width = side + 2
    return Space(
        np.zeros(side * side),
        np.zeros(side * side, np.int32),
        np.zeros(side * side, np.int32),
        np.zeros((_TRIED, side), np.int32),
        np.zeros((_TRIED, width)),
        np.zeros((_TRIED, width)),
        np.zeros(width),
        np.zeros((4, width)),
        make_lanes(),
    )


def strips(values: Floats, there: Bools, angle: float) -> list[float]:
    """Return the numbers named in `STRIPS`.

    Parameters
    ----------
    values : ndarray of float64, shape (size, size)
        Of any unit; only their size and that of the remainder depend on it.
    there : ndarray of bool, shape (size, size)
        Which cells count.
    angle : float
        Direction across the strike, radians from the columns' axis, to 4 degrees.
    """
    side = len(values)
    out = np.zeros(len(STRIPS))
    measure(
        np.ascontiguousarray(values, np.float64),
        np.ascontiguousarray(there, np.float64),
        side,
        float(angle),
        most_shift(side),
        make_space(side),
        out,
    )
    return out.tolist()


def most_shift(side: int) -> int:
    """Return the largest shift that is tried, lanes."""
    return max(1, round(SHIFT * side))


@njit(**STRICT)
def measure(
    values: Floats, there: Floats, side: int, angle: float, most: int, space: Space, out: Floats
) -> None:
    """Put the numbers into ``out``; ``there`` is 1 where a cell counts, else 0."""
    out[:] = 0.0
    size = _chosen(values, there, side, space)
    if size < side:
        return
    level = space.level
    mean = total(level, size, space.sums) / size
    variance = squares(level, size, mean, space.sums)
    share, best = _finest(size, mean, variance + _TINY, side, angle, space)
    _cut(size, best, side, space)
    sums, count, profile = space.total, space.cells, space.profile
    lanes = 0
    for j in range(side + 2):
        cells = whole = 0.0
        for p in range(COUNT):
            cells += count[p, j]
            whole += sums[p, j]
        if cells > 2.0 * COUNT:
            profile[lanes] = whole / cells
            lanes += 1
    if lanes < OVERLAP:
        return
    middle = profile[:lanes].sum() / lanes
    power = squares(profile, lanes, middle, space.sums) / lanes
    for j in range(lanes):
        profile[j] -= middle
    rest = abs(variance / size - power)
    for p in range(COUNT):
        for j in range(side + 2):
            sums[p, j] = sums[p, j] / count[p, j] if count[p, j] >= _LEAST else np.nan
    out[0] = share
    _likeness(sums, most, out[1:8])
    form(profile, lanes, space.work, out[8:16])
    out[16] = math.log((power + 1e-6) / (rest + 1e-3))
    out[17] = 0.5 * math.log(power + 1e-6)


@njit(**STRICT)
def _chosen(values: Floats, there: Floats, side: int, space: Space) -> int:
    """Gather the cells that count, in the circle that fits; return their number."""
    middle = (side - 1) / 2.0
    size = 0
    for i in range(side):
        for j in range(side):
            inside = (i - middle) * (i - middle) + (j - middle) * (j - middle) <= side * side / 4.0
            if inside and there[i, j] > 0.0:
                space.level[size] = values[i, j]
                space.row[size] = i
                space.column[size] = j
                size += 1
    return size


@njit(**STRICT)
def _finest(
    size: int, mean: float, variance: float, side: int, angle: float, space: Space
) -> tuple[float, float]:
    """Return the share of the variance between lanes, and the direction tried at which it is greatest."""
    middle = (side - 1) / 2.0
    sums, count, bins = space.total, space.cells, space.bins
    sums[:] = 0.0
    count[:] = 0.0
    first = 0
    while first < size:
        row = space.row[first]
        end = first
        while end < size and space.row[end] == row:
            end += 1
        north = row - middle
        for d in range(_TRIED):
            along, across = math.cos(angle + FINE[d]), math.sin(angle + FINE[d])
            line, columns = bins[d], space.column[first:end]
            for j in range(columns.size):
                place = (columns[j] - middle) * along + north * across
                line[j] = np.int32(np.rint(place + middle)) + 1
        for j in range(end - first):
            value = space.level[first + j] - mean
            for d in range(_TRIED):
                sums[d, bins[d, j]] += value
                count[d, bins[d, j]] += 1.0
        first = end
    best, greatest = 0, -1.0
    for d in range(_TRIED):
        between = 0.0
        for j in range(side + 2):
            if count[d, j] > 0.0:
                between += sums[d, j] * sums[d, j] / count[d, j]
        share = between / variance
        nearer = abs(FINE[d]) <= abs(FINE[best])
        if share > greatest or (share == greatest and nearer):
            best, greatest = d, share
    return greatest, angle + FINE[best]


@njit(**STRICT)
def _cut(size: int, angle: float, side: int, space: Space) -> None:
    """Sum the cells of every lane, strip by strip."""
    middle = (side - 1) / 2.0
    along, across = math.cos(angle), math.sin(angle)
    space.total[:] = 0.0
    space.cells[:] = 0.0
    for k in range(size):
        north, east = space.row[k] - middle, space.column[k] - middle
        lane = int(np.rint(east * along + north * across + middle)) + 1
        place = int(((north * along - east * across) / side + 0.5) * COUNT)
        strip = min(max(place, 0), COUNT - 1)
        space.total[strip, lane] += space.level[k]
        space.cells[strip, lane] += 1.0


@njit(**STRICT)
def _likeness(mean: Floats, most: int, out: Floats) -> None:
    """Put correlations of profiles of strips, as they lie and at the best shift, and that shift."""
    shift = 0.0
    for i in range(COUNT - 1):
        still, moved, lanes = fit(mean[i], mean[i + 1], most)
        out[0] += still / (COUNT - 1)
        out[1] = still if i == 0 else min(out[1], still)
        out[2] += moved / (COUNT - 1)
        out[3] = moved if i == 0 else min(out[3], moved)
        shift += lanes * lanes / (COUNT - 1)
    for i in range(COUNT - 2):
        still, moved, _ = fit(mean[i], mean[i + 2], most)
        out[4] += still / (COUNT - 2)
        out[5] += moved / (COUNT - 2)
    out[6] = math.log1p(math.sqrt(shift))

"""How much of a window is explained by where a cell lies across the strike, and nothing else.

Lineations are the same all along their strike: values stacked along it keep their variance, at right strike,
and lose it at any other. This sees through noise that hides the direction of single gradients.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numba import njit

from magxr.kernels import lanesums
from magxr.kernels.fir import STRICT
from magxr.kernels.lanes import DIRECTIONS, Lanes, make_lanes
from magxr.kernels.lanesums import squares, total

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

STACKS = (
    "stacked variance",
    "stacked variance, median direction",
    "stripes",
    "stacked variance by direction",
    "stacked variance of quarters",
    "stacked variance of quarters, largest",
    "stacked variance of quarters, median direction",
    "stripes of quarters",
    "stacked variance of quarters by direction",
    "agreement of quarters",
)
"""What `stacks` returns, in order."""
_LEAST = 0.5
"""Share of a quarter that must be there."""


class Space(NamedTuple):
    """Work space."""

    level: Floats
    which: NDArray[np.int32]
    total: Floats
    cells: Floats
    explained: Floats
    profile: Floats
    sums: Floats
    found: Floats
    """Five numbers of the window, then of every quarter."""


def make_space(lanes: Lanes) -> Space:
    """Allocate work space for squares of the side of ``lanes`` and smaller ones."""
    cells, bins = len(lanes.row), len(lanes.cells)
    return Space(
        np.zeros(cells),
        np.zeros(cells, np.int32),
        np.zeros(bins),
        np.zeros(bins),
        np.zeros(DIRECTIONS),
        np.zeros(bins // DIRECTIONS),
        lanesums.make_lanes(),
        np.zeros((5, 5)),
    )


def stacks(values: Floats, there: NDArray[np.bool_]) -> tuple[list[float], float]:
    """Return the numbers named in `STACKS`, for a square window and for its quarters, and a direction.

    That is the one across which the whole window is explained best, radians from the columns' axis.

    Parameters
    ----------
    values : ndarray of float64, shape (size, size)
    there : ndarray of bool, shape (size, size)
        Which cells count.
    """
    whole, quarter = make_lanes(len(values)), make_lanes(len(values) // 2)
    out = np.zeros(len(STACKS))
    angle = measure(
        np.ascontiguousarray(values, np.float64),
        np.ascontiguousarray(there, np.float64),
        len(values),
        whole,
        quarter,
        make_space(whole),
        out,
    )
    return out.tolist(), float(angle)


@njit(**STRICT)
def measure(
    values: Floats, there: Floats, side: int, whole: Lanes, quarter: Lanes, space: Space, out: Floats
) -> float:
    """Put the numbers into ``out`` and return the direction; ``there`` is 1 where a cell counts, else 0."""
    found = space.found
    _stacked(values, there, 0, 0, side, whole, space, found[0])
    angle: float = found[0, 4]
    out[:] = 0.0
    out[0], out[1], out[2], out[3] = found[0, 0], found[0, 1], math.log1p(found[0, 2]), found[0, 3]
    half = side // 2
    count = 0
    even = odd = 0.0
    for p in range(2):
        for q in range(2):
            row, column = p * (side - half), q * (side - half)
            covered = 0.0
            for i in range(row, row + half):
                for j in range(column, column + half):
                    covered += there[i, j]
            if covered < _LEAST * half * half:
                continue
            own = found[1 + count]
            _stacked(values, there, row, column, half, quarter, space, own)
            out[5] = own[0] if count == 0 else max(out[5], own[0])
            out[4] += own[0]
            out[6] += own[1]
            out[7] += math.log1p(own[2])
            out[8] += own[3]
            even += math.cos(2.0 * own[4])
            odd += math.sin(2.0 * own[4])
            count += 1
    if count:
        for k in (4, 6, 7, 8):
            out[k] /= count
        out[9] = math.hypot(even, odd) / count
    return angle


@njit(**STRICT)
def _stacked(
    values: Floats,
    there: Floats,
    row: int,
    column: int,
    side: int,
    lanes: Lanes,
    space: Space,
    out: Floats,
) -> None:
    """Put variance explained at the best and the median direction, stripes, concentration, direction."""
    out[:] = 0.0
    level, which = space.level, space.which
    size = 0
    for k in range(lanes.row.size):
        i, j = row + lanes.row[k], column + lanes.column[k]
        if there[i, j] > 0.0:
            level[size] = values[i, j]
            which[size] = k
            size += 1
    if size < side:
        return
    mean = total(level, size, space.sums) / size
    variance = squares(level, size, mean, space.sums) + 1e-12
    sums, count = _by_lane(size, mean, lanes, space)
    width = side + 3
    explained = space.explained
    best = 0
    even = odd = length = 0.0
    for d in range(DIRECTIONS):
        between, filled = 0.0, 0
        for j in range(d * width, (d + 1) * width):
            if count[j] > 0.0:
                between += sums[j] * sums[j] / count[j]
                filled += 1
        # what so many lanes explain of noise by chance is taken off
        chance = (filled - 1) / size
        share = (between / variance - chance) / (1.0 - chance)
        explained[d] = share
        if share > explained[best]:
            best = d
        even += max(share, 0.0) * math.cos(2.0 * lanes.angle[d])
        odd += max(share, 0.0) * math.sin(2.0 * lanes.angle[d])
        length += max(share, 0.0)
    out[0] = explained[best]
    profile = space.profile
    used = 0
    for j in range(best * width, (best + 1) * width):
        if count[j] > 3.0:
            profile[used] = sums[j] / count[j]
            used += 1
    out[2] = _turns(profile, used)
    out[3] = math.hypot(even, odd) / (length + 1e-12)
    out[4] = lanes.angle[best]
    explained.sort()
    out[1] = 0.5 * (explained[DIRECTIONS // 2 - 1] + explained[DIRECTIONS // 2])


@njit(**STRICT)
def _by_lane(size: int, mean: float, lanes: Lanes, space: Space) -> tuple[Floats, Floats]:
    """Return sums of the values, less their mean, and numbers of cells, by lane and direction."""
    sums, count = space.total[: lanes.cells.size], lanes.cells
    sums[:] = 0.0
    # a cell adds to one lane of every direction, so that no addition waits for the one before it
    for k in range(size):
        value, bins = space.level[k] - mean, lanes.bin[space.which[k]]
        for d in range(DIRECTIONS):
            sums[bins[d]] += value
    if size < lanes.row.size:
        count = space.cells[: lanes.cells.size]
        count[:] = 0.0
        for k in range(size):
            bins = lanes.bin[space.which[k]]
            for d in range(DIRECTIONS):
                count[bins[d]] += 1.0
    return sums, count


@njit(**STRICT)
def _turns(profile: Floats, cells: int) -> float:
    """Return how often a profile, smoothed over three lanes, changes its sign."""
    if cells < 6:
        return 0.0
    level = profile[:cells].sum() / cells
    turns, before = 0.0, 0.0
    for j in range(1, cells - 1):
        third = 1.0 / 3.0
        smooth = (
            (profile[j - 1] - level) * third + (profile[j] - level) * third + (profile[j + 1] - level) * third
        )
        sign = np.sign(smooth)
        if j > 1 and sign != before:
            turns += 1.0
        before = sign
    return turns

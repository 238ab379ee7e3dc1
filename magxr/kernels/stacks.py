"""How much of a window is explained by where a cell lies across the strike, and nothing else.

Lineations are the same all along their strike: values stacked along it keep their variance, at right strike,
and lose it at any other. This sees through noise that hides the direction of single gradients.
"""

from __future__ import annotations

import math
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

DIRECTIONS = 36
"""Strikes that are tried, over 180 degrees; even, so that a quarter turn maps them onto each other."""
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


def stacks(values: Floats, there: NDArray[np.bool_]) -> tuple[list[float], float]:
    """Return the numbers named in `STACKS`, for a square window and for its quarters, and a direction.

    That is the one across which the whole window is explained best, radians from the columns' axis.

    Parameters
    ----------
    values : ndarray of float64, shape (size, size)
    there : ndarray of bool, shape (size, size)
        Which cells count.
    """
    best, usual, stripes, bundled, angle = _stacked(values, there)
    row = [best, usual, math.log1p(stripes), bundled]
    half = len(values) // 2
    found = [
        _stacked(values[i : i + half, j : j + half], there[i : i + half, j : j + half])
        for i in (0, len(values) - half)
        for j in (0, len(values) - half)
        if there[i : i + half, j : j + half].mean() >= _LEAST
    ]
    if not found:
        return [*row, *([0.0] * (len(STACKS) - 4))], angle
    many = np.array(found)
    of_quarters = [
        float(many[:, 0].mean()),
        float(many[:, 0].max()),
        float(many[:, 1].mean()),
        float(np.log1p(many[:, 2]).mean()),
        float(many[:, 3].mean()),
        abs(complex(np.exp(2j * many[:, 4]).mean())),
    ]
    return row + of_quarters, angle


def _stacked(values: Floats, there: NDArray[np.bool_]) -> tuple[float, float, float, float, float]:
    """Return variance explained at the best and the median direction, stripes, concentration, direction."""
    bins, inside, angles = _lanes(len(values))
    use = there[inside]
    if use.sum() < len(values):
        return 0.0, 0.0, 0.0, 0.0, 0.0
    level = values[inside][use]
    level = level - level.mean()
    variance, count = float(level @ level) + 1e-12, level.size
    explained = np.zeros(len(angles))
    lanes = bins[:, use]
    width = len(values) + 3
    means = []
    for number, lane in enumerate(lanes):
        cells = np.bincount(lane, minlength=width)
        total = np.bincount(lane, level, minlength=width)
        filled = cells > 0
        share = float((total[filled] ** 2 / cells[filled]).sum()) / variance
        # what so many lanes explain of noise by chance is taken off
        chance = (int(filled.sum()) - 1) / count
        explained[number] = (share - chance) / (1.0 - chance)
        means.append((total, cells))
    best = int(explained.argmax())
    total, cells = means[best]
    profile = total[cells > 3] / cells[cells > 3]
    positive = explained.clip(0.0)
    bundled = abs(complex((positive * np.exp(2j * angles)).sum())) / (float(positive.sum()) + 1e-12)
    return float(explained[best]), float(np.median(explained)), _turns(profile), bundled, float(angles[best])


def _turns(profile: Floats) -> float:
    """Return how often a profile, smoothed over three lanes, changes its sign."""
    if profile.size < 6:
        return 0.0
    smooth = np.convolve(profile - profile.mean(), np.ones(3) / 3.0, "valid")
    return float(np.count_nonzero(np.diff(np.sign(smooth))))


@lru_cache(maxsize=8)
def _lanes(side: int) -> tuple[NDArray[Any], NDArray[np.bool_], Floats]:
    """Return each cell's lane across every direction, within the circle that fits, and the directions."""
    angles: Floats = np.pi / DIRECTIONS * np.arange(DIRECTIONS, dtype=np.float64)
    north, east = np.mgrid[:side, :side] - (side - 1) / 2.0
    inside = np.hypot(north, east) <= side / 2.0
    across = east[inside] * np.cos(angles)[:, None] + north[inside] * np.sin(angles)[:, None]
    # half a cell aside, so that no row of cells lies between two lanes and is split by rounding
    lanes = np.rint(across + (side - 1) / 2.0).astype(np.intp) + 1
    return lanes, inside, angles

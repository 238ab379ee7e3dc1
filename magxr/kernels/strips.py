"""How alike profiles across the strike are from one part of a window to the next, and what they look like.

A fracture zone shifts stripes, and a swarm of dykes or a shear zone has lines of unequal strength that end.
So the window is cut into strips along the strike; neighbouring profiles are compared as they lie and where
they fit best, and the profile of the whole window is described by its form.
"""

from __future__ import annotations

import math
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np

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
_LEAST = 8
"""Cells of a lane in a strip from which it counts."""
_OVERLAP = 20
"""Lanes that two profiles must have in common."""
_TINY = 1e-12


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
    east, north, inside = _circle(len(values))
    use = there[inside]
    if use.sum() < len(values):
        return [0.0] * len(STRIPS)
    east, north, level = east[use], north[use], values[inside][use]
    side = len(values)
    share, best = max((_explained(level, _lane(east, north, a, side)), -abs(a - angle), a)
                      for a in angle + FINE)[::2]  # fmt: skip
    lane = _lane(east, north, best, side)
    along = north * math.cos(best) - east * math.sin(best)
    strip = np.clip(((along / side + 0.5) * COUNT).astype(np.intp), 0, COUNT - 1)
    width = side + 2
    cells = np.bincount(strip * width + lane, minlength=COUNT * width).reshape(COUNT, width)
    total = np.bincount(strip * width + lane, level, minlength=COUNT * width).reshape(COUNT, width)
    count, whole = cells.sum(axis=0), total.sum(axis=0)
    filled = count > COUNT * 2
    profile = whole[filled] / count[filled]
    if profile.size < _OVERLAP:
        return [0.0] * len(STRIPS)
    profile = profile - profile.mean()
    power = float(profile.var())
    rest = abs(float(level.var()) - power)
    mean = np.where(cells >= _LEAST, total / np.maximum(cells, 1), np.nan)
    return [
        share,
        *_likeness(mean, max(1, round(SHIFT * side))),
        *_form(profile),
        math.log((power + 1e-6) / (rest + 1e-3)),
        0.5 * math.log(power + 1e-6),
    ]


@lru_cache(maxsize=8)
def _circle(side: int) -> tuple[Floats, Floats, Bools]:
    """Return places east and north of the middle of cells in the circle that fits, and which they are."""
    north, east = np.mgrid[:side, :side] - (side - 1) / 2.0
    inside = np.hypot(north, east) <= side / 2.0
    return east[inside], north[inside], inside


def _lane(east: Floats, north: Floats, angle: float, side: int) -> NDArray[np.intp]:
    across = east * math.cos(angle) + north * math.sin(angle)
    return np.rint(across + (side - 1) / 2.0).astype(np.intp) + 1


def _explained(level: Floats, lane: NDArray[np.intp]) -> float:
    """Return the share of the variance that lies between lanes."""
    level = level - level.mean()
    cells, total = np.bincount(lane), np.bincount(lane, level)
    filled = cells > 0
    return float((total[filled] ** 2 / cells[filled]).sum()) / (float(level @ level) + _TINY)


def _likeness(mean: Floats, most: int) -> list[float]:
    """Return correlations of profiles of strips, as they lie and at the best shift, and that shift."""
    near = np.array([_fit(mean[i], mean[i + 1], most) for i in range(COUNT - 1)])
    far = np.array([_fit(mean[i], mean[i + 2], most) for i in range(COUNT - 2)])
    return [
        float(near[:, 0].mean()),
        float(near[:, 0].min()),
        float(near[:, 1].mean()),
        float(near[:, 1].min()),
        float(far[:, 0].mean()),
        float(far[:, 1].mean()),
        math.log1p(math.sqrt(float((near[:, 2] ** 2).mean()))),
    ]


def _fit(one: Floats, other: Floats, most: int) -> tuple[float, float, float]:
    """Return the correlation of two profiles unshifted, the largest one, and its shift in lanes."""
    beside = np.full(most, np.nan)
    moved = np.lib.stride_tricks.sliding_window_view(np.concatenate([beside, one, beside]), one.size)
    common = np.isfinite(moved) & np.isfinite(other)
    number = common.sum(axis=1)
    safe = np.maximum(number, 1)[:, None]
    x, y = np.where(common, moved, 0.0), np.where(common, other, 0.0)
    x = np.where(common, x - x.sum(axis=1, keepdims=True) / safe, 0.0)
    y = np.where(common, y - y.sum(axis=1, keepdims=True) / safe, 0.0)
    r = (x * y).sum(axis=1) / np.sqrt((x * x).sum(axis=1) * (y * y).sum(axis=1) + _TINY)
    r = np.where(number >= _OVERLAP, r, 0.0)
    best = int(r.argmax())
    if r[best] <= r[most]:  # no shift is better than none
        best = most
    return float(r[most]), float(r[best]), float(best - most)


def _form(profile: Floats) -> list[float]:
    """Return numbers on the form of a profile, its bend taken off."""
    x = np.linspace(-1.0, 1.0, profile.size)
    flat = profile - np.polyval(np.polyfit(x, profile, 2), x)
    size = float(flat.std()) + 1e-9
    spread = float(profile.std()) + 1e-9
    smooth = np.convolve(flat, np.ones(3) / 3.0, "valid")
    crossings = np.flatnonzero(np.diff(np.sign(smooth)) != 0)
    gaps = np.diff(crossings)
    power = np.abs(np.fft.rfft(flat * np.hanning(flat.size)))[1:40] ** 2
    share = power / (power.sum() + _TINY)
    wave = np.arange(1, share.size + 1)
    return [
        math.log(float(((flat / size) ** 4).mean()) + 1e-3),
        abs(float(((profile / spread) ** 3).mean())),
        math.log1p(crossings.size),
        float(gaps.std() / gaps.mean()) if gaps.size > 1 else 0.0,
        math.log(float((share * wave).sum()) + 1e-3),
        -float((share * np.log(share + _TINY)).sum()),
        math.log(float(np.abs(np.diff(flat)).mean()) / size + 1e-3),
        float(share.max()),
    ]

"""The numbers of `magxr.kernels.alignment` by NumPy and SciPy: what the kernels must give."""

from __future__ import annotations

import itertools
import math
from functools import lru_cache

import numpy as np

LEVELS = (1, 2, 4)
RANGE = 3.0
PARTS = 4
EXTREME = 3.0
OUTLYING = 3.0
BANDS = ((1.0, 2.5), (2.5, 5.0), (5.0, 9.0), (9.0, 15.0), (15.0, 25.0))
SIDE = 50
FINE_SIDE = 125
ENOUGH = 64
DIRECTIONS = 36
COUNT = 5
SHIFT = 0.1
FINE = np.radians(np.arange(-4.0, 5.0))
_OF_A_LEVEL, _STACKS, _STRIPS = 8, 10, 18
LENGTH = 2 + _OF_A_LEVEL * len(LEVELS) + len(LEVELS) - 1 + _STACKS + _STRIPS + 2 * len(BANDS)
_SHARE = 0.5
_LEAST = 0.5
_LEAST_CELLS = 8
_OVERLAP = 20
_TINY = 1e-12


def alignment(windows: np.ndarray) -> np.ndarray:
    """Measure how parallel the anomalies of windows are."""
    found = np.zeros((len(windows), LENGTH), np.float32)
    for number, window in enumerate(windows):
        found[number] = _one(np.array(window, dtype=np.float64, order="C"))
    return found


def _one(window: np.ndarray) -> np.ndarray:
    known = np.isfinite(window)
    if not known.any():
        return np.zeros(LENGTH, np.float32)
    values = window[known]
    first, middle, third = np.percentile(values, [25.0, 50.0, 75.0])
    unit = third - first
    if unit <= 8 * float(np.finfo(np.float32).eps) * float(np.abs(values).max()):
        return np.zeros(LENGTH, np.float32)
    scaled = (window - middle) / unit
    row = [
        math.log(float(values.std()) / unit + 1e-3),
        float(np.mean(np.abs(scaled[known]) > OUTLYING)),
    ]
    scaled = np.clip(np.where(known, scaled, 0.0), -EXTREME, EXTREME)
    directions = []
    for level in LEVELS:
        mean, share = _averaged(scaled, known, level)
        own, direction = _parallel(mean, share, level)
        row += own
        directions.append(direction)
    row += [(a * b.conjugate()).real for a, b in itertools.pairwise(directions)]
    coarse, there = _averaged(scaled, known, max(1, round(len(window) / SIDE)))
    stacked, across = stacks(coarse, there)
    row += stacked
    row += strips(*_averaged(scaled, known, max(1, round(len(window) / FINE_SIDE))), across)
    row += _bands(coarse, there)
    return np.array(row, np.float32)


def _averaged(values: np.ndarray, known: np.ndarray, level: int) -> tuple[np.ndarray, np.ndarray]:
    """Return means of level x level cells (0 where missing) and which of them are there.

    Their number is even, and as many cells are left out at either side: turned windows give turned means.
    """
    if level == 1:
        return values, known
    side = len(values) // level // 2 * 2
    first = (len(values) - side * level) // 2
    used = slice(first, first + side * level)

    def boxes(cells: np.ndarray) -> np.ndarray:
        cut = cells[used, used].reshape(side, level, side, level)
        total: np.ndarray = cut.sum(axis=(1, 3), dtype=np.float64)
        return total

    count = boxes(known)
    there = count >= _SHARE * level * level
    mean = np.where(there, boxes(values) / np.maximum(count, 1.0), 0.0)
    return mean, there


def _parallel(values: np.ndarray, there: np.ndarray, level: int) -> tuple[list[float], complex]:
    """Return the numbers of a level, and its mean direction, doubled, as long as it is coherent."""
    from scipy.ndimage import gaussian_filter

    weight = there.astype(np.float64)
    cover = gaussian_filter(weight, 1.0, mode="nearest")
    smooth = gaussian_filter(values, 1.0, mode="nearest") / np.maximum(cover, 1e-6)
    north, east = np.gradient(smooth)
    # gradients beside a gap are those of its edge
    counted = gaussian_filter(weight, 1.5, mode="nearest") > 0.95
    if counted.sum() < ENOUGH:
        return [0.0] * _OF_A_LEVEL, 0j
    energy = np.where(counted, east * east + north * north, 0.0)
    doubled = np.where(counted, (east * east - north * north) + 2j * east * north, 0.0)
    near = gaussian_filter(doubled.real, RANGE) + 1j * gaussian_filter(doubled.imag, RANGE)
    length = np.abs(near)
    coherence = length / (gaussian_filter(energy, RANGE) + _TINY)
    unit: np.ndarray = near / (length + _TINY)
    total = complex(doubled.sum()) / (float(energy.sum()) + _TINY)
    row = [
        float(coherence[counted].mean()),
        abs(complex(unit[counted].mean())),
        abs(complex((coherence * unit)[counted].mean())),
        abs(total),
        abs(complex((doubled[counted] / (energy[counted] + _TINY)).mean())),
    ]
    row += _parts(doubled, energy, counted)
    row.append(math.log(float(energy[counted].mean()) * level * level + 1e-6))
    return row, total


def _parts(doubled: np.ndarray, energy: np.ndarray, counted: np.ndarray) -> list[float]:
    """Return how well the strikes of parts of the window agree, and the mean coherence within them."""
    ends = np.rint(np.linspace(0, len(energy), PARTS + 1)).astype(int)[:-1]

    def summed(cells: np.ndarray) -> np.ndarray:
        whole: np.ndarray = np.add.reduceat(np.add.reduceat(cells, ends, axis=0), ends, axis=1)
        return whole

    enough = summed(counted.astype(np.float64)) >= 8.0
    if not enough.any():
        return [0.0, 0.0]
    direction, length = summed(doubled)[enough], summed(energy)[enough]
    agreement = abs(complex((direction / (np.abs(direction) + _TINY)).mean()))
    return [agreement, float((np.abs(direction) / (length + _TINY)).mean())]


def _bands(values: np.ndarray, there: np.ndarray) -> list[float]:
    """Return the share of the power of bands of wavelengths, and how far each has one direction."""
    side = len(values)
    taper = np.hanning(side)
    level = float(values[there].mean()) if there.any() else 0.0
    tapered = np.where(there, values - level, 0.0) * np.outer(taper, taper)
    power = np.abs(np.fft.fft2(tapered)) ** 2
    wave = np.fft.fftfreq(side) * side
    length = np.hypot(wave[:, None], wave)
    doubled = np.exp(2j * np.arctan2(wave[:, None], wave))
    whole = float(power[length >= BANDS[0][0]].sum()) + _TINY
    row = []
    for low, high in BANDS:
        band = (length >= low) & (length < high)
        own = float(power[band].sum())
        row += [
            math.log(own / whole + 1e-4),
            abs(complex((power[band] * doubled[band]).sum())) / (own + _TINY),
        ]
    return row


def stacks(values: np.ndarray, there: np.ndarray) -> tuple[list[float], float]:
    """Return the numbers named in `magxr.kernels.stacks.STACKS`, and a direction."""
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
        return [*row, *([0.0] * (_STACKS - 4))], angle
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


def _stacked(values: np.ndarray, there: np.ndarray) -> tuple[float, float, float, float, float]:
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


def _turns(profile: np.ndarray) -> float:
    """Return how often a profile, smoothed over three lanes, changes its sign."""
    if profile.size < 6:
        return 0.0
    smooth = np.convolve(profile - profile.mean(), np.ones(3) / 3.0, "valid")
    return float(np.count_nonzero(np.diff(np.sign(smooth))))


@lru_cache(maxsize=8)
def _lanes(side: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return each cell's lane across every direction, within the circle that fits, and the directions."""
    angles: np.ndarray = np.pi / DIRECTIONS * np.arange(DIRECTIONS, dtype=np.float64)
    north, east = np.mgrid[:side, :side] - (side - 1) / 2.0
    inside = np.hypot(north, east) <= side / 2.0
    across = east[inside] * np.cos(angles)[:, None] + north[inside] * np.sin(angles)[:, None]
    # half a cell aside, so that no row of cells lies between two lanes and is split by rounding
    lanes = np.rint(across + (side - 1) / 2.0).astype(np.intp) + 1
    return lanes, inside, angles


def strips(values: np.ndarray, there: np.ndarray, angle: float) -> list[float]:
    """Return the numbers named in `magxr.kernels.strips.STRIPS`."""
    east, north, inside = _circle(len(values))
    use = there[inside]
    if use.sum() < len(values):
        return [0.0] * _STRIPS
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
        return [0.0] * _STRIPS
    profile = profile - profile.mean()
    power = float(profile.var())
    rest = abs(float(level.var()) - power)
    mean = np.where(cells >= _LEAST_CELLS, total / np.maximum(cells, 1), np.nan)
    return [
        share,
        *_likeness(mean, max(1, round(SHIFT * side))),
        *_form(profile),
        math.log((power + 1e-6) / (rest + 1e-3)),
        0.5 * math.log(power + 1e-6),
    ]


@lru_cache(maxsize=8)
def _circle(side: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return places east and north of the middle of cells in the circle that fits, and which they are."""
    north, east = np.mgrid[:side, :side] - (side - 1) / 2.0
    inside = np.hypot(north, east) <= side / 2.0
    return east[inside], north[inside], inside


def _lane(east: np.ndarray, north: np.ndarray, angle: float, side: int) -> np.ndarray:
    across = east * math.cos(angle) + north * math.sin(angle)
    return np.rint(across + (side - 1) / 2.0).astype(np.intp) + 1


def _explained(level: np.ndarray, lane: np.ndarray) -> float:
    """Return the share of the variance that lies between lanes."""
    level = level - level.mean()
    cells, total = np.bincount(lane), np.bincount(lane, level)
    filled = cells > 0
    return float((total[filled] ** 2 / cells[filled]).sum()) / (float(level @ level) + _TINY)


def _likeness(mean: np.ndarray, most: int) -> list[float]:
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


def _fit(one: np.ndarray, other: np.ndarray, most: int) -> tuple[float, float, float]:
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


def _form(profile: np.ndarray) -> list[float]:
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

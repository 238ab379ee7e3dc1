"""The dominant wavelength of the stripes in one window, from its 2-D power spectrum.

Stripes put their power on one line through the origin, noise that knows no direction puts it everywhere
alike. So what lies across the stripes, less what lies along them at the same wavenumber, is the stripes' own;
white noise on pixels is the same in all directions too, whatever the shape of the pixels.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

SECTORS = 36
"""Directions that are tried, over 180 degrees; a multiple of 12."""
BAND = 0.25
"""Half-width of the band around a wavenumber, as a share of it, where that is more than the lobe."""
LOBE = 2.0
"""Half-width of what a Hann taper makes of one wave, in units of one over the window's side."""
SHORTEST = 3.0
"""Shortest wavelength that is looked for, in the longer side of a cell."""
LONGEST = 0.5
"""Longest wavelength that is answered, in the window's side."""
SURE = 3.5
"""How many standard deviations the power across must stand above that along, as logarithms."""
LEAST = 0.02
"""Share that a peak must hold of the power of all waves as long or longer: less is a ripple, such as
interpolation leaves below the spacing of its data."""
MEETING = 3.2
"""Variance of a sum over cells of the spectrum of wave times noise, relative to cells that are independent.

Twice the 1.6 that a Hann taper gives where the sum is weighted by the distance from the wave."""
MIXING = 3.8
"""The same of a sum of noise alone: the squared correlations of a cell with its neighbours, summed."""
FLAT = 1e-9
"""Departure from a plane, in units of the largest value, that is rounding."""
IMAGE = 0.05
"""Error by the lobe of the negative wavenumber, in units of one over the window's side, for two waves in a
window; it falls with the third power of their number."""


class Peak(NamedTuple):
    """What a window holds; NaN throughout where nothing stands out."""

    wavelength: float
    """Across the stripes, km."""
    uncertainty: float
    """One standard deviation, km."""
    azimuth: float
    """Along the stripes, degrees clockwise from north in [0, 180)."""
    sharpness: float
    """Share of all power that is the stripes' in the band of the peak, 0..1."""


NOTHING = Peak(math.nan, math.nan, math.nan, math.nan)


@dataclass(frozen=True)
class Waves:
    """The wavenumbers in a window's half spectrum that are looked at, and how they are binned."""

    sides: tuple[float, float]
    """Height and width of the window, km."""
    keep: NDArray[np.intp]
    """Which cells of the half spectrum, raveled: each wave once, shorter than no direction can show."""
    east: Floats
    north: Floats
    length: Floats
    """Wavenumbers of those cells, 1/km."""
    spread: tuple[float, float]
    """Second moments of the taper's own spectrum, east and north, 1/km²."""
    step: float
    """Width of a radial bin, 1/km."""
    bin: NDArray[np.intp]
    """Lower radial bin of a cell times `SECTORS`, plus its sector."""
    share: Floats
    """Share of the cell that goes into the next radial bin."""
    band: Floats
    """Weights of the band around every radial bin, bins x bins, 1 in its middle."""
    top: NDArray[np.intp]
    """Last bin of the band around every radial bin."""
    chance: Floats
    """Standard deviation of the logarithm of power across over power along, bins x sectors."""

    def binned(self, power: Floats) -> Floats:
        """Add up the power by wavenumber and sector, bins x sectors."""
        size = len(self.band) * SECTORS
        table: Any = np.bincount(self.bin, power * (1.0 - self.share), size)
        table += np.bincount(self.bin + SECTORS, power * self.share, size)
        result: Floats = table.reshape(-1, SECTORS).astype(np.float64)
        return result

    def resolution(self, cos: float, sin: float) -> float:
        """Return the resolution in a direction (cosine and sine from east), 1/km."""
        return math.hypot(cos / self.sides[1], sin / self.sides[0])


def waves(size: int, height: float, width: float) -> Waves:
    """Prepare what windows of ``size`` x ``size`` cells of ``height`` x ``width`` km share."""
    tall, wide = size * height, size * width
    north = np.fft.fftfreq(size, height)[:, None] + np.zeros(size // 2 + 1)
    east = np.zeros((size, 1)) + np.fft.rfftfreq(size, width)
    length = np.hypot(east, north)
    once = (east > 0) | (north > 0)
    keep = np.flatnonzero(once & (length < 0.5 / max(height, width)))
    east, north, length = (a.ravel()[keep] for a in (east, north, length))
    step = 1.0 / max(tall, wide)
    sector = np.floor(np.degrees(np.arctan2(north, east)) * SECTORS / 180.0 + 0.5).astype(np.intp) % SECTORS
    low = (length / step).astype(np.intp)
    k = np.arange(int(low.max()) + 2, dtype=np.float64)
    reach = np.maximum(LOBE * max(tall, wide) / min(tall, wide), BAND * k)[:, None]
    band = np.maximum(0.0, 1.0 - np.abs(k - k[:, None]) / reach)
    spread = (1.0 / (3.0 * wide**2), 1.0 / (3.0 * tall**2))
    bins, share = low * SECTORS + sector, length / step - low
    top = np.minimum(k + np.ceil(reach[:, 0]), k[-1]).astype(np.intp)
    made = Waves((tall, wide), keep, east, north, length, spread, step, bins, share, band, top, np.empty(0))
    cells = summed(band, wedge(made.binned(np.ones(len(length)))))
    chance = np.sqrt(MIXING * (1.0 / np.maximum(cells, 1e-9) + 1.0 / np.maximum(_turned(cells), 1e-9)))
    return replace(made, chance=chance)


def wedge(table: Floats) -> Floats:
    """Sum over the sectors within 30 degrees of each, the outermost by half."""
    reach = SECTORS // 6
    out = np.zeros_like(table)
    for turn in range(-reach, reach + 1):
        out += (0.5 if abs(turn) == reach else 1.0) * np.roll(table, turn, axis=1)
    return out


def summed(band: Floats, table: Floats) -> Floats:
    """Sum over bands; not by BLAS, whose order of additions depends on threads and addresses."""
    result: Floats = np.einsum("ij,jk->ik", band, table, optimize=False)
    return result


def _turned(table: Floats) -> Floats:
    return np.roll(table, SECTORS // 2, axis=1)


@lru_cache(maxsize=8)
def taper(size: int) -> Floats:
    """Return the Hann taper of a window."""
    one = np.sin(np.pi * (np.arange(size) + 0.5) / size) ** 2
    result: Floats = np.outer(one, one)
    return result


def power(window: NDArray[Any], among: Waves) -> Floats:
    """Return the power of waves in a window whose plane is taken out, tapered, its gaps filled with 0."""
    import scipy.fft

    valid = np.isfinite(window)
    weight = taper(len(window)) * valid
    values = np.where(valid, window, 0.0).astype(np.float64)
    rest = values - plane(values, weight)
    if np.abs(rest).max(initial=0.0, where=valid) <= FLAT * np.abs(values).max():
        return np.zeros(len(among.keep))
    values = weight * rest
    spectrum = scipy.fft.rfft2(values).ravel()[among.keep]
    result: Floats = spectrum.real**2 + spectrum.imag**2
    return result


def plane(values: Floats, weight: Floats) -> Floats:
    """Return the plane that fits best by weighted squares, or the mean where cells lie on one line."""
    y, x = (np.arange(n, dtype=np.float64) / n - 0.5 for n in values.shape)
    # Plain sums, for the reason of `summed`.
    rows, columns = weight.sum(axis=1), weight.sum(axis=0)
    whole, down, along = rows.sum(), (rows * y).sum(), (columns * x).sum()
    mixed = ((weight * x).sum(axis=1) * y).sum()
    normal = np.array(
        [[whole, down, along], [down, (rows * y * y).sum(), mixed], [along, mixed, (columns * x * x).sum()]]
    )
    held = weight * values
    right = np.array([held.sum(), (held.sum(axis=1) * y).sum(), (held.sum(axis=0) * x).sum()])
    if whole <= 0.0 or np.linalg.det(normal / whole) < 1e-9:
        return np.full(values.shape, right[0] / whole if whole > 0.0 else 0.0)
    level, slope_y, slope_x = np.linalg.solve(normal, right)
    result: Floats = level + slope_y * y[:, None] + slope_x * x
    return result


def dominant(window: NDArray[Any], among: Waves) -> Peak:
    r"""Return the dominant wavelength across the stripes of a window.

    Parameters
    ----------
    window : ndarray, shape (n, n), float32 or float64
        Anomaly, nT, south in row 0, west in column 0; cells that are not finite are gaps.
    among : Waves
        Of windows of this size, from `waves`.

    Returns
    -------
    Peak

    Notes
    -----
    The peak is that of :math:`k S(k)`, power by octave, where S is the power within 30 degrees of a
    direction less that within 30 degrees of the one at right angles, smoothed over a quarter of k on either
    side; direction and k are chosen together, where the first power stands out from the second and is more
    than a ripple on longer waves. Both are then refined by the moments of the power in that band, the second
    moments of the taper taken out.
    """
    found = power(window, among)
    table = among.binned(found)
    across = summed(among.band, wedge(table))
    along = _turned(across)
    if not across.any():
        return NOTHING
    k = among.step * np.arange(len(across))[:, None]
    with np.errstate(divide="ignore", invalid="ignore"):
        sure = np.log(across / along) > SURE * among.chance
    sure &= across - along >= LEAST * np.cumsum(table.sum(axis=1))[among.top, None]
    # The bands of narrow and of wide waves hold different numbers of bins.
    score = np.where(sure, k * (across - along) / among.band.sum(axis=1)[:, None], -np.inf)
    score[k[:, 0] * SHORTEST * max(among.sides) > len(window)] = -np.inf
    best = int(np.argmax(score))
    if not score.flat[best] > 0.0:
        return NOTHING
    row, sector = divmod(best, SECTORS)
    return _refined(found, among, float(k[row, 0]), math.pi * sector / SECTORS)


def _refined(power: Floats, among: Waves, k: float, angle: float) -> Peak:
    """Take wavenumber and direction from the moments of the power around a peak."""
    for _ in range(3):
        cos, sin = math.cos(angle), math.sin(angle)
        fine = among.resolution(cos, sin)
        reach = max(LOBE * fine, BAND * k)
        ring = np.abs(among.length - k) <= reach
        turned = np.abs(among.east * cos + among.north * sin) / among.length
        ahead, aside = ring & (turned >= math.sqrt(0.5)), ring & (turned <= 0.5)
        if not ahead.any() or not aside.any():
            return NOTHING
        length = among.length[ahead]
        noise = _level(among.length[aside], power[aside], 2.0 * fine, length)
        own = power[ahead] - noise
        total = own.sum()
        if not total > 0.0:
            return NOTHING
        east, north = among.east[ahead], among.north[ahead]
        d = (own * (east - north) * (east + north)).sum() - total * (among.spread[0] - among.spread[1])
        angle = 0.5 * math.atan2(2.0 * (own * east * north).sum(), d)
        cos, sin = math.cos(angle), math.sin(angle)
        # The lobe of one wave is as wide along the stripes as across, which makes its mean too long.
        k = float((own * length).sum() / total)
        k -= (among.spread[0] * sin**2 + among.spread[1] * cos**2) / (2.0 * k)
    fine = among.resolution(cos, sin)
    if k * LONGEST < fine * (1.0 - 1e-6):
        return NOTHING
    off = (length - k) ** 2
    width = max(0.0, (own * off).sum() / total - among.spread[0] * cos**2 - among.spread[1] * sin**2)
    variance = MEETING * (off * np.maximum(own, 0.0) * noise).sum() + MIXING * (off * noise * noise).sum()
    variance = 2.0 * variance / total**2 + width * fine / reach + (IMAGE * fine * (2.0 * fine / k) ** 3) ** 2
    azimuth = -math.degrees(angle) % 180.0
    share = float(total / power.sum())
    return Peak(1.0 / k, math.sqrt(variance) / k**2, azimuth if azimuth < 180.0 else 0.0, min(1.0, share))


def _level(length: Floats, power: Floats, step: float, at: Floats) -> Floats:
    """Return the mean power by wavenumber, in bins of at least ``step``, between them by straight lines."""
    low, high = length.min(), length.max()
    count = max(1, int((high - low) / step))
    number = (
        np.minimum(((length - low) / (high - low) * count).astype(np.intp), count - 1) if high > low else 0
    )
    number = np.broadcast_to(number, length.shape)
    cells = np.bincount(number, minlength=count)
    means = np.bincount(number, power, count) / np.maximum(cells, 1)
    middle = low + (np.arange(count) + 0.5) * (high - low) / count
    return np.interp(at, middle[cells > 0], means[cells > 0])

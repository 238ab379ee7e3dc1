"""How parallel the anomalies of a window are: a few dozen numbers that do not know which way they strike.

A network sees shapes; what tells lineations from other crust is that they keep one strike over a whole
window, at several scales at once. The gradient's direction, doubled so that a line and its reverse are the
same, is a complex number ``exp(2 i angle)``; the length of a mean of such numbers says how well directions
agree: 1 all parallel, 0 none. Turning or mirroring a window, or changing its polarity, units or level,
changes none of the numbers beyond rounding.
"""

from __future__ import annotations

import itertools
import math
from typing import TYPE_CHECKING, Any

import numpy as np

from magxr.kernels.stacks import STACKS, stacks
from magxr.kernels.strips import STRIPS, strips

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]
    Complex = NDArray[np.complex128]

LEVELS = (1, 2, 4)
"""Cells averaged to one before gradients are taken."""
RANGE = 3.0
"""Standard deviation of the structure tensor's averages, averaged cells."""
PARTS = 4
"""Parts of a side whose strikes are compared."""
EXTREME = 3.0
"""Values beyond this many interquartile ranges from the median are cut to it: a seamount has one vote."""
OUTLYING = 3.0
"""Departure from the median, interquartile ranges, beyond which a cell counts as a tail."""
BANDS = ((1.0, 2.5), (2.5, 5.0), (5.0, 9.0), (9.0, 15.0), (15.0, 25.0))
"""Waves in a window's side."""
SIDE = 50
"""Cells of a side that spectra and stacked profiles are taken from, about."""
FINE_SIDE = 125
"""Cells of a side that profiles of strips are taken from, about."""
SMALLEST = 64
"""Side of the smallest window, cells."""
_LEAST_SHARE = 0.5
"""Share of measured cells below which an averaged cell is missing."""
_TINY = 1e-12

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

    Notes
    -----
    Coherence is that of the structure tensor, ``sqrt((J11 - J22)^2 + 4 J12^2) / (J11 + J22)`` [1]_. All
    is relative to the window's own median and interquartile range.

    References
    ----------
    .. [1] Weickert, J. (1999), Coherence-enhancing diffusion filtering, Int. J. Comput. Vis. 31, 111-127.
    """
    found = np.zeros((len(windows), len(NAMES)), np.float32)
    for number, window in enumerate(windows):
        found[number] = _one(np.array(window, dtype=np.float64, order="C"))
    return found


def _one(window: Floats) -> NDArray[np.float32]:
    known = np.isfinite(window)
    if not known.any():
        return np.zeros(len(NAMES), np.float32)
    values = window[known]
    first, middle, third = np.percentile(values, [25.0, 50.0, 75.0])
    unit = third - first
    if unit <= 8 * float(np.finfo(np.float32).eps) * float(np.abs(values).max()):
        return np.zeros(len(NAMES), np.float32)
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


def _averaged(values: Floats, known: NDArray[np.bool_], level: int) -> tuple[Floats, NDArray[np.bool_]]:
    """Return means of level x level cells (0 where missing) and which of them are there.

    Their number is even, and as many cells are left out at either side: turned windows give turned means.
    """
    if level == 1:
        return values, known
    side = len(values) // level // 2 * 2
    first = (len(values) - side * level) // 2
    used = slice(first, first + side * level)

    def boxes(cells: NDArray[Any]) -> Floats:
        cut = cells[used, used].reshape(side, level, side, level)
        total: Floats = cut.sum(axis=(1, 3), dtype=np.float64)
        return total

    count = boxes(known)
    there = count >= _LEAST_SHARE * level * level
    mean = np.where(there, boxes(values) / np.maximum(count, 1.0), 0.0)
    return mean, there


def _parallel(values: Floats, there: NDArray[np.bool_], level: int) -> tuple[list[float], complex]:
    """Return the numbers of a level, and its mean direction, doubled, as long as it is coherent."""
    from scipy.ndimage import gaussian_filter

    weight = there.astype(np.float64)
    cover = gaussian_filter(weight, 1.0, mode="nearest")
    smooth = gaussian_filter(values, 1.0, mode="nearest") / np.maximum(cover, 1e-6)
    north, east = np.gradient(smooth)
    # gradients beside a gap are those of its edge
    counted = gaussian_filter(weight, 1.5, mode="nearest") > 0.95
    if counted.sum() < SMALLEST:
        return [0.0] * len(_OF_A_LEVEL), 0j
    energy = np.where(counted, east * east + north * north, 0.0)
    doubled = np.where(counted, (east * east - north * north) + 2j * east * north, 0.0)
    near = gaussian_filter(doubled.real, RANGE) + 1j * gaussian_filter(doubled.imag, RANGE)
    length = np.abs(near)
    coherence = length / (gaussian_filter(energy, RANGE) + _TINY)
    unit: Complex = near / (length + _TINY)
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


def _parts(doubled: Complex, energy: Floats, counted: NDArray[np.bool_]) -> list[float]:
    """Return how well the strikes of parts of the window agree, and the mean coherence within them."""
    ends = np.rint(np.linspace(0, len(energy), PARTS + 1)).astype(int)[:-1]

    def summed(cells: NDArray[Any]) -> NDArray[Any]:
        whole: NDArray[Any] = np.add.reduceat(np.add.reduceat(cells, ends, axis=0), ends, axis=1)
        return whole

    enough = summed(counted.astype(np.float64)) >= 8.0
    if not enough.any():
        return [0.0, 0.0]
    direction, length = summed(doubled)[enough], summed(energy)[enough]
    agreement = abs(complex((direction / (np.abs(direction) + _TINY)).mean()))
    return [agreement, float((np.abs(direction) / (length + _TINY)).mean())]


def _bands(values: Floats, there: NDArray[np.bool_]) -> list[float]:
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

"""Profiles across the strike: how well two of them fit, and numbers on the form of one."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
from numba import njit

from magxr.kernels.fir import STRICT

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

OVERLAP = 20
"""Lanes that two profiles must have in common."""
WAVES = 39
"""Waves in a profile up to which its power is looked at."""
_TINY = 1e-12


@njit(**STRICT)
def fit(one: Floats, other: Floats, most: int) -> tuple[float, float, float]:
    """Return the correlation of two profiles unshifted, the largest one, and its shift in lanes.

    Lanes that are NaN are missing; shifts up to ``most`` lanes either way are tried.
    """
    still = best = -2.0
    chosen = 0
    for shift in range(-most, most + 1):
        found = _correlation(one, other, shift)
        if shift == 0:
            still = found
        if found > best:
            best, chosen = found, shift
    if best <= still:  # no shift is better than none
        best, chosen = still, 0
    return still, best, float(chosen)


@njit(**STRICT)
def _correlation(one: Floats, other: Floats, shift: int) -> float:
    """Correlate ``one``, read ``shift`` lanes further, with ``other``; 0: too few in common."""
    low, high = max(0, -shift), min(one.size, one.size - shift)
    number = 0
    first = second = 0.0
    for j in range(low, high):
        x, y = one[j + shift], other[j]
        if x == x and y == y:
            first += x
            second += y
            number += 1
    if number < OVERLAP:
        return 0.0
    first /= number
    second /= number
    both = own = its = 0.0
    for j in range(low, high):
        x, y = one[j + shift] - first, other[j] - second
        if x == x and y == y:
            both += x * y
            own += x * x
            its += y * y
    return both / math.sqrt(own * its + _TINY)


@njit(**STRICT)
def form(profile: Floats, size: int, work: Floats, out: Floats) -> None:
    """Put numbers on the form of a profile into ``out``, its bend taken off.

    Parameters
    ----------
    profile : ndarray of float64, shape (size or more,)
        Without NaN, of mean 0.
    size : int
        Its length, 3 or more.
    work : ndarray of float64, shape (4, size or more)
        Work space.
    out : ndarray of float64, shape (8,)
        Gets tails, lopsidedness, crossings, their unevenness, waves, their spread, roughness, strongest wave.
    """
    flat = work[0]
    _unbent(profile, size, flat)
    spread = _deviation(profile, size) + 1e-9
    deviation = _deviation(flat, size) + 1e-9
    tails = lopsided = steps = 0.0
    for j in range(size):
        tails += (flat[j] / deviation) ** 4
        lopsided += (profile[j] / spread) ** 3
    for j in range(1, size):
        steps += abs(flat[j] - flat[j - 1])
    out[0] = math.log(tails / size + 1e-3)
    out[1] = abs(lopsided / size)
    out[2], out[3] = _crossings(flat, size)
    out[4], out[5], out[7] = _waves(flat, size, work)
    out[6] = math.log(steps / (size - 1) / deviation + 1e-3)


@njit(**STRICT)
def _unbent(profile: Floats, size: int, flat: Floats) -> None:
    """Take off the parabola that fits best, by polynomials that are orthogonal on the lanes."""
    step = 2.0 / (size - 1)
    square = 0.0
    for j in range(size):
        square += (step * j - 1.0) ** 2
    square /= size
    level = slope = bend = lines = parabolas = 0.0
    for j in range(size):
        x = step * j - 1.0
        y = x * x - square
        level += profile[j] / size
        slope += profile[j] * x
        bend += profile[j] * y
        lines += x * x
        parabolas += y * y
    for j in range(size):
        x = step * j - 1.0
        flat[j] = profile[j] - (level + slope / lines * x + bend / parabolas * (x * x - square))


@njit(**STRICT)
def _deviation(values: Floats, size: int) -> float:
    mean = spread = 0.0
    for j in range(size):
        mean += values[j]
    mean /= size
    for j in range(size):
        spread += (values[j] - mean) ** 2
    return math.sqrt(spread / size)


@njit(**STRICT)
def _crossings(flat: Floats, size: int) -> tuple[float, float]:
    """Return how often the profile, smoothed over three lanes, changes its sign, and how unevenly."""
    third = 1.0 / 3.0
    count, before, last = 0, 0.0, 0
    gaps = squares = 0.0
    for j in range(1, size - 1):
        sign = np.sign(flat[j - 1] * third + flat[j] * third + flat[j + 1] * third)
        if j > 1 and sign != before:
            if count:
                gaps += j - last
                squares += (j - last) ** 2
            count, last = count + 1, j
        before = sign
    uneven = 0.0
    if count > 2:
        mean = gaps / (count - 1)
        uneven = math.sqrt(max(squares / (count - 1) - mean * mean, 0.0)) / mean
    return math.log1p(count), uneven


@njit(**STRICT)
def _waves(flat: Floats, size: int, work: Floats) -> tuple[float, float, float]:
    """Return the mean wave of the profile's power, how widely it spreads, and the largest share."""
    cosine, tapered = work[1], work[2]
    for j in range(size):
        cosine[j] = math.cos(2.0 * math.pi * j / size)
        # Hann's taper
        tapered[j] = flat[j] * (0.5 - 0.5 * math.cos(2.0 * math.pi * j / (size - 1)))
    sine = work[3]
    for j in range(size):
        sine[j] = math.sin(2.0 * math.pi * j / size)
    count = min(WAVES, size // 2)
    power = work[0]
    whole = 0.0
    for wave in range(1, count + 1):
        real = imaginary = 0.0
        at = 0
        for j in range(size):
            real += tapered[j] * cosine[at]
            imaginary += tapered[j] * sine[at]
            at += wave
            if at >= size:
                at -= size
        power[wave - 1] = real * real + imaginary * imaginary
        whole += power[wave - 1]
    waves = spread = strongest = 0.0
    for k in range(count):
        share = power[k] / (whole + _TINY)
        waves += share * (k + 1)
        spread -= share * math.log(share + _TINY)
        strongest = max(strongest, share)
    return math.log(waves + 1e-3), spread, strongest

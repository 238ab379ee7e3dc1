"""The share of a window's power in bands of wavelengths, and how far each band has one direction."""

from __future__ import annotations

import math
from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numba import njit

from magxr.kernels.cellmeans import columns
from magxr.kernels.fir import FUSED, STRICT

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

BANDS = ((1.0, 2.5), (2.5, 5.0), (5.0, 9.0), (9.0, 15.0), (15.0, 25.0))
"""Waves in a window's side."""
_COUNT = len(BANDS)
_TINY = 1e-12


class Waves(NamedTuple):
    """Tables for the spectrum of a square; waves of one half of it, the other being its mirror image."""

    taper: Floats
    cosine: Floats
    """Of wave c at cell j, shape (side, `columns` of waves); whole fours of rows, the last ones 0."""
    sine: Floats
    down_cosine: Floats
    """The same the other way round: a row for every wave."""
    down_sine: Floats
    band: NDArray[np.int8]
    """Of every wave, shape (side, waves); -1 the mean, `_COUNT` for none."""
    many: Floats
    """How often a wave stands in the whole spectrum: 1 or 2."""
    even: Floats
    """Sum over these of the cosine of twice the direction."""
    odd: Floats


class Space(NamedTuple):
    """Work space."""

    tapered: Floats
    """A row."""
    real: Floats
    """Of every row's waves."""
    imaginary: Floats
    single: Floats
    """Four sums of a wave."""
    power: Floats
    """By band: power, and its two parts by direction."""


@lru_cache(maxsize=8)
def make_waves(side: int) -> Waves:
    """Return the tables for squares of ``side`` cells."""
    half = side // 2 + 1
    wave = np.fft.fftfreq(side) * side
    length = np.hypot(wave[:, None], wave)
    doubled = np.exp(2j * np.arctan2(wave[:, None], wave))
    row, column = np.mgrid[:side, :side]
    mirrored = column >= half
    row, column = np.where(mirrored, -row % side, row), np.where(mirrored, -column % side, column)
    many, even, odd = np.zeros((3, side, half))
    np.add.at(many, (row, column), 1.0)
    np.add.at(even, (row, column), doubled.real)
    np.add.at(odd, (row, column), doubled.imag)
    band = np.full((side, half), _COUNT, np.int8)
    band[length[:, :half] < BANDS[0][0]] = -1
    for k, (low, high) in enumerate(BANDS):
        band[(length[:, :half] >= low) & (length[:, :half] < high)] = k
    turn = 2.0 * np.pi / side * (np.arange(side)[:, None] * np.arange(columns(half)) % side)
    cosine, sine = np.zeros((2, _fours(side), columns(half)))
    cosine[:side], sine[:side] = np.cos(turn), np.sin(turn)
    down = [np.ascontiguousarray(table.T) for table in (cosine, sine)]
    return Waves(np.hanning(side), cosine, sine, down[0], down[1], band, many, even, odd)


def _fours(side: int) -> int:
    return (side + 3) // 4 * 4


def make_space(side: int) -> Space:
    """Allocate work space for squares of ``side`` cells."""
    wide = columns(side // 2 + 1)
    return Space(
        np.zeros(_fours(side)),
        np.zeros((_fours(side), wide)),
        np.zeros((_fours(side), wide)),
        np.zeros((4, wide)),
        np.zeros((3, _COUNT)),
    )


@njit(**STRICT)
def measure(values: Floats, there: Floats, side: int, waves: Waves, space: Space, out: Floats) -> None:
    """Put the share of power and the length of the mean direction of every band into ``out``, in turn.

    ``there`` is 1 where a cell counts, else 0.
    """
    level = number = 0.0
    for i in range(side):
        for j in range(side):
            level += values[i, j] * there[i, j]
            number += there[i, j]
    level = level / number if number > 0.0 else 0.0
    half, wide = waves.band.shape[1], waves.cosine.shape[1]
    tapered = space.tapered
    for i in range(side):
        for j in range(side):
            tapered[j] = (values[i, j] - level) * there[i, j] * (waves.taper[i] * waves.taper[j])
        space.real[i, :] = 0.0
        space.imaginary[i, :] = 0.0
        for j in range(0, side, 4):
            _add_rows(tapered, j, waves.cosine, space.real, i, wide)
            _add_rows(tapered, j, waves.sine, space.imaginary, i, wide)
    space.power[:] = 0.0
    whole = _TINY
    for wave in range(half):
        single, cosine, sine = space.single, waves.down_cosine[wave], waves.down_sine[wave]
        single[:] = 0.0
        for i in range(0, side, 4):
            _add_rows(cosine, i, space.real, single, 0, wide)
            _add_rows(sine, i, space.imaginary, single, 1, wide)
            _add_rows(cosine, i, space.imaginary, single, 2, wide)
            _add_rows(sine, i, space.real, single, 3, wide)
        a, b, c, d = single[0], single[1], single[2], single[3]
        for k in range(half):
            whole += _gather(wave, k, (a[k] - b[k]) ** 2 + (c[k] + d[k]) ** 2, waves, space)
        if 0 < wave < side - wave:  # its mirror image, row by row
            for k in range(half):
                whole += _gather(side - wave, k, (a[k] + b[k]) ** 2 + (c[k] - d[k]) ** 2, waves, space)
    for k in range(_COUNT):
        own = space.power[0, k]
        out[2 * k] = math.log(own / whole + 1e-4)
        out[2 * k + 1] = math.hypot(space.power[1, k], space.power[2, k]) / (own + _TINY)


@njit(**STRICT)
def _gather(row: int, column: int, power: float, waves: Waves, space: Space) -> float:
    """Add a wave's power to its band; return what it adds to the whole."""
    band = waves.band[row, column]
    if band < 0:
        return 0.0
    if band < _COUNT:
        space.power[0, band] += power * waves.many[row, column]
        space.power[1, band] += power * waves.even[row, column]
        space.power[2, band] += power * waves.odd[row, column]
    added: float = power * waves.many[row, column]
    return added


@njit(**FUSED)
def _add_rows(factors: Floats, first: int, rows: Floats, to: Floats, row: int, size: int) -> None:
    """Add four rows from ``first`` on, each times its factor; by index, since views of rows cost more."""
    f, g, h, i = factors[first], factors[first + 1], factors[first + 2], factors[first + 3]
    for k in range(size):
        acc = to[row, k]
        acc += f * rows[first, k]
        acc += g * rows[first + 1, k]
        acc += h * rows[first + 2, k]
        acc += i * rows[first + 3, k]
        to[row, k] = acc

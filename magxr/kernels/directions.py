"""How parallel gradients are over a window and its parts, from the structure tensor of averaged cells."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
from numba import njit

from magxr.kernels import tensorrows
from magxr.kernels.fir import STRICT
from magxr.kernels.tensorrows import COHERENCE, EVEN, GRADIENT, UNIT, WEIGHTED

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from magxr.kernels.tensorrows import Filters, Space

    Floats = NDArray[np.float64]

PARTS = 4
"""Parts of a side whose strikes are compared."""
NUMBERS = 8
"""Numbers of a level."""
_ENOUGH, _ENOUGH_OF_A_PART = 64.0, 8.0
"""Cells with a gradient below which nothing is said."""
_TINY = 1e-12


@njit(**STRICT)
def measure(
    values: Floats, there: Floats, complete: bool, level: int, filters: Filters, space: Space, out: Floats
) -> tuple[float, float]:
    """Put the numbers of a level into ``out``; return its mean direction, doubled, as long as coherent.

    Parameters
    ----------
    values, there : ndarray of float64, shape (n, columns)
        Averaged cells, 0 where missing, and 1 or 0 for whether they are there; from column n on, zeros.
    complete : bool
        Whether all are there; ``there`` is not read then.
    level : int
        Cells averaged to one, along a side.
    filters, space
        From `magxr.kernels.tensorrows`.
    out : ndarray of float64, shape (`NUMBERS`,)
        Coherence; length of the mean direction, of that weighted by coherence, of the whole window's, of
        single gradients; agreement and coherence of parts; logarithm of the mean squared gradient.
    """
    n, m = values.shape
    reach = filters.tensor.size - 1
    smooth, seen = filters.smooth.size - 1, filters.seen.size - 1
    parts = np.zeros((4, PARTS, PARTS))
    gaps = _rows_with_gaps(there, complete)
    space.sums[:] = 0.0
    part = 0
    tensorrows.smoothed_row(values, there, _whole(gaps, 0, smooth), 0, filters.smooth, space)
    for i in range(n + reach):
        if i < n:
            if i + 1 < n:
                whole = _whole(gaps, i + 1, smooth)
                tensorrows.smoothed_row(values, there, whole, i + 1, filters.smooth, space)
            tensorrows.counted_row(there, _whole(gaps, i, seen), i, filters.seen, space)
            tensorrows.product_row(i, n, m, filters.tensor, space)
            if i + 1 == _end(part + 1, n):
                _gather_parts(part, n, space.sums, parts)
                part += 1
        if i >= reach:
            tensorrows.tensor_row(i - reach, n, m, filters.tensor, space)
    found: tuple[float, float] = _numbers(n, level, space.sums, parts, out)
    return found


@njit(**STRICT)
def _rows_with_gaps(there: Floats, complete: bool) -> NDArray[np.int64]:
    """Return how many rows before each one lack a cell."""
    n = there.shape[0]
    before = np.zeros(n + 1, np.int64)
    if not complete:
        for i in range(n):
            before[i + 1] = before[i] + (_sum(there[i], 0, n) < n)
    return before


@njit(**STRICT)
def _whole(gaps: NDArray[np.int64], row: int, reach: int) -> bool:
    """Tell whether no row lacks a cell, up to ``reach`` rows away."""
    whole: bool = gaps[min(row + reach + 1, gaps.size - 1)] == gaps[max(row - reach, 0)]
    return whole


@njit(**STRICT)
def _end(part: int, n: int) -> int:
    """Return where a part ends; a half goes to the even cell."""
    end: int = int(np.rint(n * (part / PARTS)))
    return end


@njit(**STRICT)
def _sum(line: Floats, first: int, end: int) -> float:
    whole = 0.0
    for j in range(first, end):
        whole += line[j]
    return whole


@njit(**STRICT)
def _gather_parts(part: int, n: int, sums: Floats, parts: Floats) -> None:
    """Move sums by column of products and of cells that count to a row of parts."""
    for k in range(4):
        for q in range(PARTS):
            parts[k, part, q] = _sum(sums[EVEN + k], _end(q, n), _end(q + 1, n))
        sums[EVEN + k, :] = 0.0


@njit(**STRICT)
def _numbers(n: int, level: int, sums: Floats, parts: Floats, out: Floats) -> tuple[float, float]:
    """Make the numbers of the sums."""
    out[:] = 0.0
    even = odd = energy = count = 0.0
    together_even = together_odd = lengths = 0.0
    found = 0
    for p in range(PARTS):
        for q in range(PARTS):
            even += parts[0, p, q]
            odd += parts[1, p, q]
            energy += parts[2, p, q]
            count += parts[3, p, q]
            if parts[3, p, q] >= _ENOUGH_OF_A_PART:
                length = math.hypot(parts[0, p, q], parts[1, p, q])
                together_even += parts[0, p, q] / (length + _TINY)
                together_odd += parts[1, p, q] / (length + _TINY)
                lengths += length / (parts[2, p, q] + _TINY)
                found += 1
    if count < _ENOUGH:
        return 0.0, 0.0
    even, odd = even / (energy + _TINY), odd / (energy + _TINY)
    out[0] = _sum(sums[COHERENCE], 0, n) / count
    out[1] = math.hypot(_sum(sums[UNIT], 0, n), _sum(sums[UNIT + 1], 0, n)) / count
    out[2] = math.hypot(_sum(sums[WEIGHTED], 0, n), _sum(sums[WEIGHTED + 1], 0, n)) / count
    out[3] = math.hypot(even, odd)
    out[4] = math.hypot(_sum(sums[GRADIENT], 0, n), _sum(sums[GRADIENT + 1], 0, n)) / count
    if found:
        out[5] = math.hypot(together_even, together_odd) / found
        out[6] = lengths / found
    out[7] = math.log(energy / count * level * level + 1e-6)
    return even, odd

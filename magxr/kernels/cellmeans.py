"""A window in units of its own spread, and means of its cells, in planes whose rows are whole vectors."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numba import njit

from magxr.kernels.fir import STRICT
from magxr.kernels.lanesums import extremes, make_lanes, squares, total
from magxr.kernels.quartiles import BINS, quartiles

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

_LEAST_SHARE = 0.5
"""Share of measured cells below which an averaged cell is missing."""
_FLAT = 8 * float(np.finfo(np.float32).eps)
"""Interquartile range, relative to the largest absolute value, below which a window only holds rounding."""
_VECTOR = 16


class Space(NamedTuple):
    """Work space for a window."""

    known: Floats
    """Finite values, one after the other."""
    some: Floats
    """Those among which a quartile is looked for."""
    bins: NDArray[np.int32]
    sums: Floats
    quartiles: Floats
    line: Floats
    """Sums of a row of averaged cells, by column."""


def make_space(size: int) -> Space:
    """Allocate work space for windows of ``size`` cells a side."""
    return Space(
        np.zeros(size * size + 1),
        np.zeros(size * size + 1),
        np.zeros(BINS, np.int32),
        make_lanes(),
        np.zeros(3),
        np.zeros((2, size)),
    )


@njit(**STRICT)
def columns(size: int) -> int:
    """Return how many columns a plane of ``size`` rows has: whole vectors, the last ones zero."""
    wide: int = (size + _VECTOR - 1) // _VECTOR * _VECTOR
    return wide


@njit(**STRICT)
def side_of(size: int, level: int) -> int:
    """Return how many averaged cells of ``level`` cells a window has along a side.

    Their number is even, and as many cells are left out at either side: turned windows give turned means.
    """
    side: int = size if level == 1 else size // level // 2 * 2
    return side


@njit(**STRICT)
def standardise(
    values: Floats, there: Floats, extreme: float, outlying: float, space: Space, out: Floats
) -> int:
    """Bring a window, in place, to interquartile ranges from its median, cut at ``extreme`` of them.

    Parameters
    ----------
    values : ndarray of float64, shape (n, `columns` of n)
        What is not finite is missing and becomes 0.
    there : ndarray of float64, of the same shape
        Becomes 1 where a cell is finite, else 0.
    extreme, outlying : float
        Where values are cut, and beyond what they are tails, interquartile ranges.
    space : Space
    out : ndarray of float64, shape (2 or more,)
        Gets the logarithm of standard deviation over interquartile range, and the share of tails.

    Returns
    -------
    int
        Number of finite cells; 0 if there is none, or no contrast.
    """
    size = values.shape[0]
    known, sums = space.known, space.sums
    count = 0
    for i in range(size):
        row, marked = values[i], there[i]
        for j in range(size):
            value = row[j]
            finite = value - value == 0.0
            known[count] = value
            count += finite
            marked[j] = 1.0 if finite else 0.0
    if count == 0:
        return 0
    low, high = extremes(known, count, sums)
    quartiles(known, count, low, high, space.bins, space.some, space.quartiles)
    middle, unit = space.quartiles[1], space.quartiles[2] - space.quartiles[0]
    if unit <= _FLAT * max(abs(low), abs(high)):
        return 0
    mean = total(known, count, sums) / count
    out[0] = math.log(math.sqrt(squares(known, count, mean, sums) / count) / unit + 1e-3)
    tails = 0
    for i in range(size):
        row, marked = values[i], there[i]
        for j in range(size):
            row[j] = (row[j] - middle) / unit
        for j in range(size):
            tails += (abs(row[j]) > outlying) & (marked[j] > 0.0)
        for j in range(size):
            scaled = min(max(row[j], -extreme), extreme)
            row[j] = scaled if marked[j] > 0.0 else 0.0
    out[1] = tails / count
    return count


@njit(**STRICT)
def average(
    values: Floats, there: Floats, complete: bool, level: int, mean: Floats, enough: Floats, line: Floats
) -> bool:
    """Put means of ``level`` x ``level`` cells into ``mean``, 0 where missing; return whether all are there.

    ``enough`` becomes 1 where half of the cells or more are there, else 0. Both are planes of `side_of` rows.
    """
    side = mean.shape[0]
    first = (values.shape[0] - side * level) // 2
    cells = float(level * level)
    every = True
    for row in range(side):
        _sum_boxes(values, first, row, level, line[0], mean[row], side)
        if complete:
            for j in range(side):
                mean[row, j] /= cells
                enough[row, j] = 1.0
        else:
            _sum_boxes(there, first, row, level, line[1], enough[row], side)
            for j in range(side):
                count = enough[row, j]
                there_too = count >= _LEAST_SHARE * cells
                mean[row, j] = mean[row, j] / count if there_too else 0.0
                enough[row, j] = 1.0 if there_too else 0.0
                every = every and there_too
        mean[row, side:] = 0.0
        enough[row, side:] = 0.0
    return every


@njit(**STRICT)
def _sum_boxes(plane: Floats, first: int, row: int, level: int, line: Floats, out: Floats, side: int) -> None:
    """Sum a row of boxes: down the rows first, which is one vector after the other."""
    wide = side * level
    top = plane[first + row * level]
    for j in range(wide):
        line[j] = top[first + j]
    for k in range(1, level):
        more = plane[first + row * level + k]
        for j in range(wide):
            line[j] += more[first + j]
    for j in range(side):
        whole = line[j * level]
        for k in range(1, level):
            whole += line[j * level + k]
        out[j] = whole

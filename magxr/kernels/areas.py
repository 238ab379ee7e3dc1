"""Areas of a map by their labels, numbered, each with the columns it has cells in.

What slides over a map counts or compares the cells of each area by itself. Numbered columns keep that small:
an area takes as much room as it has columns, and all together never more than the map has cells.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numba import njit

if TYPE_CHECKING:
    from numpy.typing import NDArray

_STRIP = 16
"""Columns of a strip: as many numbers as a line of the cache holds."""


class Areas(NamedTuple):
    """Which area a cell belongs to, and the columns of every area from west to east."""

    number: NDArray[np.int32]
    """Number of the area, by cell."""
    first: NDArray[np.int64]
    """Where each area begins in ``columns``, and one past the last: one more than there are areas."""
    columns: NDArray[np.int32]
    """Columns that hold used cells of the area, area by area, ascending."""
    slot: NDArray[np.int32]
    """By cell, where its own area and column stand in ``columns``; used cells only."""


def areas(labels: NDArray[Any], used: NDArray[np.int8]) -> Areas | None:
    """Return the areas of a map, numbered; None where all of it is one, as most chunks are.

    Parameters
    ----------
    labels : (rows, columns), any number
        Cells of one label are one area, wherever they lie. NaN is a label like another.
    used : (rows, columns) int8
        0 where nobody will ask for a cell.
    """
    number, count = numbered(labels)
    return None if count == 1 else Areas(number, *_columns(number, count, used))


def numbered(labels: NDArray[Any]) -> tuple[NDArray[np.int32], int]:
    """Replace labels by whole numbers from 0 on, and say how many there are.

    Only the first cell of a run of equal labels is sorted: areas have few of those.
    """
    flat = np.nan_to_num(labels, nan=-np.inf).ravel()
    starts = np.flatnonzero(np.concatenate([[True], flat[1:] != flat[:-1]]))
    names, number = np.unique(flat[starts], return_inverse=True)
    lengths = np.diff(starts, append=flat.size)
    return np.repeat(number.astype(np.int32), lengths).reshape(labels.shape), len(names)


@njit(nogil=True, cache=True)
def _columns(
    number: NDArray[np.int32], count: int, used: NDArray[np.int8]
) -> tuple[NDArray[np.int64], NDArray[np.int32], NDArray[np.int32]]:
    rows, cols = number.shape
    first = np.zeros(count + 1, np.int64)
    latest = np.full(count, -1, np.int32)
    slot = np.empty((rows, cols), np.int32)
    # Columns are walked from west to east a strip at a time, copied so that each lies in one piece.
    strip = np.empty((_STRIP, rows), np.int32)
    for west in range(0, cols, _STRIP):
        _turned(number, used, west, strip)
        for j in range(west, min(west + _STRIP, cols)):
            for k in strip[j - west]:
                if k >= 0 and latest[k] != j:
                    latest[k] = j
                    first[k + 1] += 1
    for k in range(count):
        first[k + 1] += first[k]
    columns = np.empty(first[count], np.int32)
    free = first[:-1].copy()
    latest[:] = -1
    for west in range(0, cols, _STRIP):
        _turned(number, used, west, strip)
        for j in range(west, min(west + _STRIP, cols)):
            for i in range(rows):
                k = strip[j - west, i]
                if k >= 0:
                    if latest[k] != j:
                        latest[k] = j
                        columns[free[k]] = j
                        free[k] += 1
                    strip[j - west, i] = free[k] - 1
        for i in range(rows):
            for j in range(west, min(west + _STRIP, cols)):
                slot[i, j] = strip[j - west, i]
    return first, columns, slot


@njit(nogil=True, cache=True)
def _turned(number: NDArray[np.int32], used: NDArray[np.int8], west: int, strip: NDArray[np.int32]) -> None:
    rows, cols = number.shape
    for i in range(rows):
        for j in range(west, min(west + _STRIP, cols)):
            strip[j - west, i] = number[i, j] if used[i, j] != 0 else -1


@njit(nogil=True, cache=True)
def from_column(columns: NDArray[np.int32], start: int, stop: int, column: int) -> int:
    """Return the first place of ``columns[start:stop]``, ascending, that is not west of ``column``."""
    while start < stop:
        middle = (start + stop) // 2
        if columns[middle] < column:
            start = middle + 1
        else:
            stop = middle
    return start

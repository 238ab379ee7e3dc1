"""The largest rectangle without gaps: where a map can be looked at as if nothing were missing."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray


def largest_rectangle(known: NDArray[np.bool_]) -> tuple[slice, slice]:
    """Return the rectangle of the most cells that are all True; the first of equals from the south-west.

    Parameters
    ----------
    known : ndarray of bool, shape (rows, columns)
        Where there are values.

    Returns
    -------
    slice, slice
        Rows and columns; empty ones where no cell is True.

    Notes
    -----
    For every row the columns of True cells below it are a histogram, whose largest rectangle a stack finds
    in one pass: time grows with the number of cells. Whole rows that are all True, the usual case, are one
    comparison each.
    """
    rows, columns = known.shape
    best, found = 0, (slice(0, 0), slice(0, 0))
    heights: NDArray[Any] = np.zeros(columns + 1, dtype=np.int64)  # a last column of height 0 closes the rest
    full = 0
    for row in range(rows):
        heights[:columns] = np.where(known[row], heights[:columns] + 1, 0)
        full = full + 1 if known[row].all() else 0
        if heights[:columns].sum() <= best:
            continue
        if full == row + 1:  # nothing is missing so far
            best, found = full * columns, (slice(0, full), slice(0, columns))
            continue
        stack: list[tuple[int, int]] = []
        for column, height in enumerate(heights.tolist()):
            start = column
            while stack and stack[-1][1] >= height:
                start, tall = stack.pop()
                if tall * (column - start) > best:
                    best = tall * (column - start)
                    found = slice(row + 1 - tall, row + 1), slice(start, column)
            stack.append((start, height))
    return found

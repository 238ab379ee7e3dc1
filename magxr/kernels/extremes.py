"""The largest and smallest answer of the box around a cell, in a time that does not grow with the box.

Without areas scipy's filters do it, one axis at a time. With areas a queue for each area and column holds the
cells of the box's rows that no later one reaches, so that its head is the column's largest; a tree for each
area holds the largest of pairs, pairs of pairs and so on of its columns; a cell asks it for those of its box.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numba import njit
from scipy import ndimage

from magxr.kernels.areas import Areas, from_column

if TYPE_CHECKING:
    from numpy.typing import NDArray


def replace_by_extremes(
    out: NDArray[np.floating],
    probability: NDArray[np.floating],
    wanted: NDArray[np.bool_],
    among: NDArray[np.bool_],
    half: int,
    areas: Areas | None,
    *,
    largest: bool,
) -> None:
    """Write the largest (or smallest) answer of their box into the wanted cells of ``out``.

    Parameters
    ----------
    out : (rows, columns) float
        Changed in place.
    probability : (rows, columns) float
        Answers, NaN where there is none.
    wanted : (rows, columns) bool
        Cells to change; there is a cell of ``among`` in the box of each.
    among : (rows, columns) bool
        Cells that may be the largest (or smallest) of a box; the fewer, the faster.
    half : int
        The box has ``2 half + 1`` cells a side.
    areas : Areas, optional
        Only the cell's own area counts.
    largest : bool
        Else the smallest.
    """
    if not wanted.any():
        return
    sign = probability.dtype.type(1 if largest else -1)
    if areas is not None:
        _in_areas(out, probability, wanted, among, half, areas, sign)
        return
    search = ndimage.maximum_filter if largest else ndimage.minimum_filter
    least = float(-sign) * np.inf
    known = np.where(among, probability, probability.dtype.type(least))
    out[wanted] = search(known, size=2 * half + 1, mode="constant", cval=least)[wanted]


@njit(nogil=True, cache=True)
def _in_areas(
    out: NDArray[np.floating],
    p: NDArray[np.floating],
    wanted: NDArray[np.bool_],
    among: NDArray[np.bool_],
    half: int,
    areas: Areas,
    sign: np.floating,
) -> None:
    """Do it in areas; ``sign`` is 1, or -1 for the smallest: the largest of what is turned over."""
    rows, cols = p.shape
    number, first, columns, slot = areas
    ring = 1  # a power of two: rows of the box are found by a mask
    while ring < min(2 * half + 1, rows):
        ring *= 2
    ring -= 1
    # Rows of the queues, and who comes after and before a cell in its queue; -1 is nobody.
    head, tail = np.full(columns.size, -1, np.int32), np.full(columns.size, -1, np.int32)
    after, before = np.empty((ring + 1, cols), np.int32), np.empty((ring + 1, cols), np.int32)
    # An area of n columns has its leaves at n .. 2 n - 1, the parent of t is t // 2.
    tree = np.full(2 * columns.size, -np.inf, p.dtype)
    for i in range(-half, rows):
        for row, enters in ((i - half - 1, False), (i + half, True)):
            if not 0 <= row < rows:
                continue
            for j in range(cols):
                if not among[row, j]:
                    continue
                s = slot[row, j]
                was = head[s]
                if enters:
                    last = tail[s]
                    while last >= 0 and sign * p[last, j] <= sign * p[row, j]:
                        last = before[last & ring, j]
                    before[row & ring, j] = last
                    after[row & ring, j] = -1
                    tail[s] = row
                    if last >= 0:
                        after[last & ring, j] = row
                    else:
                        head[s] = row
                elif was == row:
                    head[s] = after[row & ring, j]
                    if head[s] >= 0:
                        before[head[s] & ring, j] = -1
                    else:
                        tail[s] = -1
                if head[s] != was:
                    value = sign * p[head[s], j] if head[s] >= 0 else -p.dtype.type(np.inf)
                    k = number[row, j]
                    _set(tree[2 * first[k] : 2 * first[k + 1]], s - first[k], value)
        if i < 0:
            continue
        latest, west, east = -1, 0, 0
        for j in range(cols):
            if not wanted[i, j]:
                continue
            k = number[i, j]
            start, stop = first[k], first[k + 1]
            if k != latest:
                latest = k
                west = from_column(columns, start, stop, j - half)
                east = from_column(columns, west, stop, j + half + 1)
            while columns[west] < j - half:
                west += 1
            while east < stop and columns[east] <= j + half:
                east += 1
            out[i, j] = sign * _largest(tree[2 * start : 2 * stop], west - start, east - start)


@njit(nogil=True, cache=True)
def _set(tree: NDArray[np.floating], at: int, value: np.floating) -> None:
    t = at + tree.size // 2
    tree[t] = value
    while t > 1:
        t >>= 1
        larger = max(tree[2 * t], tree[2 * t + 1])
        if tree[t] == larger:
            return
        tree[t] = larger


@njit(nogil=True, cache=True)
def _largest(tree: NDArray[np.floating], west: int, east: int) -> np.floating:
    found: np.floating = tree[west + tree.size // 2]
    west += tree.size // 2
    east += tree.size // 2
    while west < east:
        if west & 1:
            found = max(found, tree[west])
            west += 1
        if east & 1:
            east -= 1
            found = max(found, tree[east])
        west >>= 1
        east >>= 1
    return found

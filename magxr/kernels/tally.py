"""Count the votes in the box around every cell, in a time that does not grow with the box.

Without areas: running counts by column, and a running sum of these along the row. With areas: counts by
column in a Fenwick tree for each area; as the box moves north one row is added and one taken away, and a cell
asks its own area's tree for the columns of its box. That takes the logarithm of the columns that an area has,
whatever the number and the shape of areas. Both are sums of whole numbers.

References
----------
Fenwick, P. M. (1994), A new data structure for cumulative frequency tables, Softw. Pract. Exp. 24, 327-336.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numba import njit

from magxr.kernels.areas import Areas, from_column

if TYPE_CHECKING:
    from numpy.typing import NDArray

ANSWERED, ABOVE, BELOW, UNCERTAIN = 1, 2, 4, 8
"""Bits of a cell's state; 0 is no answer."""
STAYS, UP, DOWN = 0, 1, 2
"""What the neighbours decide."""
KEEP, LINEAR, NONLINEAR = 0, 1, 2
"""What a tie does."""
ROUNDING = 1e-9
"""Votes that may lack: a product may round up past the whole number it stands for (0.55 x 20 gives
11.000000000000002)."""


@njit(nogil=True, cache=True)
def states(
    probability: NDArray[np.floating], low: np.floating, high: np.floating, middle: np.floating
) -> NDArray[np.int8]:
    """Tell cells that have an answer, lie above or below ``middle``, and are uncertain (low to high)."""
    rows, cols = probability.shape
    out = np.zeros((rows, cols), np.int8)
    for i in range(rows):
        for j in range(cols):
            p = probability[i, j]
            # Every comparison with NaN is false.
            side = ABOVE * (p > middle) + BELOW * (p < middle)
            out[i, j] = ANSWERED * (p == p) + side + UNCERTAIN * ((p >= low) & (p <= high))
    return out


@njit(nogil=True, cache=True)
def decided(above: int, below: int, voters: int, majority: float, ties: int) -> int:
    """Say what so many votes decide."""
    needed = majority * voters - ROUNDING
    up, down = above >= needed, below >= needed
    if up and down:
        return ties  # the constants agree: KEEP is STAYS, LINEAR is UP, NONLINEAR is DOWN
    return UP if up else (DOWN if down else STAYS)


@njit(nogil=True, cache=True)
def decide(state: NDArray[np.int8], half: int, majority: float, ties: int) -> NDArray[np.int8]:
    """Let the box of ``2 half + 1`` cells a side around every uncertain cell decide; all vote."""
    rows, cols = state.shape
    out = np.zeros((rows, cols), np.int8)
    # Column j stands at j + half + 1: what the box meets beyond the map is 0.
    voters = np.zeros(cols + 2 * half + 1, np.int32)
    above, below = np.zeros_like(voters), np.zeros_like(voters)
    for i in range(-half, rows):
        for row, sign in ((i + half, 1), (i - half - 1, -1)):
            if 0 <= row < rows:
                for j in range(cols):
                    s = state[row, j]
                    voters[j + half + 1] += sign * (s & 1)
                    above[j + half + 1] += sign * ((s >> 1) & 1)
                    below[j + half + 1] += sign * ((s >> 2) & 1)
        if i < 0:
            continue
        v, a, b = voters[: 2 * half + 1].sum(), above[: 2 * half + 1].sum(), below[: 2 * half + 1].sum()
        for j in range(cols):
            v += voters[j + 2 * half + 1] - voters[j]
            a += above[j + 2 * half + 1] - above[j]
            b += below[j + 2 * half + 1] - below[j]
            if state[i, j] & UNCERTAIN:
                out[i, j] = decided(a, b, v, majority, ties)
    return out


@njit(nogil=True, cache=True)
def decide_in_areas(
    state: NDArray[np.int8], areas: Areas, half: int, majority: float, ties: int
) -> NDArray[np.int8]:
    """Do the same where only the cell's own area votes."""
    rows, cols = state.shape
    out = np.zeros((rows, cols), np.int8)
    number, first, columns, slot = areas
    # Node t of an area sums over the (t & -t) columns that end with its t-th one.
    tree = np.zeros((columns.size, 3), np.int32)
    for i in range(-half, rows):
        for row, sign in ((i + half, 1), (i - half - 1, -1)):
            if 0 <= row < rows:
                for j in range(cols):
                    if state[row, j] != 0:
                        k = number[row, j]
                        _add(tree, first[k], first[k + 1], slot[row, j], state[row, j], sign)
        if i < 0:
            continue
        latest, west, east = -1, 0, 0
        for j in range(cols):
            if not state[i, j] & UNCERTAIN:
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
            v, a, b = _between(tree, start, west - start, east - start)
            out[i, j] = decided(a, b, v, majority, ties)
    return out


@njit(nogil=True, cache=True)
def _add(tree: NDArray[np.int32], start: int, stop: int, at: int, state: int, sign: int) -> None:
    v, a, b = sign * (state & 1), sign * ((state >> 1) & 1), sign * ((state >> 2) & 1)
    t = at - start + 1
    while t <= stop - start:
        node = start + t - 1
        tree[node, 0] += v
        tree[node, 1] += a
        tree[node, 2] += b
        t += t & -t


@njit(nogil=True, cache=True)
def _between(tree: NDArray[np.int32], start: int, west: int, east: int) -> tuple[int, int, int]:
    """Sum the columns ``west .. east - 1`` of an area: down to the node that both ends share."""
    v = a = b = 0
    while east > west:
        node = start + east - 1
        v += tree[node, 0]
        a += tree[node, 1]
        b += tree[node, 2]
        east &= east - 1
    while west > east:
        node = start + west - 1
        v -= tree[node, 0]
        a -= tree[node, 1]
        b -= tree[node, 2]
        west &= west - 1
    return v, a, b

"""Where square windows stand along an axis, and how many marked cells each one holds."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

Edges = Literal["shift", "pad", "drop"]


def starts(cells: int, size: int, stride: int, edges: Edges) -> NDArray[np.int64]:
    """Return the first cells of the windows along an axis that has two ends.

    Parameters
    ----------
    cells, size, stride : int
        Length of the axis, of a window, and of the step from one window to the next; ``size <= cells``.
    edges : {"shift", "pad", "drop"}
        What becomes of the cells that are left after the last whole stride: one more window that is moved
        back until it fits, one more that reaches over the end, or none.

    Notes
    -----
    Where the strides fit exactly the three agree: ``(cells - size) / stride + 1`` windows, hence the
    16 x 18 = 288 of a 1000 x 1100 map at size 250 and stride 50.
    """
    whole = np.arange(0, cells - size + 1, stride, dtype=np.int64)
    if edges == "drop" or whole[-1] + size == cells:
        return whole
    last = cells - size if edges == "shift" else whole[-1] + stride
    return np.append(whole, last)


def starts_around(cells: int, stride: int, anchor: int) -> NDArray[np.int64]:
    """Return the first columns of the windows on an axis that goes round, ``stride`` dividing ``cells``.

    ``anchor`` is the number of column 0 counted from longitude 0: windows start at multiples of the stride
    in that count, so that a rolled map is cut at the same longitudes.
    """
    return np.arange((-anchor) % stride, cells, stride, dtype=np.int64)


def runs(first: NDArray[np.int64], stride: int) -> list[slice]:
    """Split window starts into stretches in which they are exactly ``stride`` apart."""
    breaks = np.flatnonzero(np.diff(first) != stride) + 1
    edges = [0, *breaks.tolist(), len(first)]
    return [slice(a, b) for a, b in pairwise(edges)]


@dataclass(frozen=True, slots=True)
class Centres:
    """Windows by the stride x stride cells in their middle, along one axis."""

    size: int
    """Cells of a window."""
    stride: int
    """Cells from one window to the next, and cells that a window answers for."""
    cells: int
    """Cells of the axis."""
    first: int
    """Cell at which the first window starts; negative where it reaches over the edge."""
    count: int
    """Number of positions."""
    fits: tuple[int, int]
    """First position whose window lies inside the map, and one past the last."""

    @property
    def middle(self) -> int:
        """Cells from the start of a window to the cells it answers for."""
        return (self.size - self.stride) // 2

    def start(self, position: int) -> int:
        """Return the first cell of a window."""
        return self.first + position * self.stride

    def reach(self, lo: int, hi: int) -> tuple[int, int]:
        """Return the cells under the windows ``lo`` to ``hi`` (exclusive): first, and one past the last."""
        return self.start(lo), self.start(hi - 1) + self.size


def centres(cells: int, size: int, stride: int, *, wrap: bool = False, anchor: int = 0) -> Centres:
    """Lay windows from every ``stride`` cells of the first one, such that their middles cover the axis.

    ``size - stride`` must be even. Windows start at multiples of ``stride`` (counted from the edge, or from
    longitude 0 where the axis goes round); positions whose middle lies in the map are kept, also where the
    window then reaches over an edge.
    """
    middle = (size - stride) // 2
    if wrap:
        first = (middle - anchor) % stride - middle
        return Centres(size, stride, cells, first, cells // stride, (0, cells // stride))
    # The middle of the answering cells, doubled to stay in integers: 2 a + stride - 1 in 0 .. 2 (cells - 1).
    lowest = -((stride - 1) // 2)
    begin = lowest + (middle - lowest) % stride
    count = max(0, (2 * (cells - 1) - (stride - 1) - 2 * begin) // (2 * stride) + 1)
    first = begin - middle
    lo = max(0, -(first // stride))
    hi = min(count, (cells - size - first) // stride + 1)
    return Centres(size, stride, cells, first, count, (min(lo, count), max(hi, min(lo, count))))


def integral(marked: NDArray[np.bool_]) -> NDArray[np.int64]:
    """Count the marked cells south and west of every corner of the cells, shape (height + 1, width + 1)."""
    sums = np.zeros((marked.shape[0] + 1, marked.shape[1] + 1), dtype=np.int64)
    np.cumsum(marked, axis=0, out=sums[1:, 1:])
    np.cumsum(sums[1:, 1:], axis=1, out=sums[1:, 1:])
    return sums


def counted(
    sums: NDArray[np.int64], size: int, rows: NDArray[np.integer], columns: NDArray[np.integer]
) -> NDArray[np.int64]:
    """Count the marked cells of windows from what `integral` gives; first cells are broadcast."""
    north, east = rows + size, columns + size
    counts: NDArray[np.int64] = (
        sums[north, east] - sums[north, columns] - sums[rows, east] + sums[rows, columns]
    )
    return counts


def box_counts(
    marked: NDArray[np.bool_], size: int, rows: NDArray[np.int64], columns: NDArray[np.int64]
) -> NDArray[np.int64]:
    """Count the marked cells of every window, exactly, by an integral image.

    Parameters
    ----------
    marked : (height, width) bool
    size : int
        Side of the windows.
    rows, columns : (m,), (n,) int
        First cells of the windows, all of which lie inside ``marked``.

    Returns
    -------
    (m, n) int64
    """
    return counted(integral(marked), size, rows[:, None], columns)


def real_cells(
    real: tuple[NDArray[np.bool_], NDArray[np.bool_]],
    size: int,
    rows: NDArray[np.int64],
    columns: NDArray[np.int64],
) -> NDArray[np.int64]:
    """Count the cells of every window that lie in the map.

    ``real`` tells which rows and which columns do; the others were mirrored in.

    Returns
    -------
    (m, n) int64
    """
    held: list[NDArray[Any]] = []
    for axis, first in zip(real, (rows, columns), strict=True):
        sums = np.concatenate([[0], np.cumsum(axis)])
        held.append(sums[first + size] - sums[first])
    cells: NDArray[np.int64] = np.multiply.outer(*held)
    return cells


def shares(
    marked: NDArray[np.bool_],
    real: tuple[NDArray[np.bool_], NDArray[np.bool_]],
    size: int,
    rows: NDArray[np.int64],
    columns: NDArray[np.int64],
) -> NDArray[np.float64]:
    """Return the share of marked cells among those of every window that lie in the map (see `real_cells`).

    Returns
    -------
    (m, n) float64, 0 to 1
    """
    counts = box_counts(marked & np.logical_and.outer(*real), size, rows, columns)
    share: NDArray[np.float64] = counts / np.maximum(real_cells(real, size, rows, columns), 1)
    return share


def divisors(n: int, below: int) -> list[int]:
    """Return the divisors of ``n`` up to ``below``: the strides that go round a globe of ``n`` columns."""
    return [d for d in range(1, min(n, below) + 1) if n % d == 0]

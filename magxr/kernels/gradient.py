"""Gradients of a row of the smoothed anomaly: of cells, of cells with less bias, and of pixels.

All read ``rows[i % 4]``, the smoothed rows, and ``rows[4 + i % 4]``, their weights, 0 in gaps. They write
``rows[8]`` (along the row) and ``rows[9]``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from numba import njit

from magxr.kernels.fir import STRICT

if TYPE_CHECKING:
    from numpy.typing import NDArray

CELL = 0
"""From the four corners of a cell."""
WIDE = 1
"""From 4 x 2 pixels around a cell, where these are valid, in place of 2 x 2: less bias of direction."""
PIXEL = 2
"""From the 3 x 3 pixels around a pixel, after Weickert and Scharr (2002)."""


@njit(**STRICT)
def cell_products(rows: NDArray[Any], row: int, stretch: Any, n: int) -> None:
    """Take twice the gradient from the four corners of cells, and of it only the two planes (10 and 11)."""
    below, above = rows[row % 4], rows[(row + 1) % 4]
    d, e = rows[10], rows[11]
    for j in range(n):
        gx = ((below[j + 1] - below[j]) + (above[j + 1] - above[j])) * stretch
        gy = (above[j] - below[j]) + (above[j + 1] - below[j + 1])
        d[j] = (gx - gy) * (gx + gy)
        e[j] = (gx + gx) * gy


@njit(**STRICT)
def cell_products_at_gaps(rows: NDArray[Any], row: int, stretch: Any, n: int) -> None:
    """Do the same with 0 where a corner is in a gap."""
    below, above = rows[row % 4], rows[(row + 1) % 4]
    valid = rows[13]
    _all_valid(rows[4 + row % 4], rows[4 + (row + 1) % 4], valid, n)
    d, e = rows[10], rows[11]
    for j in range(n):
        gx = ((below[j + 1] - below[j]) + (above[j + 1] - above[j])) * (stretch * valid[j])
        gy = ((above[j] - below[j]) + (above[j + 1] - below[j + 1])) * valid[j]
        d[j] = (gx - gy) * (gx + gy)
        e[j] = (gx + gx) * gy


@njit(**STRICT)
def _all_valid(below: NDArray[Any], above: NDArray[Any], valid: NDArray[Any], n: int) -> None:
    """Put 1 where four weights are positive, else 0."""
    for j in range(n):
        least = min(min(below[j], below[j + 1]), min(above[j], above[j + 1]))
        valid[j] = 1 if least > 0 else 0


@njit(**STRICT)
def cell_gradient(rows: NDArray[Any], row: int, gaps: bool, n: int) -> None:
    """Take twice the gradient from the four corners of cells; 0 where one is in a gap."""
    below, above = rows[row % 4], rows[(row + 1) % 4]
    gx, gy = rows[8], rows[9]
    for j in range(n):
        gx[j] = (below[j + 1] - below[j]) + (above[j + 1] - above[j])
    for j in range(n):
        gy[j] = (above[j] - below[j]) + (above[j + 1] - below[j + 1])
    if gaps:
        below, above = rows[4 + row % 4], rows[4 + (row + 1) % 4]
        for j in range(n):
            least = min(min(below[j], below[j + 1]), min(above[j], above[j + 1]))
            gx[j] = gx[j] if least > 0 else 0
            gy[j] = gy[j] if least > 0 else 0


@njit(**STRICT)
def pixel_gradient(rows: NDArray[Any], row: int, gaps: bool, n: int) -> None:
    """Take the gradient of pixels by Scharr's filter, (-1, 0, 1) / 2 by (3, 10, 3) / 16; 0 next to gaps."""
    below, at, above = rows[(row - 1) % 4], rows[row % 4], rows[(row + 1) % 4]
    gx, gy = rows[8], rows[9]
    # Whole numbers would make float64 of float32.
    three, ten, whole = rows.dtype.type(3), rows.dtype.type(10), rows.dtype.type(32)
    for j in range(n):
        outer = (below[j + 2] - below[j]) + (above[j + 2] - above[j])
        gx[j] = (three * outer + ten * (at[j + 2] - at[j])) / whole
    for j in range(n):
        outer = (above[j] - below[j]) + (above[j + 2] - below[j + 2])
        gy[j] = (three * outer + ten * (above[j + 1] - below[j + 1])) / whole
    if gaps:
        below, at, above = rows[4 + (row - 1) % 4], rows[4 + row % 4], rows[4 + (row + 1) % 4]
        for j in range(n):
            least = min(
                min(min(below[j], below[j + 1]), min(below[j + 2], at[j])),
                min(min(at[j + 1], at[j + 2]), min(above[j], min(above[j + 1], above[j + 2]))),
            )
            gx[j] = gx[j] if least > 0 else 0
            gy[j] = gy[j] if least > 0 else 0


@njit(**STRICT)
def wide_gradient(rows: NDArray[Any], row: int, gaps: bool, n: int) -> None:
    """Take twice the gradient from four corners and the two pixels on either side.

    The difference across 2 x 2 pixels smoothed by (1, 10, 1) / 12 along itself: (-1, -9, 9, 1) / 12, which
    turns waves far less than 2 x 2. Next to gaps (weights of 0 in ``rows[4 + i % 4]``) it is 2 x 2, or 0.
    """
    outer0, inner0 = rows[(row - 1) % 4], rows[row % 4]
    inner1, outer1 = rows[(row + 1) % 4], rows[(row + 2) % 4]
    gx, gy = rows[8], rows[9]
    nine, twelve = rows.dtype.type(9), rows.dtype.type(12)
    for j in range(n):
        near = (inner0[j + 2] - inner0[j + 1]) + (inner1[j + 2] - inner1[j + 1])
        far = (inner0[j + 3] - inner0[j]) + (inner1[j + 3] - inner1[j])
        gx[j] = (nine * near + far) / twelve
    for j in range(n):
        near = (inner1[j + 1] - inner0[j + 1]) + (inner1[j + 2] - inner0[j + 2])
        far = (outer1[j + 1] - outer0[j + 1]) + (outer1[j + 2] - outer0[j + 2])
        gy[j] = (nine * near + far) / twelve
    if not gaps:
        return
    w0, w1 = rows[4 + (row - 1) % 4], rows[4 + row % 4]
    w2, w3 = rows[4 + (row + 1) % 4], rows[4 + (row + 2) % 4]
    for j in range(n):
        a, b = j + 1, j + 2
        if min(min(w1[a], w1[b]), min(w2[a], w2[b])) <= 0:
            gx[j] = 0
            gy[j] = 0
        elif (
            min(min(min(w0[a], w0[b]), min(w3[a], w3[b])), min(min(w1[j], w1[j + 3]), min(w2[j], w2[j + 3])))
            <= 0
        ):
            gx[j] = (inner0[b] - inner0[a]) + (inner1[b] - inner1[a])
            gy[j] = (inner1[a] - inner0[a]) + (inner1[b] - inner0[b])

r"""Minimum curvature: the smoothest surface through given cells, solved exactly for each gap.

The surface :math:`u` over the missing cells minimises the energy of a bent thin plate

.. math:: \sum q^2 u_{xx}^2 + 2 q u_{xy}^2 + u_{yy}^2

summed over every second-difference stencil that lies within the known and missing cells and touches a
missing one; :math:`q = (\Delta y / \Delta x)^2` makes it isotropic on the ground. In the inside that is the
13-point biharmonic of Briggs (1974), which GMT's ``surface -T0`` iterates towards; at the edge of the map
the natural (free) conditions follow by themselves. The system of one gap is banded and is factored directly
(Cholesky), cell by cell in a fixed order, so the same numbers in give the same bits out, whatever the number
of threads.

References
----------
Briggs, I. C. (1974). Machine contouring using minimum curvature. Geophysics 39, 39-48.
Smith, W. H. F. and Wessel, P. (1990). Gridding with continuous curvature splines in tension.
Geophysics 55, 293-305.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numba
import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]
    Flags = NDArray[np.bool_]
    Counts = NDArray[np.int64]
    Box = tuple[int, int, int, int]
    """Top, bottom, left, right: first row and one past the last, first column and one past the last."""

TENSION = 1e-8
"""Weight of first differences beside curvature: decides a slope that too few known cells leave open."""

# The twelve neighbours that share a stencil with a cell.
_COUPLED = np.array(
    [(0, 1), (0, 2), (1, -1), (1, 0), (1, 1), (2, 0), (0, -1), (0, -2), (-1, 1), (-1, 0), (-1, -1), (-2, 0)]
)


@numba.njit(cache=True, nogil=True)
def minimum_curvature(
    values: NDArray[np.float64],
    known: NDArray[np.bool_],
    missing: NDArray[np.bool_],
    needed: tuple[int, int, int, int],
    aspect: NDArray[np.float64],
) -> NDArray[np.float64]:
    """Fill the gaps of a window that reach into its needed part.

    Parameters
    ----------
    values : (rows, cols) float64
        Anomaly, nT; read where ``known``.
    known, missing : (rows, cols) bool
        Data cells, and cells to find. Cells that are neither do not exist: the surface ends there. So do
        missing cells that such cells cut off from all data.
    needed : (row, row past the end, column, column past the end)
        Gaps with no cell in here are left out.
    aspect : (rows,) float64
        :math:`q`, squared ratio of cell height to cell width, by row.

    Returns
    -------
    (rows, cols) float64
        The surface on the missing cells that could be found, NaN elsewhere.
    """
    rows, cols = values.shape
    found = np.full((rows, cols), np.nan)
    number = np.full((rows, cols), -1, np.int64)
    seen = np.zeros((rows, cols), np.bool_)
    stack = np.empty((rows * cols, 2), np.int64)
    missing = tied(known, missing)
    for i in range(needed[0], needed[1]):
        for j in range(needed[2], needed[3]):
            if missing[i, j] and not seen[i, j]:
                box = _collect(missing, seen, number, stack, i, j)
                width = _number(number, box)
                _solve(values, known, number, box, width, aspect, found)
    return found


@numba.njit(cache=True, nogil=True)
def tied(known: NDArray[np.bool_], missing: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Return the missing cells that a path of missing cells, side by side, joins to a known one.

    First differences along that path make the system of a gap positive definite, whatever its shape: these
    are the cells that `minimum_curvature` finds.
    """
    rows, cols = known.shape
    found = np.zeros((rows, cols), np.bool_)
    stack = np.empty((rows * cols, 2), np.int64)
    size = 0
    for i in range(rows):
        for j in range(cols):
            if known[i, j]:
                size = _push_sides(missing, found, stack, size, i, j)
            while size:
                size -= 1
                size = _push_sides(missing, found, stack, size, stack[size, 0], stack[size, 1])
    return found


@numba.njit(cache=True, nogil=True)
def _push_sides(missing: Flags, tied: Flags, stack: Counts, size: int, i: int, j: int) -> int:
    rows, cols = missing.shape
    for a, b in ((i - 1, j), (i + 1, j), (i, j - 1), (i, j + 1)):
        if 0 <= a < rows and 0 <= b < cols and missing[a, b] and not tied[a, b]:
            tied[a, b] = True
            stack[size, 0], stack[size, 1] = a, b
            size += 1
    return size


@numba.njit(cache=True, nogil=True)
def _collect(missing: Flags, seen: Flags, number: Counts, stack: Counts, row: int, col: int) -> Box:
    """Mark one gap (``number`` = 0 on its cells) and return the box around it."""
    rows, cols = missing.shape
    top, left, bottom, right, size = row, col, row + 1, col + 1, 1
    stack[0, 0], stack[0, 1] = row, col
    seen[row, col] = True
    while size:
        size -= 1
        i, j = stack[size, 0], stack[size, 1]
        number[i, j] = 0
        top, bottom = min(top, i), max(bottom, i + 1)
        left, right = min(left, j), max(right, j + 1)
        for k in range(len(_COUPLED)):
            a, b = i + _COUPLED[k, 0], j + _COUPLED[k, 1]
            if 0 <= a < rows and 0 <= b < cols and missing[a, b] and not seen[a, b]:
                seen[a, b] = True
                stack[size, 0], stack[size, 1] = a, b
                size += 1
    return top, bottom, left, right


@numba.njit(cache=True, nogil=True)
def _number(number: Counts, box: Box) -> tuple[int, int]:
    """Count the cells of one gap off along its shorter side; return how many, and the half band width."""
    top, bottom, left, right = box
    by_row = right - left <= bottom - top
    count = 0
    for a in range(bottom - top if by_row else right - left):
        for b in range(right - left if by_row else bottom - top):
            i, j = (top + a, left + b) if by_row else (top + b, left + a)
            if number[i, j] == 0:
                # Negative until the gap is done, so that a numbered cell is not mistaken for a fresh one.
                number[i, j] = -2 - count
                count += 1
    width = 0
    for i in range(top, bottom):
        for j in range(left, right):
            if number[i, j] < -1:
                number[i, j] = -2 - number[i, j]
    for i in range(top, bottom):
        for j in range(left, right):
            if number[i, j] >= 0:
                for k in range(len(_COUPLED)):
                    a, b = i + _COUPLED[k, 0], j + _COUPLED[k, 1]
                    if top <= a < bottom and left <= b < right and number[a, b] >= 0:
                        width = max(width, number[a, b] - number[i, j])
    return count, width


@numba.njit(cache=True, nogil=True)
def _solve(
    values: Floats,
    known: Flags,
    number: Counts,
    box: Box,
    size: tuple[int, int],
    aspect: Floats,
    found: Floats,
) -> None:
    """Assemble and solve the system of one gap; clear its numbers."""
    rows, cols = values.shape
    top, bottom, left, right = box
    count, width = size
    band = np.zeros((count, width + 1))  # band[n, k] is the matrix element (n + k, n)
    right_side = np.zeros(count)
    for i in range(max(top - 2, 0), min(bottom, rows)):
        q = aspect[i]
        tension = TENSION * q
        twist = q + aspect[min(i + 1, rows - 1)]
        for j in range(max(left - 2, 0), min(right, cols)):
            cells = ((i, j), (i, j + 1), (i, j + 2), (i, j))
            _add(values, known, number, cells, (1.0, -2.0, 1.0, 0.0), 3, q * q, band, right_side)
            cells = ((i, j), (i + 1, j), (i + 2, j), (i, j))
            _add(values, known, number, cells, (1.0, -2.0, 1.0, 0.0), 3, 1.0, band, right_side)
            cells = ((i, j), (i, j + 1), (i + 1, j), (i + 1, j + 1))
            _add(values, known, number, cells, (1.0, -1.0, -1.0, 1.0), 4, twist, band, right_side)
            cells = ((i, j), (i, j + 1), (i, j), (i, j))
            _add(values, known, number, cells, (-1.0, 1.0, 0.0, 0.0), 2, tension, band, right_side)
            cells = ((i, j), (i + 1, j), (i, j), (i, j))
            _add(values, known, number, cells, (-1.0, 1.0, 0.0, 0.0), 2, TENSION, band, right_side)
    _cholesky(band, right_side)
    for i in range(top, bottom):
        for j in range(left, right):
            if number[i, j] >= 0:
                found[i, j] = right_side[number[i, j]]
                number[i, j] = -1


@numba.njit(cache=True, nogil=True)
def _add(
    values: Floats,
    known: Flags,
    number: Counts,
    cells: tuple[tuple[int, int], ...],
    factors: tuple[float, ...],
    length: int,
    weight: float,
    band: Floats,
    right_side: Floats,
) -> None:
    """Add one squared difference to the normal equations, where all its cells exist."""
    rows, cols = values.shape
    fixed, loose = 0.0, 0
    for k in range(length):
        i, j = cells[k]
        if i >= rows or j >= cols:
            return
        if number[i, j] >= 0:
            loose += 1
        elif known[i, j]:
            fixed += factors[k] * values[i, j]
        else:
            return
    if not loose:
        return
    for k in range(length):
        row = number[cells[k]]
        if row >= 0:
            right_side[row] -= weight * factors[k] * fixed
            for m in range(length):
                col = number[cells[m]]
                if 0 <= col <= row:
                    band[col, row - col] += weight * factors[k] * factors[m]


@numba.njit(cache=True, nogil=True)
def _cholesky(band: Floats, x: Floats) -> None:
    """Solve a symmetric positive definite banded system in place."""
    count, stride = band.shape
    for n in range(count):
        reach = min(stride, count - n)
        pivot = np.sqrt(band[n, 0])
        for k in range(reach):
            band[n, k] /= pivot
        for k in range(1, reach):
            factor = band[n, k]
            if factor != 0.0:
                for m in range(reach - k):
                    band[n + k, m] -= factor * band[n, k + m]
    for n in range(count):
        x[n] /= band[n, 0]
        for k in range(1, min(stride, count - n)):
            x[n + k] -= band[n, k] * x[n]
    for n in range(count - 1, -1, -1):
        for k in range(1, min(stride, count - n)):
            x[n] -= band[n, k] * x[n + k]
        x[n] /= band[n, 0]

"""The structure tensor made row by row, in strips of columns that stay in cache.

Of the tensor J, diffusion needs but two planes, ``J11 - J22`` and ``2 J12`` (they hold the direction and the
difference of the eigenvalues); the orientation needs the trace, ``J11 + J22``, as well.

A *cell* is the square between pixels ``(i, j)`` and ``(i + 1, j + 1)`` and carries the number of the first;
cells run from -1 to n - 1, the outermost ones lying across the grid's edge.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numba import njit

from magxr.kernels.fir import (
    STRICT,
    STRIP,
    copy,
    fir_along,
    fir_down,
    fir_ring,
    gather,
    mirror,
    up64,
)
from magxr.kernels.gradient import (
    CELL,
    WIDE,
    cell_gradient,
    cell_products,
    cell_products_at_gaps,
    pixel_gradient,
    wide_gradient,
)
from magxr.kernels.weights import mirrored_cell

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from magxr.kernels.field import Field, Taps

ROWS = 32
"""Rows of cells made at a time; a multiple of 4."""
_SINGLE = 8
"""Where in ``Buffers.rows`` the single rows begin, after two rings of four."""


class Buffers(NamedTuple):
    """Work space of one strip."""

    ring: NDArray[Any]
    """The source rows in reach of one row of the smoothed anomaly."""
    rows: NDArray[Any]
    """0..3: four rows of the smoothed anomaly; 4..7: their weights; then gradient, products, mask."""
    smooth: NDArray[Any]
    """Products smoothed along the row: planes of rows of ``STRIP`` cells."""


@njit(**STRICT)
def make_buffers(taps: Taps, width: int, planes: int) -> Buffers:
    """Allocate work space for strips of ``width`` cells and tensors of ``planes`` (2 or 3) planes."""
    down, fine, reach = taps.down.size - 1, taps.along.shape[1] - 1, taps.rho_along.shape[1] - 1
    wide = up64(_columns(width, reach) + 2 * fine)
    dtype = taps.along.dtype
    # Rows of the tensor in reach of a row: not as many down a column as pixels along a stretched row.
    rows = ROWS + taps.rho_down.size + 4
    return Buffers(
        np.zeros((2 * down + 1, wide), dtype),
        np.zeros((_SINGLE + 6, wide + 64), dtype),
        np.zeros((planes, rows * STRIP), dtype),
    )


@njit(**STRICT)
def _columns(width: int, reach: int) -> int:
    """Return how many columns of the smoothed anomaly ``width`` cells take, and a few for wide gradients."""
    columns: int = up64(up64(width) + 2 * reach + 4)
    return columns


@njit(**STRICT)
def tensor_radius(taps: Taps) -> int:
    """Return how many rows away a row of the tensor looks for gradients (the padded Gaussian of rho)."""
    radius: int = (taps.rho_down.size - 7) // 2
    return radius


@njit(**STRICT)
def start_strip(field: Field, taps: Taps, buffers: Buffers, row: int, col: int, width: int) -> None:
    """Get ready for a strip whose first row of the tensor is ``row``, from cell ``col`` on."""
    reach, fine = taps.rho_along.shape[1] - 1, taps.along.shape[1] - 1
    down = taps.down.size - 1
    # The gradients of a row take `below` more rows south of it and `above` north, made when it is its turn.
    beside = 0 if field.kind == CELL else 1
    above = 2 if field.kind == WIDE else 1
    first = row - tensor_radius(taps)
    for i in range(first - beside - down, first - beside + down):
        gather(field.values, i, col - reach - beside - fine, buffers.ring[i % buffers.ring.shape[0]])
    for i in range(first - beside, first + above):
        _smoothed_row(field, taps, buffers, i, col - reach - beside, _columns(width, reach))
    for i in range(2 * tensor_radius(taps)):
        _tensor_row(field, taps, buffers, first + i, col, width, i)


@njit(**STRICT)
def more_rows(field: Field, taps: Taps, buffers: Buffers, row: int, col: int, width: int, count: int) -> None:
    """Make what is missing for rows ``row .. row + count`` of the tensor."""
    radius = tensor_radius(taps)
    for i in range(count):
        _tensor_row(field, taps, buffers, row + radius + i, col, width, 2 * radius + i)


@njit(**STRICT)
def four_rows(taps: Taps, buffers: Buffers, at: int, out: NDArray[Any], width: int) -> None:
    """Finish rows ``at .. at + 4`` of the tensor: four rows of three planes of ``STRIP`` cells.

    A tensor of two planes leaves the third as it is.
    """
    n = up64(width)
    for part in range(buffers.smooth.shape[0]):
        fir_down(buffers.smooth[part][at * STRIP :], taps.rho_down, out[part * STRIP :], n)


@njit(**STRICT)
def carry_rows(taps: Taps, buffers: Buffers) -> None:
    """Move the rows that the next ``ROWS`` rows of the tensor share with the last to the front."""
    for part in range(buffers.smooth.shape[0]):
        plane = buffers.smooth[part]
        for i in range(2 * tensor_radius(taps)):
            copy(plane[(ROWS + i) * STRIP :], plane[i * STRIP : (i + 1) * STRIP])


@njit(**STRICT)
def _smoothed_row(field: Field, taps: Taps, buffers: Buffers, row: int, col: int, n: int) -> None:
    """Make row ``row`` of the smoothed anomaly from pixel ``col`` on."""
    fine, down = taps.along.shape[1] - 1, taps.down.size - 1
    ring, rows = buffers.ring, buffers.rows
    gather(field.values, row + down, col - fine, ring[(row + down) % ring.shape[0]])
    fir_ring(ring, row, taps.down, rows[_SINGLE], up64(n + 2 * fine))
    us = rows[row % 4]
    along = taps.along[mirror(row, taps.along.shape[0])] if taps.along.shape[0] > 1 else taps.along[0]
    fir_along(rows[_SINGLE], along, us, n)
    if field.masked:
        weight = rows[4 + row % 4]
        gather(field.weight, row, col, weight)
        for j in range(n):
            us[j] = us[j] * weight[j]


@njit(**STRICT)
def _tensor_row(field: Field, taps: Taps, buffers: Buffers, row: int, col: int, width: int, at: int) -> None:
    """Make the products of the gradient in row ``row``, smooth them along it, put them at ``at``."""
    reach = taps.rho_along.shape[1] - 1
    rows = buffers.rows
    n = _columns(width, reach)
    cell = mirrored_cell(row + 1, field.stretch.size)
    stretch = field.stretch[cell]
    if field.kind == CELL:
        _smoothed_row(field, taps, buffers, row + 1, col - reach, n)
    elif field.kind == WIDE:
        _smoothed_row(field, taps, buffers, row + 2, col - reach - 1, n)
    else:
        _smoothed_row(field, taps, buffers, row + 1, col - reach - 1, n)
    if field.kind == CELL and field.seen.size == 1 and buffers.smooth.shape[0] == 2:
        if field.masked:
            cell_products_at_gaps(rows, row, stretch, n)
        else:
            cell_products(rows, row, stretch, n)
    else:
        _products(field, buffers, row, col - reach, stretch, n)
    along = taps.rho_along[cell] if taps.rho_along.shape[0] > 1 else taps.rho_along[0]
    for part in range(buffers.smooth.shape[0]):
        fir_along(rows[10 + part], along, buffers.smooth[part][at * STRIP :], up64(width))


@njit(**STRICT)
def _products(field: Field, buffers: Buffers, row: int, col: int, stretch: Any, n: int) -> None:
    """Take the gradient of whatever kind, leave out what does not count, and multiply."""
    rows = buffers.rows
    gx, gy, d, e, trace = rows[8], rows[9], rows[10], rows[11], rows[12]
    if field.kind == CELL:
        cell_gradient(rows, row, field.masked, n)
    elif field.kind == WIDE:
        wide_gradient(rows, row, field.masked, n)
    else:
        pixel_gradient(rows, row, field.masked, n)
    if field.seen.size > 1:
        seen = rows[13]
        gather_cells(field.seen, row, col, seen[:n])
        for j in range(n):
            gx[j] = gx[j] * seen[j]
            gy[j] = gy[j] * seen[j]
    for j in range(n):
        gx[j] = gx[j] * stretch
    for j in range(n):
        d[j] = (gx[j] - gy[j]) * (gx[j] + gy[j])
    for j in range(n):
        e[j] = (gx[j] + gx[j]) * gy[j]
    if buffers.smooth.shape[0] > 2:
        for j in range(n):
            trace[j] = gx[j] * gx[j] + gy[j] * gy[j]


@njit(**STRICT)
def gather_cells(cells: NDArray[Any], row: int, col: int, out: NDArray[Any]) -> None:
    """Copy one row of cells from cell ``col`` on, continued by mirrors through the outermost cells."""
    width = cells.shape[1]
    line = cells[mirrored_cell(row + 1, cells.shape[0])]
    lo = min(out.size, max(0, -col - 1))
    hi = max(lo, min(out.size, width - col - 1))
    for j in range(lo):
        out[j] = line[mirrored_cell(col + 1 + j, width)]
    if hi > lo:
        copy(line[col + 1 + lo : col + 1 + hi], out[lo:hi])
    for j in range(hi, out.size):
        out[j] = line[mirrored_cell(col + 1 + j, width)]

"""The structure tensor made row by row, in strips of columns that stay in cache.

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
    fir_along,
    fir_down,
    fir_ring,
    gather,
    gaussian_taps,
    padded,
    unfolded,
    up64,
)
from magxr.kernels.weights import mirrored_cell, reciprocal

if TYPE_CHECKING:
    from numpy.typing import NDArray

ROWS = 32
"""Rows of cells made at a time; a multiple of 4."""


class Taps(NamedTuple):
    """Filters in the dtype of the data, padded for the unrolled loops."""

    down: NDArray[Any]
    """Half the Gaussian of sigma, times the factor that makes gradients dimensionless."""
    along: NDArray[Any]
    """Half the Gaussian of sigma."""
    rho_along: NDArray[Any]
    """Half the Gaussian of rho."""
    rho_down: NDArray[Any]
    """The whole Gaussian of rho between zeros."""


class Field(NamedTuple):
    """What the tensor is made of."""

    values: NDArray[Any]
    """Anomaly with 0 in gaps, shape (n, m)."""
    weight: NDArray[Any]
    """`reciprocal` of the valid pixels for sigma, shape (n, m); one value where there are no gaps."""
    stretch: NDArray[Any]
    """Factor on the gradient along a row, by row of cells from -1 on, shape (n + 1,)."""
    gaps: bool
    """Whether there are gaps."""


class Buffers(NamedTuple):
    """Work space of one strip."""

    ring: NDArray[Any]
    """The source rows in reach of one row of the smoothed anomaly."""
    rows: NDArray[Any]
    """0, 1: smoothed anomaly below and above; 2, 3: its weights; 4, 5: gradient; 6, 7, 8: its products."""
    smooth: NDArray[Any]
    """Products smoothed along the row: three planes of rows of ``STRIP`` cells."""


def make_taps(sigma: float, rho: float, dtype: np.dtype[Any], factor: float = 1.0) -> Taps:
    """Return the filters for gradients multiplied by ``factor`` (1/nT)."""
    fine, coarse = gaussian_taps(sigma), padded(gaussian_taps(rho), dtype)
    # A cell's gradient is the mean of two differences: the half goes into the taps, for nothing.
    return Taps(padded(0.5 * factor * fine, dtype), padded(fine, dtype), coarse, unfolded(coarse))


def make_field(u: NDArray[Any], sigma: float, stretch: NDArray[Any] | None = None) -> Field:
    """Prepare a block: fill its gaps with 0 and weigh what is left."""
    valid = np.isfinite(u)
    gaps = not valid.all()
    weight = reciprocal(valid, sigma, u.dtype) if gaps else np.ones((1, 1), u.dtype)
    values = np.where(valid, u, 0).astype(u.dtype) if gaps else np.array(u, order="C")
    rows = np.ones(u.shape[0] + 1) if stretch is None else stretch
    return Field(values, weight, rows.astype(u.dtype), gaps)


@njit(**STRICT)
def make_buffers(taps: Taps, width: int) -> Buffers:
    """Allocate work space for strips of ``width`` cells."""
    reach, fine = taps.rho_along.size - 1, taps.along.size - 1
    wide = up64(up64(up64(width) + 2 * reach + 1) + 2 * fine)
    dtype = taps.along.dtype
    return Buffers(
        np.zeros((2 * fine + 1, wide), dtype),
        np.zeros((9, wide + 64), dtype),
        np.zeros((3, (ROWS + 2 * reach + 4) * STRIP), dtype),
    )


@njit(**STRICT)
def start_strip(field: Field, taps: Taps, buffers: Buffers, row: int, col: int, width: int) -> None:
    """Get ready for a strip whose first row of the tensor is ``row``, from cell ``col`` on."""
    reach, fine = taps.rho_along.size - 1, taps.along.size - 1
    first = row - reach
    for i in range(first - fine, first + fine):
        line = buffers.ring[i % buffers.ring.shape[0]]
        gather(field.values, i, col - reach - fine, line)
    _smoothed_row(field, taps, buffers, first, col - reach, up64(up64(width) + 2 * reach + 1))
    for i in range(2 * reach):
        _tensor_row(field, taps, buffers, first + i, col, width, i)


@njit(**STRICT)
def more_rows(field: Field, taps: Taps, buffers: Buffers, row: int, col: int, width: int, count: int) -> None:
    """Make what is missing for rows ``row .. row + count`` of the tensor."""
    reach = taps.rho_along.size - 1
    for i in range(count):
        _tensor_row(field, taps, buffers, row + reach + i, col, width, 2 * reach + i)


@njit(**STRICT)
def four_rows(taps: Taps, buffers: Buffers, at: int, out: NDArray[Any], width: int) -> None:
    """Finish rows ``at .. at + 4`` of the tensor: four rows of J11, J12, J22, each ``STRIP`` cells."""
    n = up64(width)
    for part in range(3):
        fir_down(buffers.smooth[part][at * STRIP :], taps.rho_down, out[part * STRIP :], n)


@njit(**STRICT)
def carry_rows(taps: Taps, buffers: Buffers) -> None:
    """Move the rows that the next ``ROWS`` rows of the tensor share with the last to the front."""
    for part in range(3):
        plane = buffers.smooth[part]
        for i in range(2 * (taps.rho_along.size - 1)):
            old, new = plane[(ROWS + i) * STRIP :], plane[i * STRIP :]
            for j in range(STRIP):
                new[j] = old[j]


@njit(**STRICT)
def _smoothed_row(field: Field, taps: Taps, buffers: Buffers, row: int, col: int, n: int) -> None:
    """Make row ``row`` of the smoothed anomaly from pixel ``col`` on."""
    fine = taps.along.size - 1
    ring, rows = buffers.ring, buffers.rows
    gather(field.values, row + fine, col - fine, ring[(row + fine) % ring.shape[0]])
    fir_ring(ring, row, taps.down, rows[4], up64(n + 2 * fine))
    us = rows[row % 2]
    fir_along(rows[4], taps.along, us, n)
    if field.gaps:
        weight = rows[2 + row % 2]
        gather(field.weight, row, col, weight)
        for j in range(n):
            us[j] = us[j] * weight[j]


@njit(**STRICT)
def _tensor_row(field: Field, taps: Taps, buffers: Buffers, row: int, col: int, width: int, at: int) -> None:
    """Make the products of the gradient in cells of row ``row``, smooth them along it, put them at ``at``."""
    reach = taps.rho_along.size - 1
    rows = buffers.rows
    n = up64(up64(width) + 2 * reach + 1)
    _smoothed_row(field, taps, buffers, row + 1, col - reach, n)
    below, above = rows[row % 2], rows[(row + 1) % 2]
    gx, gy, p, q, r = rows[4], rows[5], rows[6], rows[7], rows[8]
    stretch = field.stretch[mirrored_cell(row + 1, field.stretch.size)]
    for j in range(n):
        gx[j] = ((below[j + 1] - below[j]) + (above[j + 1] - above[j])) * stretch
    for j in range(n):
        gy[j] = (above[j] - below[j]) + (above[j + 1] - below[j + 1])
    if field.gaps:
        below, above = rows[2 + row % 2], rows[2 + (row + 1) % 2]
        for j in range(n):
            if min(min(below[j], below[j + 1]), min(above[j], above[j + 1])) <= 0:
                gx[j] = 0
                gy[j] = 0
    for j in range(n):
        p[j] = gx[j] * gx[j]
    for j in range(n):
        q[j] = gx[j] * gy[j]
    for j in range(n):
        r[j] = gy[j] * gy[j]
    for part in range(3):
        fir_along(rows[6 + part], taps.rho_along, buffers.smooth[part][at * STRIP :], up64(width))

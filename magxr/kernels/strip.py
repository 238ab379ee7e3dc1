"""The structure tensor made row by row, in strips of columns that stay in cache.

A *cell* is the square between pixels ``(i, j)`` and ``(i + 1, j + 1)`` and carries the number of the first;
cells run from -1 to n - 1, the outermost ones lying across the grid's edge.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numba import njit

from magxr.kernels import pages
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
    wide: bool
    """Whether gradients take 4 x 2 pixels, where these are valid, in place of 2 x 2."""


class Buffers(NamedTuple):
    """Work space of one strip."""

    ring: NDArray[Any]
    """The source rows in reach of one row of the smoothed anomaly."""
    rows: NDArray[Any]
    """0..3: four rows of the smoothed anomaly; 4..7: their weights; 8, 9: gradient; 10, 11, 12: products."""
    smooth: NDArray[Any]
    """Products smoothed along the row: three planes of rows of ``STRIP`` cells."""


def make_taps(sigma: float, rho: float, dtype: np.dtype[Any], factor: float = 1.0) -> Taps:
    """Return the filters for gradients multiplied by ``factor`` (1/nT)."""
    fine, coarse = gaussian_taps(sigma), padded(gaussian_taps(rho), dtype)
    # A cell's gradient is the mean of two differences: the half goes into the taps, for nothing.
    return Taps(padded(0.5 * factor * fine, dtype), padded(fine, dtype), coarse, unfolded(coarse))


def make_field(
    u: NDArray[Any], sigma: float, stretch: NDArray[Any] | None = None, *, wide: bool = False
) -> Field:
    """Prepare a block: fill its gaps with 0 and weigh what is left."""
    valid = np.isfinite(u)
    gaps = not valid.all()
    weight = reciprocal(valid, sigma, u.dtype) if gaps else np.ones((1, 1), u.dtype)
    values = pages.copied(u)
    if gaps:
        values[~valid] = 0
    rows = np.ones(u.shape[0] + 1) if stretch is None else stretch
    return Field(values, weight, rows.astype(u.dtype), bool(gaps), wide)


@njit(**STRICT)
def make_buffers(taps: Taps, width: int) -> Buffers:
    """Allocate work space for strips of ``width`` cells."""
    reach, fine = taps.rho_along.size - 1, taps.along.size - 1
    wide = up64(_columns(width, reach) + 2 * fine)
    dtype = taps.along.dtype
    return Buffers(
        np.zeros((2 * fine + 1, wide), dtype),
        np.zeros((13, wide + 64), dtype),
        np.zeros((3, (ROWS + 2 * reach + 4) * STRIP), dtype),
    )


@njit(**STRICT)
def _columns(width: int, reach: int) -> int:
    """Return how many columns of the smoothed anomaly ``width`` cells take, and a few for wide gradients."""
    columns: int = up64(up64(width) + 2 * reach + 4)
    return columns


@njit(**STRICT)
def start_strip(field: Field, taps: Taps, buffers: Buffers, row: int, col: int, width: int) -> None:
    """Get ready for a strip whose first row of the tensor is ``row``, from cell ``col`` on."""
    reach, fine = taps.rho_along.size - 1, taps.along.size - 1
    extra = 1 if field.wide else 0
    first = row - reach
    for i in range(first - extra - fine, first - extra + fine):
        line = buffers.ring[i % buffers.ring.shape[0]]
        gather(field.values, i, col - reach - extra - fine, line)
    for i in range(first - extra, first + extra + 1):
        _smoothed_row(field, taps, buffers, i, col - reach - extra, _columns(width, reach))
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
    fir_ring(ring, row, taps.down, rows[8], up64(n + 2 * fine))
    us = rows[row % 4]
    fir_along(rows[8], taps.along, us, n)
    if field.gaps:
        weight = rows[4 + row % 4]
        gather(field.weight, row, col, weight)
        for j in range(n):
            us[j] = us[j] * weight[j]


@njit(**STRICT)
def _tensor_row(field: Field, taps: Taps, buffers: Buffers, row: int, col: int, width: int, at: int) -> None:
    """Make the products of the gradient in cells of row ``row``, smooth them along it, put them at ``at``."""
    reach = taps.rho_along.size - 1
    rows = buffers.rows
    n = _columns(width, reach)
    if field.wide:
        _smoothed_row(field, taps, buffers, row + 2, col - reach - 1, n)
        _wide_gradient(field, rows, row, n)
    else:
        _smoothed_row(field, taps, buffers, row + 1, col - reach, n)
        _gradient(field, rows, row, n)
    gx, gy, p, q, r = rows[8], rows[9], rows[10], rows[11], rows[12]
    stretch = field.stretch[mirrored_cell(row + 1, field.stretch.size)]
    for j in range(n):
        gx[j] = gx[j] * stretch
    for j in range(n):
        p[j] = gx[j] * gx[j]
    for j in range(n):
        q[j] = gx[j] * gy[j]
    for j in range(n):
        r[j] = gy[j] * gy[j]
    for part in range(3):
        fir_along(rows[10 + part], taps.rho_along, buffers.smooth[part][at * STRIP :], up64(width))


@njit(**STRICT)
def _gradient(field: Field, rows: NDArray[Any], row: int, n: int) -> None:
    """Take the gradient from the four corners of cells with four valid corners, else 0."""
    below, above = rows[row % 4], rows[(row + 1) % 4]
    gx, gy = rows[8], rows[9]
    for j in range(n):
        gx[j] = (below[j + 1] - below[j]) + (above[j + 1] - above[j])
    for j in range(n):
        gy[j] = (above[j] - below[j]) + (above[j + 1] - below[j + 1])
    if field.gaps:
        below, above = rows[4 + row % 4], rows[4 + (row + 1) % 4]
        for j in range(n):
            if min(min(below[j], below[j + 1]), min(above[j], above[j + 1])) <= 0:
                gx[j] = 0
                gy[j] = 0


@njit(**STRICT)
def _wide_gradient(field: Field, rows: NDArray[Any], row: int, n: int) -> None:
    """Take it from four corners and the two pixels on either side, which turns waves far less.

    The difference across 2 x 2 pixels smoothed by (1, 10, 1) / 12 along itself: (-1, -9, 9, 1) / 12.
    """
    outer0, inner0 = rows[(row - 1) % 4], rows[row % 4]
    inner1, outer1 = rows[(row + 1) % 4], rows[(row + 2) % 4]
    gx, gy = rows[8], rows[9]
    for j in range(n):
        near = (inner0[j + 2] - inner0[j + 1]) + (inner1[j + 2] - inner1[j + 1])
        far = (inner0[j + 3] - inner0[j]) + (inner1[j + 3] - inner1[j])
        gx[j] = (9 * near + far) / 12
    for j in range(n):
        near = (inner1[j + 1] - inner0[j + 1]) + (inner1[j + 2] - inner0[j + 2])
        far = (outer1[j + 1] - outer0[j + 1]) + (outer1[j + 2] - outer0[j + 2])
        gy[j] = (9 * near + far) / 12
    if not field.gaps:
        return
    w0, w1, w2, w3 = (
        rows[4 + (row - 1) % 4],
        rows[4 + row % 4],
        rows[4 + (row + 1) % 4],
        rows[4 + (row + 2) % 4],
    )
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

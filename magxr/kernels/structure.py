"""The structure tensor on cells between four pixels, made row by row in strips that stay in cache.

A *cell* is the square between pixels ``(i, j)`` and ``(i + 1, j + 1)`` and carries the number of the first;
cells run from -1 to n - 1, the outermost ones lying across the grid's edge.
"""

from __future__ import annotations

import math
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
    gaussian_radius,
    gaussian_taps,
    mirror,
    padded,
    unfolded,
    up64,
)

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


def radius(sigma: float, rho: float) -> int:
    """Return how far a cell's tensor reaches: pixels more than this away from its corners do not count."""
    return gaussian_radius(sigma) + gaussian_radius(rho)


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


def tensor(
    u: NDArray[Any], sigma: float, rho: float, *, stretch: NDArray[Any] | None = None
) -> NDArray[Any]:
    r"""Return the structure tensor :math:`J_\rho(\nabla u_\sigma)` on all cells, edge cells included.

    Parameters
    ----------
    u : ndarray, shape (n, m), float32 or float64
        Anomaly, nT; cells that are not finite are gaps.
    sigma, rho : float
        Noise scale and integration scale, pixels.
    stretch : ndarray, shape (n + 1,), optional
        Factor on the gradient along a row, by row of cells (pixels are narrower towards the poles).

    Returns
    -------
    ndarray, shape (3, n + 1, m + 1), dtype of ``u``
        :math:`J_{11}, J_{12}, J_{22}` in (nT/pixel)², direction 1 along the row, 2 along the column.
        With gaps: the weighted sum over cells with four valid corners, not divided by its weight.

    References
    ----------
    Weickert, J. (1999), Coherence-enhancing diffusion filtering, Int. J. Comput. Vis. 31, 111-127.
    Knutsson, H. and Westin, C.-F. (1993), Normalized and differential convolution, Proc. CVPR.
    """
    out = np.empty((3, u.shape[0] + 1, u.shape[1] + 1), u.dtype)
    _tensor(make_field(u, sigma, stretch), make_taps(sigma, rho, u.dtype), out)
    return out


def orientation(
    u: NDArray[Any], sigma: float, rho: float, *, stretch: NDArray[Any] | None = None
) -> NDArray[Any]:
    r"""Return coherence and the direction along the stripes at every pixel.

    Parameters
    ----------
    u : ndarray, shape (n, m), float32 or float64
        Anomaly, nT, south in row 0, west in column 0; cells that are not finite are gaps.
    sigma, rho : float
        Noise scale and integration scale, pixels.
    stretch : ndarray, shape (n + 1,), optional
        Height over width of a cell in metres, by row of cells from the one across the southern edge.

    Returns
    -------
    ndarray, shape (2, n, m), dtype of ``u``
        Coherence :math:`((\mu_1 - \mu_2) / (\mu_1 + \mu_2))^2`, 0..1, and the azimuth of the eigenvector
        of :math:`\mu_2`, degrees clockwise from north in [0, 180). NaN in gaps; where the tensor has no
        direction, coherence is 0 and the azimuth NaN.
    """
    out = np.empty((2, *u.shape), u.dtype)
    _orientation(tensor(u, sigma, rho, stretch=stretch), np.isfinite(u), out)
    return out


def reciprocal(valid: NDArray[np.bool_], sigma: float, dtype: np.dtype[Any]) -> NDArray[Any]:
    """Return what a Gaussian of the valid pixels must be multiplied by to be their weighted mean.

    Exactly 1 where all pixels in reach are valid, so that a block without gaps gives the same bits
    without looking; 0 in gaps.
    """
    out = np.empty(valid.shape, dtype)
    _reciprocal(valid.astype(np.float64), gaussian_taps(sigma), False, out)
    return out


def cell_reciprocal(valid: NDArray[np.bool_], rho: float, dtype: np.dtype[Any]) -> NDArray[Any]:
    """Return the same for cells with four valid corners, edge cells included, shape (n + 1, m + 1)."""
    around = np.pad(valid, 1, mode="symmetric")
    four = around[1:, 1:] & around[:-1, 1:] & around[1:, :-1] & around[:-1, :-1]
    out = np.empty(four.shape, dtype)
    _reciprocal(four.astype(np.float64), gaussian_taps(rho), True, out)
    return out


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
def more_rows(
    field: Field, taps: Taps, buffers: Buffers, row: int, col: int, width: int, count: int
) -> None:
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
def _tensor_row(
    field: Field, taps: Taps, buffers: Buffers, row: int, col: int, width: int, at: int
) -> None:
    """Make the products of the gradient in cells of row ``row``, smooth them along it, put them at ``at``."""
    reach = taps.rho_along.size - 1
    rows = buffers.rows
    n = up64(up64(width) + 2 * reach + 1)
    _smoothed_row(field, taps, buffers, row + 1, col - reach, n)
    below, above = rows[row % 2], rows[(row + 1) % 2]
    gx, gy, p, q, r = rows[4], rows[5], rows[6], rows[7], rows[8]
    stretch = field.stretch[_mirrored_cell(row + 1, field.stretch.size)]
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


@njit(**STRICT)
def _mirrored_cell(i: int, n: int) -> int:
    """Fold the place of a row of cells into 0..n-1 at mirrors through the outermost ones."""
    if 0 <= i < n:
        return i
    i %= 2 * n - 2
    return i if i < n else 2 * n - 2 - i


@njit(**STRICT)
def _tensor(field: Field, taps: Taps, out: NDArray[Any]) -> None:
    _, n, m = out.shape
    buffers = make_buffers(taps, min(STRIP, m))
    four = np.zeros(12 * STRIP, out.dtype)
    for col in range(0, m, STRIP):
        width = min(STRIP, m - col)
        start_strip(field, taps, buffers, -1, col - 1, width)
        for row in range(0, n, ROWS):
            count = min(ROWS, (n - row + 3) // 4 * 4)
            more_rows(field, taps, buffers, row - 1, col - 1, width, count)
            for at in range(0, count, 4):
                four_rows(taps, buffers, at, four, width)
                for t in range(min(4, n - row - at)):
                    for part in range(3):
                        made = four[(3 * t + part) * STRIP :]
                        out[part, row + at + t, col : col + width] = made[:width]
            carry_rows(taps, buffers)


@njit(**STRICT)
def _orientation(tensors: NDArray[Any], valid: NDArray[np.bool_], out: NDArray[Any]) -> None:
    _, n, m = out.shape
    for i in range(n):
        for j in range(m):
            if not valid[i, j]:
                out[0, i, j] = np.nan
                out[1, i, j] = np.nan
                continue
            east, cross, north = 0.0, 0.0, 0.0
            for a in range(2):
                for b in range(2):
                    east += tensors[0, i + a, j + b]
                    cross += tensors[1, i + a, j + b]
                    north += tensors[2, i + a, j + b]
            d, e, trace = east - north, cross + cross, east + north
            if trace <= 0.0 or (d == 0.0 and e == 0.0):
                out[0, i, j] = 0.0
                out[1, i, j] = np.nan
                continue
            out[0, i, j] = min(1.0, (d / trace) ** 2 + (e / trace) ** 2)
            # The gradient points atan2(e, d) / 2 north of east; stripes run across it.
            azimuth = math.degrees(-0.5 * math.atan2(e, d)) % 180.0
            out[1, i, j] = azimuth
            if out[1, i, j] >= 180.0:
                out[1, i, j] = 0.0


@njit(**STRICT)
def _reciprocal(
    valid: NDArray[np.float64], taps: NDArray[np.float64], cells: bool, out: NDArray[Any]
) -> None:
    """Divide the weight of a neighbourhood without gaps by that of the valid part of it, by plain sums."""
    n, m = valid.shape
    reach = taps.size - 1
    down = np.empty(m)
    column = taps[0]
    for k in range(1, reach + 1):
        column += taps[k] * 2.0
    full = taps[0] * column
    for k in range(1, reach + 1):
        full += taps[k] * (column + column)
    for i in range(n):
        for j in range(m):
            down[j] = taps[0] * valid[i, j]
        for k in range(1, reach + 1):
            a = _mirrored_cell(i - k, n) if cells else mirror(i - k, n)
            b = _mirrored_cell(i + k, n) if cells else mirror(i + k, n)
            for j in range(m):
                down[j] += taps[k] * (valid[a, j] + valid[b, j])
        for j in range(m):
            if valid[i, j] == 0.0:
                out[i, j] = 0.0
                continue
            weight = taps[0] * down[j]
            for k in range(1, reach + 1):
                a = _mirrored_cell(j - k, m) if cells else mirror(j - k, m)
                b = _mirrored_cell(j + k, m) if cells else mirror(j + k, m)
                weight += taps[k] * (down[a] + down[b])
            out[i, j] = full / weight

"""The structure tensor of a block on the cells between four pixels, and the orientation it holds.

A *cell* is the square between pixels ``(i, j)`` and ``(i + 1, j + 1)`` and carries the number of the first;
cells run from -1 to n - 1, the outermost ones lying across the grid's edge.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np
from numba import njit

from magxr.kernels.field import make_field, make_taps
from magxr.kernels.fir import STRICT, STRIP, gaussian_radius
from magxr.kernels.gradient import CELL, WIDE
from magxr.kernels.metric import stretched
from magxr.kernels.strip import ROWS, carry_rows, four_rows, make_buffers, more_rows, start_strip

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from magxr.kernels.field import Field, Taps
    from magxr.kernels.metric import Metric


def radius(sigma: float, rho: float, *, stretch: float = 1.0) -> int:
    """Return how many pixels away `orientation` looks: the Gaussians, the next cell, a wide gradient."""
    return gaussian_radius(sigma * stretch) + gaussian_radius(rho * stretch) + 2


def tensor(
    u: NDArray[Any],
    sigma: float,
    rho: float,
    *,
    metric: Metric | None = None,
    stretch: NDArray[Any] | None = None,
    wide: bool = False,
) -> NDArray[Any]:
    r"""Return the structure tensor :math:`J_\rho(\nabla u_\sigma)` on all cells, edge cells included.

    Parameters
    ----------
    u : ndarray, shape (n, m), float32 or float64
        Anomaly, nT; cells that are not finite are gaps.
    sigma, rho : float
        Noise scale and integration scale, heights of a pixel.
    metric : Metric, optional
        How wide pixels are in each row, for Gaussians and gradients; default square.
    stretch : ndarray, shape (n + 1,), optional
        Another factor on the gradient along a row, by row of cells from the one across the southern edge.
    wide : bool
        Take gradients from 4 x 2 pixels, one more on either side, instead of 2 x 2: less bias of direction.

    Returns
    -------
    ndarray, shape (3, n + 1, m + 1), dtype of ``u``
        :math:`J_{11} - J_{22}, 2 J_{12}, J_{11} + J_{22}` in (nT/pixel)², direction 1 along the row, 2 along
        the column. With gaps: the weighted sum over cells that count, not divided by its weight.

    References
    ----------
    Weickert, J. (1999), Coherence-enhancing diffusion filtering, Int. J. Comput. Vis. 31, 111-127.
    Knutsson, H. and Westin, C.-F. (1993), Normalized and differential convolution, Proc. CVPR.
    """
    out = np.empty((3, u.shape[0] + 1, u.shape[1] + 1), u.dtype)
    metric = stretched(metric, u)
    field, _ = make_field(u, sigma, rho, metric, kind=WIDE if wide else CELL)
    if stretch is not None:
        field = field._replace(stretch=stretch.astype(u.dtype))
    _tensor(field, make_taps(sigma, rho, u.dtype, metric), out)
    return out


def orientation(
    u: NDArray[Any],
    sigma: float,
    rho: float,
    *,
    stretch: NDArray[Any] | None = None,
    metric: Metric | None = None,
) -> NDArray[Any]:
    r"""Return coherence and the direction along the stripes at every pixel.

    Parameters
    ----------
    u : ndarray, shape (n, m), float32 or float64
        Anomaly, nT, south in row 0, west in column 0; cells that are not finite are gaps.
    sigma, rho : float
        Noise scale and integration scale, heights of a pixel.
    stretch : ndarray, shape (n + 1,), optional
        Height over width of a cell in metres, by row of cells from the one across the southern edge.
    metric : Metric, optional
        The same for the Gaussians, which are else those of the pixel grid.

    Returns
    -------
    ndarray, shape (2, n, m), dtype of ``u``
        Coherence :math:`((\mu_1 - \mu_2) / (\mu_1 + \mu_2))^2`, 0..1, and the azimuth of the eigenvector
        of :math:`\mu_2`, degrees clockwise from north in [0, 180). NaN in gaps; where the tensor has no
        direction, coherence is 0 and the azimuth NaN.
    """
    valid = np.isfinite(u)
    if not valid.any():
        return np.full((2, *u.shape), np.nan, u.dtype)
    out = np.empty((2, *u.shape), u.dtype)
    _orientation(tensor(u, sigma, rho, metric=metric, stretch=stretch, wide=True), valid, out)
    return out


@njit(**STRICT)
def _tensor(field: Field, taps: Taps, out: NDArray[Any]) -> None:
    _, n, m = out.shape
    buffers = make_buffers(taps, min(STRIP, m), 3)
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
            d, e, trace = 0.0, 0.0, 0.0
            for a in range(2):
                for b in range(2):
                    d += tensors[0, i + a, j + b]
                    e += tensors[1, i + a, j + b]
                    trace += tensors[2, i + a, j + b]
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

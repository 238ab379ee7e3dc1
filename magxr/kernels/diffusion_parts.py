"""The arithmetic of a diffusion step on whole arrays, for any array library that speaks numpy.

What `magxr.kernels.diffusion` does row by row in strips that stay in a CPU's cache, here done array by array.
`magxr.kernels.diffusion_cuda` has the same five functions as one GPU kernel each. Every function takes
arrays of one library and makes arrays of that library.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from magxr.kernels.device import array_module

if TYPE_CHECKING:
    from numpy.typing import NDArray

TINY = 1e-30
"""Added to a squared difference of eigenvalues, so that none is divided by zero."""


def along(x: NDArray[Any], taps: NDArray[Any]) -> NDArray[Any]:
    """Convolve rows and drop the columns that lack neighbours.

    Parameters
    ----------
    x : ndarray, shape (..., n, m + 2 * radius)
    taps : ndarray, shape (radius + 1, n or 1)
        Centre and one side of the filter, for each row or for all.

    Returns
    -------
    ndarray, shape (..., n, m)
    """
    radius = len(taps) - 1
    m = x.shape[-1] - 2 * radius
    out: NDArray[Any] = taps[0][:, None] * x[..., radius : radius + m]
    for k in range(1, radius + 1):
        west, east = x[..., radius - k : radius - k + m], x[..., radius + k : radius + k + m]
        out += taps[k][:, None] * (west + east)
    return out


def down(x: NDArray[Any], taps: NDArray[Any]) -> NDArray[Any]:
    """Convolve columns and drop the rows that lack neighbours.

    Parameters
    ----------
    x : ndarray, shape (..., n + 2 * radius, m)
    taps : ndarray, shape (radius + 1,)

    Returns
    -------
    ndarray, shape (..., n, m)
    """
    radius = len(taps) - 1
    n = x.shape[-2] - 2 * radius
    out: NDArray[Any] = taps[0] * x[..., radius : radius + n, :]
    for k in range(1, radius + 1):
        south, north = x[..., radius - k : radius - k + n, :], x[..., radius + k : radius + k + n, :]
        out += taps[k] * (south + north)
    return out


def products(u: NDArray[Any], stretch: NDArray[Any] | None, weight: NDArray[Any] | None) -> NDArray[Any]:
    """Multiply the gradients of cells with themselves.

    Parameters
    ----------
    u : ndarray, shape (n + 1, m + 1)
        Smoothed anomaly, halved.
    stretch : ndarray, shape (n,), optional
        Factor on the gradient along a row.
    weight : ndarray, shape (n, m), optional
        0 in cells that touch a gap: their gradient does not count.

    Returns
    -------
    ndarray, shape (3, n, m)
        gx gx, gx gy, gy gy.
    """
    gx = (u[:-1, 1:] - u[:-1, :-1]) + (u[1:, 1:] - u[1:, :-1])
    gy = (u[1:, :-1] - u[:-1, :-1]) + (u[1:, 1:] - u[:-1, 1:])
    if stretch is not None:
        gx *= stretch[:, None]
    if weight is not None:
        gx *= weight > 0
        gy *= weight > 0
    out: NDArray[Any] = array_module(u).stack([gx * gx, gx * gy, gy * gy])
    return out


def diffusivity(
    j: NDArray[Any],
    alpha: float,
    contrast: float,
    stretch: NDArray[Any] | None,
    share: NDArray[Any] | None,
    weight: NDArray[Any] | None,
) -> NDArray[Any]:
    """Make the diffusion tensor from the structure tensor, without eigenvectors.

    Parameters
    ----------
    j : ndarray, shape (3, n, m)
        J11, J12, J22; may be overwritten.
    alpha, contrast : float
        As in `magxr.kernels.diffusion.diffuse`, for dimensionless J.
    stretch, share : ndarray, shape (n,), optional
        s and k of a row of cells on the sphere: the tensor becomes (k s s D11, k s D12, k D22).
    weight : ndarray, shape (n, m), optional
        What J must be multiplied by near gaps; 0 in cells that touch one: nothing flows through them.

    Returns
    -------
    ndarray, shape (3, n, m)
        D11, D12, D22.
    """
    xp = array_module(j)
    if weight is not None:
        j = j * weight
    d, e = j[0] - j[2], j[1] + j[1]
    inverse = 1.0 / xp.sqrt(d * d + e * e + TINY)
    half = (0.5 * (1.0 - alpha)) * xp.exp(-contrast * (inverse * inverse))
    turn, mean = half * inverse, half + alpha
    out: NDArray[Any] = xp.stack([mean - turn * d, -(turn * e), mean + turn * d])
    if stretch is not None:
        out[0] *= (stretch * stretch)[:, None]
        out[1] *= stretch[:, None]
    if share is not None:
        out *= share[:, None]
    if weight is not None:
        out *= weight > 0
    return out


def updated(
    u: NDArray[Any], d: NDArray[Any], rate: NDArray[Any], hourglass: float, fixed: NDArray[Any] | None
) -> NDArray[Any]:
    """Let flow what flows in one time step.

    Parameters
    ----------
    u : ndarray, shape (n + 2, m + 2)
        Anomaly.
    d : ndarray, shape (3, n + 1, m + 1)
        Diffusion tensor of the cells between.
    rate : ndarray, shape (n or 1,)
        A quarter of the time step, by row of pixels or for all.
    hourglass : float
        Weight of the checkerboard part, 1 - 2 alpha_e.
    fixed : ndarray of bool, shape (n, m), optional
        Pixels that keep their value.

    Returns
    -------
    ndarray, shape (n, m)
    """
    u00, u10, u01, u11 = u[:-1, :-1], u[:-1, 1:], u[1:, :-1], u[1:, 1:]
    dx = (u10 - u00) + (u11 - u01)
    dy = (u01 - u00) + (u11 - u10)
    fx = d[0] * dx + d[1] * dy
    fy = d[1] * dx + d[2] * dy
    h = hourglass * (d[0] + d[2]) * ((u11 - u01) - (u10 - u00))
    p, q = fx + fy, fx - fy
    even = (p[:-1, :-1] - p[1:, 1:]) + (q[1:, :-1] - q[:-1, 1:])
    odd = (h[:-1, :-1] + h[1:, 1:]) - (h[:-1, 1:] + h[1:, :-1])
    old = u[1:-1, 1:-1]
    new: NDArray[Any] = old - rate[:, None] * (even + odd)
    if fixed is not None:
        new = array_module(u).where(fixed, old, new)
    return new

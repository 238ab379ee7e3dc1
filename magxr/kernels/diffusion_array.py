"""The diffusion of `magxr.kernels.diffusion` in array operations, for blocks that live on a GPU.

The same scheme, edges, gaps and shrinking halos, for numpy, CuPy and any array library that follows numpy
(see `magxr.kernels.device`). Sums are added in another order than in the CPU's kernel, so the two agree
within 1e-5 of the range of the data in float32, not bit for bit.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from magxr.kernels.cells import ALPHA_E
from magxr.kernels.core import scales, unscaled
from magxr.kernels.device import array_module
from magxr.kernels.diffusion_scheme import make_scheme
from magxr.kernels.fir import gaussian_radius
from magxr.kernels.mirrors import lines, window

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import ArrayLike, NDArray

    from magxr.kernels.diffusion_scheme import Scheme
    from magxr.kernels.mirrors import Area


def radius(
    sigma: float,
    rho: float,
    sigma_along: ArrayLike | None = None,
    rho_along: ArrayLike | None = None,
    *,
    steps: int = 1,
) -> tuple[int, int]:
    """Return how many rows and columns away one cycle of ``steps`` steps looks."""
    widest = [
        gaussian_radius(float(np.max(own)) if own is not None else common)
        for own, common in ((sigma_along, sigma), (rho_along, rho))
    ]
    return gaussian_radius(sigma) + gaussian_radius(rho) + steps, sum(widest) + steps


def diffuse(u: NDArray[Any], *, steps: int, tau: float, **scheme: Any) -> NDArray[Any]:
    """Take ``steps`` explicit steps of ``tau`` and return the block without its halo.

    Parameters
    ----------
    u : array, shape (n, m), float32 or float64
        Anomaly, nT. Cells that are not finite take no part and keep their value.
    steps : int
        Number of steps.
    tau : float
        Time step, pixels², at most `magxr.kernels.diffusion.TAU_MAX`.
    **scheme
        The other arguments of `fed`. A halo is deep enough from ``steps`` times `radius` on.

    Returns
    -------
    array of the library and dtype of ``u``
        Shape of ``u`` less the halo; within 1e-5 of the range of `magxr.kernels.diffusion.diffuse`.

    Raises
    ------
    ParameterError
        If ``scale`` is no positive number and the block is not constant.
    """
    return fed(u, cycles=((tau,),) * steps, **scheme)


def fed(
    u: NDArray[Any],
    *,
    cycles: Sequence[Sequence[float]],
    sigma: float,
    rho: float,
    alpha: float,
    contrast: float,
    scale: float,
    halo: tuple[int, int, int, int] = (0, 0, 0, 0),
    stretch: ArrayLike | None = None,
    cell_weight: ArrayLike | None = None,
    pixel_weight: ArrayLike | None = None,
    sigma_along: ArrayLike | None = None,
    rho_along: ArrayLike | None = None,
    fixed: NDArray[Any] | None = None,
) -> NDArray[Any]:
    r"""Take cycles of steps, each with one diffusion tensor, and return the block without its halo.

    Parameters
    ----------
    u : array, shape (n, m), float32 or float64
        Anomaly, nT. Cells that are not finite take no part and keep their value.
    cycles : sequence of sequences of float
        Time steps of each cycle, pixels². The diffusion tensor is made at the beginning of a cycle. Single
        steps of fast explicit diffusion may be larger than is stable, as long as the cycle as a whole is:
        :math:`\tau_i = \tau_{max} / (2 \cos^2(\pi (2 i + 1) / (4 n + 2)))`.
    sigma, rho : float
        Noise scale and integration scale, pixels; along columns only where the next two are given.
    alpha, contrast, scale : float
        As in `magxr.kernels.diffusion.diffuse`.
    halo : (int, int, int, int)
        Rows south and north, columns west and east that are not wanted back; a side without is a true edge
        and mirrored at every step. Deep enough from the sum of the `radius` of all cycles on.
    stretch, cell_weight : array_like, shape (n + 1,), optional
        On the sphere, by row of cells from -1 on: factor s on gradients along the row, and weight k of the
        row. The flux tensor becomes (k s s D11, k s D12, k D22).
    pixel_weight : array_like, shape (n,), optional
        Weight of each row of pixels, by which its change is divided.
    sigma_along, rho_along : array_like, shapes (n,) and (n + 1,), optional
        Standard deviations of the Gaussians along each row of pixels and of cells, in pixels of that row.
    fixed : array of bool, shape (n, m), optional
        Pixels that keep their value, and that others see.

    Returns
    -------
    array of the library and dtype of ``u``
        Shape of ``u`` less the halo.

    Raises
    ------
    ParameterError
        If ``scale`` is no positive number and the block is not constant.

    References
    ----------
    Weickert, J., Grewenig, S., Schroers, C. and Bruhn, A. (2016), Cyclic schemes for PDE-based image
    analysis, Int. J. Comput. Vis. 118, 270-299.
    """
    n, m = u.shape
    south, north, west, east = halo
    core = slice(south, n - north), slice(west, m - east)
    if not scales(scale):
        return unscaled(u, scale)[core]
    xp = array_module(u)
    valid = xp.isfinite(u)
    if not bool(valid.any()):
        return u[core].copy()
    gaps = not bool(valid.all())
    scheme = make_scheme(
        valid,
        u.dtype,
        gaussians=((sigma, sigma_along), (rho, rho_along)),
        rows=(stretch, cell_weight, pixel_weight),
        fixed=fixed,
        gaps=gaps,
        alpha=float(alpha),
        contrast=float(contrast),
        scale=float(scale),
    )
    cycles = [taus for taus in cycles if taus]
    left = [sum(reach + len(taus) for taus in cycles) for reach in scheme.reach]

    def wanted() -> Area:
        """Return the rows and columns that what is left to do looks at."""
        return (
            (max(0, south - left[0]), min(n, n - north + left[0])),
            (max(0, west - left[1]), min(m, m - east + left[1])),
        )

    values, at = (xp.where(valid, u, xp.zeros((), u.dtype)) if gaps else u), (0, 0)
    for taus in cycles:
        left = [far - reach - 1 for far, reach in zip(left, scheme.reach, strict=True)]
        area = wanted()
        tensor = _tensor(values, at, area, scheme)
        for number, tau in enumerate(taus):
            left = [far - 1 for far in left] if number else left
            area, before = wanted(), area
            # The tensor of the pixels that are left.
            (r0, r1), (c0, c1) = area
            tensor = tensor[
                :,
                r0 - before[0][0] : r1 - before[0][0] + 1,
                c0 - before[1][0] : c1 - before[1][0] + 1,
            ]
            values, at = _step(values, at, area, tensor, tau, scheme), (r0, c0)
    kept = values[tuple(slice(s.start - a, s.stop - a) for s, a in zip(core, at, strict=True))]
    return xp.where(valid[core], kept, u[core]) if gaps else kept


def _tensor(values: NDArray[Any], at: tuple[int, int], area: Area, scheme: Scheme) -> NDArray[Any]:
    """Make the diffusion tensor of the cells around the pixels of ``area``; ``values`` begin at ``at``."""
    parts, shape = scheme.parts, scheme.shape
    rows, cols = (area[0][0] - 1, area[0][1]), (area[1][0] - 1, area[1][1])
    # The cells that these cells look at, their corners, and the pixels that the corners look at.
    beside = _widened((rows, cols), scheme.coarse.radius)
    corners = (beside[0][0], beside[0][1] + 1), (beside[1][0], beside[1][1] + 1)
    u = window(values, at, _widened(corners, scheme.fine.radius), shape)
    u = parts.down(u, scheme.fine.down)
    u = parts.along(u, lines(scheme.fine.along, corners[0], shape[0], cells=False))
    weight = open_cells = None
    if scheme.pixels is not None and scheme.cells is not None:
        u = u * window(scheme.pixels, (0, 0), corners, shape)
        open_cells = window(scheme.cells, (0, 0), beside, shape, cells=True)
        weight = window(scheme.cells, (0, 0), (rows, cols), shape, cells=True)
    j = parts.products(u, lines(scheme.stretch, beside[0], shape[0], cells=True), open_cells)
    j = parts.along(j, lines(scheme.coarse.along, beside[0], shape[0], cells=True))
    j = parts.down(j, scheme.coarse.down)
    # Across a true edge J12 is 0 by symmetry, exactly: filters add mirror images before all else. So the mean
    # does not drift.
    stretch, share = (
        lines(by_row, rows, shape[0], cells=True) for by_row in (scheme.stretch, scheme.cell_weight)
    )
    tensor: NDArray[Any] = parts.diffusivity(j, scheme.alpha, scheme.contrast, stretch, share, weight)
    return tensor


def _widened(area: Area, by: tuple[int, int]) -> Area:
    (r0, r1), (c0, c1) = area
    return (r0 - by[0], r1 + by[0]), (c0 - by[1], c1 + by[1])


def _step(
    values: NDArray[Any],
    at: tuple[int, int],
    area: Area,
    tensor: NDArray[Any],
    tau: float,
    scheme: Scheme,
) -> NDArray[Any]:
    """Take one step on the pixels of ``area`` with the tensor of the cells around them."""
    (r0, r1), (c0, c1) = area
    u = window(values, at, ((r0 - 1, r1 + 1), (c0 - 1, c1 + 1)), scheme.shape)
    rate = array_module(values).full((1,), 0.25 * tau, dtype=values.dtype)
    if scheme.pixel_weight is not None:
        rate = rate / scheme.pixel_weight[r0:r1]
    fixed = None if scheme.fixed is None else scheme.fixed[r0:r1, c0:c1]
    new: NDArray[Any] = scheme.parts.updated(u, tensor, rate, 1.0 - 2.0 * ALPHA_E, fixed)
    return new

r"""Coherence-enhancing diffusion by the explicit cell-centred 3 x 3 scheme.

.. math:: \partial_t u = \nabla \cdot (D(J_\rho(\nabla u_\sigma)) \nabla u)

with no flux through edges, gaps and barriers. In each cell, with corners
:math:`u_{00}, u_{10}, u_{01}, u_{11}`,

.. math::
    g_x &= \tfrac12 ((u_{10} - u_{00}) + (u_{11} - u_{01})), \quad
    g_y = \tfrac12 ((u_{01} - u_{00}) + (u_{11} - u_{10})), \quad
    q = u_{11} - u_{01} - u_{10} + u_{00} \\
    E &= \tfrac12 \sum_{cells} \left[ \nabla u^T D \nabla u
         + \tfrac14 (1 - 2 \alpha_e) (D_{11} + D_{22}) q^2 \right], \quad
    u \leftarrow u - \tau \, \partial E / \partial u

which keeps the mean, never raises the energy for :math:`\tau < 1/2` and needs no averaging of D.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numba import njit

from magxr.kernels import pages
from magxr.kernels.cells import diffusivity_of_cells, fluxes, hourglass, updated
from magxr.kernels.core import Core, held_pixels, nothing, scales, unscaled
from magxr.kernels.diffusivity import rule
from magxr.kernels.field import Field, Taps, make_field, make_taps
from magxr.kernels.fir import STRICT, STRIP, TRUNCATE, copy, gather, gaussian_radius, up64
from magxr.kernels.metric import LARGEST, Metric, stretched
from magxr.kernels.strip import ROWS, carry_rows, four_rows, make_buffers, more_rows, start_strip

if TYPE_CHECKING:
    from numpy.typing import NDArray

TAU_MAX = LARGEST
"""Largest stable time step of the scheme on square pixels, with a margin (0.5)."""
Truncate = tuple[float, float]
"""Where the Gaussians of sigma and rho are cut, standard deviations."""


def radius(
    sigma: float, rho: float, *, stretch: float = 1.0, truncate: Truncate = (TRUNCATE, TRUNCATE)
) -> int:
    """Return how many pixels away one step looks, along rows whose pixels are ``stretch`` to a height."""
    fine, coarse = (gaussian_radius(s * stretch, cut) for s, cut in zip((sigma, rho), truncate, strict=True))
    return fine + coarse + 1


def diffuse(
    u: NDArray[Any],
    *,
    steps: int,
    sigma: float,
    rho: float,
    tau: float,
    alpha: float,
    contrast: float,
    scale: float,
    halo: tuple[int, int, int, int] = (0, 0, 0, 0),
    metric: Metric | None = None,
    fixed: NDArray[Any] | None = None,
    shut: NDArray[np.bool_] | None = None,
    truncate: Truncate = (TRUNCATE, TRUNCATE),
) -> NDArray[Any]:
    r"""Take ``steps`` explicit steps and return the block without its halo.

    Parameters
    ----------
    u : ndarray, shape (n, m), float32 or float64
        Anomaly, nT. Cells that are not finite take no part and keep their value.
    steps : int
        Number of steps.
    sigma, rho : float
        Noise scale and integration scale of the structure tensor, heights of a pixel.
    tau : float
        Time step, heights², at most ``metric.tau`` (`TAU_MAX` for square pixels).
    alpha : float
        Diffusivity across the stripes, :math:`\lambda_2`.
    contrast, scale : float
        :math:`\lambda_1 = \alpha + (1 - \alpha) \exp(-C / (\mu_1 - \mu_2)^2)` along the stripes, with
        C = ``contrast * scale**4``, (nT/height)⁴; ``scale`` in nT.
    halo : (int, int, int, int)
        Rows south and north, columns west and east that are not wanted back; a side without is a true
        edge and mirrored at every step.
    metric : Metric, optional
        How wide pixels are in each row of ``u``; default square.
    fixed : ndarray, shape (n, m), optional
        Pixels that keep their value where it is not 0.
    shut : ndarray of bool, shape (n + 1, m + 1), optional
        Cells that nothing flows through, from the one across the south-western corner on.
    truncate : (float, float)
        Where the Gaussians of sigma and rho are cut, standard deviations.

    Returns
    -------
    ndarray, dtype of ``u``
        Shape of ``u`` less the halo. Bit-equal to the same cells of the whole grid where each halo is at
        least ``steps`` times `radius`.

    References
    ----------
    Weickert, J. (1999), Coherence-enhancing diffusion filtering, Int. J. Comput. Vis. 31, 111-127.
    Weickert, J., Welk, M. and Wickert, M. (2013), L2-stable nonstandard finite differences for anisotropic
    diffusion, SSVM, LNCS 7893, 380-391.
    """
    core = Core((u.shape[0], u.shape[1]), halo)
    if not scales(scale):
        return core.cut(unscaled(u, scale))
    if nothing(u):
        return core.cut(u).copy()
    metric = stretched(metric, u)
    field, mask = make_field(u, sigma, rho, metric, shut=shut, truncate=truncate)
    taps = make_taps(sigma, rho, u.dtype, metric, factor=1.0 / float(scale), truncate=truncate)
    constants = rule(alpha, contrast, u.dtype)
    gain = (0.25 * tau * metric.pixels).astype(u.dtype)
    held = held_pixels(fixed)
    old, new = field.values, pages.copied(field.values)
    down = radius(sigma, rho, truncate=truncate)
    along = radius(sigma, rho, stretch=metric.widest, truncate=truncate)
    for left in range(steps - 1, -1, -1):
        # Only what the remaining steps will look at.
        rows, cols = core.around(left * down, left * along)
        _step(field._replace(values=old), mask.open, taps, constants, gain, held, rows, cols, new)
        old, new = new, old
    return core.result(old, u, mask.valid)


@njit(**STRICT)
def _step(
    field: Field,
    opened: NDArray[Any],
    taps: Taps,
    constants: NDArray[Any],
    gain: NDArray[Any],
    held: NDArray[np.bool_],
    rows: tuple[int, int],
    cols: tuple[int, int],
    out: NDArray[Any],
) -> None:
    """Take one step on rows ``rows[0] .. rows[1]`` and columns ``cols[0] .. cols[1]``."""
    u = field.values
    dtype = u.dtype
    buffers = make_buffers(taps, min(STRIP, cols[1] - cols[0] + 1), 2)
    # Five rows of cells: the last of the four before, then four more.
    cell = np.zeros(15 * STRIP + 64, dtype)
    pixels = np.zeros(4 * STRIP + 64, dtype)
    new = np.zeros(STRIP, dtype)
    n_rows = rows[1] - rows[0] + 1
    for west in range(cols[0], cols[1], STRIP - 1):
        wide = min(STRIP - 1, cols[1] - west)
        width, vectors = wide + 1, up64(wide + 1)
        start_strip(field, taps, buffers, rows[0] - 1, west - 1, width)
        above = pixels[2 * STRIP :]
        gather(u, rows[0] - 1, west - 1, above[: width + 1])
        for block in range(0, n_rows, ROWS):
            count = min(ROWS, (n_rows - block + 3) // 4 * 4)
            first = rows[0] - 1 + block
            more_rows(field, taps, buffers, first, west - 1, width, count)
            for at in range(0, count, 4):
                four_rows(taps, buffers, at, cell[3 * STRIP :], width)
                for t in range(min(4, n_rows - block - at)):
                    i = first + at + t
                    f = cell[3 * (t + 1) * STRIP :]
                    diffusivity_of_cells(f, field, opened, constants, i, west, wide)
                    copy(above, pixels[: width + 1])
                    gather(u, i + 1, west - 1, above[: width + 1])
                    fluxes(f, pixels, hourglass(f), vectors)
                    if i >= rows[0]:
                        updated(cell[3 * t * STRIP :], f, pixels[1:], gain[i], new, vectors)
                        line = out[i, west : west + wide]
                        copy(new, line)
                        if held.size > 1:
                            hold(held[i, west : west + wide], u[i, west : west + wide], line)
                copy(cell[12 * STRIP :], cell[: 3 * STRIP])
            carry_rows(taps, buffers)


@njit(**STRICT)
def hold(held: NDArray[np.bool_], old: NDArray[Any], line: NDArray[Any]) -> None:
    """Give pixels that are held their old value back."""
    for j in range(line.size):
        line[j] = old[j] if held[j] else line[j]

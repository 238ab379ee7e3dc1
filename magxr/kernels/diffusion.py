r"""Coherence-enhancing diffusion by the explicit cell-centred 3 x 3 scheme.

.. math:: \partial_t u = \nabla \cdot (D(J_\rho(\nabla u_\sigma)) \nabla u)

with no flux through edges and gaps. In each cell, with corners :math:`u_{00}, u_{10}, u_{01}, u_{11}`,

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
from llvmlite import ir  # type: ignore[import-untyped]
from numba import njit, types
from numba.extending import intrinsic

from magxr.errors import ParameterError
from magxr.kernels import pages
from magxr.kernels.fir import STRICT, STRIP, gather, gaussian_radius, up64
from magxr.kernels.strip import (
    ROWS,
    Field,
    Taps,
    carry_rows,
    four_rows,
    make_buffers,
    make_field,
    make_taps,
    more_rows,
    start_strip,
)
from magxr.kernels.weights import cell_reciprocal

if TYPE_CHECKING:
    from numpy.typing import NDArray

ALPHA_E = 0.4
"""Share of the stencil family: 0.5 leaves the checkerboard alone, less damps it."""
TAU_MAX = 0.49
"""Largest stable time step of the scheme, with a margin (0.5)."""

# log2(e), ln 2 in two parts, and the Taylor series of exp, highest power first.
_EXP = (
    1.4426950408889634,
    0.693145751953125,
    1.4286068203094172e-06,
    *(1.0 / f for f in (6227020800, 479001600, 39916800, 3628800, 362880, 40320, 5040, 720, 120, 24, 6, 2)),
)


def radius(sigma: float, rho: float) -> int:
    """Return how many pixels away one step looks."""
    return gaussian_radius(sigma) + gaussian_radius(rho) + 1


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
) -> NDArray[Any]:
    r"""Take ``steps`` explicit steps and return the block without its halo.

    Parameters
    ----------
    u : ndarray, shape (n, m), float32 or float64
        Anomaly, nT. Cells that are not finite take no part and keep their value.
    steps : int
        Number of steps.
    sigma, rho : float
        Noise scale and integration scale of the structure tensor, pixels.
    tau : float
        Time step, pixels², at most `TAU_MAX`.
    alpha : float
        Diffusivity across the stripes, :math:`\lambda_2`.
    contrast, scale : float
        :math:`\lambda_1 = \alpha + (1 - \alpha) \exp(-C / (\mu_1 - \mu_2)^2)` along the stripes, with
        C = ``contrast * scale**4``, (nT/pixel)⁴; ``scale`` in nT.
    halo : (int, int, int, int)
        Rows south and north, columns west and east that are not wanted back; a side without is a true
        edge and mirrored at every step.

    Returns
    -------
    ndarray, dtype of ``u``
        Shape of ``u`` less the halo. Bit-equal to the same cells of the whole grid where each halo is at
        least ``steps * radius(sigma, rho)``.

    References
    ----------
    Weickert, J. (1999), Coherence-enhancing diffusion filtering, Int. J. Comput. Vis. 31, 111-127.
    Weickert, J., Welk, M. and Wickert, M. (2013), L2-stable nonstandard finite differences for anisotropic
    diffusion, SSVM, LNCS 7893, 380-391.
    """
    n, m = u.shape
    south, north, west, east = halo
    core = slice(south, n - north), slice(west, m - east)
    if not (np.isfinite(scale) and scale > 0):
        return _unscaled(u, scale)[core]
    field = make_field(u, sigma)
    valid = np.isfinite(u) if field.gaps else None
    cells = np.ones((1, 1), u.dtype) if valid is None else cell_reciprocal(valid, rho, u.dtype)
    taps = make_taps(sigma, rho, u.dtype, 1.0 / float(scale))
    lowest = -87.0 if u.dtype == np.float32 else -708.0
    constants = np.array(
        [alpha, 1.0 - alpha, -contrast, 1.0 - 2.0 * ALPHA_E, 0.25 * tau, 0.5, 1.0, 1e-30, lowest, *_EXP],
        dtype=u.dtype,
    )
    old, new = field.values, pages.copied(field.values)
    reach = radius(sigma, rho)
    for left in range(steps - 1, -1, -1):
        # Only what the remaining steps will look at.
        rows = max(0, south - left * reach), min(n, n - north + left * reach)
        cols = max(0, west - left * reach), min(m, m - east + left * reach)
        _step(field._replace(values=old), cells, taps, constants, rows, cols, new)
        old, new = new, old
    kept = old[core]
    return kept if valid is None else np.where(valid[core], kept, u[core])


def _unscaled(u: NDArray[Any], scale: float) -> NDArray[Any]:
    """Return a block that cannot change whatever the contrast; refuse one that can."""
    seen = u[np.isfinite(u)]
    if seen.size and (seen != seen[0]).any():
        fix = "pass scale= in nT, e.g. a quarter of the range of the data"
        msg = f"the interquartile range of the anomaly is {scale} nT, so it cannot scale the contrast; {fix}"
        raise ParameterError(msg)
    return u


@intrinsic
def _two_to(typingctx: Any, x: Any) -> Any:  # pragma: no cover - compiled
    """2**x for a whole number x within the exponent's range, by writing the exponent bits."""
    if not isinstance(x, types.Float):
        return None

    def build(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        bits, bias, shift = (32, 127, 23) if x.bitwidth == 32 else (64, 1023, 52)
        whole = ir.IntType(bits)
        number = builder.fptosi(args[0], whole)
        number = builder.shl(builder.add(number, whole(bias)), whole(shift))
        return builder.bitcast(number, args[0].type)

    return x(x), build


@njit(**STRICT)
def _diffusion_tensor(f: NDArray[Any], constants: NDArray[Any], n: int) -> None:
    """Replace a row of J11, J12, J22 by D11, D12, D22, without eigenvectors."""
    alpha, rest, less_contrast = constants[0], constants[1], constants[2]
    half, one, tiny, lowest = constants[5], constants[6], constants[7], constants[8]
    log2e, ln2_high, ln2_low = constants[9], constants[10], constants[11]
    c13, c12, c11, c10 = constants[12], constants[13], constants[14], constants[15]
    c9, c8, c7, c6 = constants[16], constants[17], constants[18], constants[19]
    c5, c4, c3, c2 = constants[20], constants[21], constants[22], constants[23]
    for j in range(n):
        d = f[j] - f[2 * STRIP + j]
        e = f[STRIP + j] + f[STRIP + j]
        inverse = one / np.sqrt(d * d + e * e + tiny)
        x = max(less_contrast * (inverse * inverse), lowest)
        k = np.floor(x * log2e + half)
        t = (x - k * ln2_high) - k * ln2_low
        s = c13
        s = s * t + c12
        s = s * t + c11
        s = s * t + c10
        s = s * t + c9
        s = s * t + c8
        s = s * t + c7
        s = s * t + c6
        s = s * t + c5
        s = s * t + c4
        s = s * t + c3
        s = s * t + c2
        s = (s * t + one) * t + one
        along = half * (rest * (s * _two_to(k)))  # type: ignore[call-arg]
        turn = along * inverse
        mean = alpha + along
        f[j] = mean - turn * d
        f[STRIP + j] = -(turn * e)
        f[2 * STRIP + j] = mean + turn * d


@njit(**STRICT)
def _fluxes(f: NDArray[Any], g: NDArray[Any], hourglass: Any, n: int) -> None:
    """Replace a row of D by what the corners of its cells gain: fx + fy, fx - fy and the hourglass part.

    ``g`` holds the pixels below and, ``2 * STRIP`` further on, above; all fluxes are four times too large.
    """
    for j in range(n):
        a, b, c = f[j], f[STRIP + j], f[2 * STRIP + j]
        u00, u10 = g[j], g[j + 1]
        u01, u11 = g[2 * STRIP + j], g[2 * STRIP + j + 1]
        dx = (u10 - u00) + (u11 - u01)
        dy = (u01 - u00) + (u11 - u10)
        q = (u11 - u01) - (u10 - u00)
        fx = a * dx + b * dy
        fy = b * dx + c * dy
        f[j] = fx + fy
        f[STRIP + j] = fx - fy
        f[2 * STRIP + j] = hourglass * (a + c) * q


@njit(**STRICT)
def _updated(f: NDArray[Any], u: NDArray[Any], quarter_tau: Any, out: NDArray[Any], n: int) -> None:
    """Add up the four cells around each pixel: ``f`` holds the cells below and then those above."""
    for j in range(n):
        even = (f[j] - f[3 * STRIP + j + 1]) + (f[4 * STRIP + j] - f[STRIP + j + 1])
        odd = (f[2 * STRIP + j] + f[5 * STRIP + j + 1]) - (f[2 * STRIP + j + 1] + f[5 * STRIP + j])
        out[j] = u[j] - quarter_tau * (even + odd)


@njit(**STRICT)
def _step(
    field: Field,
    cells: NDArray[Any],
    taps: Taps,
    constants: NDArray[Any],
    rows: tuple[int, int],
    cols: tuple[int, int],
    out: NDArray[Any],
) -> None:
    """Take one step on rows ``rows[0] .. rows[1]`` and columns ``cols[0] .. cols[1]``."""
    u = field.values
    n, m = u.shape
    dtype = u.dtype
    buffers = make_buffers(taps, min(STRIP, cols[1] - cols[0] + 1))
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
                    if field.gaps:
                        _weigh(f, cells[i + 1], west, width)
                    # Across a true edge D12 is 0 by symmetry; rounding must not let the mean drift.
                    if i == -1 or i == n - 1:
                        f[STRIP : STRIP + width] = 0
                    if west == 0:
                        f[STRIP] = 0
                    if west + wide == m:
                        f[STRIP + wide] = 0
                    _diffusion_tensor(f, constants, vectors)
                    if field.gaps:
                        _close(f, cells[i + 1], west, width)
                    for j in range(width + 1):
                        pixels[j] = above[j]
                    gather(u, i + 1, west - 1, above[: width + 1])
                    _fluxes(f, pixels, constants[3], vectors)
                    if i >= rows[0]:
                        _updated(cell[3 * t * STRIP :], pixels[1:], constants[4], new, vectors)
                        line = out[i, west : west + wide]
                        for j in range(wide):
                            line[j] = new[j]
                last = cell[12 * STRIP :]
                for j in range(3 * STRIP):
                    cell[j] = last[j]
            carry_rows(taps, buffers)


@njit(**STRICT)
def _weigh(f: NDArray[Any], weight: NDArray[Any], col: int, width: int) -> None:
    """Turn weighted sums of a row of J into weighted means; 0 in cells that touch a gap."""
    for j in range(width):
        w = weight[col + j]
        f[j] = f[j] * w
        f[STRIP + j] = f[STRIP + j] * w
        f[2 * STRIP + j] = f[2 * STRIP + j] * w


@njit(**STRICT)
def _close(f: NDArray[Any], weight: NDArray[Any], col: int, width: int) -> None:
    """Let nothing flow through cells that touch a gap."""
    for j in range(width):
        if weight[col + j] == 0:
            f[j] = 0
            f[STRIP + j] = 0
            f[2 * STRIP + j] = 0

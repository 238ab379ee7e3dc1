"""The five functions of `magxr.kernels.diffusion_parts` as one CUDA kernel each, through CuPy.

One thread makes one value, in the order of operations of the array version; the compiler may not fuse
multiplication and addition. So a pixel has the same bits wherever its block begins, and the fluxes through a
cell, which the threads of its four corners each compute, cancel exactly. What CuPy must provide is its
``RawModule`` and nothing else: the tests provide one that runs the same source on the CPU.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np

from magxr.kernels.device import array_module
from magxr.kernels.diffusion_parts import TINY

if TYPE_CHECKING:
    from numpy.typing import NDArray

THREADS = 256
"""Threads of a block."""

SOURCE = r"""
typedef REAL real;
typedef long long whole;

// One thread a value: which one, if there is one.
#define EACH(total) \
    const whole at = (whole)blockIdx.x * blockDim.x + threadIdx.x; \
    if (at >= (total)) return;

extern "C" __global__ void along(
    const real* x, const real* taps, real* out, whole planes, whole n, whole m, whole radius, whole lines)
{
    EACH(planes * n * m)
    const whole row = at / m;
    const real* centre = x + row * (m + 2 * radius) + at % m + radius;
    const real* w = taps + (lines == 1 ? 0 : row % n);
    real sum = w[0] * centre[0];
    for (whole k = 1; k <= radius; ++k) sum += w[k * lines] * (centre[-k] + centre[k]);
    out[at] = sum;
}

extern "C" __global__ void down(
    const real* x, const real* taps, real* out, whole planes, whole n, whole m, whole radius)
{
    EACH(planes * n * m)
    const whole plane = at / (n * m);
    const real* centre = x + at + (2 * plane + 1) * radius * m;
    real sum = taps[0] * centre[0];
    for (whole k = 1; k <= radius; ++k) sum += taps[k] * (centre[-k * m] + centre[k * m]);
    out[at] = sum;
}

extern "C" __global__ void products(
    const real* u, const real* stretch, const real* weight, real* out, whole n, whole m,
    whole stretched, whole gaps)
{
    EACH(n * m)
    const real* below = u + at / m * (m + 1) + at % m;
    const real* above = below + m + 1;
    real gx = (below[1] - below[0]) + (above[1] - above[0]);
    real gy = (above[0] - below[0]) + (above[1] - below[1]);
    if (stretched) gx *= stretch[at / m];
    if (gaps && !(weight[at] > 0)) gx = gy = 0;
    out[at] = gx * gx;
    out[n * m + at] = gx * gy;
    out[2 * n * m + at] = gy * gy;
}

extern "C" __global__ void diffusivity(
    const real* j, const real* stretch, const real* share, const real* weight, real* out, whole n, whole m,
    whole stretched, whole shared, whole gaps, real alpha, real half_rest, real contrast, real tiny)
{
    EACH(n * m)
    const whole size = n * m;
    const real open = gaps ? weight[at] : (real)1;
    const real j11 = j[at] * open, j12 = j[size + at] * open, j22 = j[2 * size + at] * open;
    const real d = j11 - j22, e = j12 + j12;
    const real inverse = (real)1 / sqrt(d * d + e * e + tiny);
    const real half = half_rest * exp(-contrast * (inverse * inverse));
    const real turn = half * inverse, mean = half + alpha;
    const real s = stretched ? stretch[at / m] : (real)1;
    real k = shared ? share[at / m] : (real)1;
    if (gaps && !(open > 0)) k = 0;
    out[at] = (mean - turn * d) * (s * s) * k;
    out[size + at] = -(turn * e) * s * k;
    out[2 * size + at] = (mean + turn * d) * k;
}

// What the corners of a cell gain: fx + fy, fx - fy and the checkerboard part, four times too large.
struct Flux { real even, odd, hourglass; };

__device__ Flux flux(const real* u, const real* d, whole width, whole size, real hourglass)
{
    const real u00 = u[0], u10 = u[1], u01 = u[width], u11 = u[width + 1];
    const real a = d[0], b = d[size], c = d[2 * size];
    const real dx = (u10 - u00) + (u11 - u01), dy = (u01 - u00) + (u11 - u10);
    const real fx = a * dx + b * dy, fy = b * dx + c * dy;
    return Flux{fx + fy, fx - fy, hourglass * (a + c) * ((u11 - u01) - (u10 - u00))};
}

extern "C" __global__ void updated(
    const real* u, const real* d, const real* rate, const bool* fixed, real* out, whole n, whole m,
    whole lines, whole some_fixed, real hourglass)
{
    EACH(n * m)
    const whole row = at / m, col = at % m, width = m + 2, size = (n + 1) * (m + 1);
    const real* below = u + row * width + col;
    const real* tensor = d + row * (m + 1) + col;
    const real old = below[width + 1];
    const Flux sw = flux(below, tensor, width, size, hourglass);
    const Flux se = flux(below + 1, tensor + 1, width, size, hourglass);
    const Flux nw = flux(below + width, tensor + m + 1, width, size, hourglass);
    const Flux ne = flux(below + width + 1, tensor + m + 2, width, size, hourglass);
    const real even = (sw.even - ne.even) + (nw.odd - se.odd);
    const real odd = (sw.hourglass + ne.hourglass) - (se.hourglass + nw.hourglass);
    const real gain = rate[lines == 1 ? 0 : row] * (even + odd);
    out[at] = some_fixed && fixed[at] ? old : old - gain;
}
"""


def along(x: NDArray[Any], taps: NDArray[Any]) -> NDArray[Any]:
    """Convolve rows; see `magxr.kernels.diffusion_parts.along`."""
    radius, n, m = len(taps) - 1, x.shape[-2], x.shape[-1] - 2 * (len(taps) - 1)
    sizes = x.size // (n * x.shape[-1]), n, m, radius, taps.shape[1]
    return _run("along", x, (*x.shape[:-2], n, m), x.size // x.shape[-1] * m, (taps,), sizes)


def down(x: NDArray[Any], taps: NDArray[Any]) -> NDArray[Any]:
    """Convolve columns; see `magxr.kernels.diffusion_parts.down`."""
    radius, n, m = len(taps) - 1, x.shape[-2] - 2 * (len(taps) - 1), x.shape[-1]
    planes = x.size // (x.shape[-2] * m)
    return _run("down", x, (*x.shape[:-2], n, m), planes * n * m, (taps,), (planes, n, m, radius))


def products(u: NDArray[Any], stretch: NDArray[Any] | None, weight: NDArray[Any] | None) -> NDArray[Any]:
    """Multiply gradients with themselves; see `magxr.kernels.diffusion_parts.products`."""
    n, m = u.shape[0] - 1, u.shape[1] - 1
    return _run("products", u, (3, n, m), n * m, (stretch, weight), (n, m))


def diffusivity(
    j: NDArray[Any],
    alpha: float,
    contrast: float,
    stretch: NDArray[Any] | None,
    share: NDArray[Any] | None,
    weight: NDArray[Any] | None,
) -> NDArray[Any]:
    """Make the diffusion tensor; see `magxr.kernels.diffusion_parts.diffusivity`."""
    _, n, m = j.shape
    reals = alpha, 0.5 * (1.0 - alpha), contrast, TINY
    return _run("diffusivity", j, j.shape, n * m, (stretch, share, weight), (n, m), reals)


def updated(
    u: NDArray[Any], d: NDArray[Any], rate: NDArray[Any], hourglass: float, fixed: NDArray[Any] | None
) -> NDArray[Any]:
    """Take a time step; see `magxr.kernels.diffusion_parts.updated`."""
    n, m = u.shape[0] - 2, u.shape[1] - 2
    return _run("updated", u, (n, m), n * m, (d, rate, fixed), (n, m, len(rate)), (hourglass,))


def _run(
    name: str,
    x: NDArray[Any],
    shape: tuple[int, ...],
    threads: int,
    others: tuple[NDArray[Any] | None, ...],
    sizes: tuple[int, ...],
    reals: tuple[float, ...] = (),
) -> NDArray[Any]:
    """Start a kernel: ``x``, the other arrays, the result, sizes, which optional arrays there are, reals."""
    xp = array_module(x)
    arrays = [xp.ascontiguousarray(a) for a in (x, *(a for a in others if a is not None))]
    given = iter(arrays[1:])
    # A kernel does not look at what is not there, but wants an address.
    passed = [next(given) if a is not None else arrays[0] for a in others]
    there = [np.int64(a is not None) for a in others[_OPTIONAL[name] :]]
    out: NDArray[Any] = xp.empty(shape, dtype=x.dtype)
    kernel = _module(xp, "float" if x.dtype == np.float32 else "double").get_function(name)
    kernel(
        (-(-threads // THREADS),),
        (THREADS,),
        (arrays[0], *passed, out, *map(np.int64, sizes), *there, *map(x.dtype.type, reals)),
    )
    return out


_OPTIONAL = {"along": 1, "down": 1, "products": 0, "diffusivity": 0, "updated": 2}
"""From which of its other arrays on they are optional."""


def options(real: str) -> tuple[str, ...]:
    """Return what the compiler is told for one kind of floats, ``float`` or ``double``."""
    return f"-DREAL={real}", "--fmad=false", "--std=c++14"


@cache
def _module(xp: Any, real: str) -> Any:
    """Compile the kernels; CuPy keeps the result on disk."""
    return xp.RawModule(code=SOURCE, options=options(real))

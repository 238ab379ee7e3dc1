r"""The diffusion tensor of a row of cells, from the structure tensor without eigenvectors.

With :math:`d = J_{11} - J_{22}, e = 2 J_{12}, s^2 = d^2 + e^2 = (\mu_1 - \mu_2)^2` and
:math:`\ell = (1 - \alpha) \exp(-C / s^2)`,

.. math:: D_{11} = \alpha + \tfrac{\ell}{2} (1 - d / s), \quad D_{22} = \alpha + \tfrac{\ell}{2} (1 + d / s),
          \quad D_{12} = -\tfrac{\ell}{2} e / s

is :math:`\alpha + \ell` along the stripes and :math:`\alpha` across them (Weickert 1999).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from llvmlite import ir  # type: ignore[import-untyped]  # it has no types
from numba import njit, types
from numba.extending import intrinsic, overload

from magxr.kernels.fir import STRICT, STRIP

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

# log2(e), ln 2 in two parts.
_EXP = (1.4426950408889634, 0.693145751953125, 1.4286068203094172e-06)
# The Taylor series of exp, highest power first: to rounding for |x| <= ln 2 / 2 in float32 and float64.
_SERIES_32 = tuple(np.float32(1.0 / f) for f in (5040, 720, 120, 24, 6, 2))
_SERIES_64 = tuple(
    np.float64(1.0 / f)
    for f in (6227020800, 479001600, 39916800, 3628800, 362880, 40320, 5040, 720, 120, 24, 6, 2)
)


def rule(alpha: float, contrast: float, dtype: np.dtype[Any]) -> NDArray[Any]:
    """Return the constants of `diffusion_tensor` in the dtype of the data.

    ``contrast`` is C for gradients that are dimensionless: divided by the scale.
    """
    lowest = -87.0 if dtype == np.float32 else -708.0
    return np.array([alpha, 1.0 - alpha, -contrast, 0.5, 1.0, 1e-30, lowest, *_EXP], dtype=dtype)


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


def _series(t: Any, one: Any) -> Any:  # pragma: no cover - compiled
    """Return exp(t) for a small t by as many terms as the dtype needs."""
    raise NotImplementedError


@overload(_series, inline="always")
def _compiled_series(t: Any, one: Any) -> Callable[..., Any]:  # pragma: no cover - compiled
    if t.bitwidth == 32:
        s7, s6, s5, s4, s3, s2 = _SERIES_32

        def short(t: Any, one: Any) -> Any:
            return (((((((s7 * t + s6) * t + s5) * t + s4) * t + s3) * t + s2) * t) + one) * t + one

        return short
    c13, c12, c11, c10, c9, c8, c7, c6, c5, c4, c3, c2 = _SERIES_64

    def long(t: Any, one: Any) -> Any:
        s = ((((c13 * t + c12) * t + c11) * t + c10) * t + c9) * t + c8
        s = (((((s * t + c7) * t + c6) * t + c5) * t + c4) * t + c3) * t + c2
        return (s * t + one) * t + one

    return long


@njit(**STRICT)
def diffusion_tensor(f: NDArray[Any], constants: NDArray[Any], stretch: Any, n: int) -> None:
    """Replace a row of d, e (planes of ``STRIP`` cells) by the fluxes' D11, D12, D22.

    ``stretch`` is the height of the row's cells over their width. D itself is that of directions and
    lengths on the ground; a flux through a side is proportional to the side's length, a gradient to one over
    the distance, which makes D11 grow by ``stretch`` and D22 shrink.
    """
    alpha, rest, less_contrast = constants[0], constants[1], constants[2]
    half, one, tiny, lowest = constants[3], constants[4], constants[5], constants[6]
    log2e, ln2_high, ln2_low = constants[7], constants[8], constants[9]
    shrink = one / stretch
    for j in range(n):
        d = f[j]
        e = f[STRIP + j]
        inverse = one / np.sqrt(d * d + e * e + tiny)
        x = max(less_contrast * (inverse * inverse), lowest)
        k = np.floor(x * log2e + half)
        t = (x - k * ln2_high) - k * ln2_low
        along = half * (rest * (_series(t, one) * _two_to(k)))  # type: ignore[call-arg]  # numba gives the context
        turn = along * inverse
        mean = alpha + along
        f[j] = stretch * (mean - turn * d)
        f[STRIP + j] = -(turn * e)
        f[2 * STRIP + j] = shrink * (mean + turn * d)

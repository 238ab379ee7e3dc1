"""What flows through a row of cells, and what the pixels between two rows of cells make of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from numba import njit

from magxr.kernels.diffusivity import diffusion_tensor
from magxr.kernels.fir import STRICT, STRIP, up64

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from magxr.kernels.field import Field

ALPHA_E = 0.4
"""Share of the stencil family: 0.5 leaves the checkerboard alone, less damps it."""


@njit(**STRICT)
def hourglass(like: NDArray[Any]) -> Any:
    """Return the factor of the part that damps the checkerboard, in the dtype of ``like``."""
    return like.dtype.type(1.0 - 2.0 * ALPHA_E)


@njit(**STRICT)
def _flux(a: Any, b: Any, c: Any, u00: Any, u10: Any, u01: Any, u11: Any, factor: Any) -> Any:
    """Return fx + fy, fx - fy and the hourglass part of one cell, all four times too large."""
    dx = (u10 - u00) + (u11 - u01)
    dy = (u01 - u00) + (u11 - u10)
    q = (u11 - u01) - (u10 - u00)
    fx = a * dx + b * dy
    fy = b * dx + c * dy
    return fx + fy, fx - fy, factor * (a + c) * q


@njit(**STRICT)
def fluxes(f: NDArray[Any], g: NDArray[Any], factor: Any, n: int) -> None:
    """Replace a row of D by what the corners of its cells gain.

    ``g`` holds the pixels below and, ``2 * STRIP`` further on, above.
    """
    for j in range(n):
        f[j], f[STRIP + j], f[2 * STRIP + j] = _flux(
            f[j],
            f[STRIP + j],
            f[2 * STRIP + j],
            g[j],
            g[j + 1],
            g[2 * STRIP + j],
            g[2 * STRIP + j + 1],
            factor,
        )


@njit(**STRICT)
def frozen_fluxes(
    d: NDArray[Any], below: NDArray[Any], above: NDArray[Any], factor: Any, f: NDArray[Any], n: int
) -> None:
    """Put what the corners of a row of cells gain into ``f`` and leave D, ``d``, as it is.

    Not one function with `fluxes`: arrays that overlap would keep the loop from being vectorised.
    """
    for j in range(n):
        f[j], f[STRIP + j], f[2 * STRIP + j] = _flux(
            d[j],
            d[STRIP + j],
            d[2 * STRIP + j],
            below[j],
            below[j + 1],
            above[j],
            above[j + 1],
            factor,
        )


@njit(**STRICT)
def updated(
    below: NDArray[Any], above: NDArray[Any], u: NDArray[Any], gain: Any, out: NDArray[Any], n: int
) -> None:
    """Add up the four cells around each pixel of the row between two rows of cells."""
    for j in range(n):
        even = (below[j] - above[j + 1]) + (above[STRIP + j] - below[STRIP + j + 1])
        odd = (below[2 * STRIP + j] + above[2 * STRIP + j + 1]) - (
            below[2 * STRIP + j + 1] + above[2 * STRIP + j]
        )
        out[j] = u[j] - gain * (even + odd)


@njit(**STRICT)
def weigh(f: NDArray[Any], weight: NDArray[Any]) -> None:
    """Turn weighted sums of a row of the tensor into weighted means; 0 in closed cells."""
    for j in range(weight.size):
        f[j] = f[j] * weight[j]
        f[STRIP + j] = f[STRIP + j] * weight[j]


@njit(**STRICT)
def insulate(f: NDArray[Any], row: int, rows: int, west: int, wide: int, columns: int) -> None:
    """Make J12 0 across true edges, where it is so by symmetry; rounding must not let the mean drift."""
    if row == -1 or row == rows - 1:
        f[STRIP : STRIP + wide + 1] = 0
    if west == 0:
        f[STRIP] = 0
    if west + wide == columns:
        f[STRIP + wide] = 0


@njit(**STRICT)
def close(f: NDArray[Any], weight: NDArray[Any]) -> None:
    """Let nothing flow through closed cells."""
    for j in range(weight.size):
        f[j] = f[j] if weight[j] > 0 else 0
        f[STRIP + j] = f[STRIP + j] if weight[j] > 0 else 0
        f[2 * STRIP + j] = f[2 * STRIP + j] if weight[j] > 0 else 0


@njit(**STRICT)
def diffusivity_of_cells(
    f: NDArray[Any],
    field: Field,
    opened: NDArray[Any],
    constants: NDArray[Any],
    row: int,
    west: int,
    wide: int,
) -> None:
    """Turn a row of the tensor of the cells around ``wide`` pixels from ``west`` on into that of diffusion.

    ``opened`` holds the weights of means near gaps and barriers, 0 where nothing may flow.
    """
    n, m = field.values.shape
    if field.masked:
        weigh(f, opened[row + 1, west : west + wide + 1])
    insulate(f, row, n, west, wide, m)
    diffusion_tensor(f, constants, field.stretch[row + 1], up64(wide + 1))
    if field.masked:
        close(f, opened[row + 1, west : west + wide + 1])

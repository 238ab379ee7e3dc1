"""What a row of pixels gains from its neighbours, by the two schemes of `magxr.kernels.pixels`.

Rows of the tensor lie in three planes of ``STRIP`` values and begin a pixel west of those that are wanted;
lines of the anomaly take ``LINE`` values and begin two pixels west. What is computed for the edges of vectors
and is nobody's pixel is finite and never looked at.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from numba import njit

from magxr.kernels.fir import STRICT, STRIP

if TYPE_CHECKING:
    from numpy.typing import NDArray

LINE = STRIP + 64
"""Values from one line of the anomaly to the next."""


@njit(**STRICT)
def mirror_rows(source: NDArray[Any], out: NDArray[Any]) -> None:
    """Continue a row beyond the southern or northern edge: D12, or the flux along columns, turns its sign."""
    for j in range(STRIP):
        out[j] = source[j]
        out[STRIP + j] = -source[STRIP + j]
        out[2 * STRIP + j] = source[2 * STRIP + j]


@njit(**STRICT)
def mirror_columns(f: NDArray[Any], west: int, wide: int, columns: int, odd: int) -> None:
    """Continue a row beyond the western and eastern edge; plane ``odd`` turns its sign."""
    for part in range(3):
        plane = f[part * STRIP : (part + 1) * STRIP]
        if west == 0:
            plane[0] = -plane[1] if part == odd else plane[1]
        if west + wide == columns:
            plane[wide + 1] = -plane[wide] if part == odd else plane[wide]


@njit(**STRICT)
def halves(f: NDArray[Any], n: int) -> None:
    """Turn a row of D into each pixel's half of its weights: ``D11 - |D12|``, ``D12``, ``D22 - |D12|``."""
    for j in range(n):
        size = abs(f[STRIP + j])
        f[j] = f[j] - size
        f[2 * STRIP + j] = f[2 * STRIP + j] - size


@njit(**STRICT)
def narrow(f: NDArray[Any], whole: NDArray[Any], zero: Any) -> None:
    """Leave pixels next to gaps (0 in ``whole``) no diagonals, and nothing negative that these made good."""
    for j in range(whole.size):
        a, c = f[j], f[2 * STRIP + j]
        f[j] = max(a, zero) if whole[j] == zero else a
        f[STRIP + j] = zero if whole[j] == zero else f[STRIP + j]
        f[2 * STRIP + j] = max(c, zero) if whole[j] == zero else c


@njit(**STRICT)
def exchanges(d: NDArray[Any], u: NDArray[Any], zero: Any, out: NDArray[Any], n: int) -> None:
    """Put twice what goes from one pixel to the other into ``out``, by kind of edge between them.

    Planes of ``out``: up, up and east, up (from a column further east) and west, and along the upper row.
    ``d`` holds the weights of the lower and the upper row, ``u`` their lines, both from the same column on.
    """
    for j in range(n):
        low, low_east = u[j], u[j + 1]
        high, high_east = u[LINE + j], u[LINE + j + 1]
        b_low, b_low_east = d[STRIP + j], d[STRIP + j + 1]
        b_high, b_high_east = d[4 * STRIP + j], d[4 * STRIP + j + 1]
        out[j] = (d[2 * STRIP + j] + d[5 * STRIP + j]) * (high - low)
        out[STRIP + j] = (max(b_low, zero) + max(b_high_east, zero)) * (high_east - low)
        out[2 * STRIP + j] = (max(-b_low_east, zero) + max(-b_high, zero)) * (high - low_east)
        out[3 * STRIP + j] = (d[3 * STRIP + j] + d[3 * STRIP + j + 1]) * (high_east - high)


@njit(**STRICT)
def close_edges(f: NDArray[Any], below: NDArray[Any], above: NDArray[Any], zero: Any) -> None:
    """Let nothing pass between a pixel and a gap; diagonals have none beside them, see `narrow`."""
    for j in range(above.size - 1):
        f[j] = f[j] if below[j] > zero and above[j] > zero else zero
        f[3 * STRIP + j] = f[3 * STRIP + j] if above[j] > zero and above[j + 1] > zero else zero


@njit(**STRICT)
def gained(
    below: NDArray[Any], above: NDArray[Any], u: NDArray[Any], gain: Any, out: NDArray[Any], n: int
) -> None:
    """Add up the eight edges of each pixel of the row between two rows of `exchanges`."""
    for j in range(n):
        sides = (below[3 * STRIP + j + 1] - below[3 * STRIP + j]) + (above[j + 1] - below[j + 1])
        rising = above[STRIP + j + 1] - below[STRIP + j]
        falling = above[2 * STRIP + j] - below[2 * STRIP + j + 1]
        out[j] = u[j] + gain * (sides + (rising + falling))


@njit(**STRICT)
def scharr_fluxes(f: NDArray[Any], u: NDArray[Any], weights: NDArray[Any], n: int) -> None:
    """Replace a row of D by 32 times the flux D grad u, from three lines of ``u``."""
    three, ten = weights[0], weights[1]
    for j in range(n):
        low, low_2 = u[j], u[j + 2]
        high, high_2 = u[2 * LINE + j], u[2 * LINE + j + 2]
        gx = three * ((low_2 - low) + (high_2 - high)) + ten * (u[LINE + j + 2] - u[LINE + j])
        gy = three * ((high - low) + (high_2 - low_2)) + ten * (u[2 * LINE + j + 1] - u[j + 1])
        a, b, c = f[j], f[STRIP + j], f[2 * STRIP + j]
        f[j] = a * gx + b * gy
        f[STRIP + j] = b * gx + c * gy


@njit(**STRICT)
def scharr_divergence(
    f: NDArray[Any], u: NDArray[Any], weights: NDArray[Any], gain: Any, out: NDArray[Any], n: int
) -> None:
    """Add the divergence of three rows of fluxes to the row in the middle."""
    three, ten = weights[0], weights[1]
    for j in range(n):
        outer = (f[j + 2] - f[j]) + (f[6 * STRIP + j + 2] - f[6 * STRIP + j])
        along = three * outer + ten * (f[3 * STRIP + j + 2] - f[3 * STRIP + j])
        outer = (f[7 * STRIP + j] - f[STRIP + j]) + (f[7 * STRIP + j + 2] - f[STRIP + j + 2])
        down = three * outer + ten * (f[7 * STRIP + j + 1] - f[STRIP + j + 1])
        out[j] = u[j] + gain * (along + down)

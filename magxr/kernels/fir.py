"""Gaussian filters of finite support with run-time radius, for rows and columns of a strip.

Each pixel goes through the same sequence of operations wherever its block begins or ends: rows are padded
to whole vectors so that no loop has a scalar tail, and the edge is an even (half-sample) mirror that is
gathered, never special-cased. That is what makes blocks equal the whole grid bit for bit.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np
from numba import njit

if TYPE_CHECKING:
    from numpy.typing import NDArray

STRIP = 512
"""Values in one row of a strip; a constant of the compiled code."""
TRUNCATE = 3.0
"""Where Gaussians are cut, in standard deviations."""

# Strict code may be vectorised but not reordered or fused. The sums may fuse multiply and add; they are
# written so that there is one way to do so.
STRICT: dict[str, Any] = {"cache": True, "nogil": True, "error_model": "numpy"}
FUSED: dict[str, Any] = {**STRICT, "fastmath": {"contract"}}


def gaussian_radius(sigma: float, truncate: float = TRUNCATE) -> int:
    """Return the radius in pixels of the Gaussian of standard deviation ``sigma``: ``ceil(3 sigma)``."""
    return math.ceil(truncate * sigma - 1e-9)


def gaussian_taps(sigma: float, truncate: float = TRUNCATE) -> NDArray[np.float64]:
    """Return the centre and one side of a sampled Gaussian that sums to one.

    Parameters
    ----------
    sigma : float
        Standard deviation, pixels; 0 gives the identity.
    truncate : float
        Where it is cut, standard deviations.

    Returns
    -------
    ndarray, shape (radius + 1,), float64
    """
    k = np.arange(gaussian_radius(sigma, truncate) + 1, dtype=np.float64)
    taps = np.exp(-0.5 * (k / sigma) ** 2) if sigma > 0 else np.ones(1)
    weights: NDArray[np.float64] = taps / (taps[0] + 2 * taps[1:].sum())
    return weights


def taps_by_row(sigma: float, stretch: NDArray[Any], truncate: float = TRUNCATE) -> NDArray[np.float64]:
    """Return half a Gaussian for every row, ``sigma * stretch`` pixels wide there, filled up with zeros.

    One row of taps serves for all where ``stretch`` is 1 everywhere. A zero more does not change a sum, so
    that the width of the widest row of a block does not matter.
    """
    if (stretch == 1.0).all():
        return gaussian_taps(sigma, truncate)[None, :]
    halves = [gaussian_taps(sigma * float(s), truncate) for s in stretch]
    out = np.zeros((len(halves), max(h.size for h in halves)))
    for row, half in zip(out, halves, strict=True):
        row[: half.size] = half
    return out


def padded(taps: NDArray[np.float64], dtype: np.dtype[Any]) -> NDArray[Any]:
    """Fill half kernels with zeros to one plus a multiple of 4 taps, as the unrolled loops want it."""
    more = -(taps.shape[-1] - 1) % 4
    return np.pad(taps, [(0, 0)] * (taps.ndim - 1) + [(0, more)]).astype(dtype)


def unfolded(taps: NDArray[Any]) -> NDArray[Any]:
    """Return the whole kernel between three zeros on either side, as `fir_down` wants it."""
    return np.pad(np.concatenate([taps[:0:-1], taps]), 3)


@njit(**STRICT)
def mirror(i: int, n: int) -> int:
    """Fold an index back into 0..n-1 at half-sample mirrors, as often as it takes."""
    if 0 <= i < n:
        return i
    i %= 2 * n
    return i if i < n else 2 * n - 1 - i


@njit(**STRICT)
def up64(n: int) -> int:
    """Round up to whole vectors (16 lanes, unrolled by 4), so that no loop has a tail."""
    return (n + 63) // 64 * 64


@njit(**STRICT)
def copy(src: NDArray[Any], dst: NDArray[Any]) -> None:
    """Copy a row; both start at 0, without which the loop is not vectorised."""
    for j in range(dst.size):
        dst[j] = src[j]


@njit(**STRICT)
def gather(u: NDArray[Any], row: int, col: int, out: NDArray[Any]) -> None:
    """Copy one row from ``col`` on, continued by mirrors beyond the edges."""
    gather_line(u[mirror(row, u.shape[0])], col, out)


@njit(**STRICT)
def gather_line(line: NDArray[Any], col: int, out: NDArray[Any]) -> None:
    """Copy a row from ``col`` on, continued by mirrors beyond its ends."""
    m = line.size
    lo = min(out.size, max(0, -col))
    hi = max(lo, min(out.size, m - col))
    for j in range(lo):
        out[j] = line[mirror(col + j, m)]
    if hi > lo:
        copy(line[col + lo : col + hi], out[lo:hi])
    for j in range(hi, out.size):
        out[j] = line[mirror(col + j, m)]


@njit(**FUSED)
def fir_along(src: NDArray[Any], taps: NDArray[Any], dst: NDArray[Any], n: int) -> None:
    """Convolve a row: ``dst[j]`` is centred on ``src[j + radius]``."""
    radius = taps.size - 1
    centre = src[radius:]
    w0 = taps[0]
    for j in range(n):
        dst[j] = w0 * centre[j]
    for k in range(1, radius, 4):
        w1, w2, w3, w4 = taps[k], taps[k + 1], taps[k + 2], taps[k + 3]
        left = src[radius - k - 3 :]
        right = src[radius + k :]
        for j in range(n):
            acc = dst[j]
            acc += w1 * (left[j + 3] + right[j])
            acc += w2 * (left[j + 2] + right[j + 1])
            acc += w3 * (left[j + 1] + right[j + 2])
            acc += w4 * (left[j] + right[j + 3])
            dst[j] = acc


@njit(**FUSED)
def fir_ring(ring: NDArray[Any], row: int, taps: NDArray[Any], dst: NDArray[Any], n: int) -> None:
    """Convolve down the rows of a ring buffer (row ``i`` lies at ``i % size``), centred on ``row``."""
    size = ring.shape[0]
    centre = ring[row % size]
    w0 = taps[0]
    for j in range(n):
        dst[j] = w0 * centre[j]
    for k in range(1, taps.size - 1, 2):
        w1, w2 = taps[k], taps[k + 1]
        a, b = ring[(row - k) % size], ring[(row + k) % size]
        c, d = ring[(row - k - 1) % size], ring[(row + k + 1) % size]
        for j in range(n):
            acc = dst[j]
            acc += w1 * (a[j] + b[j])
            acc += w2 * (c[j] + d[j])
            dst[j] = acc


@njit(**FUSED)
def fir_down(src: NDArray[Any], kernel: NDArray[Any], dst: NDArray[Any], n: int) -> None:
    """Convolve down four rows at once.

    ``src`` holds rows of ``STRIP`` values; ``dst`` gets a row every ``3 * STRIP`` values, the first one
    centred on row ``radius`` of ``src``. ``kernel`` is `unfolded`.
    """
    for j in range(n):
        dst[j] = 0
        dst[3 * STRIP + j] = 0
        dst[6 * STRIP + j] = 0
        dst[9 * STRIP + j] = 0
    for k in range(0, kernel.size - 6, 4):
        w0, w1, w2, w3 = kernel[k], kernel[k + 1], kernel[k + 2], kernel[k + 3]
        w4, w5, w6 = kernel[k + 4], kernel[k + 5], kernel[k + 6]
        rows = src[k * STRIP :]
        for j in range(n):
            a, b = rows[j], rows[STRIP + j]
            c, d = rows[2 * STRIP + j], rows[3 * STRIP + j]
            s0, s1 = dst[j], dst[3 * STRIP + j]
            s2, s3 = dst[6 * STRIP + j], dst[9 * STRIP + j]
            s0 += w3 * a
            s1 += w2 * a
            s2 += w1 * a
            s3 += w0 * a
            s0 += w4 * b
            s1 += w3 * b
            s2 += w2 * b
            s3 += w1 * b
            s0 += w5 * c
            s1 += w4 * c
            s2 += w3 * c
            s3 += w2 * c
            s0 += w6 * d
            s1 += w5 * d
            s2 += w4 * d
            s3 += w3 * d
            dst[j] = s0
            dst[3 * STRIP + j] = s1
            dst[6 * STRIP + j] = s2
            dst[9 * STRIP + j] = s3

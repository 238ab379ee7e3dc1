"""Convolutions of 3 x 3 in a quarter of the multiplications, by Winograd's minimal filtering.

A tile of 4 x 4 results needs 144 multiplications a pair of channels if it is done directly, and 36 if six
values of a polynomial stand for six pixels, along rows and along columns. What was one convolution becomes 36
products of matrices, which BLAS does at the full speed of a core.

References
----------
Winograd, Arithmetic complexity of computations, SIAM, 1980.
Lavin and Gray, Fast algorithms for convolutional neural networks, CVPR 2016: tiles, and sums over channels.
Barabasz et al., Error analysis and improving the accuracy of Winograd convolution, ACM TOMS 46, 2020: the
points at which polynomials are taken decide how much is lost to rounding.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from itertools import product
from typing import TYPE_CHECKING, Any

import numpy as np
from numba import njit

from magxr.kernels import pages
from magxr.kernels.fir import STRICT

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float32]

TILE = 4
"""Side of what is computed at once, cells."""
_PATCH = TILE + 2
_SPACE = 1 << 23
"""Bytes of work space a thread takes, about: a share of the cache that cores have in common."""

# Polynomials are taken at 0, +-A, +-B and infinity. With these points, exact in binary, results are off by
# 1.1e-6 of their size (root mean square, 256 channels), with the usual 1 and 2 by 2.5e-6, and by 1.6e-7 in a
# direct convolution.
_A, _B = 5 / 8, 3 / 2
_AA, _BB = _A * _A, _B * _B


def transformed(kernel: NDArray[np.floating[Any]]) -> Floats:
    """Return the weights of a convolution as `convolve` takes them.

    Parameters
    ----------
    kernel : ndarray of float, shape (3, 3, channels in, channels out)

    Returns
    -------
    ndarray of float32, shape (36, channels in, channels out)
        Four times as many numbers.
    """
    points = np.array([0.0, _A, -_A, _B, -_B])
    apart = points[:, None] - points
    np.fill_diagonal(apart, 1.0)
    rows = np.vstack([points[:, None] ** np.arange(3) / apart.prod(axis=1)[:, None], [0.0, 0.0, 1.0]])
    made = np.einsum("ai,bj,ijcn->abcn", rows, rows, kernel.astype(np.float64))
    return np.ascontiguousarray(made.reshape(_PATCH**2, *kernel.shape[2:]), np.float32)


def convolve(
    x: Floats,
    weights: Floats,
    bias: Floats,
    *,
    dilation: int = 1,
    skip: int = 0,
    pool: bool = False,
    threads: int = 1,
) -> Floats:
    """Convolve with 3 x 3 weights, add the bias, and put 0 in the place of what is negative.

    Parameters
    ----------
    x : ndarray of float32, shape (rows, columns, channels in)
    weights : ndarray of float32, shape (36, channels in, channels out)
        From `transformed`.
    bias : ndarray of float32, shape (channels out,)
    dilation : int
        Cells from one weight to the next.
    skip : int
        Rows and columns of ``x`` that are left out first.
    pool : bool
        Return the maxima of squares of 2 x 2, an odd row or column left out. Not with a dilation.
    threads : int
        Among which the tiles are shared. Hold BLAS to one thread meanwhile (`magxr.kernels.blas`).

    Returns
    -------
    ndarray of float32, shape (rows - skip - 2 * dilation, columns - skip - 2 * dilation, channels out)
        Of half the rows and columns if pooled. The same array gives the same bits on any number of threads;
        a part of it agrees with the whole to some 1e-6 of the size of values, since tiles begin elsewhere.
    """
    rows, columns = (n - skip - 2 * dilation for n in x.shape[:2])
    shrink = 2 if pool else 1
    out = pages.empty((rows // shrink, columns // shrink, weights.shape[2]), np.float32)
    tops, lefts = _tiles(rows, columns, dilation)
    channels = weights.shape[1] + weights.shape[2]
    # A multiple of the rows that BLAS takes at once.
    count = max(64, _SPACE // (4 * _PATCH**2 * channels) // 64 * 64)
    parts = [(tops[i : i + count], lefts[i : i + count]) for i in range(0, len(tops), count)]

    def work(first: int) -> None:
        given = np.zeros((_PATCH**2, count, weights.shape[1]), np.float32)
        made = np.empty((_PATCH**2, count, weights.shape[2]), np.float32)
        for part in parts[first::threads]:
            _spread(x, part[0] + skip, part[1] + skip, dilation, given)
            np.matmul(given, weights, out=made)
            _gather(made, *part, dilation, bias, shrink, rows, columns, out)

    with ThreadPoolExecutor(threads, thread_name_prefix="magxr-tiles") as crew:
        for _ in crew.map(work, range(threads)):
            pass
    return out


def convolve_plane(x: Floats, weights: Floats, bias: Floats, *, threads: int = 1) -> Floats:
    """Convolve one plane with 3 x 3 weights, directly; bias and negative values as in `convolve`.

    Parameters
    ----------
    x : ndarray of float32, shape (rows, columns)
    weights : ndarray of float32, shape (9, channels)
    bias : ndarray of float32, shape (channels,)
    threads : int
        Among which rows are shared.

    Returns
    -------
    ndarray of float32, shape (rows - 2, columns - 2, channels)
    """
    out = pages.empty((x.shape[0] - 2, x.shape[1] - 2, len(bias)), np.float32)
    with ThreadPoolExecutor(threads, thread_name_prefix="magxr-rows") as crew:
        for _ in crew.map(lambda k: _plane(x, weights, bias, k, threads, out), range(threads)):
            pass
    return out


@njit(**STRICT)
def _plane(x: Floats, weights: Floats, bias: Floats, first: int, every: int, out: Floats) -> None:
    for i in range(first, out.shape[0], every):
        for j in range(out.shape[1]):
            to = out[i, j]
            x0, x1, x2 = x[i, j], x[i, j + 1], x[i, j + 2]
            x3, x4, x5 = x[i + 1, j], x[i + 1, j + 1], x[i + 1, j + 2]
            x6, x7, x8 = x[i + 2, j], x[i + 2, j + 1], x[i + 2, j + 2]
            for c in range(len(bias)):
                total = bias[c] + x0 * weights[0, c] + x1 * weights[1, c] + x2 * weights[2, c]
                total += x3 * weights[3, c] + x4 * weights[4, c] + x5 * weights[5, c]
                total += x6 * weights[6, c] + x7 * weights[7, c] + x8 * weights[8, c]
                to[c] = max(total, np.float32(0))


def _tiles(rows: int, columns: int, dilation: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the first row and column of every tile; cells ``dilation`` apart make a tile."""
    firsts = [
        [np.arange(phase, n, TILE * dilation) for phase in range(min(dilation, n))] for n in (rows, columns)
    ]
    grids = [np.meshgrid(down, along, indexing="ij") for down, along in product(*firsts)]
    tops, lefts = (np.concatenate([np.zeros(0, np.int64), *(g[i].ravel() for g in grids)]) for i in (0, 1))
    return tops, lefts


@njit(**STRICT)
def _spread(x: Floats, tops: NDArray[np.int64], lefts: NDArray[np.int64], dilation: int, out: Floats) -> None:
    """Take the polynomials of every tile's 6 x 6 cells, columns first; beyond the array its last cells."""
    channels = x.shape[2]
    half = np.empty((6, 6, channels), np.float32)
    a, b, aa, bb = np.float32(_A), np.float32(_B), np.float32(_AA), np.float32(_BB)
    ends, middle = np.float32(_AA * _BB), np.float32(_AA + _BB)
    row = np.empty(6, np.int64)
    for t in range(len(tops)):
        for i in range(6):
            row[i] = min(tops[t] + dilation * i, x.shape[0] - 1)
        for j in range(6):
            column = min(lefts[t] + dilation * j, x.shape[1] - 1)
            x0, x1, x2 = x[row[0], column], x[row[1], column], x[row[2], column]
            x3, x4, x5 = x[row[3], column], x[row[4], column], x[row[5], column]
            to = half[j]
            for c in range(channels):
                even, odd = x4[c] - bb * x2[c], a * (x3[c] - bb * x1[c])
                more, less = x4[c] - aa * x2[c], b * (x3[c] - aa * x1[c])
                to[0, c] = ends * x0[c] - middle * x2[c] + x4[c]
                to[1, c] = even + odd
                to[2, c] = even - odd
                to[3, c] = more + less
                to[4, c] = more - less
                to[5, c] = ends * x1[c] - middle * x3[c] + x5[c]
        for i in range(6):
            x0, x1, x2 = half[0, i], half[1, i], half[2, i]
            x3, x4, x5 = half[3, i], half[4, i], half[5, i]
            y0, y1, y2 = out[6 * i, t], out[6 * i + 1, t], out[6 * i + 2, t]
            y3, y4, y5 = out[6 * i + 3, t], out[6 * i + 4, t], out[6 * i + 5, t]
            for c in range(channels):
                even, odd = x4[c] - bb * x2[c], a * (x3[c] - bb * x1[c])
                more, less = x4[c] - aa * x2[c], b * (x3[c] - aa * x1[c])
                y0[c] = ends * x0[c] - middle * x2[c] + x4[c]
                y1[c] = even + odd
                y2[c] = even - odd
                y3[c] = more + less
                y4[c] = more - less
                y5[c] = ends * x1[c] - middle * x3[c] + x5[c]


@njit(**STRICT)
def _gather(
    products: Floats,
    tops: NDArray[np.int64],
    lefts: NDArray[np.int64],
    dilation: int,
    bias: Floats,
    shrink: int,
    rows: int,
    columns: int,
    out: Floats,
) -> None:
    """Make every tile's 4 x 4 cells of the products, and put those that are there in their place."""
    channels = out.shape[2]
    half, tile = np.empty((6, 4, channels), np.float32), np.empty((4, 4, channels), np.float32)
    a, b, aa, bb = np.float32(_A), np.float32(_B), np.float32(_AA), np.float32(_BB)
    aaa, bbb = np.float32(_AA * _A), np.float32(_BB * _B)
    zero = np.float32(0)
    for t in range(len(tops)):
        for j in range(6):
            m0, m1, m2 = products[j, t], products[6 + j, t], products[12 + j, t]
            m3, m4, m5 = products[18 + j, t], products[24 + j, t], products[30 + j, t]
            to = half[j]
            for c in range(channels):
                even, odd = m1[c] + m2[c], m1[c] - m2[c]
                more, less = m3[c] + m4[c], m3[c] - m4[c]
                to[0, c] = m0[c] + even + more
                to[1, c] = a * odd + b * less
                to[2, c] = aa * even + bb * more
                to[3, c] = aaa * odd + bbb * less + m5[c]
        for i in range(4):
            m0, m1, m2 = half[0, i], half[1, i], half[2, i]
            m3, m4, m5 = half[3, i], half[4, i], half[5, i]
            to = tile[i]
            for c in range(channels):
                even, odd = m1[c] + m2[c], m1[c] - m2[c]
                more, less = m3[c] + m4[c], m3[c] - m4[c]
                to[0, c] = max(m0[c] + even + more + bias[c], zero)
                to[1, c] = max(a * odd + b * less + bias[c], zero)
                to[2, c] = max(aa * even + bb * more + bias[c], zero)
                to[3, c] = max(aaa * odd + bbb * less + m5[c] + bias[c], zero)
        tall = min(4, (rows - tops[t] + dilation - 1) // dilation)
        wide = min(4, (columns - lefts[t] + dilation - 1) // dilation)
        if shrink == 1:
            for i in range(tall):
                for j in range(wide):
                    out[tops[t] + dilation * i, lefts[t] + dilation * j] = tile[i, j]
            continue
        for i in range(tall // 2):
            for j in range(wide // 2):
                to = out[tops[t] // 2 + i : tops[t] // 2 + i + 1, lefts[t] // 2 + j]
                x0, x1 = tile[2 * i, 2 * j], tile[2 * i, 2 * j + 1]
                x2, x3 = tile[2 * i + 1, 2 * j], tile[2 * i + 1, 2 * j + 1]
                for c in range(channels):
                    to[0, c] = max(max(x0[c], x1[c]), max(x2[c], x3[c]))

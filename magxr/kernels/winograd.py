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
    half = np.empty((6, 6, x.shape[2]), np.float32)
    row = np.empty(6, np.int64)
    for t in range(len(tops)):
        for i in range(6):
            row[i] = min(tops[t] + dilation * i, x.shape[0] - 1)
        for j in range(6):
            k = min(lefts[t] + dilation * j, x.shape[1] - 1)
            _values(
                x[row[0], k], x[row[1], k], x[row[2], k], x[row[3], k], x[row[4], k], x[row[5], k],
                half[0, j], half[1, j], half[2, j], half[3, j], half[4, j], half[5, j],
            )  # fmt: skip
        for i in range(6):
            n = 6 * i
            _values(
                half[i, 0], half[i, 1], half[i, 2], half[i, 3], half[i, 4], half[i, 5],
                out[n, t], out[n + 1, t], out[n + 2, t], out[n + 3, t], out[n + 4, t], out[n + 5, t],
            )  # fmt: skip


@njit(**STRICT)
def _values(
    x0: Floats, x1: Floats, x2: Floats, x3: Floats, x4: Floats, x5: Floats,
    y0: Floats, y1: Floats, y2: Floats, y3: Floats, y4: Floats, y5: Floats,
) -> None:  # fmt: skip
    """Take the values at the six points of polynomials with given coefficients, of every channel."""
    a, b, aa, bb = np.float32(_A), np.float32(_B), np.float32(_AA), np.float32(_BB)
    ends, middle = np.float32(_AA * _BB), np.float32(_AA + _BB)
    for c in range(len(x0)):
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
    half, tile = np.empty((4, 6, channels), np.float32), np.empty((4, 4, channels), np.float32)
    zero = np.float32(0)
    for t in range(len(tops)):
        for j in range(6):
            _results(
                products[j, t], products[6 + j, t], products[12 + j, t],
                products[18 + j, t], products[24 + j, t], products[30 + j, t],
                half[0, j], half[1, j], half[2, j], half[3, j],
            )  # fmt: skip
        for i in range(4):
            _results(
                half[i, 0], half[i, 1], half[i, 2], half[i, 3], half[i, 4], half[i, 5],
                tile[i, 0], tile[i, 1], tile[i, 2], tile[i, 3],
            )  # fmt: skip
        tall = min(4, (rows - tops[t] + dilation - 1) // dilation)
        wide = min(4, (columns - lefts[t] + dilation - 1) // dilation)
        if shrink == 1:
            for i in range(tall):
                for j in range(wide):
                    to, x0 = out[tops[t] + dilation * i, lefts[t] + dilation * j], tile[i, j]
                    for c in range(channels):
                        to[c] = max(x0[c] + bias[c], zero)
            continue
        for i in range(tall // 2):
            for j in range(wide // 2):
                to = out[tops[t] // 2 + i, lefts[t] // 2 + j]
                x0, x1 = tile[2 * i, 2 * j], tile[2 * i, 2 * j + 1]
                x2, x3 = tile[2 * i + 1, 2 * j], tile[2 * i + 1, 2 * j + 1]
                for c in range(channels):
                    largest = max(max(x0[c], x1[c]), max(x2[c], x3[c]))
                    to[c] = max(largest + bias[c], zero)


@njit(**STRICT)
def _results(
    m0: Floats, m1: Floats, m2: Floats, m3: Floats, m4: Floats, m5: Floats,
    y0: Floats, y1: Floats, y2: Floats, y3: Floats,
) -> None:  # fmt: skip
    """Return to four results from the products of values at the six points, of every channel."""
    a, b, aa, bb = np.float32(_A), np.float32(_B), np.float32(_AA), np.float32(_BB)
    aaa, bbb = np.float32(_AA * _A), np.float32(_BB * _B)
    for c in range(len(m0)):
        even, odd = m1[c] + m2[c], m1[c] - m2[c]
        more, less = m3[c] + m4[c], m3[c] - m4[c]
        y0[c] = m0[c] + even + more
        y1[c] = a * odd + b * less
        y2[c] = aa * even + bb * more
        y3[c] = aaa * odd + bbb * less + m5[c]

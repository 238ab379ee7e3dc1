"""A convolution of 3 x 3 over one plane, done directly: nine multiplications a channel."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import numpy as np
from numba import njit

from magxr.kernels import pages
from magxr.kernels.fir import STRICT

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float32]


def convolve_plane(x: Floats, weights: Floats, bias: Floats, *, threads: int = 1) -> Floats:
    """Convolve one plane with 3 x 3 weights, add the bias, and put 0 in the place of what is negative.

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

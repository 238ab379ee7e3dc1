"""One step of the schemes with the tensor at pixels, row by row in strips that stay in cache."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numba import njit

from magxr.kernels.cells import close, weigh
from magxr.kernels.diffusion import hold
from magxr.kernels.diffusivity import diffusion_tensor
from magxr.kernels.fir import STRICT, STRIP, copy, gather, up64
from magxr.kernels.stencils import (
    LINE,
    close_edges,
    exchanges,
    gained,
    halves,
    mirror_columns,
    mirror_rows,
    narrow,
    scharr_divergence,
    scharr_fluxes,
)
from magxr.kernels.strip import ROWS, carry_rows, four_rows, make_buffers, more_rows, start_strip

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from magxr.kernels.field import Field, Taps


@njit(**STRICT)
def step(
    field: Field,
    opened: NDArray[Any],
    whole: NDArray[Any],
    taps: Taps,
    constants: NDArray[Any],
    gain: Any,
    sides: bool,
    held: NDArray[np.bool_],
    rows: tuple[int, int],
    cols: tuple[int, int],
    out: NDArray[Any],
) -> None:
    """Take one step on rows ``rows[0] .. rows[1]`` and columns ``cols[0] .. cols[1]``.

    A row of the tensor completes what the row of pixels before gains, by ``sides`` and diagonals or else
    by Scharr's filter. ``opened`` turns sums of the tensor into means, 0 where nothing flows; ``whole`` is 1
    where 3 x 3 pixels are valid, looked at with ``sides`` only. ``gain`` is the time step over the factor by
    which the sums of flows are too large.
    """
    u = field.values
    n, m = u.shape
    dtype = u.dtype
    zero, one = dtype.type(0), dtype.type(1)
    weights = np.array([3, 10]).astype(dtype)
    buffers = make_buffers(taps, min(STRIP, cols[1] - cols[0] + 2), 2)
    # Six rows of D or of fluxes: the last two of the four before, then four more.
    tensor = np.zeros(18 * STRIP + 64, dtype)
    edges = np.zeros((2, 4 * STRIP + 64), dtype)
    lines = np.zeros(3 * LINE + 64, dtype)
    seen = np.zeros((3, LINE), dtype)
    new = np.zeros(STRIP, dtype)
    n_rows = rows[1] - rows[0] + 2
    for west in range(cols[0], cols[1], STRIP - 2):
        wide = min(STRIP - 2, cols[1] - west)
        width = wide + 2
        vectors = up64(width)
        start_strip(field, taps, buffers, rows[0] - 1, west - 1, width)
        gather(u, rows[0] - 2, west - 2, lines[LINE : LINE + width + 2])
        gather(u, rows[0] - 1, west - 2, lines[2 * LINE : 2 * LINE + width + 2])
        for block in range(0, n_rows, ROWS):
            count = min(ROWS, (n_rows - block + 3) // 4 * 4)
            first = rows[0] - 1 + block
            more_rows(field, taps, buffers, first, west - 1, width, count)
            for at in range(0, count, 4):
                four_rows(taps, buffers, at, tensor[6 * STRIP :], width)
                for t in range(min(4, n_rows - block - at)):
                    i = first + at + t
                    f = tensor[3 * (t + 2) * STRIP :]
                    before = tensor[3 * (t + 1) * STRIP :]
                    copy(lines[LINE:], lines[: 2 * LINE])
                    gather(u, i + 1, west - 2, lines[2 * LINE : 2 * LINE + width + 2])
                    here = seen[i % 2, :width]
                    if field.masked:
                        gather(opened, i, west - 1, here)
                        weigh(f, here)
                    diffusion_tensor(f, constants, one, vectors)
                    if field.masked:
                        close(f, here)
                    if sides:
                        halves(f, vectors)
                        if field.masked:
                            gather(whole, i, west - 1, seen[2, :width])
                            narrow(f, seen[2, :width], zero)
                    else:
                        scharr_fluxes(f, lines, weights, vectors)
                    mirror_columns(f, west, wide, m, 1 if sides else 0)
                    # Beyond an edge: the row inside to the bit, so that what leaves one pixel enters another.
                    if i == 0:
                        mirror_rows(f, before)
                    if i == n:
                        mirror_rows(before, f)
                    if i < rows[0]:
                        continue
                    if sides:
                        exchanges(before, lines[1:], zero, edges[i % 2], vectors)
                        if field.masked:
                            close_edges(edges[i % 2], seen[(i - 1) % 2, :width], here, zero)
                    if i == rows[0]:
                        continue
                    if sides:
                        gained(edges[(i - 1) % 2], edges[i % 2], lines[2:], gain, new, up64(wide))
                    else:
                        scharr_divergence(tensor[3 * t * STRIP :], lines[2:], weights, gain, new, up64(wide))
                    line = out[i - 1, west : west + wide]
                    copy(new, line)
                    if held.size > 1:
                        hold(held[i - 1, west : west + wide], u[i - 1, west : west + wide], line)
                copy(tensor[12 * STRIP :], tensor[: 6 * STRIP])
            carry_rows(taps, buffers)

"""Coherence-enhancing diffusion by Fast Explicit Diffusion on the cell-centred stencil.

The diffusion tensor, nine tenths of an explicit step, is made once a cycle and stored; the steps of a cycle
differ in length and are stable as a whole (`magxr.kernels.cycles`). It is a scheme of its own, not the
explicit one made faster: the tensor lags behind by up to a cycle.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numba import njit

from magxr.kernels import pages
from magxr.kernels.cells import diffusivity_of_cells, frozen_fluxes, hourglass, updated
from magxr.kernels.core import Core, held_pixels, nothing, scales, unscaled
from magxr.kernels.diffusion import hold, radius
from magxr.kernels.diffusivity import rule
from magxr.kernels.field import Field, Taps, make_field, make_taps
from magxr.kernels.fir import STRICT, STRIP, TRUNCATE, copy, gather, mirror
from magxr.kernels.metric import Metric, stretched
from magxr.kernels.strip import ROWS, carry_rows, four_rows, make_buffers, more_rows, start_strip

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from magxr.kernels.cycles import Cycles
    from magxr.kernels.diffusion import Truncate

TOGETHER = 4
"""Steps of a cycle taken in one sweep: as many as keep their rows of the tensor and of fluxes in cache."""


def reach(cycle: tuple[float, ...], sigma: float, rho: float, *, stretch: float = 1.0) -> int:
    """Return how many pixels away one cycle looks, along rows whose pixels are ``stretch`` to a height."""
    return radius(sigma, rho, stretch=stretch) + len(cycle) - 1


def fed(
    u: NDArray[Any],
    *,
    cycles: Cycles,
    sigma: float,
    rho: float,
    alpha: float,
    contrast: float,
    scale: float,
    halo: tuple[int, int, int, int] = (0, 0, 0, 0),
    metric: Metric | None = None,
    fixed: NDArray[Any] | None = None,
    shut: NDArray[np.bool_] | None = None,
    truncate: Truncate = (TRUNCATE, TRUNCATE),
) -> NDArray[Any]:
    """Take all steps of all cycles and return the block without its halo.

    Parameters
    ----------
    u : ndarray, shape (n, m), float32 or float64
        Anomaly, nT. Cells that are not finite take no part and keep their value.
    cycles : tuple of tuples of float
        Step sizes, heights², by cycle, from `magxr.kernels.cycles.plan_cycles`.
    sigma, rho, alpha, contrast, scale, halo, metric, fixed, shut, truncate
        As for `magxr.kernels.diffusion.diffuse`.

    Returns
    -------
    ndarray, dtype of ``u``
        Shape of ``u`` less the halo. Bit-equal to the same cells of the whole grid where each halo is at
        least the sum of `reach` over the cycles. Takes 16 bytes a pixel (float32) beside ``u`` and what is
        returned: a copy and the tensor.

    References
    ----------
    Grewenig, S., Weickert, J. and Bruhn, A. (2010), From box filtering to fast explicit diffusion, DAGM,
    LNCS 6376, 533-542.
    """
    core = Core((u.shape[0], u.shape[1]), halo)
    if not scales(scale):
        return core.cut(unscaled(u, scale))
    if nothing(u):
        return core.cut(u).copy()
    metric = stretched(metric, u)
    field, mask = make_field(u, sigma, rho, metric, shut=shut, truncate=truncate)
    taps = make_taps(sigma, rho, u.dtype, metric, factor=1.0 / float(scale), truncate=truncate)
    constants = rule(alpha, contrast, u.dtype)
    held = held_pixels(fixed)
    old, new = field.values, pages.copied(field.values)
    tensor = pages.empty((u.shape[0] + 1, -(-u.shape[1] // (STRIP - 1)), 3 * STRIP), u.dtype)
    down = radius(sigma, rho, truncate=truncate)
    along = radius(sigma, rho, stretch=metric.widest, truncate=truncate)
    left = [sum(len(c) - 1 for c in cycles[k + 1 :]) for k in range(len(cycles))]
    for k, cycle in enumerate(cycles):
        # Only what the remaining steps will look at.
        more = len(cycles) - 1 - k
        deep, wide = left[k] + len(cycle) - 1 + more * down, left[k] + len(cycle) - 1 + more * along
        rows, cols = core.around(deep, wide)
        _freeze(field._replace(values=old), mask.open, taps, constants, rows, cols, tensor)
        gains = (0.25 * np.array(cycle)[:, None] * metric.pixels).astype(u.dtype)
        for first in range(0, len(cycle), TOGETHER):
            _flow(old, tensor, gains[first : first + TOGETHER], held, rows, cols, new)
            old, new = new, old
    return core.result(old, u, mask.valid)


@njit(**STRICT)
def _freeze(
    field: Field,
    opened: NDArray[Any],
    taps: Taps,
    constants: NDArray[Any],
    rows: tuple[int, int],
    cols: tuple[int, int],
    tensor: NDArray[Any],
) -> None:
    """Store the diffusion tensor of the cells around a range of pixels, by row and strip."""
    buffers = make_buffers(taps, min(STRIP, cols[1] - cols[0] + 1), 2)
    four = np.zeros(12 * STRIP + 64, field.values.dtype)
    n_rows = rows[1] - rows[0] + 1
    for west in range(cols[0], cols[1], STRIP - 1):
        wide = min(STRIP - 1, cols[1] - west)
        width = wide + 1
        strip = (west - cols[0]) // (STRIP - 1)
        start_strip(field, taps, buffers, rows[0] - 1, west - 1, width)
        for block in range(0, n_rows, ROWS):
            count = min(ROWS, (n_rows - block + 3) // 4 * 4)
            first = rows[0] - 1 + block
            more_rows(field, taps, buffers, first, west - 1, width, count)
            for at in range(0, count, 4):
                four_rows(taps, buffers, at, four, width)
                for t in range(min(4, n_rows - block - at)):
                    i = first + at + t
                    f = four[3 * t * STRIP :]
                    diffusivity_of_cells(f, field, opened, constants, i, west, wide)
                    copy(f, tensor[block + at + t, strip])
            carry_rows(taps, buffers)


@njit(**STRICT)
def _flow(
    u: NDArray[Any],
    tensor: NDArray[Any],
    gains: NDArray[Any],
    held: NDArray[np.bool_],
    rows: tuple[int, int],
    cols: tuple[int, int],
    out: NDArray[Any],
) -> None:
    """Take a step for each row of ``gains`` with the stored tensor on a range of rows and columns.

    One sweep through memory serves all: each step follows the one before by a row, while the tensor's rows
    are still in cache. Just outside the range values are stale from the second step on, which spoils one row
    and column of the range more with each step.
    """
    n, m = u.shape
    steps = gains.shape[0]
    strips = (cols[1] - cols[0] + STRIP - 2) // (STRIP - 1)
    flux = np.zeros((steps, 2, strips, 3 * STRIP + 64), u.dtype)
    # Three rows of what each step is given, from the column before the first to the one after the last.
    lines = np.zeros((steps, 3, m + 2 + 64), u.dtype)
    factor = hourglass(u)
    n_rows = rows[1] - rows[0] + 1
    gather(u, rows[0] - 1, -1, lines[0, mirror(rows[0] - 1, n) % 3, : m + 2])
    for sweep in range(n_rows + steps - 1):
        for step in range(max(0, sweep - n_rows + 1), min(steps, sweep + 1)):
            t = sweep - step
            i = rows[0] - 1 + t
            south, north = lines[step, mirror(i, n) % 3], lines[step, mirror(i + 1, n) % 3]
            if step == 0 and i < n - 1:
                gather(u, i + 1, -1, north[: m + 2])
            for strip in range(strips):
                west = cols[0] + strip * (STRIP - 1)
                wide = min(STRIP - 1, cols[1] - west)
                below, above = flux[step, (t + 1) % 2, strip], flux[step, t % 2, strip]
                frozen_fluxes(tensor[t, strip], south[west:], north[west:], factor, above, wide + 1)
                if t == 0:
                    continue
                old = south[west + 1 : west + 1 + wide]
                if step == steps - 1:
                    line = out[i, west : west + wide]
                else:
                    line = lines[step + 1, i % 3, west + 1 : west + 1 + wide]
                updated(below, above, old, gains[step, i], line, wide)
                if held.size > 1:
                    hold(held[i, west : west + wide], old, line)
            if t > 0 and step < steps - 1:
                made = lines[step + 1, i % 3]
                made[0] = made[1]
                made[m + 1] = made[m]

"""Rows of the structure tensor of averaged cells: smoothed values, products of the gradient, their averages.

Rows stream: each is made from a few rows before it that are still in cache. Values and gradients are
float64, for differences of values that are nearly equal; averages of products are float32, which loses
nothing that a mean over a window would show.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numba import njit

from magxr.kernels.fir import FUSED, STRICT, fir_along, gaussian_taps, mirror, padded

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]
    Singles = NDArray[np.float32]

RANGE = 3.0
"""Standard deviation of the structure tensor's averages, averaged cells."""
COHERENCE, UNIT, WEIGHTED, GRADIENT, EVEN, ODD, ENERGY, COUNT = 0, 1, 3, 5, 7, 8, 9, 10
"""Rows of ``Space.sums``: `UNIT`, `WEIGHTED` (by coherence) and `GRADIENT` directions have two."""
_SMOOTH, _SEEN = 1.0, 1.5
"""Standard deviations of the Gaussians before gradients, and of the one that tells what lies beside a gap."""
_TRUNCATE = 4.0
_RING = 32
"""Rows of products that are kept; more than an average spans."""
_ONE, _TINY = np.float32(1.0), np.float32(1e-12)


class Filters(NamedTuple):
    """Half Gaussians, as the unrolled loops want them."""

    smooth: Floats
    seen: Floats
    tensor: Singles


class Space(NamedTuple):
    """Work space for planes of up to as many columns."""

    line: Floats
    """A row with its margins."""
    single: Singles
    """The same."""
    smooth: Floats
    """Three rows of smoothed values, as a ring."""
    ring: Singles
    """Two parts of the doubled direction, the energy, and which cells count: rings of `_RING` rows."""
    gradient: Floats
    """Single rows: north, east, and one more."""
    products: Singles
    """Single rows: the three products, and one more."""
    tensor: Singles
    """Single rows: the three products averaged, and three more."""
    sums: Floats
    """Sums by column."""


def make_filters() -> Filters:
    """Return the filters."""
    double, single = np.dtype(np.float64), np.dtype(np.float32)
    smooth, seen = (padded(gaussian_taps(s, _TRUNCATE), double) for s in (_SMOOTH, _SEEN))
    return Filters(smooth, seen, padded(gaussian_taps(RANGE, _TRUNCATE), single))


def make_space(columns: int) -> Space:
    """Allocate work space for planes of up to ``columns`` columns (a multiple of 16)."""
    return Space(
        np.zeros(columns + 64),
        np.zeros(columns + 64, np.float32),
        np.zeros((3, columns)),
        np.zeros((4, _RING, columns), np.float32),
        np.zeros((3, columns)),
        np.zeros((4, columns), np.float32),
        np.zeros((6, columns), np.float32),
        np.zeros((COUNT + 1, columns)),
    )


@njit(**STRICT)
def smoothed_row(values: Floats, there: Floats, complete: bool, row: int, taps: Floats, space: Space) -> None:
    """Make a row of smoothed values; what is missing has no part in it.

    ``complete`` tells that nothing is missing near enough to matter: the weight is then 1 throughout.
    """
    m = values.shape[1]
    out = space.smooth[row % 3]
    _clamped(values, row, taps, space.line, out)
    if not complete:
        cover = space.gradient[2]
        _clamped(there, row, taps, space.line, cover)
        for j in range(m):
            out[j] = out[j] / max(cover[j], 1e-6)


@njit(**STRICT)
def counted_row(there: Floats, complete: bool, row: int, taps: Floats, space: Space) -> None:
    """Tell in which cells of a row gradients are not those of a gap's edge."""
    counted = space.ring[3, row % _RING]
    if complete:
        counted[:] = np.float32(1.0)
        return
    cover = space.gradient[2]
    _clamped(there, row, taps, space.line, cover)
    for j in range(there.shape[1]):
        counted[j] = np.float32(1.0) if cover[j] > 0.95 else np.float32(0.0)


@njit(**STRICT)
def product_row(row: int, n: int, m: int, taps: Singles, space: Space) -> None:
    """Take the gradient of a row, multiply, sum over single cells, and average along the row."""
    here = space.smooth[row % 3]
    north, east = space.gradient[0], space.gradient[1]
    even, odd, energy, one = space.products[0], space.products[1], space.products[2], space.products[3]
    before, behind = space.smooth[max(row - 1, 0) % 3], space.smooth[min(row + 1, n - 1) % 3]
    step = 0.5 if 0 < row < n - 1 else 1.0
    for j in range(m):
        north[j] = (behind[j] - before[j]) * step
    inside, right = east[1:], here[2:]
    for j in range(m - 2):
        inside[j] = (right[j] - here[j]) * 0.5
    east[0] = here[1] - here[0]
    east[n - 1] = here[n - 1] - here[n - 2]
    counted = space.ring[3, row % _RING]
    for j in range(m):
        even[j] = (east[j] * east[j] - north[j] * north[j]) * counted[j]
    for j in range(m):
        odd[j] = 2.0 * (east[j] * north[j]) * counted[j]
    for j in range(m):
        energy[j] = (east[j] * east[j] + north[j] * north[j]) * counted[j]
    for j in range(m):
        one[j] = _ONE / (energy[j] + _TINY)
    sums = space.sums
    _add_product(even, one, sums[GRADIENT], m)
    _add_product(odd, one, sums[GRADIENT + 1], m)
    _add(even, sums[EVEN], m)
    _add(odd, sums[ODD], m)
    _add(energy, sums[ENERGY], m)
    _add(counted, sums[COUNT], m)
    for k in range(3):
        _mirrored_along(space.products[k], n, taps, space.single, space.ring[k, row % _RING])


@njit(**STRICT)
def tensor_row(row: int, n: int, m: int, taps: Singles, space: Space) -> None:
    """Average down the rows of products, and sum coherence and direction."""
    even, odd, energy = space.tensor[0], space.tensor[1], space.tensor[2]
    length, unit, coherence = space.tensor[3], space.tensor[4], space.tensor[5]
    for k in range(3):
        _mirrored_down(space.ring[k], row, n, taps, space.tensor[k])
    counted = space.ring[3, row % _RING]
    for j in range(m):
        length[j] = np.sqrt(even[j] * even[j] + odd[j] * odd[j])
    for j in range(m):
        unit[j] = counted[j] / (length[j] + _TINY)
    for j in range(m):
        coherence[j] = length[j] / (energy[j] + _TINY)
    for j in range(m):
        even[j] = even[j] * unit[j]
    for j in range(m):
        odd[j] = odd[j] * unit[j]
    sums = space.sums
    _add_product(coherence, counted, sums[COHERENCE], m)
    _add(even, sums[UNIT], m)
    _add(odd, sums[UNIT + 1], m)
    _add_product(coherence, even, sums[WEIGHTED], m)
    _add_product(coherence, odd, sums[WEIGHTED + 1], m)


@njit(**FUSED)
def _clamped(plane: Floats, row: int, taps: Floats, margined: Floats, out: Floats) -> None:
    """Smooth one row of a plane, whose outermost values go on beyond its edges."""
    n, m = plane.shape
    radius, last = taps.size - 1, n - 1
    line = margined[radius : radius + m]
    w0, middle = taps[0], plane[row]
    for j in range(m):
        line[j] = w0 * middle[j]
    for k in range(1, radius, 2):
        w1, w2 = taps[k], taps[k + 1]
        a, b = plane[max(row - k, 0)], plane[min(row + k, last)]
        c, d = plane[max(row - k - 1, 0)], plane[min(row + k + 1, last)]
        for j in range(m):
            acc = line[j]
            acc += w1 * (a[j] + b[j])
            acc += w2 * (c[j] + d[j])
            line[j] = acc
    for j in range(radius):
        margined[j] = line[0]
        margined[radius + n + j] = line[last]
    fir_along(margined, taps, out, m)


@njit(**STRICT)
def _mirrored_along(row: Singles, n: int, taps: Singles, margined: Singles, out: Singles) -> None:
    """Smooth a row, mirrored at its ends."""
    radius, m = taps.size - 1, out.size
    line = margined[radius : radius + m]
    for j in range(m):
        line[j] = row[j]
    for j in range(radius):
        margined[radius - 1 - j] = row[mirror(-1 - j, n)]
        margined[radius + n + j] = row[mirror(n + j, n)]
    fir_along(margined, taps, out, m)


@njit(**FUSED)
def _mirrored_down(ring: Singles, row: int, n: int, taps: Singles, out: Singles) -> None:
    """Smooth down the rows of a ring, mirrored at the first and the last."""
    m = out.size
    w0, middle = taps[0], ring[row % _RING]
    for j in range(m):
        out[j] = w0 * middle[j]
    for k in range(1, taps.size - 1, 4):
        w1, w2, w3, w4 = taps[k], taps[k + 1], taps[k + 2], taps[k + 3]
        a, b = ring[mirror(row - k, n) % _RING], ring[mirror(row + k, n) % _RING]
        c, d = ring[mirror(row - k - 1, n) % _RING], ring[mirror(row + k + 1, n) % _RING]
        e, f = ring[mirror(row - k - 2, n) % _RING], ring[mirror(row + k + 2, n) % _RING]
        g, h = ring[mirror(row - k - 3, n) % _RING], ring[mirror(row + k + 3, n) % _RING]
        for j in range(m):
            acc = out[j]
            acc += w1 * (a[j] + b[j])
            acc += w2 * (c[j] + d[j])
            acc += w3 * (e[j] + f[j])
            acc += w4 * (g[j] + h[j])
            out[j] = acc


@njit(**STRICT)
def _add(row: NDArray[Any], to: Floats, m: int) -> None:
    for j in range(m):
        to[j] += row[j]


@njit(**STRICT)
def _add_product(one: NDArray[Any], other: NDArray[Any], to: Floats, m: int) -> None:
    for j in range(m):
        to[j] += one[j] * other[j]

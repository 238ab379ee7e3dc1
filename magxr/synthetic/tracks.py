"""Ship tracks and what is made of them: which cells were measured, and a grid interpolated from those."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from magxr.synthetic import noise

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from magxr.synthetic.plane import Plane

    Floats = NDArray[np.floating[Any]]
    Ints = NDArray[np.int64]

_LATTICE = 20.0
"""Distance over which the noise along a track is correlated, km."""


@dataclass(frozen=True, slots=True)
class Tracks:
    """A family of roughly parallel tracks."""

    azimuth: float = 0.0
    """Of the tracks, degrees from north."""
    spacing: float = 20.0
    """Mean distance between neighbours, km."""
    jitter: float = 0.6
    """Departure of a track from even spacing, in spacings (full range)."""
    meander: tuple[float, float] = (2.0, 200.0)
    """Amplitude and wavelength of a track's bends, km."""
    leg: float = 300.0
    """Length of the pieces that were or were not sailed, km."""
    kept: float = 1.0
    """Share of the legs that were sailed."""
    level: float = 10.0
    """Standard deviation of the offset of a whole track (diurnal variation, levelling), nT."""
    noise: float = 5.0
    """Standard deviation of the noise along a track, correlated over 20 km, nT."""
    disc: tuple[float, float, float] | None = None
    """Sailed only within this circle: easting, northing, radius, km."""

    def cells(
        self, seed: int, name: str, plane: Plane, rows: tuple[int, int], cols: tuple[int, int]
    ) -> tuple[Ints, Ints, Floats]:
        """Return the rows and columns (relative to the window) that the tracks pass, and the error there."""
        height, width = plane.cell
        azimuth = np.radians(self.azimuth)
        corner_e = width * np.array([cols[0], cols[1], cols[0], cols[1]])
        corner_n = height * np.array([rows[0], rows[0], rows[1], rows[1]])
        across = corner_e * np.cos(azimuth) - corner_n * np.sin(azimuth)
        along = corner_e * np.sin(azimuth) + corner_n * np.cos(azimuth)
        margin = self.jitter * self.spacing + self.meander[0]
        lines = (
            int(np.floor((across.min() - margin) / self.spacing)),
            int(np.ceil((across.max() + margin) / self.spacing)) + 1,
        )
        step = 0.5 * min(height, width)
        v = step * np.arange(np.floor(along.min() / step), np.ceil(along.max() / step) + 1)
        place = noise.white(seed, f"{name}/place", lines, (0, 1), "uniform")
        phase = noise.white(seed, f"{name}/phase", lines, (0, 1), "uniform")
        level = noise.white(seed, f"{name}/level", lines, (0, 1))
        number = np.arange(*lines)[:, None]
        bend = np.sin(2.0 * np.pi * (v / self.meander[1] + phase))
        u = self.spacing * (number + self.jitter * (place - 0.5)) + self.meander[0] * bend
        sailed = self._sailed(seed, name, lines, v + self.leg * phase)
        east = u * np.cos(azimuth) + v * np.sin(azimuth)
        north = v * np.cos(azimuth) - u * np.sin(azimuth)
        r, c = np.floor(north / height).astype(int) - rows[0], np.floor(east / width).astype(int) - cols[0]
        here = (r >= 0) & (r < rows[1] - rows[0]) & (c >= 0) & (c < cols[1] - cols[0]) & sailed
        if self.disc is not None:
            here &= np.hypot(east - self.disc[0], north - self.disc[1]) < self.disc[2]
        error = self.level * level + self.noise * self._along(seed, name, lines, v)
        return r[here], c[here], error[here]

    def _sailed(self, seed: int, name: str, lines: tuple[int, int], v: Floats) -> NDArray[np.bool_]:
        legs = np.floor(v / self.leg).astype(int)
        first = int(legs.min())
        drawn = noise.white(seed, f"{name}/legs", lines, (first, int(legs.max()) + 1), "uniform")
        return np.take_along_axis(drawn < self.kept, legs - first, axis=1)

    def _along(self, seed: int, name: str, lines: tuple[int, int], v: Floats) -> Floats:
        knot = np.floor(v / _LATTICE).astype(int)
        drawn = noise.white(seed, f"{name}/noise", lines, (int(knot[0]), int(knot[-1]) + 2))
        t = v / _LATTICE - knot
        at = knot - knot[0]
        # The square root keeps the variance of the interpolated noise even along the track.
        result: Floats = ((1.0 - t) * drawn[:, at] + t * drawn[:, at + 1]) / np.sqrt(t**2 + (1.0 - t) ** 2)
        return result


def fill(values: Floats, measured: NDArray[np.bool_], levels: int, fade: float = 1.0) -> Floats:
    """Grid measured cells: keep them, and fill the others from ever coarser means (push-pull).

    Parameters
    ----------
    values : numpy.ndarray
        2-D, sides multiples of ``2**levels``, counted from a multiple of that on the whole grid.
    measured : numpy.ndarray of bool
        Where ``values`` count.
    levels : int
        Cells up to about ``2**levels`` from a measured one are filled, the rest is NaN. A cell depends on
        nothing farther than ``3 * 2**levels`` cells.
    fade : float
        What is left of a value at every coarser level, 0..1: below 1 the grid goes to zero between tracks,
        as a grid made by collocation does.

    Notes
    -----
    Each level halves the map to means weighted by cover; going back, a cell that is covered in part is
    topped up from the bilinearly refined coarser level (Gortler et al. 1996, The Lumigraph).
    """
    weight: Floats = measured.astype(np.float64)
    total: Floats = np.where(measured, values, 0.0)
    stack = []
    for _ in range(levels):
        stack.append((total, weight))
        total, weight = _halved(total), _halved(weight)
        cover = np.minimum(weight * 4.0, 1.0)
        total = np.divide(total * cover, weight, out=np.zeros_like(total), where=weight > 0.0)
        weight = cover
    for fine_total, fine_weight in reversed(stack):
        lack = 1.0 - fine_weight
        total, weight = fine_total + lack * fade * _doubled(total), fine_weight + lack * _doubled(weight)
    return np.divide(total, weight, out=np.full_like(total, np.nan), where=weight > 0.15)


def _halved(a: Floats) -> Floats:
    result: Floats = 0.25 * (a[::2, ::2] + a[1::2, ::2] + a[::2, 1::2] + a[1::2, 1::2])
    return result


def _doubled(a: Floats) -> Floats:
    for _ in range(2):
        padded = np.concatenate([a[:1], a, a[-1:]])
        fine = np.empty((2 * a.shape[0], a.shape[1]))
        fine[::2] = 0.25 * padded[:-2] + 0.75 * a
        fine[1::2] = 0.75 * a + 0.25 * padded[2:]
        a = fine.T
    return a

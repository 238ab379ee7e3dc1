"""How a sea floor was surveyed: patches that do not match, tracks, gaps, noise and spikes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from magxr.synthetic import noise
from magxr.synthetic.tracks import Tracks, fill

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from magxr.synthetic.plane import Plane
    from magxr.synthetic.provinces import Outline

    Floats = NDArray[np.floating[Any]]
    Window = tuple[tuple[int, int], tuple[int, int]]


@dataclass(frozen=True, slots=True)
class Rectangle:
    """Cells of the grid, half-open."""

    rows: tuple[int, int]
    cols: tuple[int, int]

    def within(self, rows: tuple[int, int], cols: tuple[int, int]) -> tuple[slice, slice] | None:
        """Return the part inside a window, relative to it, or None."""
        r0, r1 = max(self.rows[0], rows[0]), min(self.rows[1], rows[1])
        c0, c1 = max(self.cols[0], cols[0]), min(self.cols[1], cols[1])
        if r0 >= r1 or c0 >= c1:
            return None
        return slice(r0 - rows[0], r1 - rows[0]), slice(c0 - cols[0], c1 - cols[0])


@dataclass(frozen=True, slots=True)
class Patch:
    """A rectangle that came from another survey."""

    where: Rectangle
    offset: float = 0.0
    """Level against the rest, nT."""
    tilt: tuple[float, float] = (0.0, 0.0)
    """Trend from the southern to the northern and from the western to the eastern edge, nT."""
    raised: bool = False
    """Whether it was flown high and so is smooth (see `Survey.height`)."""


@dataclass(frozen=True, slots=True)
class Survey:
    """All that stands between the field and the grid."""

    tracks: tuple[Tracks, ...] = ()
    """Families of ship tracks; none: every cell was measured."""
    levels: int = 5
    """Between tracks, cells up to ``2**levels`` cells from one are interpolated."""
    fade: float = 1.0
    """What is left of a value at every doubling of the distance from a track (see `tracks.fill`)."""
    patches: tuple[Patch, ...] = ()
    """Other surveys, later ones on top."""
    height: float = 6.0
    """Height of the high-flown surveys above the rest, km."""
    holes: tuple[Rectangle | Outline, ...] = ()
    """Where there are no data."""
    regional: float = 0.0
    """Standard deviation of a long-wavelength field left in the data, nT."""
    white: float = 2.0
    """Standard deviation of the white noise, nT."""
    spikes: float = 0.0
    """Share of cells that are spikes of 1e3 to 1e5 nT."""

    @property
    def halo(self) -> int:
        """Cells beyond a window that its grid depends on (a multiple of the coarsest cell)."""
        return 3 * 2**self.levels if self.tracks else 0

    @property
    def anchor(self) -> int:
        """Windows start and end on multiples of this many cells."""
        return 2**self.levels if self.tracks else 1


def observe(
    survey: Survey,
    seed: int,
    plane: Plane,
    window: Window,
    field: Floats,
    raised: Floats | None,
) -> tuple[Floats, NDArray[np.int8]]:
    """Turn the field into a survey's grid.

    Parameters
    ----------
    survey : Survey
        What was done.
    seed : int
        Of everything random.
    plane : Plane
        The grid.
    window : ((int, int), (int, int))
        Rows and columns wanted.
    field : numpy.ndarray
        The field on the window and `Survey.halo` cells around it, nT.
    raised : numpy.ndarray, optional
        The same seen from `Survey.height`; needed where a patch is ``raised``.

    Returns
    -------
    anomaly : numpy.ndarray
        On the window, nT; NaN in gaps.
    tracked : numpy.ndarray of int8
        1 measured, 0 interpolated, -1 no data.
    """
    rows, cols = ((low - survey.halo, high + survey.halo) for low, high in window)
    grid = field.copy()
    for patch in survey.patches:
        inside = patch.where.within(rows, cols)
        if inside is not None:
            north = (np.arange(rows[0], rows[1]) - patch.where.rows[0])[inside[0]] / np.ptp(patch.where.rows)
            east = (np.arange(cols[0], cols[1]) - patch.where.cols[0])[inside[1]] / np.ptp(patch.where.cols)
            base = raised if patch.raised and raised is not None else field
            trend = patch.tilt[0] * (north[:, None] - 0.5) + patch.tilt[1] * (east - 0.5)
            grid[inside] = base[inside] + (patch.offset + trend)
    measured = np.ones(grid.shape, dtype=bool)
    if survey.tracks:
        along = np.full(grid.shape, np.nan)
        for number, family in enumerate(survey.tracks):
            r, c, error = family.cells(seed, f"tracks{number}", plane, rows, cols)
            along[r, c] = grid[r, c] + error
        measured = ~np.isnan(along)
        grid = fill(along, measured, survey.levels, survey.fade)
    core = slice(survey.halo, grid.shape[0] - survey.halo), slice(survey.halo, grid.shape[1] - survey.halo)
    return _finished(survey, seed, plane, window, grid[core].copy(), measured[core])


def _finished(
    survey: Survey,
    seed: int,
    plane: Plane,
    window: Window,
    grid: Floats,
    measured: NDArray[np.bool_],
) -> tuple[Floats, NDArray[np.int8]]:
    rows, cols = window
    y, x = plane.northing(rows), plane.easting(cols)
    if survey.regional:
        grid += survey.regional * noise.fractal(seed, "regional", y, x, 1200.0, 400.0, 0.8)
    if survey.white:
        grid += survey.white * noise.white(seed, "white", rows, cols)
    for number, hole in enumerate(survey.holes):
        if isinstance(hole, Rectangle):
            inside = hole.within(rows, cols)
            if inside is not None:
                grid[inside] = np.nan
        else:
            part = hole.window(y, x)
            if part is not None:
                weight = hole.weight(seed, f"hole{number}", y[part[0]], x[part[1]])
                grid[part][weight > 0.5] = np.nan
    if survey.spikes:
        drawn = noise.white(seed, "spikes", rows, cols, "uniform")
        # One number says whether, how large and which way: what is left of it is uniform again.
        left = drawn / survey.spikes
        size = 10.0 ** (3.0 + 2.0 * ((2.0 * left) % 1.0)) * np.where(left < 0.5, -1.0, 1.0)
        grid = np.where((left < 1.0) & ~np.isnan(grid), size, grid)
    missing = np.isnan(grid)
    tracked = np.where(missing, -1, measured).astype(np.int8)
    return grid, tracked

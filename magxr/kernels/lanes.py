"""Lanes across every direction that is tried: which cells of a square are stacked onto each other."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

DIRECTIONS = 36
"""Strikes that are tried, over 180 degrees; even, so that a quarter turn maps them onto each other."""


class Lanes(NamedTuple):
    """Which cells of a square are stacked, and onto what."""

    row: NDArray[np.int32]
    """Of the cells in the circle that fits, shape (cells,)."""
    column: NDArray[np.int32]
    bin: NDArray[np.int32]
    """Each cell's lane across every direction, counted through all directions, shape (cells, DIRECTIONS)."""
    cells: Floats
    """Cells of every lane where none is missing, shape (DIRECTIONS * width,)."""
    angle: Floats
    """Directions, radians from the columns' axis."""


@lru_cache(maxsize=8)
def make_lanes(side: int) -> Lanes:
    """Return each cell's lane across every direction, within the circle that fits a square."""
    angles: Floats = np.pi / DIRECTIONS * np.arange(DIRECTIONS, dtype=np.float64)
    north, east = np.mgrid[:side, :side] - (side - 1) / 2.0
    inside = np.hypot(north, east) <= side / 2.0
    across = east[inside] * np.cos(angles)[:, None] + north[inside] * np.sin(angles)[:, None]
    # half a cell aside, so that no row of cells lies between two lanes and is split by rounding
    lanes = np.rint(across + (side - 1) / 2.0).astype(np.int32) + 1
    row, column = (a.astype(np.int32) for a in np.nonzero(inside))
    bins = np.ascontiguousarray(lanes.T + (side + 3) * np.arange(DIRECTIONS, dtype=np.int32))
    count = np.bincount(bins.ravel(), minlength=DIRECTIONS * (side + 3)).astype(np.float64)
    return Lanes(row, column, bins, count, angles)

"""How wide pixels are, row by row, measured in their heights: all that a kernel knows of the sphere."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

LARGEST = 0.49
"""Largest stable time step of the explicit cell-centred scheme in heights², with a margin (0.5)."""


class Metric(NamedTuple):
    """Height over width of pixels and of the cells between them, by row; 1 everywhere on the pixel grid.

    Lengths such as sigma are in heights of a pixel, which is the same everywhere.
    """

    pixels: NDArray[np.float64]
    """Of the rows of pixels, shape (n,)."""
    cells: NDArray[np.float64]
    """Of the rows of cells from the one across the southern edge on, shape (n + 1,)."""

    def rows(self, first: int, count: int) -> Metric:
        """Return the metric of ``count`` rows of pixels from ``first`` on."""
        return Metric(self.pixels[first : first + count], self.cells[first : first + count + 1])

    @property
    def widest(self) -> float:
        """The largest number of pixels along a row that one height takes."""
        return float(max(self.pixels.max(), self.cells.max()))

    @property
    def tau(self) -> float:
        """Largest stable time step of the explicit cell-centred scheme, heights²."""
        south, north = self.cells[:-1], self.cells[1:]
        # Diffusivities of a cell, along and across rows, over the width of the pixel that gains.
        fastest = [self.pixels * np.maximum(c, 1.0 / c) for c in (south, north)]
        return LARGEST / float(np.max(fastest))


def pixel_metric(rows: int) -> Metric:
    """Return the metric of a grid whose pixels are taken for squares."""
    return Metric(np.ones(rows), np.ones(rows + 1))


def stretched(metric: Metric | None, u: NDArray[Any]) -> Metric:
    """Return the metric given, or squares for the rows of ``u``."""
    return pixel_metric(u.shape[0]) if metric is None else metric

"""The plane on which synthetic sea floor lies: rows and columns in degrees and in kilometres.

Distances are those at the middle of the region: a row is ``spacing`` high everywhere and a column is
``spacing * cos(latitude of the middle)`` wide. Straight ridges of constant strike are straight on this
plane. Away from the middle row true widths differ by the ratio of the cosines (5 % for a region of 8
degrees at 40 degrees of latitude), and azimuths by up to half of that in radians.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from magxr.errors import ParameterError
from magxr.geogrid import EARTH_RADIUS

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.floating[Any]]

KM_PER_DEGREE = math.radians(1.0) * EARTH_RADIUS / 1e3
"""Length of a degree of latitude, km."""

_UNITS = {"arcmin": 60.0, "'": 60.0, "arcsec": 3600.0, "deg": 1.0, "degree": 1.0, "degrees": 1.0}


@dataclass(frozen=True, slots=True)
class Plane:
    """Cells of a region on a tangent plane, south in row 0 and west in column 0."""

    shape: tuple[int, int]
    """Rows and columns."""
    origin: tuple[float, float]
    """Latitude and longitude of the south-western corner (not of a cell centre), degrees."""
    spacing: float
    """Side of a cell along both axes, degrees."""

    def __post_init__(self) -> None:
        rows, cols = self.shape
        if min(rows, cols) < 1:
            msg = f"shape is {self.shape}; both sides need at least 1 cell"
            raise ParameterError(msg)
        north = self.origin[0] + rows * self.spacing
        if self.origin[0] < -85.0 or north > 85.0:
            msg = (
                f"the region runs from latitude {self.origin[0]:g} to {north:g}; the plane holds between -85 "
                f"and 85 only, so take a smaller shape or another origin"
            )
            raise ParameterError(msg)
        if cols * self.spacing > 360.0:
            msg = f"the region is {cols * self.spacing:g} degrees of longitude wide; at most 360"
            raise ParameterError(msg)

    @property
    def cell(self) -> tuple[float, float]:
        """Height and width of a cell, km."""
        middle = self.origin[0] + 0.5 * self.shape[0] * self.spacing
        height = self.spacing * KM_PER_DEGREE
        return height, height * math.cos(math.radians(middle))

    @property
    def size(self) -> tuple[float, float]:
        """Height and width of the region, km."""
        return self.shape[0] * self.cell[0], self.shape[1] * self.cell[1]

    @property
    def latitude(self) -> Floats:
        """Latitudes of the cell centres, degrees north."""
        return self.origin[0] + self.spacing * (np.arange(self.shape[0]) + 0.5)

    @property
    def longitude(self) -> Floats:
        """Longitudes of the cell centres, degrees east."""
        return self.origin[1] + self.spacing * (np.arange(self.shape[1]) + 0.5)

    def northing(self, rows: tuple[int, int]) -> Floats:
        """Distances of the centres of ``rows[0]:rows[1]`` from the southern edge, km."""
        return self.cell[0] * (np.arange(rows[0], rows[1]) + 0.5)

    def easting(self, cols: tuple[int, int]) -> Floats:
        """Distances of the centres of ``cols[0]:cols[1]`` from the western edge, km."""
        return self.cell[1] * (np.arange(cols[0], cols[1]) + 0.5)


def degrees(spacing: str | float) -> float:
    """Read a grid spacing: a number of degrees, or text such as ``"0.72 arcmin"``.

    Raises
    ------
    ParameterError
        If it is not a positive length on the sphere.
    """
    if isinstance(spacing, str):
        found = re.fullmatch(r"\s*([0-9]*\.?[0-9]+(?:e-?[0-9]+)?)\s*([a-z']+)\s*", spacing)
        if found is None or found[2] not in _UNITS:
            msg = (
                f"spacing {spacing!r} is not a number and a unit; write e.g. '0.72 arcmin' or 0.012 (degrees)"
            )
            raise ParameterError(msg)
        value = float(found[1]) / _UNITS[found[2]]
    else:
        value = float(spacing)
    if not 0.0 < value <= 1.0:
        msg = f"spacing is {value:g} degrees; it must be above 0 and at most 1"
        raise ParameterError(msg)
    return value

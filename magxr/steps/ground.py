"""Lengths on the ground: what sigma and rho mean on a grid, in pixels or in kilometres on the sphere."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from magxr.errors import GridError, MagxrWarning, ParameterError
from magxr.kernels.metric import Metric, pixel_metric
from magxr.steps.arguments import number

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from magxr.geogrid import Grid

SIGMA, RHO = 1.0, 4.0
"""Noise scale and integration scale where nothing else is asked for, heights of a pixel."""
POLEWARD = 80.0
"""Latitude beyond which the metric of the sphere is refused, degrees: a pixel is 6 times as high as wide
there, and an explicit step 33 times as short as at the equator."""
METRICS = ("pixel", "spherical")
_WIDEST = 100
"""Scale in pixels that is let pass on any grid, however small."""


class Ground(NamedTuple):
    """A grid as the kernels see it."""

    sigma: float
    """Noise scale, heights of a pixel."""
    rho: float
    """Integration scale, heights of a pixel."""
    height: float
    """Height of a pixel in the unit of lengths: 1, or kilometres."""
    metric: Metric
    """How wide pixels are, by row."""


def check_scales(sigma: Any, rho: Any, metric: Any) -> None:
    """Refuse a metric that is not known and scales that cannot be on any grid."""
    if not isinstance(metric, str) or metric not in METRICS:
        msg = f"metric={metric!r} is not known; use 'pixel' or 'spherical' (sigma and rho in km)"
        raise ParameterError(msg)
    unit = "km" if metric == "spherical" else "pixels"
    if sigma is not None:
        number("sigma", sigma, least=0, unit=unit)
    if rho is not None:
        number("rho", rho, above=0, unit=unit)


def ground(grid: Grid, sigma: float | None, rho: float | None, metric: str) -> Ground:
    """Bring scales to heights of a pixel; refuse those that do not fit the grid, and the poles.

    Raises
    ------
    ParameterError
        If a scale is wider than the whole grid.
    GridError
        If the metric is the sphere's and the grid reaches too near to a pole.
    """
    if metric == "pixel":
        height, rows = 1.0, pixel_metric(grid.shape[0])
    else:
        height, rows = grid.cell_metres()[0] / 1000.0, _sphere(grid)
    scales = []
    for name, value, usual in (("sigma", sigma, SIGMA), ("rho", rho, RHO)):
        pixels = usual if value is None else float(value) / height
        if pixels > max(_WIDEST, *grid.shape):
            size = f"{grid.shape[0]} x {grid.shape[1]}"
            fix = f"give it in pixels, e.g. {name}=2" if metric == "pixel" else "give it in km"
            msg = f"{name}={value:g} is wider than the grid of {size} cells; {fix}"
            raise ParameterError(msg)
        scales.append(pixels)
    if scales[1] < scales[0]:
        unit = "pixels" if metric == "pixel" else "km"
        told = [f"{pixels * height:g}" for pixels in scales]
        msg = (
            f"rho={told[1]} is less than sigma={told[0]} {unit}: the integration scale must not be "
            "underestimated; make it at least the width of the stripes"
        )
        warnings.warn(msg, MagxrWarning, stacklevel=6)
    return Ground(scales[0], scales[1], height, rows)


def between_rows(grid: Grid) -> NDArray[np.float64]:
    """Return height over width of the cells between rows, the one across the southern edge first."""
    middle = grid.latitude[:-1] + 0.5 * grid.spacing[0]
    return np.pad(_stretch(grid, middle), 1, mode="edge")


def _stretch(grid: Grid, latitude: NDArray[np.float64]) -> NDArray[np.float64]:
    height: NDArray[np.float64] = grid.spacing[0] / (grid.spacing[1] * np.cos(np.radians(latitude)))
    return height


def _sphere(grid: Grid) -> Metric:
    farthest = grid.latitude[np.abs(grid.latitude).argmax()]
    if abs(farthest) > POLEWARD:
        fix = f"crop it, e.g. .sel({grid.lat}=slice(-{POLEWARD:g}, {POLEWARD:g})), or take metric='pixel'"
        msg = (
            f"the grid reaches latitude {farthest:g}, but metric='spherical' ends at {POLEWARD:g} degrees, "
            f"where pixels get too narrow; {fix}"
        )
        raise GridError(msg)
    return Metric(_stretch(grid, grid.latitude), between_rows(grid))

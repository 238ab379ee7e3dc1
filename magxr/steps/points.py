"""Grid scattered points (ship tracks) by verde's splines."""

from __future__ import annotations

import importlib.util
from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr

from magxr import labelled
from magxr.errors import MissingExtraError, ParameterError
from magxr.geogrid import EARTH_RADIUS
from magxr.steps.arguments import is_number
from magxr.steps.spacing import KM_PER_DEGREE, degrees

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    Reals = NDArray[np.float64]

MOST_BLOCKS = 15_000
"""Blocks with data that one spline may have: its matrix is dense (8 bytes times their square, 1.8 GB)."""


def grid_points(
    table: Mapping[str, Any] | xr.Dataset,
    *,
    spacing: str | tuple[str, str],
    region: tuple[float, float, float, float] | None = None,
    latitude: str = "latitude",
    longitude: str = "longitude",
    anomaly: str = "anomaly",
    damping: float | None = None,
    max_distance: str | None = None,
) -> xr.Dataset:
    """Grid scattered anomalies, e.g. ship tracks: medians in blocks of one cell, then verde's spline.

    Parameters
    ----------
    table : pandas.DataFrame, xarray.Dataset or mapping of 1-D arrays
        One row a measurement; rows with a missing value are left out.
    spacing : str or (str, str)
        Cell size, e.g. ``"1 arcmin"``; see `magxr.grid`.
    region : (west, east, south, north), optional
        Outer edges in degrees; east may be less than west across the date line. Default: the cells, counted
        from 0 degrees, that hold the data.
    latitude, longitude, anomaly : str
        Names of the columns: degrees, degrees, nT.
    damping : float, optional
        Smoothing of the spline (`verde.Spline`); None makes it pass through the medians.
    max_distance : str, optional
        Cells farther than this from any data become NaN, e.g. ``"20 km"`` (great circle).

    Returns
    -------
    xarray.Dataset
        ``anomaly`` (lat, lon), float64, nT, pixel registration, ascending, longitudes from the west edge on.

    Raises
    ------
    MissingExtraError
        If verde is not installed.
    ParameterError
        If a column is missing, an argument is out of range, fewer than three rows are complete, or the blocks
        are too many for one spline.

    Notes
    -----
    The spline is fitted in metres on an equirectangular projection about the middle of the region, so keep
    regions to a few tens of degrees. It is not lazy, and its cost grows with the square (memory) and the cube
    (time) of the number of blocks that hold data. For many more data, put medians into the cells of a grid
    and let `magxr.grid` fill the gaps.

    References
    ----------
    Sandwell (1987), Geophys. Res. Lett. 14, 139-142. Uieda (2018), J. Open Source Softw. 3, 957.
    """
    if importlib.util.find_spec("verde") is None:
        package = "verde"
        raise MissingExtraError(package, "tracks", "gridding scattered points")
    import verde

    both = isinstance(spacing, (tuple, list))
    step = (degrees(spacing[0]), degrees(spacing[1])) if both else (degrees(spacing),) * 2
    reach = None if max_distance is None else degrees(max_distance, "max_distance") * KM_PER_DEGREE
    if damping is not None and not (is_number(damping) and damping > 0):
        msg = f"damping={damping!r} must be larger than zero, e.g. 1e-4, or None for none"
        raise ParameterError(msg)
    lat, lon, value = _columns(table, latitude, longitude, anomaly)
    lats, lons = _cells(lat, lon, step, region)

    middle, scale = lons.mean(), np.cos(np.radians(lats.mean()))
    metre = KM_PER_DEGREE * 1000
    turned = (lon - middle + 180) % 360 - 180
    x, y = turned * metre * scale, lat * metre
    blocks = verde.BlockReduce(np.median, spacing=(step[0] * metre, step[1] * metre * scale))
    at, medians = blocks.filter((x, y), value)
    if len(medians) > MOST_BLOCKS:
        memory = 8 * len(medians) ** 2 / 2**30
        msg = (
            f"{len(medians)} blocks hold data; one spline takes at most {MOST_BLOCKS} (its matrix would need "
            f"{memory:.1f} GiB): use a coarser spacing or a smaller region, or put medians on a grid and "
            "call magxr.grid"
        )
        raise ParameterError(msg)
    surface = verde.Spline(damping=damping).fit(at, medians)
    east, north = np.meshgrid((lons - middle) * metre * scale, lats * metre)
    found = surface.predict((east, north))
    if reach is not None:
        found = np.where(_distance_km(lats, lons, lat, lon) > reach, np.nan, found)
    parameters = {"spacing": spacing, "region": region, "damping": damping, "max_distance": max_distance}
    attrs = {"units": "nT", "long_name": "magnetic anomaly", "registration": "pixel"}
    return xr.Dataset(
        {"anomaly": (("lat", "lon"), found, labelled.signed(attrs, "grid_points", parameters))},
        coords={
            "lat": ("lat", lats, {"units": "degrees_north", "standard_name": "latitude"}),
            "lon": ("lon", lons, {"units": "degrees_east", "standard_name": "longitude"}),
        },
    )


def _columns(table: Any, *names: str) -> list[Reals]:
    if not hasattr(table, "keys"):
        msg = f"the table is a {type(table).__name__}; give a DataFrame, a Dataset or a mapping of columns"
        raise ParameterError(msg)
    have = [str(k) for k in (table.variables if isinstance(table, xr.Dataset) else table.keys())]
    lacking = [n for n in names if n not in have]
    if lacking:
        fix = "name it with latitude=, longitude=, anomaly="
        msg = f"no column {lacking[0]!r} in the table (it has {have}); {fix}"
        raise ParameterError(msg)
    columns = [_numbers(table[n], n) for n in names]
    sizes = [c.size for c in columns]
    if len(set(sizes)) > 1:
        msg = f"the columns {list(names)} have {sizes} rows; they must have as many"
        raise ParameterError(msg)
    complete = np.all([np.isfinite(c) for c in columns], axis=0)
    if complete.sum() < 3:
        msg = f"{int(complete.sum())} of {sizes[0]} rows are complete; a spline needs at least 3"
        raise ParameterError(msg)
    lat = columns[0][complete]
    if abs(lat).max() > 90:
        msg = f"{names[0]} reaches {lat[np.argmax(abs(lat))]:g}; latitudes must lie within -90..90 degrees"
        raise ParameterError(msg)
    return [c[complete] for c in columns]


def _numbers(column: Any, name: str) -> Reals:
    try:
        return np.asarray(column, dtype=np.float64).ravel()
    except (TypeError, ValueError) as error:
        msg = f"the column {name!r} holds something that is no number ({error}); convert or drop those rows"
        raise ParameterError(msg) from error


def _cells(lat: Reals, lon: Reals, step: tuple[float, float], region: Any) -> tuple[Reals, Reals]:
    """Return the cell centres of the region, or of the smallest one that holds the data."""
    south: float
    west: float
    if region is None:
        west = _west(lon)
        south, first = np.floor(lat.min() / step[0]), np.floor(west / step[1])
        rows = int(np.floor(lat.max() / step[0]) - south) + 1
        cols = int(np.floor((west + ((lon - west) % 360).max()) / step[1]) - first) + 1
        south, west = float(south * step[0]), float(first * step[1])
    else:
        four = isinstance(region, (tuple, list)) and len(region) == 4
        if not four or not all(is_number(edge) for edge in region):
            msg = f"region={region!r} must be (west, east, south, north) in degrees"
            raise ParameterError(msg)
        west, east, south, north = map(float, region)
        width = (east - west) % 360 or 360.0
        rows, cols = round((north - south) / step[0]), round(width / step[1])
        if not -90 <= south < north <= 90 or min(rows, cols) < 2:
            msg = (
                f"region={region!r} must be (west, east, south, north) in degrees, south below north, and "
                f"hold at least 2 x 2 cells of {step[0]:g} x {step[1]:g} degrees"
            )
            raise ParameterError(msg)
    lats: Reals = south + step[0] * (np.arange(rows, dtype=np.float64) + 0.5)
    lons: Reals = west + step[1] * (np.arange(cols, dtype=np.float64) + 0.5)
    return lats, lons


def _west(lon: Reals) -> float:
    """Return the western end of the data: behind the widest longitude without any, within -180..180."""
    round_ = np.unique(lon % 360)
    gaps = np.diff(np.append(round_, round_[0] + 360))
    west = float(round_[(int(np.argmax(gaps)) + 1) % len(round_)])
    return west - 360 if west >= 180 else west


def _distance_km(lats: Reals, lons: Reals, lat: Reals, lon: Reals) -> Reals:
    """Great-circle distance of every cell to the nearest of the points, km."""
    from scipy.spatial import cKDTree

    north, east = np.meshgrid(lats, lons, indexing="ij")
    chord, _ = cKDTree(_unit(lat, lon)).query(_unit(north, east))
    distance: Reals = 2 * np.arcsin(np.clip(chord / 2, 0, 1)) * EARTH_RADIUS / 1000
    return distance


def _unit(lat: Reals, lon: Reals) -> Reals:
    y, x = np.radians(lat), np.radians(lon)
    return np.stack([np.cos(y) * np.cos(x), np.cos(y) * np.sin(x), np.sin(y)], axis=-1)

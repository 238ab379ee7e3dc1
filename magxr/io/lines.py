"""Lines from GeoJSON, files of it, shapely or plain points: trenches, seams of surveys, outlines of areas."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from magxr.errors import ParameterError
from magxr.io.polygons import opened, vertices

if TYPE_CHECKING:
    from numpy.typing import NDArray


def lines(obj: Any) -> list[NDArray[np.float64]]:
    """Return lines as points of longitude and latitude, degrees.

    Parameters
    ----------
    obj : mapping, path, geometry, points, or a sequence of these
        GeoJSON or a file of it, anything with ``__geo_interface__``, or points (longitude, latitude).
        Areas count by their outlines.

    Returns
    -------
    list of (k, 2) float64
        A step of more than 180 degrees in longitude goes the other way round.

    Raises
    ------
    ParameterError
        If there is no line, or points are not longitudes and latitudes.
    StoreError
        If a file is missing or not GeoJSON.
    """
    if isinstance(obj, str | Path):
        return lines(opened(Path(obj)))
    if hasattr(obj, "__geo_interface__"):
        return lines(obj.__geo_interface__)
    if isinstance(obj, Mapping):
        return _parsed(obj)
    if isinstance(obj, Iterable):
        parts = list(obj)
        if parts and all(_is_point(p) for p in parts):
            return [_line(parts)]
        return [line for part in parts for line in lines(part)]
    msg = f"expected lines (GeoJSON, a file of it, shapely, points), got {type(obj).__name__}"
    raise ParameterError(msg)


def _is_point(value: Any) -> bool:
    plain = isinstance(value, tuple | list | np.ndarray) and len(value) in (2, 3)
    return plain and all(isinstance(v, int | float | np.integer | np.floating) for v in value)


def _parsed(obj: Mapping[str, Any]) -> list[NDArray[np.float64]]:
    kind = obj.get("type")
    if kind == "FeatureCollection":
        return [line for f in obj["features"] for line in _parsed(f)]
    if kind == "Feature":
        return _parsed(obj["geometry"])
    if kind == "GeometryCollection":
        return [line for g in obj["geometries"] for line in _parsed(g)]
    if kind == "LineString":
        return [_line(obj["coordinates"])]
    if kind in ("MultiLineString", "Polygon"):
        return [_line(part) for part in obj["coordinates"]]
    if kind == "MultiPolygon":
        return [_line(ring) for part in obj["coordinates"] for ring in part]
    msg = f"geometry of type {kind!r} has no line; give LineString, Polygon or several of them"
    raise ParameterError(msg)


def _line(points: Any) -> NDArray[np.float64]:
    line = vertices(points, "line", 2)
    return np.column_stack([np.unwrap(line[:, 0], period=360.0), line[:, 1]])

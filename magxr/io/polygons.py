"""Polygons from GeoJSON, files of it, or anything with ``__geo_interface__`` (shapely, geopandas)."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from magxr.errors import ParameterError, StoreError

if TYPE_CHECKING:
    from numpy.typing import NDArray


@dataclass(frozen=True, slots=True, eq=False)
class Polygon:
    """An area on the map."""

    rings: tuple[NDArray[np.float64], ...]
    """Outline and holes, (n, 2) longitude and latitude, degrees."""
    properties: Mapping[str, Any] = field(default_factory=dict)
    """Properties of the GeoJSON feature it came from."""


def looks_like_polygons(obj: object) -> bool:
    """Tell polygons (or a file of them) from arrays."""
    if isinstance(obj, list | tuple):
        return bool(obj) and all(looks_like_polygons(o) for o in obj)
    return isinstance(obj, str | Path | Polygon | Mapping) or hasattr(obj, "__geo_interface__")


def polygons(obj: Any) -> list[Polygon]:
    """Return the polygons of a GeoJSON mapping, a file, a geometry, or a sequence of these.

    Raises
    ------
    ParameterError
        If a geometry is not an area or its coordinates are not longitudes and latitudes.
    StoreError
        If a file is missing or not GeoJSON.
    """
    if isinstance(obj, str | Path):
        return polygons(opened(Path(obj)))
    if isinstance(obj, Polygon):
        return [obj]
    if hasattr(obj, "__geo_interface__"):
        return polygons(obj.__geo_interface__)
    if isinstance(obj, Mapping):
        return _parsed(obj, {})
    if isinstance(obj, Iterable):
        return [p for o in obj for p in polygons(o)]
    msg = f"expected polygons (GeoJSON, a file of it, shapely), got {type(obj).__name__}"
    raise ParameterError(msg)


def _parsed(obj: Mapping[str, Any], properties: Mapping[str, Any]) -> list[Polygon]:
    kind = obj.get("type")
    if kind == "FeatureCollection":
        return [p for f in obj["features"] for p in _parsed(f, {})]
    if kind == "Feature":
        return _parsed(obj["geometry"], obj.get("properties") or {})
    if kind == "GeometryCollection":
        return [p for g in obj["geometries"] for p in _parsed(g, properties)]
    if kind == "Polygon":
        return [Polygon(tuple(_ring(r) for r in obj["coordinates"]), properties)]
    if kind == "MultiPolygon":
        return [Polygon(tuple(_ring(r) for r in part), properties) for part in obj["coordinates"]]
    msg = f"geometry of type {kind!r} is not an area; give Polygon or MultiPolygon"
    raise ParameterError(msg)


def _ring(points: Any) -> NDArray[np.float64]:
    return vertices(points, "polygon", 3)


def vertices(points: Any, what: str, least: int) -> NDArray[np.float64]:
    """Return points as (n, 2) longitude and latitude, or say what is wrong with them."""
    found = np.asarray([tuple(p)[:2] for p in points], dtype=np.float64)
    if len(found) < least or not np.isfinite(found).all():
        msg = f"{len(found)} points are no {what}; it needs at least {least}, all finite"
        raise ParameterError(msg)
    if np.abs(found[:, 1]).max() > 90.0 or np.abs(found[:, 0]).max() > 540.0:
        x, y = found[np.abs(found).max(axis=1).argmax()]
        msg = f"{what} point ({x:g}, {y:g}) is not longitude, latitude in degrees; check their order"
        raise ParameterError(msg)
    return found


def opened(path: Path) -> Any:
    """Read a GeoJSON file."""
    if not path.is_file():
        msg = f"no file {path}; give the path of a GeoJSON file"
        raise StoreError(msg)
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        msg = f"{path} is not GeoJSON ({error}); export the areas or lines as GeoJSON (RFC 7946)"
        raise StoreError(msg) from error

"""A label table as text: CSV, or GeoJSON with a rectangle for each window."""

from __future__ import annotations

import csv
import io
import json
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from magxr.errors import StoreError

if TYPE_CHECKING:
    from pathlib import Path

    Kind = Literal["csv", "geojson"]
    Row = dict[str, Any]

BOUNDS = ("south", "north", "west", "east")
PERCENTS = ("linear_percent", "nonlinear_percent")
COLUMNS = ("window", *BOUNDS, "label", *PERCENTS, "labeller")
"""Columns of a table; percentages and labeller may be empty, and so may a label that percentages give."""


def kind_of_file(path: Path) -> Kind:
    """Return which of the two a file is by its suffix, or refuse another."""
    suffix = path.suffix.lower()
    if suffix not in (".csv", ".geojson", ".json"):
        msg = f"{path} is neither .csv nor .geojson; a label table is one of them"
        raise StoreError(msg)
    return "csv" if suffix == ".csv" else "geojson"


def to_text(rows: list[Row], kind: Kind) -> str:
    """Write rows, which have all of `COLUMNS`; numbers come back to the last bit."""
    return _as_csv(rows) if kind == "csv" else _as_geojson(rows)


def from_text(text: str, kind: Kind, source: Path) -> list[Row]:
    """Return the rows of a file as they stand there, unchecked but for lacking columns.

    Raises
    ------
    StoreError
        If it is no such table; the message names ``source``.
    """
    return _from_csv(text, source) if kind == "csv" else _from_geojson(text, source)


def _as_csv(rows: list[Row]) -> str:
    out = io.StringIO(newline="")
    writer = csv.DictWriter(out, COLUMNS, lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return out.getvalue()


def _as_geojson(rows: list[Row]) -> str:
    features = []
    for row in rows:
        s, n, w, e = (row[k] for k in BOUNDS)
        ring = [[w, s], [e, s], [e, n], [w, n], [w, s]]
        rest = {k: v for k, v in row.items() if k not in BOUNDS}
        geometry = {"type": "Polygon", "coordinates": [ring]}
        features.append({"type": "Feature", "id": row["window"], "geometry": geometry, "properties": rest})
    return json.dumps({"type": "FeatureCollection", "features": features}, indent=1, allow_nan=False) + "\n"


def _from_csv(text: str, source: Path) -> list[Row]:
    reader = csv.DictReader(io.StringIO(text, newline=""))
    _check_columns(reader.fieldnames or (), source)
    return list(reader)


def _from_geojson(text: str, source: Path) -> list[Row]:
    try:
        features = json.loads(text)["features"]
        rows = []
        for feature in features:
            ring = np.asarray(feature["geometry"]["coordinates"][0], dtype=np.float64)
            west, south = ring.min(axis=0).tolist()
            east, north = ring.max(axis=0).tolist()
            box = {"south": south, "north": north, "west": west, "east": east}
            rows.append({**feature["properties"], **box})
    except (ValueError, KeyError, TypeError, IndexError) as error:
        msg = f"{source} is not a GeoJSON label table ({type(error).__name__}: {error})"
        raise StoreError(msg) from error
    for row in rows:
        _check_columns(row, source)
    return rows


def _check_columns(have: Any, source: Path) -> None:
    lacking = [c for c in ("window", *BOUNDS, "label") if c not in have]
    if lacking:
        msg = f"{source} lacks the columns {lacking}; a label table has {', '.join(COLUMNS)}"
        raise StoreError(msg)

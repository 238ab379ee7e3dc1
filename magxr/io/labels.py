"""Label tables: what people or polygons say of windows, as CSV or GeoJSON."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr

from magxr.errors import ParameterError, StoreError
from magxr.io.labeltext import BOUNDS, COLUMNS, PERCENTS, from_text, kind_of_file, to_text
from magxr.io.places import here

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from numpy.typing import NDArray

LABEL_ATTRS = {
    "long_name": "label of the window",
    "flag_values": [-1, 0, 1],
    "flag_meanings": "ambiguous nonlinear linear",
}


def labelled_by(
    linear: NDArray[np.float64], nonlinear: NDArray[np.float64], threshold: float
) -> NDArray[np.int8]:
    """Apply the paper's rule: 1 from ``threshold`` linear, 0 from ``threshold`` nonlinear, else -1.

    Parameters
    ----------
    linear, nonlinear : numpy or Dask array
        Percent of a window's cells.
    threshold : float
        Share, over 0.5 and at most 1; the paper's is 0.7.
    """
    needed = 100.0 * threshold - 1e-9
    label: NDArray[np.int8] = np.where(linear >= needed, 1, np.where(nonlinear >= needed, 0, -1)).astype(
        np.int8
    )
    return label


def label_table(
    *,
    window: Any,
    south: Any,
    north: Any,
    west: Any,
    east: Any,
    label: Any,
    linear_percent: Any,
    nonlinear_percent: Any,
    labeller: Any,
) -> xr.Dataset:
    """Put columns of equal length together as a Dataset along ``window``."""
    given = {"south": south, "north": north, "west": west, "east": east}
    bounds = {k: ("window", np.asarray(v, dtype=np.float64), _units(k)) for k, v in given.items()}
    return xr.Dataset(
        {
            "label": ("window", label, LABEL_ATTRS),
            "linear_percent": ("window", linear_percent, {"units": "percent"}),
            "nonlinear_percent": ("window", nonlinear_percent, {"units": "percent"}),
            "labeller": ("window", np.asarray(labeller, dtype=object)),
        },
        coords={"window": ("window", np.asarray(window, dtype=np.int64)), **bounds},
    )


def write_labels(labels: xr.Dataset, path: str | Path, *, overwrite: bool = False) -> Path:
    """Write a label table as CSV (``.csv``) or GeoJSON (``.geojson``, ``.json``).

    Parameters
    ----------
    labels : xarray.Dataset
        From `magxr.steps.labels.label_windows` or `read_labels`; computed here if lazy.
    path : path
        Its suffix says which format.
    overwrite : bool
        Replace an existing file.

    Returns
    -------
    pathlib.Path

    Raises
    ------
    StoreError
        If the file exists or the suffix is neither.

    Notes
    -----
    Numbers are written so that reading gives them back to the last bit. GeoJSON holds one rectangle for
    each window; where the windows cross the date line their longitudes run on past 180.
    """
    target = here(path, "a label table")
    kind = kind_of_file(target)
    if target.exists() and not overwrite:
        msg = f"{target} exists; pass overwrite=True or choose another name"
        raise StoreError(msg)
    rows = _rows(labels.compute())
    text = to_text(rows, kind)
    part = target.with_name(f".{target.name}.part")
    try:
        part.write_text(text, encoding="utf-8", newline="")
        part.replace(target)
    finally:
        part.unlink(missing_ok=True)
    return target


def read_labels(path: str | Path, *, threshold: float = 0.7) -> xr.Dataset:
    """Read a label table and check that it does not contradict itself.

    Parameters
    ----------
    path : path
        CSV with the columns ``window, south, north, west, east, label`` and, if known, ``linear_percent,
        nonlinear_percent, labeller``; or GeoJSON with a rectangle for each window and the rest as
        properties. An empty label follows from the percentages.
    threshold : float
        Share from which a window counts as linear or nonlinear.

    Returns
    -------
    xarray.Dataset
        Along ``window``: ``label`` (int8: 1 linear, 0 nonlinear, -1 ambiguous), ``linear_percent``,
        ``nonlinear_percent`` (float64, NaN unknown), ``labeller``; coordinates ``window`` and bounds.

    Raises
    ------
    StoreError
        If the file is missing or not such a table.
    ParameterError
        If a label is none, a window appears twice, or labels contradict each other or their percentages.
    """
    check_threshold(threshold)
    source = here(path, "a label table")
    kind = kind_of_file(source)
    if not source.is_file():
        msg = f"no label table {source}; write one with write_labels(...)"
        raise StoreError(msg)
    rows = from_text(source.read_text(encoding="utf-8"), kind, source)
    if not rows:
        msg = f"{source} holds no labels; it needs at least one row"
        raise StoreError(msg)
    parsed = [_parsed(row, n, source, threshold) for n, row in enumerate(rows, start=1)]
    _check_once(parsed, source)
    columns: dict[str, Any] = {k: [row[k] for row in parsed] for k in COLUMNS}
    columns["label"] = np.asarray(columns["label"], dtype=np.int8)
    for name in PERCENTS:
        columns[name] = np.asarray(columns[name], dtype=np.float64)
    return label_table(**columns)


def check_threshold(threshold: float) -> None:
    """Refuse a share that could make a window linear and nonlinear at once."""
    if not 0.5 < threshold <= 1.0:
        msg = f"threshold is {threshold!r}; it is the share that makes a label, over 0.5 and at most 1"
        raise ParameterError(msg)


def _units(bound: str) -> dict[str, str]:
    return {"units": "degrees_north" if bound in ("south", "north") else "degrees_east"}


def _rows(labels: xr.Dataset) -> list[dict[str, Any]]:
    columns = {k: labels[k].values.tolist() for k in COLUMNS}
    rows = [dict(zip(columns, values, strict=True)) for values in zip(*columns.values(), strict=True)]
    for row in rows:
        for name in PERCENTS:
            row[name] = None if np.isnan(row[name]) else row[name]
    return rows


def _parsed(row: dict[str, Any], n: int, source: Path, threshold: float) -> dict[str, Any]:
    try:
        out: dict[str, Any] = {"window": int(row["window"]), **{k: float(row[k]) for k in BOUNDS}}
        percents = [_number(row.get(k)) for k in PERCENTS]
        given = row["label"]
        label = None if given in (None, "") else int(given)
    except (TypeError, ValueError) as error:
        msg = f"row {n} of {source} is not a label ({error}); numbers are needed in every column but labeller"
        raise StoreError(msg) from error
    who = f"row {n} of {source}, window {out['window']},"
    if not -90.0 <= out["south"] < out["north"] <= 90.0 or not out["west"] < out["east"]:
        shown = ", ".join(f"{k} {out[k]:g}" for k in BOUNDS)
        msg = f"{who} has the bounds {shown}; south must be below north and west below east"
        raise ParameterError(msg)
    label = _settled(label, percents, threshold, who)
    return (
        out
        | {"label": label, "labeller": str(row.get("labeller") or "")}
        | dict(zip(PERCENTS, percents, strict=True))
    )


def _number(value: Any) -> float:
    return float("nan") if value in (None, "") else float(value)


def _settled(label: int | None, percents: Sequence[float], threshold: float, who: str) -> int:
    """Return the label, from the percentages if it is left out, after checking one against the other."""
    linear, nonlinear = percents
    known = [p for p in percents if not np.isnan(p)]
    if any(not 0.0 <= p <= 100.0 for p in known) or (len(known) == 2 and sum(known) > 100.0 + 1e-6):
        msg = f"{who} is {linear:g} % linear and {nonlinear:g} % nonlinear; percentages add up to at most 100"
        raise ParameterError(msg)
    if label is None:
        if not known:
            msg = f"{who} has neither a label nor percentages; give one of them"
            raise ParameterError(msg)
        return int(labelled_by(np.array(linear), np.array(nonlinear), threshold))
    if label not in (-1, 0, 1):
        msg = f"{who} has the label {label}; use 1 (linear), 0 (nonlinear) or -1 (ambiguous)"
        raise ParameterError(msg)
    mine, other = (linear, nonlinear) if label == 1 else (nonlinear, linear)
    most = mine if not np.isnan(mine) else 100.0 - other
    if label >= 0 and known and most < 100.0 * threshold - 1e-9:
        kind = "linear" if label == 1 else "nonlinear"
        msg = (
            f"{who} is labelled {label} but at most {most:g} % {kind}; a label contradicts its percentage "
            f"below {100 * threshold:g} %: correct one, or label it -1"
        )
        raise ParameterError(msg)
    return label


def _check_once(rows: list[dict[str, Any]], source: Path) -> None:
    first: dict[int, dict[str, Any]] = {}
    for row in rows:
        seen = first.setdefault(row["window"], row)
        if seen is row:
            continue
        if seen["label"] != row["label"]:
            msg = (
                f"{source}: window {row['window']} is labelled {seen['label']} by {seen['labeller']!r} and "
                f"{row['label']} by {row['labeller']!r}; settle the contradiction, or drop the window"
            )
            raise ParameterError(msg)
        msg = f"{source}: window {row['window']} appears twice; keep one row for each window"
        raise ParameterError(msg)

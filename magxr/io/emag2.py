"""Turn the table in which EMAG2v3 is distributed (58 million lines of text) into a Zarr grid."""

from __future__ import annotations

import logging
import tempfile
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import xarray as xr

from magxr.errors import GridError, ParameterError, StoreError
from magxr.io import places, store
from magxr.io.anomaly import without_fill
from magxr.io.chunking import plan
from magxr.io.read import found
from magxr.labelled import signed

if TYPE_CHECKING:
    import os
    from pathlib import Path

log = logging.getLogger("magxr.emag2")

COLUMNS = ("i", "j", "lon", "lat", "sealevel", "upcont", "code", "error")
"""Columns of ``EMAG2_V3_20170530.csv``: column and row of the grid, degrees, nT at sea level, nT at 4 km,
source code, error. 99999 stands for no data."""

_MOST = (5402, 10802)
"""Rows and columns of the largest table: the globe at 2 arcmin, counted from 0 or 1."""
_LINES = 2_000_000


def ingest(
    table: str | os.PathLike[str],
    out: str | os.PathLike[str],
    *,
    column: Literal["sealevel", "upcont"] = "upcont",
    overwrite: bool = False,
) -> Path:
    """Convert EMAG2v3's table (CSV) into a Zarr store that `magxr.open_anomaly` opens lazily.

    Parameters
    ----------
    table : str or path-like
        ``EMAG2_V3_20170530.csv``, or a part of it that is a whole rectangle of cells, in any order of lines.
    out : str or path-like
        Zarr store to make.
    column : "upcont" or "sealevel", optional
        The anomaly continued upward to 4 km (default), or at sea level.
    overwrite : bool, optional
        Replace a Zarr store that is already there.

    Returns
    -------
    pathlib.Path
        The store: ``anomaly`` (latitude, longitude; float32; nT; NaN where the table has 99999).

    Raises
    ------
    StoreError
        If the table is missing or not in that form, or the store cannot be written.
    GridError
        If lines are missing, so that the cells do not fill a rectangle.

    Notes
    -----
    Memory stays flat: lines are read by the million into a file-backed array (233 MB on disk for the
    globe), which is then written chunk by chunk.

    References
    ----------
    Meyer, B., Chulliat, A. and Saltus, R. (2017), doi:10.1002/2017GC007280; data doi:10.7289/V5H70CVX.
    """
    if places.is_url(table):
        places.here(table, "a table")
    where = found(table)
    if column not in ("sealevel", "upcont"):
        msg = f"column={column!r}; it must be 'upcont' (4 km) or 'sealevel'"
        raise ParameterError(msg)
    target = store.place(out, overwrite)
    with tempfile.TemporaryFile(dir=None if places.is_url(target) else target.parent) as space:
        grid = np.memmap(space, np.float32, shape=_MOST)
        latitude, longitude = np.full(_MOST[0], np.nan), np.full(_MOST[1], np.nan)
        seen = np.zeros(_MOST, np.bool_)
        lines = 0
        for j, i, lat, lon, values in _blocks(where, column):
            grid[j, i] = values
            seen[j, i] = True
            latitude[j], longitude[i] = lat, lon
            lines += len(values)
            log.info("%s: %d lines read", where.name, lines)
        rows, columns = np.flatnonzero(~np.isnan(latitude)), np.flatnonzero(~np.isnan(longitude))
        _check_whole(where, lines, rows, columns, int(seen.sum()))
        ds = _labelled(grid, rows, columns, latitude, longitude)
        ds["anomaly"].attrs = {
            "units": "nT",
            "long_name": f"EMAG2v3 magnetic anomaly, {'4 km' if column == 'upcont' else 'sea level'}",
            "source_name": column,
            "source_file": where.name,
        }
        ds["anomaly"].attrs = signed(ds["anomaly"].attrs, "ingest", {"table": where.name, "column": column})
        # The file-backed array cannot travel to other processes, so other schedulers are no use here.
        import dask

        with dask.config.set(scheduler="threads"):
            return store.write(ds, target, overwrite=overwrite)


def _blocks(where: Path, column: str) -> Any:
    import pandas as pd

    kinds = {"i": "i4", "j": "i4", "lon": "f8", "lat": "f8", column: "f4"}
    form = ", ".join(COLUMNS)
    try:
        with pd.read_csv(
            where, header=None, names=list(COLUMNS), usecols=list(kinds), dtype=kinds, chunksize=_LINES
        ) as reader:
            for block in reader:
                j, i = block["j"].to_numpy(), block["i"].to_numpy()
                if j.min() < 0 or i.min() < 0 or j.max() >= _MOST[0] or i.max() >= _MOST[1]:
                    cells = f"rows {j.min()}..{j.max()} or columns {i.min()}..{i.max()}"
                    msg = f"{where}: {cells} are not EMAG2v3's"
                    raise GridError(msg)
                yield j, i, block["lat"].to_numpy(), block["lon"].to_numpy(), block[column].to_numpy()
    except (ValueError, pd.errors.ParserError) as err:
        if isinstance(err, GridError):
            raise
        msg = f"{where} is not EMAG2v3's table, which has the columns {form} and no header ({err})"
        raise StoreError(msg) from err


def _check_whole(
    where: Path, lines: int, rows: np.ndarray[Any, Any], columns: np.ndarray[Any, Any], cells: int
) -> None:
    gaps = [a for a in (rows, columns) if len(a) == 0 or a[-1] - a[0] + 1 != len(a)]
    if gaps or not lines == cells == len(rows) * len(columns):
        msg = (
            f"{where} has {lines} lines for {len(rows)} rows and {len(columns)} columns of cells; "
            "they do not fill a rectangle, so lines are missing or double: fetch it anew"
        )
        raise GridError(msg)


def _labelled(
    grid: np.ndarray[Any, Any],
    rows: np.ndarray[Any, Any],
    columns: np.ndarray[Any, Any],
    latitude: np.ndarray[Any, Any],
    longitude: np.ndarray[Any, Any],
) -> xr.Dataset:
    import dask.array as da

    inside = grid[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    lengths = plan({"lat": len(rows), "lon": len(columns)}, {}, "auto")
    lazy = da.from_array(inside, chunks=(lengths["lat"], lengths["lon"]), name=False)
    values = lazy.map_blocks(without_fill, dtype=lazy.dtype, meta=lazy._meta)
    told = {"units": "degrees_north", "standard_name": "latitude"}
    told_east = {"units": "degrees_east", "standard_name": "longitude"}
    return xr.Dataset(
        {"anomaly": (("lat", "lon"), values)},
        coords={"lat": ("lat", latitude[rows], told), "lon": ("lon", longitude[columns], told_east)},
    )

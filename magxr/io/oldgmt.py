"""Grids of GMT 3 and 4 in their first NetCDF form: one long vector ``z``, the north-western cell first."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr
from scipy.io import netcdf_file
from xarray.backends import BackendArray
from xarray.core import indexing

from magxr.errors import GridError

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

_PARTS = frozenset({"x_range", "y_range", "spacing", "dimension", "z"})


def is_old_gmt(path: Path) -> bool:
    """Tell whether a classic NetCDF file holds a grid in GMT's first form."""
    with netcdf_file(path, mmap=False) as file:
        return set(file.variables) >= _PARTS and len(file.variables["z"].dimensions) == 1


def open_old_gmt(path: Path) -> xr.Dataset:
    """Open such a grid lazily, as ``z`` on latitude (north first) and longitude.

    Notes
    -----
    ``x_range`` and ``y_range`` are the outermost nodes of a gridline-registered grid (``node_offset`` 0)
    and the outer edges of a pixel-registered one (``node_offset`` 1).
    """
    with netcdf_file(path, mmap=False) as file:
        parts = file.variables
        nx, ny = (int(n) for n in parts["dimension"].data)
        west, east = (float(v) for v in parts["x_range"].data)
        south, north = (float(v) for v in parts["y_range"].data)
        says = {
            k: _text(getattr(parts[k], "units", "")) for k in ("x_range", "y_range", "z_range") if k in parts
        }
        node_offset = int(getattr(parts["z"], "node_offset", 0))
        cells, stored = int(parts["z"].shape[0]), np.dtype(parts["z"].typecode())
        decode = _Decode(parts["z"])
    if nx * ny != cells:
        msg = f"{path}: z has {cells} values, but dimension says {nx} x {ny} = {nx * ny}; the file is damaged"
        raise GridError(msg)
    x, y = _axis(west, east, nx, node_offset), _axis(south, north, ny, node_offset)[::-1]
    degrees = "degrees_east" in says.get("x_range", "") and "degrees_north" in says.get("y_range", "")
    lat, lon = ("lat", "lon") if degrees else ("y", "x")
    values = _RowsFromNorth(str(path), (ny, nx), decode, decode.dtype(stored))
    units = {"units": says["z_range"]} if says.get("z_range", "z") not in ("", "z") else {}
    return xr.Dataset(
        {"z": ((lat, lon), indexing.LazilyIndexedArray(values), {**units, "node_offset": node_offset})},
        coords={
            lat: (lat, y, {"units": "degrees_north"} if degrees else {}),
            lon: (lon, x, {"units": "degrees_east"} if degrees else {}),
        },
    )


class _Decode:
    """Undo packing: ``scale_factor * z + add_offset``, with the declared fill value as NaN."""

    def __init__(self, z: Any) -> None:
        self.scale = float(getattr(z, "scale_factor", 1.0))
        self.offset = float(getattr(z, "add_offset", 0.0))
        fills = (getattr(z, name, None) for name in ("_FillValue", "missing_value"))
        self.fills = [float(np.ravel(f)[0]) for f in fills if f is not None]

    @property
    def packed(self) -> bool:
        return bool(self.fills) or (self.scale, self.offset) != (1.0, 0.0)

    def dtype(self, stored: np.dtype[Any]) -> np.dtype[Any]:
        if stored.kind == "f" or not self.packed:
            return stored.newbyteorder("=")
        return np.dtype("f4" if stored.itemsize <= 2 else "f8")

    def __call__(self, raw: NDArray[Any], dtype: np.dtype[Any]) -> NDArray[Any]:
        values = raw.astype(dtype)
        if (self.scale, self.offset) != (1.0, 0.0):
            values = (values * dtype.type(self.scale) + dtype.type(self.offset)).astype(dtype)
        for fill in self.fills:
            values[raw == fill] = np.nan
        return values


class _RowsFromNorth(BackendArray):  # type: ignore[no-untyped-call,unused-ignore]
    """The vector ``z`` seen as rows and columns; reading a block touches that block only."""

    def __init__(self, path: str, shape: tuple[int, int], decode: _Decode, dtype: np.dtype[Any]) -> None:
        self.path, self.shape, self.decode, self.dtype = path, shape, decode, dtype

    def __getitem__(self, key: indexing.ExplicitIndexer) -> Any:
        return indexing.explicit_indexing_adapter(key, self.shape, indexing.IndexingSupport.BASIC, self._read)

    def _read(self, key: tuple[Any, ...]) -> NDArray[Any]:
        # Mapped, not read: a block of a global grid must not load the other 200 MB.
        with netcdf_file(self.path, mmap=True) as file:
            return self.decode(np.array(file.variables["z"].data.reshape(self.shape)[key]), self.dtype)


def _axis(first: float, last: float, count: int, node_offset: int) -> NDArray[np.float64]:
    half = 0.5 * (last - first) / count if node_offset else 0.0
    return np.linspace(first + half, last - half, count)


def _text(value: Any) -> str:
    return value.decode("latin-1") if isinstance(value, bytes) else str(value)

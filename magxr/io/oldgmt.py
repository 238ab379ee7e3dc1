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
    with netcdf_file(path, mmap=True) as file:
        return set(file.variables) >= _PARTS and len(file.variables["z"].dimensions) == 1


def open_old_gmt(path: Path) -> xr.Dataset:
    """Open such a grid lazily, as ``z`` on latitude (north first) and longitude.

    Notes
    -----
    ``x_range`` and ``y_range`` are the outermost nodes of a gridline-registered grid (``node_offset`` 0)
    and the outer edges of a pixel-registered one (``node_offset`` 1).
    """
    told = _header(path)
    nx, ny = (int(n) for n in told["dimension"])
    if nx * ny != told["cells"]:
        size = f"{nx} x {ny} = {nx * ny}"
        msg = f"{path}: z has {told['cells']} values, but dimension says {size}; the file is damaged"
        raise GridError(msg)
    x = _axis(told["x_range"], nx, told["node_offset"])
    y = _axis(told["y_range"], ny, told["node_offset"])[::-1]
    degrees = "degrees_east" in told["x_units"] and "degrees_north" in told["y_units"]
    lat, lon = ("lat", "lon") if degrees else ("y", "x")
    values = _RowsFromNorth(str(path), (ny, nx), told["decode"], told["decode"].dtype(told["stored"]))
    attrs = {"node_offset": told["node_offset"]}
    if told["z_units"] not in ("", "z"):
        attrs["units"] = told["z_units"]
    return xr.Dataset(
        {"z": ((lat, lon), indexing.LazilyIndexedArray(values), attrs)},
        coords={
            lat: (lat, y, {"units": "degrees_north"} if degrees else {}),
            lon: (lon, x, {"units": "degrees_east"} if degrees else {}),
        },
    )


def _header(path: Path) -> dict[str, Any]:
    # Mapped, so that z is not read; and nothing of the file may outlive the mapping, hence the copies.
    with netcdf_file(path, mmap=True) as file:
        told: dict[str, Any] = {
            name: np.array(file.variables[name].data).tolist() for name in ("x_range", "y_range", "dimension")
        }
        for name in ("x", "y", "z"):
            units = getattr(file.variables.get(f"{name}_range"), "units", "")
            told[f"{name}_units"] = units.decode("latin-1") if isinstance(units, bytes) else str(units)
        told["node_offset"] = int(getattr(file.variables["z"], "node_offset", 0))
        told["cells"] = int(file.variables["z"].shape[0])
        told["stored"] = np.dtype(file.variables["z"].data.dtype)
        told["decode"] = _Decode(file.variables["z"])
    return told


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


class _RowsFromNorth(BackendArray):
    """The vector ``z`` seen as rows and columns; reading a block touches that block only."""

    def __init__(self, path: str, shape: tuple[int, int], decode: _Decode, dtype: np.dtype[Any]) -> None:
        self.path, self.shape, self.decode, self.dtype = path, shape, decode, dtype

    def __getitem__(self, key: indexing.ExplicitIndexer) -> Any:
        return indexing.explicit_indexing_adapter(key, self.shape, indexing.IndexingSupport.BASIC, self._read)

    def _read(self, key: tuple[Any, ...]) -> NDArray[Any]:
        # Mapped, not read: a block of a global grid must not load the other 200 MB.
        with netcdf_file(self.path, mmap=True) as file:
            return self.decode(np.array(file.variables["z"].data.reshape(self.shape)[key]), self.dtype)


def _axis(ends: list[float], count: int, node_offset: int) -> NDArray[np.float64]:
    first, last = ends
    half = 0.5 * (last - first) / count if node_offset else 0.0
    return np.linspace(first + half, last - half, count)

"""Open a gridded magnetic map lazily, whatever file it is in."""

from __future__ import annotations

import os
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import xarray as xr

from magxr.errors import GridError, MissingExtraError, StoreError
from magxr.io import places, reach, store
from magxr.io.anomaly import CRS, as_anomaly
from magxr.io.codecs import check_codecs
from magxr.io.hdf5 import check_whole
from magxr.io.moving import marked
from magxr.io.oldgmt import is_old_gmt, open_old_gmt

if TYPE_CHECKING:
    from magxr.io.chunking import Chunks

Format = Literal["netcdf4", "netcdf3", "geotiff", "zarr"]

_MAGIC: dict[bytes, Format] = {
    b"\x89HDF": "netcdf4",
    b"CDF\x01": "netcdf3",
    b"CDF\x02": "netcdf3",
    b"CDF\x05": "netcdf3",
    b"II*\x00": "geotiff",
    b"MM\x00*": "geotiff",
    b"II+\x00": "geotiff",
    b"MM\x00+": "geotiff",
}

_FROM_URLS = ("netcdf4", "zarr")
_PART = 4 << 20
"""Bytes of a NetCDF-4 file at a URL that are read at a time."""


def open_anomaly(
    path: str | os.PathLike[str],
    *,
    variable: str | None = None,
    units: str | None = None,
    crs: str | None = None,
    chunks: Chunks = "auto",
) -> xr.Dataset:
    """Open a magnetic anomaly grid from NetCDF, GMT, GeoTIFF or Zarr without reading its values.

    Parameters
    ----------
    path : str or path-like
        A NetCDF file (CF; classic or NetCDF-4; GMT's grids old and new), a GeoTIFF in longitude and
        latitude with one band, or a Zarr store (format 2 or 3). The content decides, not the suffix. NetCDF-4
        and Zarr may be at a URL, e.g. ``"s3://bucket/chile.nc"``.
    variable : str, optional
        Name of the anomaly in the file. Needed where several variables are in nT.
    units : "nT", optional
        Asserts that a variable without units is in nT. Units that the file does state are not overridden.
    crs : "EPSG:4326", optional
        Asserts that dimensions called x and y are longitude and latitude, where the file does not say.
    chunks : "auto", int, dict or None, optional
        Dask chunks: about 1024 cells along whole chunks of the file ("auto"), a length for both
        dimensions, lengths by dimension, or None to read the values now.

    Returns
    -------
    xarray.Dataset
        One variable ``anomaly`` (latitude, longitude as in the file; float32 or float64; nT; NaN where
        there is no data), with CF attributes on the coordinates, ``registration``, ``source_name`` and
        ``source_file`` in its attrs, and the CRS, where the file has one, as coordinate ``spatial_ref``.

    Raises
    ------
    StoreError
        If the path does not exist, is of unknown format or cannot be read; if a URL cannot be used.
    GridError
        If the file does not hold one regular grid of longitude and latitude in nT.
    ParameterError
        If ``chunks``, ``units`` or ``crs`` cannot be used.
    MissingExtraError
        If the format needs a package that is not installed.

    Notes
    -----
    Declared fill values become NaN as they are read; so does every finite value of 90 000 nT and more in
    size, since EMAG2 marks cells without data by 99999 or -99999 and not all copies declare it.
    """
    where = found(path)
    with reach.reaching(where):
        kind = sniff(where)
    if places.is_url(where) and kind not in _FROM_URLS:
        msg = f"{where} is {kind}, which can only be read on this machine; copy it here and open the copy"
        raise StoreError(msg)
    try:
        ds = _OPENERS[kind](where)
    except (OSError, RuntimeError, ValueError, KeyError, TypeError) as err:
        if isinstance(err, StoreError | GridError):
            raise
        why = f"{type(err).__name__}: {err}"
        msg = f"{where} looks like {kind} but cannot be read ({why}); fetch or make it anew"
        raise StoreError(msg) from err
    token = store.version(where) if kind == "zarr" else places.version(where)
    return as_anomaly(
        ds, file=where.name, variable=variable, units=units, crs=crs, chunks=chunks, token=token
    )


def found(path: str | os.PathLike[str]) -> Path:
    """Return the place if something is there, else tell."""
    if not isinstance(path, str | os.PathLike) and not places.is_url(path):
        msg = f"the path is {path!r}, a {type(path).__name__}; give the path of a grid as text"
        raise StoreError(msg)
    where = places.place(path)
    if not reach.there(where):
        looked = "" if places.is_url(where) else f" (looked from {Path.cwd()})"
        msg = f"there is no file or folder {str(path)!r}{looked}; check the path"
        raise StoreError(msg)
    return where


def sniff(path: Path) -> Format:
    """Tell a file's format from its first bytes (a folder's from what lies in it)."""
    if path.is_dir():
        if marked(path):
            return "zarr"
        msg = f"the folder {path} is not a Zarr store (it has no zarr.json, .zgroup or .zmetadata)"
        raise StoreError(msg)
    start = places.start(path, 8)
    if start[:4] in _MAGIC:
        return _MAGIC[start[:4]]
    if path.suffix.lower() in (".csv", ".xyz", ".txt"):
        fix = "EMAG2v3's table with magxr.io.emag2.ingest, other points with magxr.grid_points"
        msg = f"{path} is a table of points, not a grid; convert {fix}"
        raise StoreError(msg)
    fix = "convert it, e.g. gmt grdconvert in.grd out.nc=nf, or gdal_translate in.img out.tif"
    msg = f"{path} is neither NetCDF, GeoTIFF nor Zarr (it starts with {start!r}); {fix}"
    raise StoreError(msg)


def _need(package: str, purpose: str) -> None:
    if find_spec(package) is None:
        raise MissingExtraError(package, "files", purpose)


def _netcdf4(path: Path) -> xr.Dataset:
    _need("h5netcdf", "reading NetCDF-4")
    if not places.is_url(path):
        check_whole(path)
        return _open(path, engine="h5netcdf")
    # Parts of a file, each a request, are kept where they will be wanted again.
    file = places.files(path).open(places.key(path), "rb", block_size=_PART, cache_type="blockcache")
    check_whole(path, file)
    return _open(file, engine="h5netcdf")


def _netcdf3(path: Path) -> xr.Dataset:
    with path.open("rb") as file:
        classic = file.read(4) != b"CDF\x05"  # scipy knows the two older kinds; GMT's old grids are of them
    if classic and is_old_gmt(path):
        return open_old_gmt(path)
    _need("netCDF4", "reading classic NetCDF")
    return _open(path, engine="netcdf4")


def _zarr(path: Path) -> xr.Dataset:
    check_codecs(path)
    where, how = places.address(path)
    return _open(where, engine="zarr", consolidated=False, **how)


def _open(path: Any, **how: Any) -> xr.Dataset:
    return xr.open_dataset(path, decode_coords="all", chunks=None, cache=False, **how)


def _geotiff(path: Path) -> xr.Dataset:
    _need("rioxarray", "reading GeoTIFF")
    import rioxarray

    open_rasterio: Any = rioxarray.open_rasterio
    da = open_rasterio(path, cache=False)
    if not isinstance(da, xr.DataArray):
        msg = f"{path} holds several subdatasets; extract one with gdal_translate"
        raise GridError(msg)
    if da.sizes["band"] != 1:
        fix = "gdal_translate -b 1 in.tif out.tif"
        msg = f"{path} has {da.sizes['band']} bands; extract the anomaly, e.g. {fix}"
        raise GridError(msg)
    if da.rio.crs is not None and not da.rio.crs.is_geographic:
        fix = f"gdalwarp -t_srs {CRS} in.tif out.tif"
        msg = (
            f"{path} is in {da.rio.crs.to_string()[:60]}, not in longitude and latitude; reproject it: {fix}"
        )
        raise GridError(msg)
    packing = (da.attrs.get("scale_factor", 1.0), da.attrs.get("add_offset", 0.0))
    if da.dtype.kind == "f" or da.rio.nodata is not None or packing != (1.0, 0.0):
        da = open_rasterio(path, mask_and_scale=True, cache=False)
    ds: xr.Dataset = da.isel(band=0, drop=True).to_dataset(name=da.name if da.name is not None else "band_1")
    return ds if da.rio.crs is not None else ds.drop_vars("spatial_ref", errors="ignore")


_OPENERS = {"netcdf4": _netcdf4, "netcdf3": _netcdf3, "geotiff": _geotiff, "zarr": _zarr}

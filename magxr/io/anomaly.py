"""Bring what a file holds into one form: a lazy Dataset with one variable ``anomaly`` in nT.

Everything is decided from metadata and coordinates. What a file does not say (its units, that x and y are
degrees) is never guessed: the caller asserts it by name, or gets an error that tells how.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr

from magxr.errors import GridError, ParameterError
from magxr.geogrid import NT_UNITS, describe, find_variable
from magxr.io.chunking import Chunks, plan
from magxr.labelled import signed

if TYPE_CHECKING:
    from collections.abc import Hashable

    from numpy.typing import NDArray

NO_DATA = 9.0e4
"""nT. No marine or aeromagnetic anomaly comes near it; fill values (99999, -99999, 1e30, and what is left
of them after someone resampled the grid) lie beyond."""

CRS = "EPSG:4326"
_SPENT = frozenset(
    {"actual_range", "node_offset", "scale_factor", "add_offset", "AREA_OR_POINT", "_FillValue"}
    | {"missing_value", "coordinates", "grid_mapping", "STATISTICS_MAXIMUM", "STATISTICS_MEAN"}
    | {"STATISTICS_MINIMUM", "STATISTICS_STDDEV", "STATISTICS_VALID_PERCENT"}
)
"""Attributes that describe the file's encoding, or values that masking and later steps change."""


def as_anomaly(
    ds: xr.Dataset,
    *,
    file: str,
    variable: str | None = None,
    units: str | None = None,
    crs: str | None = None,
    chunks: Chunks = "auto",
    token: str | None = None,
) -> xr.Dataset:
    """Return the anomaly of an opened file as a Dataset with the single variable ``anomaly``.

    Parameters
    ----------
    ds : xarray.Dataset
        As opened: decoded, lazy, not chunked.
    file : str
        Name of the file, for messages and ``attrs["source_file"]``.
    variable, units, crs, chunks
        As in `magxr.io.read.open_anomaly`.
    token : str, optional
        Identity of the file, for the names of Dask tasks.

    Raises
    ------
    GridError
        If the file does not hold one regular latitude/longitude grid in nT.
    ParameterError
        If ``units`` or ``crs`` asserts something other than nT or EPSG:4326.
    """
    check_asserted(units, crs)
    name = _pick(ds, variable, units, file)
    da = ds[name].squeeze(drop=False)
    # "filled" says which cells `magxr.grid` interpolated: a map of ours must not forget it
    da = da.drop_vars([c for c, v in da.coords.items() if v.ndim > 0 and c not in (*da.dims, "filled")])
    da = _with_crs(da, ds, crs, file)
    if da.dtype.kind not in "fc":
        msg = (
            f"{file}: {name!r} holds raw integers ({da.dtype}) with neither scale_factor nor _FillValue, so "
            "missing cells cannot be told; declare _FillValue in the file, or convert it to float32 with NaN"
        )
        raise GridError(msg)
    said = str(da.attrs.get("units", "")) or "nT"
    registration = da.attrs.get("registration") or _told_registration(da, ds)
    attrs = {k: v for k, v in da.attrs.items() if k not in _SPENT}
    da.attrs = {**attrs, "units": said, **({"registration": registration} if registration else {})}
    grid, _ = describe(da)
    da.attrs |= {
        "registration": grid.registration,
        "units": "nT",
        "source_name": str(name),
        "source_file": file,
    }
    if "spatial_ref" in da.coords:
        da.attrs["grid_mapping"] = "spatial_ref"
    elif crs is not None:
        da.attrs["crs"] = CRS
    da.attrs = signed(da.attrs, "open_anomaly", {"file": file, "variable": name, "units": units, "crs": crs})
    for dim, standard, unit in (
        (grid.lat, "latitude", "degrees_north"),
        (grid.lon, "longitude", "degrees_east"),
    ):
        kept = {k: v for k, v in da[dim].attrs.items() if k not in _SPENT}
        told = {"long_name": standard, **kept, "standard_name": standard, "units": unit}
        da = da.assign_coords({dim: (dim, da[dim].values, told)})
    da = _lazy(da, chunks, token)
    out = da.rename("anomaly").to_dataset()
    out.attrs = {k: v for k, v in ds.attrs.items() if k not in _SPENT}
    for var in out.variables.values():
        var.encoding = {}
    out.set_close(ds.close)
    return out


def check_asserted(units: object, crs: object) -> None:
    """Refuse to be told anything but nT and longitude and latitude."""
    if units is not None and (not isinstance(units, str) or units.strip().lower() not in NT_UNITS):
        msg = f"units={units!r}: only units='nT' can be asserted; convert other units to nT first"
        raise ParameterError(msg)
    if crs is not None and (not isinstance(crs, str) or crs.strip().upper() not in (CRS, "OGC:CRS84")):
        fix = f"gdalwarp -t_srs {CRS} in.tif out.tif"
        msg = f"crs={crs!r}: only crs={CRS!r} can be asserted; reproject other grids first, e.g. {fix}"
        raise ParameterError(msg)


def _pick(ds: xr.Dataset, variable: str | None, units: str | None, file: str) -> Hashable:
    grids = {n: v for n, v in ds.data_vars.items() if v.squeeze().ndim >= 2}
    if variable is not None:
        name = find_variable(ds, variable)
    else:
        in_nt = [n for n, v in grids.items() if _units(v).lower() in NT_UNITS]
        silent = [n for n, v in grids.items() if not _units(v)]
        if len(in_nt) > 1:
            found = sorted(map(str, in_nt))
            msg = f"{file}: several variables are in nT ({found}); name one with variable='...' (--variable)"
            raise GridError(msg)
        if not in_nt and (units is None or len(silent) != 1):
            have = {str(n): _units(v) or "no units" for n, v in grids.items()}
            how = "if one is, say so with variable='...' and units='nT' (--variable, --units nT)"
            if len(silent) == 1:
                how = "if one is, say so with units='nT' (--units nT)"
            elif not silent:
                how = "convert one to nT and say so in its attribute 'units'" if have else "give another file"
            msg = f"{file}: no variable says that it is in nT (grids and units found: {have}); {how}"
            raise GridError(msg)
        name = (in_nt or silent)[0]
    if units is None and not _units(ds[name]):
        msg = f"{file}: {name!r} has no units; if it is in nT, say so with units='nT' (--units nT)"
        raise GridError(msg)
    return name


def _with_crs(da: xr.DataArray, ds: xr.Dataset, crs: str | None, file: str) -> xr.DataArray:
    """Check that x and y are degrees, and carry the CRS as the coordinate ``spatial_ref``."""
    told = da.attrs.get("grid_mapping", da.encoding.get("grid_mapping", "spatial_ref"))
    name = str(told).split(":", maxsplit=1)[0]
    mapping = ds.variables.get(name)
    kind = "" if mapping is None else str(mapping.attrs.get("grid_mapping_name", ""))
    wkt = "" if mapping is None else str(mapping.attrs.get("crs_wkt", mapping.attrs.get("spatial_ref", "")))
    if kind not in ("", "latitude_longitude") or wkt.startswith(("PROJC", "BOUNDCRS")):
        msg = (
            f"{file} is projected ({kind or wkt[:60]}); magxr works in longitude and latitude: "
            f"reproject it first, e.g. gdalwarp -t_srs {CRS} in.tif out.tif"
        )
        raise GridError(msg)
    geographic = kind == "latitude_longitude" or wkt.startswith("GEOG") or crs is not None
    for dim, standard in (("y", "latitude"), ("x", "longitude")):
        if dim not in da.dims or dim not in da.coords or _says_degrees(da[dim], geographic):
            continue
        if not geographic and str(da[dim].attrs.get("long_name", "")).lower() != standard:
            msg = (
                f"{file} does not say that its dimension {dim!r} is {standard} in degrees; if it is, say so "
                f"with crs={CRS!r}, otherwise reproject it, e.g. gdalwarp -t_srs {CRS} in.tif out.tif"
            )
            raise GridError(msg)
        told = {**da[dim].attrs, "standard_name": standard, "units": "degrees"}
        da = da.assign_coords({dim: (dim, da[dim].values, told)})
    if mapping is None:
        return da
    attrs = {k: v for k, v in mapping.attrs.items() if k != "GeoTransform"}
    da = da.drop_vars(name, errors="ignore")
    return da.assign_coords(spatial_ref=xr.Variable((), np.int64(0), attrs))


def _says_degrees(axis: xr.DataArray, geographic: bool) -> bool:
    """Tell whether a coordinate called x or y says what it is (rioxarray says projection even of degrees)."""
    standard = str(axis.attrs.get("standard_name", ""))
    return bool(standard or axis.attrs.get("units")) and not (geographic and "projection" in standard)


def _told_registration(da: xr.DataArray, ds: xr.Dataset) -> str | None:
    """Registration by GMT's ``node_offset`` (on the variable, or global since GMT 4.5) or GDAL's tag."""
    offset = da.attrs.get("node_offset", ds.attrs.get("node_offset"))
    if offset is not None:
        return "pixel" if int(np.ravel(offset)[0]) else "gridline"
    area: Any = da.attrs.get("AREA_OR_POINT", ds.attrs.get("AREA_OR_POINT"))
    return {"Area": "pixel", "Point": "gridline"}.get(str(area))


def _lazy(da: xr.DataArray, chunks: Chunks, token: str | None) -> xr.DataArray:
    if chunks is None:
        return da.copy(data=without_fill(np.asarray(da.values)))
    stored = da.encoding.get("preferred_chunks") or {}
    da = da.chunk(plan(da.sizes, stored, chunks), token=token)
    values = da.data.map_blocks(without_fill, dtype=da.dtype, meta=da.data._meta)
    return da.copy(data=values)


def without_fill(values: NDArray[Any]) -> NDArray[Any]:
    """Return values with NaN where ``NO_DATA <= |value| < inf``; infinities stay, for they are faults."""
    fill = (np.abs(values) >= NO_DATA) & np.isfinite(values)
    return np.where(fill, values.dtype.type(np.nan), values)


def _units(v: xr.DataArray) -> str:
    return str(v.attrs.get("units", "")).strip()

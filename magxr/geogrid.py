"""What a magnetic grid is: variable, latitude and longitude, spacing, registration, wrap.

Only metadata and coordinates are read here; the anomaly values are never touched, so describing a
lazy grid computes nothing.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal

import numpy as np

from magxr.axes import (
    REGULARITY,
    even_spacing,
    find_axis,
    mostly_falling,
    name_of,
    read_axis,
    units_of,
    unrolled,
)
from magxr.errors import GridError

if TYPE_CHECKING:
    from collections.abc import Hashable

    import xarray as xr
    from numpy.typing import NDArray

Registration = Literal["pixel", "gridline"]

EARTH_RADIUS = 6371.0087714e3
"""Mean radius of the Earth (IUGG R1), metres."""

NT_UNITS = frozenset({"nt", "nanotesla", "nanoteslas", "nano tesla", "gamma", "gammas"})


@dataclass(frozen=True, slots=True)
class Grid:
    """A regular latitude/longitude grid in canonical form: south to north, west to east, no column twice."""

    lat: str
    """Name of the latitude dimension."""
    lon: str
    """Name of the longitude dimension."""
    shape: tuple[int, int]
    """Rows (latitude) and columns (longitude)."""
    origin: tuple[float, float]
    """Latitude and longitude of the first (south-western) cell centre or node, degrees."""
    spacing: tuple[float, float]
    """Distance between rows and between columns, degrees, both positive."""
    registration: Registration = "pixel"
    """"pixel": values stand for cells around the coordinates; "gridline": for the nodes themselves."""
    wraps: bool = False
    """Whether the columns go once around the globe."""
    crs: str = "EPSG:4326"
    """Coordinate reference system of latitude and longitude."""

    @property
    def latitude(self) -> NDArray[np.float64]:
        """Latitudes of the rows, degrees north, ascending."""
        return self.origin[0] + self.spacing[0] * np.arange(self.shape[0], dtype=np.float64)

    @property
    def longitude(self) -> NDArray[np.float64]:
        """Longitudes of the columns, degrees east, ascending."""
        return self.origin[1] + self.spacing[1] * np.arange(self.shape[1], dtype=np.float64)

    @property
    def column0(self) -> int:
        """Number of the first column counted from longitude 0: what anchors tiles on a grid that wraps."""
        if not self.wraps:
            return 0
        offset = 0.5 if self.registration == "pixel" else 0.0
        # Halves always go up (round() would take every other one down), or rolled grids would disagree.
        return math.floor(self.origin[1] / self.spacing[1] - offset + 0.5 + 1e-6) % self.shape[1]

    def cell_metres(self) -> tuple[float, NDArray[np.float64]]:
        """Height of every cell and width by row, metres, on a sphere of radius ``EARTH_RADIUS``."""
        metre = math.radians(1) * EARTH_RADIUS
        return self.spacing[0] * metre, self.spacing[1] * metre * np.cos(np.radians(self.latitude))

    def resized(
        self,
        shape: tuple[int, int],
        origin: tuple[float, float],
        spacing: tuple[float, float],
    ) -> Grid:
        """Return the same kind of grid with other cells; ``wraps`` stays true only if it still goes round."""
        round_again = self.wraps and abs(shape[1] * spacing[1] - 360.0) < 0.5 * spacing[1]
        return replace(self, shape=shape, origin=origin, spacing=spacing, wraps=round_again)


@dataclass(frozen=True, slots=True)
class Layout:
    """How an input departs from the canonical form, so that the result can be laid out the same way."""

    transposed: bool = False
    """Longitude came before latitude."""
    descending: bool = False
    """Latitude ran from north to south."""
    reversed_columns: bool = False
    """Longitude ran from east to west."""
    rolled: int = 0
    """Input column at which the canonical first column stands (a jump in longitude inside the grid)."""
    repeated: bool = False
    """The last column repeated the first (0 and 360 degrees both present)."""


def find_variable(ds: xr.Dataset, variable: Hashable | None = None) -> Hashable:
    """Return the name of the anomaly variable: the one asked for, else the only 2-D one in nT.

    Raises
    ------
    GridError
        If the name does not exist, or no or several variables qualify.
    """
    if variable is not None:
        if not _hashable(variable):
            msg = f"variable={variable!r} is not the name of one variable; give one as text, e.g. 'anomaly'"
            raise GridError(msg)
        if variable not in ds.data_vars:
            msg = f"no variable {variable!r} in the dataset; it has {sorted(map(str, ds.data_vars))}"
            raise GridError(msg)
        return variable
    found = [n for n, v in ds.data_vars.items() if v.ndim >= 2 and units_of(v) in NT_UNITS]
    if len(found) == 1:
        return found[0]
    have = {str(n): str(v.attrs.get("units", "no units")) for n, v in ds.data_vars.items()}
    what = "no variable has" if not found else f"several variables ({sorted(map(str, found))}) have"
    msg = f"{what} units of nT (units found: {have}); name the anomaly with variable='...'"
    raise GridError(msg)


def describe(da: xr.DataArray) -> tuple[Grid, Layout]:
    """Describe the grid under an anomaly array without reading its values.

    Parameters
    ----------
    da : xarray.DataArray
        Anomaly, dims latitude and longitude in any order, float32 or float64, nT.

    Returns
    -------
    Grid, Layout
        The grid in canonical form, and how ``da`` departs from that form.

    Raises
    ------
    GridError
        If dims, units, dtype or coordinates are not those of a regular latitude/longitude grid.
    """
    _check_values(da)
    lat, lon = find_axis(da, "latitude"), find_axis(da, "longitude")
    if set(da.dims) != {lat, lon}:
        extra = sorted(str(d) for d in da.dims if d not in (lat, lon))
        msg = f"{name_of(da)} has the extra dimensions {extra}; select one map, e.g. .isel({extra[0]}=0)"
        raise GridError(msg)
    y, x = read_axis(da, lat), read_axis(da, lon)
    descending, reversed_columns = bool(y[0] > y[-1]), mostly_falling(x)
    y = y[::-1] if descending else y
    x = x[::-1] if reversed_columns else x
    dlat = even_spacing(y, lat)
    if y[0] < -90.0 - 0.01 or y[-1] > 90.0 + 0.01:
        msg = f"latitudes run from {y[0]:g} to {y[-1]:g}; they must lie within -90..90 degrees"
        raise GridError(msg)
    x, jump = unrolled(x, lon)
    dlon = even_spacing(x, lon)
    repeated = bool(abs((x[-1] - x[0]) - 360.0) < REGULARITY * dlon)
    columns = len(x) - repeated
    wraps = bool(abs(columns * dlon - 360.0) < 0.5 * dlon)
    if wraps and jump and not repeated:
        x = np.concatenate([x[jump:] - 360.0, x[:jump]])
    else:
        jump = 0
    if x[-1] - x[0] > 360.0 + REGULARITY * dlon:
        msg = f"{lon} spans {x[-1] - x[0]:g} degrees; a grid may go round the globe once, at most 360"
        raise GridError(msg)
    grid = Grid(
        lat=str(lat),
        lon=str(lon),
        shape=(len(y), columns),
        origin=(float(y[0]), float(x[0])),
        spacing=(dlat, dlon),
        registration=_registration(da, float(y[0]), dlat),
        wraps=wraps,
        crs=_crs(da),
    )
    layout = Layout(da.dims[0] == lon, descending, reversed_columns, jump, repeated)
    return grid, layout


def _check_values(da: xr.DataArray) -> None:
    units = units_of(da.variable)
    if units and units not in NT_UNITS:
        fix = "convert it and set attrs['units'] = 'nT'"
        msg = f"{name_of(da)} has units {da.attrs['units']!r}, not nT; {fix}"
        raise GridError(msg)
    if da.dtype not in (np.float32, np.float64):
        fix = ".astype('float32'), after masking any fill value, so that NaN can mark missing cells"
        msg = f"{name_of(da)} has dtype {da.dtype}, not float32 or float64; use {fix}"
        raise GridError(msg)
    for key in ("_FillValue", "missing_value"):
        told = np.ravel(da.attrs.get(key, np.nan)).tolist()
        if any(not isinstance(v, float) or not math.isnan(v) for v in told):
            shown = told[0] if len(told) == 1 else told
            fix = (
                f"da = da.where(da != {shown!r}); del da.attrs[{key!r}], or open it with mask_and_scale=True"
            )
            msg = f"{name_of(da)} still carries its fill value {shown!r} ({key}); mask it: {fix}"
            raise GridError(msg)


def _registration(da: xr.DataArray, first: float, spacing: float) -> Registration:
    by_offset = {0: "gridline", 1: "pixel"}.get(int(da.attrs.get("node_offset", -1)))
    told: object = da.attrs.get("registration", by_offset)
    if told in ("pixel", "gridline"):
        return "pixel" if told == "pixel" else "gridline"
    offset = (first / spacing) % 1.0
    return "gridline" if min(offset, 1.0 - offset) < 0.1 else "pixel"


def _crs(da: xr.DataArray) -> str:
    mapping: xr.DataArray | None = da.coords.get(
        da.attrs.get("grid_mapping", da.encoding.get("grid_mapping", "spatial_ref"))
    )
    told = da.attrs.get("crs") or (mapping.attrs.get("crs_wkt") if mapping is not None else None)
    return str(told or "EPSG:4326")


def _hashable(name: object) -> bool:
    try:
        hash(name)
    except TypeError:
        return False
    return True

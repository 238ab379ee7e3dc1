"""Read latitude and longitude: which dimension is which, and whether it is regular."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import numpy as np

from magxr.errors import GridError

if TYPE_CHECKING:
    from collections.abc import Hashable

    import xarray as xr
    from numpy.typing import NDArray

_LAT_UNITS = frozenset({"degrees_north", "degree_north", "degree_n", "degrees_n"})
_LON_UNITS = frozenset({"degrees_east", "degree_east", "degree_e", "degrees_e"})
_LAT_NAMES = frozenset({"lat", "latitude"})
_LON_NAMES = frozenset({"lon", "long", "longitude"})
REGULARITY = 0.02
"""Largest departure of a coordinate from even spacing, in cells (float32 coordinates need some)."""


def find_axis(da: xr.DataArray, which: Literal["latitude", "longitude"]) -> Hashable:
    """Return the dimension that is latitude or longitude, by CF attributes or else by name."""
    units, names, axis = (
        (_LAT_UNITS, _LAT_NAMES, "Y") if which == "latitude" else (_LON_UNITS, _LON_NAMES, "X")
    )
    missing = [d for d in da.dims if d not in da.coords]
    known = [d for d in da.dims if d in da.coords]
    for found in (
        [d for d in known if da[d].attrs.get("standard_name") == which],
        [d for d in known if units_of(da[d]) in units],
        [d for d in known if str(d).lower() in names],
        [d for d in known if da[d].attrs.get("axis") == axis and "standard_name" not in da[d].attrs],
    ):
        if len(found) == 1:
            return found[0]
    if missing:
        fix = "assign it in degrees with .assign_coords"
        msg = f"dimension {missing[0]!r} of {name_of(da)} has no coordinate; {fix}"
        raise GridError(msg)
    msg = (
        f"no {which} among the dimensions {[str(d) for d in da.dims]} of {name_of(da)}; rename one to "
        f"{which!r} or set its attrs['standard_name'] = {which!r} (projected grids: reproject first)"
    )
    raise GridError(msg)


def read_axis(da: xr.DataArray, dim: Hashable) -> NDArray[np.float64]:
    """Return the coordinate of a dimension as numbers, refusing what cannot be degrees."""
    if da[dim].dtype.kind not in "fiu":
        msg = f"{dim} has dtype {da[dim].dtype}, no numbers; assign degrees with .assign_coords({dim}=...)"
        raise GridError(msg)
    values = np.asarray(da[dim].values, dtype=np.float64)
    if values.size < 2:
        fix = "take a larger region"
        msg = f"{dim} has {values.size} values; a grid needs at least 2 along each dimension: {fix}"
        raise GridError(msg)
    bad = int((~np.isfinite(values)).sum())
    if bad:
        fix = f"drop them with .sel({dim}=np.isfinite(da[{str(dim)!r}]))"
        msg = f"{dim} has {bad} values that are NaN or infinite; {fix}"
        raise GridError(msg)
    return values


def mostly_falling(x: NDArray[np.float64]) -> bool:
    """Tell whether the coordinate runs from east to west (a roll inside does not matter)."""
    return bool(np.median(np.diff(x)) < 0)


def unrolled(x: NDArray[np.float64], dim: Hashable) -> tuple[NDArray[np.float64], int]:
    """Undo one step back by 360 degrees (at the date line, or inside a rolled globe); say where it was."""
    if not np.any(np.diff(x) <= 0):
        return x, 0
    jump = int(np.argmin(np.diff(x))) + 1
    step = float(np.median(np.diff(x)))
    if abs(x[jump] + 360.0 - x[jump - 1] - step) > 0.5 * step:
        fix = f"sort it with .sortby({dim!r})"
        msg = f"{dim} is not monotonic (it steps from {x[jump - 1]:g} to {x[jump]:g}); {fix}"
        raise GridError(msg)
    return np.concatenate([x[:jump], x[jump:] + 360.0]), jump


def even_spacing(x: NDArray[np.float64], dim: Hashable) -> float:
    """Return the distance of neighbours, degrees, refusing a coordinate that is not regular and ascending."""
    step = np.diff(x)
    if np.any(step <= 0):
        at = int(np.argmin(step))
        if step[at] == 0:
            msg = f"{dim} has {x[at]:g} twice; drop repeated ones with .drop_duplicates({dim!r})"
            raise GridError(msg)
        fix = f"sort it with .sortby({dim!r})"
        msg = f"{dim} is not monotonic (it steps from {x[at]:g} to {x[at + 1]:g}); {fix}"
        raise GridError(msg)
    spacing = float((x[-1] - x[0]) / (len(x) - 1))
    off = np.abs(x - (x[0] + spacing * np.arange(len(x)))).max() / spacing
    if off > REGULARITY:
        count = max(2, round((x[-1] - x[0]) / float(np.median(step))) + 1)
        fix = f"resample it first, e.g. .interp({dim}=np.linspace({x[0]:.9g}, {x[-1]:.9g}, {count}))"
        msg = f"{dim} is irregular (steps from {step.min():g} to {step.max():g} degrees); {fix}"
        raise GridError(msg)
    # Float noise of the coordinates must not leak into what is derived from the spacing.
    return float(np.round(spacing, 12))


def units_of(var: xr.Variable | xr.DataArray) -> str:
    """Return the units in lower case, empty if there are none."""
    return str(var.attrs.get("units", "")).strip().lower()


def name_of(da: xr.DataArray) -> str:
    """Return how a message calls an array."""
    return f"the variable {str(da.name)!r}" if da.name is not None else "the array"

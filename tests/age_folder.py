"""An age grid whose every number is known: a straight north-south ridge, offset by one fracture zone."""

import numpy as np
import xarray as xr

from magxr.synthetic.places import PLACES

HALF_RATE = 40.0
"""km/Myr."""
OFFSET = 120.0
"""Of the ridge north of the fracture zone, eastward, km."""
AXIS = 104.0
"""Longitude of the southern axis, degrees west."""
ZONE = 5.03
"""Latitude of the fracture zone."""


def write(folder, name="epr", land=True):
    """Write both files; crust west of 108 W is land, if ``land``."""
    latitude, longitude = np.linspace(0.0, 10.0, 101), np.linspace(-110.0, -98.0, 121)
    width = 6371.0088 * np.radians(1.0) * np.cos(np.radians(latitude))[:, None]
    away = (longitude[None, :] + AXIS) * width - OFFSET * (latitude[:, None] > ZONE)
    age = np.abs(away) / HALF_RATE
    if land:
        age[:, longitude < -108.0] = np.nan
    relief = np.full(age.shape, -3000.0)
    axes = {"lat": latitude, "lon": longitude}
    xr.Dataset({"age": (("lat", "lon"), age), "topography": (("lat", "lon"), relief)}, coords=axes).to_netcdf(
        folder / f"{name}_age_topo_6m.nc"
    )
    sediment = np.full((121, 145), 500.0)
    sediment[:, :10] = np.nan
    xr.Dataset(
        {"sediment_thickness": (("lat", "lon"), sediment)},
        coords={"lat": np.linspace(0.0, 10.0, 121), "lon": np.linspace(-110.0, -98.0, 145)},
    ).to_netcdf(folder / f"{name}_sedthick_5m.nc")
    return folder


def write_places(folder):
    """Write age grids around the four places: straight ridges of 25 km/Myr through their middles."""
    for place in PLACES.values():
        west, south, east, north = place.bounds
        latitude, longitude = (
            np.arange(south - 1.0, north + 1.01, 0.2),
            np.arange(west - 1.0, east + 1.01, 0.2),
        )
        width = 111.19 * np.cos(np.radians(0.5 * (south + north)))
        away = np.abs(longitude - 0.5 * (west + east)) * width
        age = np.broadcast_to(away / 25.0, (latitude.size, longitude.size))
        axes = {"lat": latitude, "lon": longitude}
        flat = np.full(age.shape, -4000.0)
        both = {"age": (("lat", "lon"), age.copy()), "topography": (("lat", "lon"), flat)}
        xr.Dataset(both, coords=axes).to_netcdf(folder / f"{place.name}_age_topo_6m.nc")
        none = {"sediment_thickness": (("lat", "lon"), np.zeros(age.shape))}
        xr.Dataset(none, coords=axes).to_netcdf(folder / f"{place.name}_sedthick_5m.nc")
    return folder

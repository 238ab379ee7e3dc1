"""An age grid whose every number is known: a straight north-south ridge, offset by one fracture zone."""

import numpy as np
import xarray as xr

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

"""Boxes out of grids: the same cells whatever the columns' origin, direction or seam."""

import numpy as np
import pytest
import xarray as xr
from hypothesis import given
from hypothesis import strategies as st

from magxr.errors import ParameterError
from magxr.geogrid import describe
from magxr.io.crop import crop
from magxr.testing import nothing_computes, wavy_sea_floor


def globe(registration="pixel", repeated=False):
    """Values tell where they are: latitude + longitude / 1000, longitude 0..360."""
    half = 0.0 if registration == "gridline" else 2.5
    lon = half + 5.0 * np.arange(72 + repeated)
    lat = np.arange(-85 + half, 86 - half, 5.0)
    values = lat[:, None] + np.mod(lon, 360.0)[None, :] / 1000
    return xr.Dataset(
        {"anomaly": (("lat", "lon"), values, {"units": "nT", "registration": registration})},
        coords={
            "lat": ("lat", lat, {"units": "degrees_north"}),
            "lon": ("lon", lon, {"units": "degrees_east"}),
        },
    )


def said(ds):
    """Latitude + longitude / 1000 by the coordinates of the result."""
    return (ds.lat + np.mod(ds.lon, 360.0) / 1000).transpose(*ds.anomaly.dims).values


@given(
    west=st.integers(-180, 355),
    width=st.integers(15, 300),
    south=st.integers(-80, 40),
    roll=st.integers(0, 71),
    repeated=st.booleans(),
    registration=st.sampled_from(["pixel", "gridline"]),
    flip=st.tuples(st.booleans(), st.booleans(), st.booleans()),
)
def test_any_box_of_any_globe(west, width, south, roll, repeated, registration, flip):
    ds = globe(registration, repeated)
    if not repeated:
        ds = ds.roll(lon=roll, roll_coords=True)
    ds = ds.isel(lat=slice(None, None, -1 if flip[0] else 1), lon=slice(None, None, -1 if flip[1] else 1))
    ds = (ds.transpose("lon", "lat") if flip[2] else ds).chunk(20)
    east, north = west + width, south + 33
    east = east if east <= 360 else east - 360
    with nothing_computes():
        out = crop(ds, (west, south, east, north))
        grid, _ = describe(out.anomaly)
    plain = globe(registration)
    inside = np.mod(plain.lon.values - west, 360.0) <= width
    rows = (plain.lat.values >= south) & (plain.lat.values <= north)
    assert grid.shape == (rows.sum(), inside.sum())
    np.testing.assert_allclose(out.anomaly.values, said(out), atol=1e-12)
    assert out.anomaly.dims == ds.anomaly.dims
    assert out.anomaly.attrs == ds.anomaly.attrs


def test_the_result_has_even_chunks():
    ds = wavy_sea_floor((300, 200)).to_dataset().chunk(64)
    out = crop(ds, (-109.5, -39.0, -107.0, -35.0), chunks=70)
    assert out.anomaly.chunks == ((70, 70, 60), (70, 55))
    wanted = wavy_sea_floor((300, 200)).sel(lon=slice(-109.5, -107.0), lat=slice(-39.0, -35.0))
    np.testing.assert_array_equal(out.anomaly.values, wanted.values)


def test_a_crs_survives_a_cut_across_the_seam():
    ds = globe().assign_coords(spatial_ref=((), 0, {"crs_wkt": "GEOGCS"})).chunk(20)
    assert crop(ds, (-20, -20, 20, 20)).spatial_ref.attrs == {"crs_wkt": "GEOGCS"}


@pytest.mark.parametrize(
    ("bounds", "message"),
    [
        ((0, 0, 10), r"bounds=\(0, 0, 10\) are not four numbers; give west, south, east, north"),
        ((0, 20, 10, 10), r"south must be below north, both within -90\.\.90"),
        ((0, 0, 10, 95), r"south must be below north, both within -90\.\.90"),
        ((0, 0, np.nan, 10), "south must be below north"),
        ((0, 0, 400, 10), r"west and east must lie within -360\.\.360"),
        ((0, 0, 10, 10), r"hold 0 x 0 cells; the grid covers longitude -109\.99\.\.-107\.61, latitude"),
    ],
)
def test_bad_bounds(bounds, message):
    with pytest.raises(ParameterError, match=message):
        crop(wavy_sea_floor().to_dataset(), bounds)

"""What a magnetic grid is, and what is refused."""

import numpy as np
import pytest
import xarray as xr

from magxr.errors import GridError
from magxr.geogrid import describe, find_variable
from magxr.labelled import apply, canonical
from magxr.testing import nothing_computes, wavy_sea_floor


def test_describes_a_pixel_grid():
    grid, layout = describe(wavy_sea_floor((20, 30)))
    assert grid.shape == (20, 30)
    assert grid.spacing == (0.02, 0.02)
    assert grid.registration == "pixel"
    assert not grid.wraps
    assert layout == type(layout)()
    np.testing.assert_allclose(grid.latitude, wavy_sea_floor((20, 30)).lat)


@pytest.fixture
def globe():
    lon = np.arange(-180.0, 180.0, 2.0)
    lat = np.arange(-60.0, 61.0, 2.0)
    values = np.random.default_rng(1).normal(size=(lat.size, lon.size)).astype("f4")
    return xr.DataArray(
        values, {"latitude": lat, "longitude": lon}, ("latitude", "longitude"), "a", {"units": "nT"}
    )


def variants(da):
    lon = da.dims[1]
    east = da.assign_coords({lon: da[lon] % 360}).sortby(lon)
    yield "as it is", da
    yield "north first", da[::-1]
    yield "east first", da[:, ::-1]
    yield "transposed", da.T
    yield "rolled", da.roll({lon: 37}, roll_coords=True)
    yield "0..360", east
    yield (
        "repeated column",
        da.pad({lon: (0, 1)}, mode="wrap").assign_coords({lon: np.append(da[lon], da[lon][0] + 360)}),
    )
    yield "all of it", da.roll({lon: 11}, roll_coords=True)[::-1].T


def test_layouts_come_back_as_they_went_in(globe):
    for what, da in variants(globe):
        out = apply(da, lambda v, g: v + 0, step="nothing", parameters={})
        np.testing.assert_array_equal(out.values, da.values, err_msg=what)
        assert out.dims == da.dims, what
        values, grid, _ = canonical(da)
        assert grid.wraps, what
        assert values.shape == (61, 180), what
        back = xr.DataArray(
            values,
            {"latitude": grid.latitude, "longitude": grid.longitude % 360},
            da.dims if what not in ("transposed", "all of it") else da.dims[::-1],
        ).sortby("longitude")
        want = globe.assign_coords(longitude=globe.longitude % 360).sortby("longitude")
        np.testing.assert_array_equal(back.values, want.values, err_msg=what)


def test_a_region_across_the_date_line():
    da = wavy_sea_floor((12, 40)).assign_coords(lon=((179.61 + 0.02 * np.arange(40) + 180) % 360) - 180)
    grid, layout = describe(da)
    assert not grid.wraps
    assert layout.rolled == 0
    np.testing.assert_allclose(grid.longitude[[0, -1]], [179.61, 180.39])
    out = apply(da, lambda v, g: v + 0, step="nothing", parameters={})
    xr.testing.assert_equal(out, da)


def test_column0_follows_the_roll(globe):
    east = globe.assign_coords(longitude=globe.longitude % 360).sortby("longitude")
    assert describe(globe)[0].column0 == 90
    assert describe(east)[0].column0 == 0


def test_apply_is_lazy_and_keeps_everything(globe):
    ds = globe.chunk(20).to_dataset(name="a").assign(other=("latitude", np.arange(61)))
    ds = ds.assign_coords(spatial_ref=0)
    with nothing_computes():
        out = apply(ds, lambda v, g: v * 2, step="double", parameters={"by": 2})
    assert set(out.variables) == set(ds.variables)
    assert out.a.attrs["units"] == "nT"
    assert out.a.attrs["history"].endswith("double(by=2)")
    np.testing.assert_array_equal(out.a, globe * 2)
    assert "history" not in ds.a.attrs


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda d: d.assign_attrs(units="m"), "units 'm', not nT"),
        (lambda d: d.astype("i2"), "dtype int16"),
        (lambda d: d.assign_attrs(_FillValue=99999.0), "99999"),
        (lambda d: d.expand_dims(time=2), "extra dimensions \\['time'\\]"),
        (lambda d: d.drop_vars("lat"), "dimension 'lat' .* has no coordinate"),
        (lambda d: d.drop_attrs().rename(lat="northing", lon="easting"), "no latitude among the dimensions"),
        (lambda d: d.isel(lon=[0, 1, 2, 5, 6]), "lon is irregular"),
        (lambda d: d.isel(lat=[3, 2, 4, 5]), "lat is not monotonic"),
        (lambda d: d.isel(lon=[4, 5, 6, 1, 2]), "lon is not monotonic"),
        (lambda d: d.isel(lat=[0]), "lat has 1 value"),
        (lambda d: d.assign_coords(lat=d.lat + 130), "within -90..90"),
        (lambda d: d.assign_coords(lat=d.lat.where(d.lat > d.lat[0])), "NaN or infinite"),
    ],
)
def test_refusals_name_the_value_and_the_fix(change, message):
    with pytest.raises(GridError, match=message):
        describe(change(wavy_sea_floor((12, 12))))


def test_asks_for_the_variable_by_name():
    ds = wavy_sea_floor((12, 12)).to_dataset()
    assert find_variable(ds) == "anomaly"
    with pytest.raises(GridError, match="several variables"):
        find_variable(ds.assign(again=ds.anomaly))
    with pytest.raises(GridError, match="no variable has units of nT"):
        find_variable(ds.assign(anomaly=ds.anomaly.drop_attrs()))
    with pytest.raises(GridError, match="no variable 'mag'"):
        find_variable(ds, "mag")

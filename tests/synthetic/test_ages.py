"""Real crust: what is read of age grids, and what becomes of it between their nodes."""

import numpy as np
import pytest
import xarray as xr

from magxr.errors import GridError, StoreError
from magxr.synthetic import timescale
from magxr.synthetic.ages import read
from magxr.synthetic.crust import Crust, recorded
from tests import age_folder
from tests.age_folder import AXIS, HALF_RATE, OFFSET, ZONE


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return age_folder.write(tmp_path_factory.mktemp("age"))


@pytest.fixture(scope="module")
def crust(folder):
    return Crust(read(folder, "epr"))


def test_crust_lies_below_water_and_sediment(folder):
    grid = read(folder, "epr")
    np.testing.assert_allclose(grid.basement[:, 40:], 3.5)
    np.testing.assert_allclose(grid.basement[:, :7], 3.0)  # no sediment known
    assert np.isnan(grid.age[:, :20]).all()
    assert np.isfinite(grid.age[:, 20:]).all()


def test_rows_come_south_first_whatever_the_file(folder, tmp_path):
    for file in folder.iterdir():
        with xr.open_dataset(file) as ds:
            ds.isel(lat=slice(None, None, -1)).transpose("lon", "lat").to_netcdf(tmp_path / file.name)
    assert read(tmp_path, "epr").digest == read(folder, "epr").digest


def test_age_is_exact_where_it_grows_evenly(crust):
    latitude, longitude = np.linspace(1.0, 4.0, 37), np.linspace(-107.0, -105.0, 53)
    found = crust.at(latitude, longitude)
    width = 6371.0088 * np.radians(1.0) * np.cos(np.radians(latitude))[:, None]
    true = -(longitude[None, :] + AXIS) * width / HALF_RATE
    # a row is wider in the south: the mean of three rows is off by that curvature only
    np.testing.assert_allclose(found.age, true, rtol=1e-5)
    np.testing.assert_allclose(found.slowness, 1.0 / HALF_RATE, rtol=0.05)
    np.testing.assert_allclose(found.known, 1.0)
    np.testing.assert_allclose(found.broken, 0.0)
    assert np.all(np.minimum(found.strike, 180.0 - found.strike) < 5.0)


def test_the_axis_is_no_fracture_zone_and_not_old(crust):
    south = crust.at(np.array([2.0]), np.linspace(-AXIS - 0.5, -AXIS + 0.5, 101))
    assert np.all(south.broken == 0.0)
    assert 0.0 <= south.age.min() < 3.8 / HALF_RATE
    np.testing.assert_allclose(south.slowness, 1.0 / HALF_RATE, rtol=0.05)


def test_a_fracture_zone_is_broken_and_only_it(crust):
    away = -AXIS + OFFSET / 111.0 + 1.0
    across = crust.at(np.linspace(3.0, 7.0, 401), np.array([away]))
    latitude = np.linspace(3.0, 7.0, 401)
    inside = across.broken[:, 0] > 0.5
    assert inside[np.abs(latitude - ZONE) < 0.05].all()
    assert not inside[np.abs(latitude - ZONE) > 0.2].any()
    assert (across.broken[np.abs(latitude - ZONE) > 0.3] == 0.0).all()


def test_land_is_not_known(crust):
    found = crust.at(np.array([2.0]), np.linspace(-109.5, -106.5, 31))
    assert (found.known[0, :10] == 0.0).all()
    np.testing.assert_allclose(found.known[0, -10:], 1.0)
    assert np.isfinite(found.age).all()


def test_recorded_polarity_is_that_of_the_time_scale():
    age = np.linspace(0.0, 150.0, 20001)
    polarity, distance = recorded(age, np.full(age.size, 0.05), transition=0.02)
    turns = timescale.reversals()
    nearest = np.abs(age[:, None] - turns).min(axis=1)
    np.testing.assert_allclose(distance, nearest / 0.05, atol=1e-9)
    far = nearest > 0.13
    np.testing.assert_allclose(polarity[far], timescale.polarity(age[far]), atol=1e-6)
    at_turn, _ = recorded(np.array([turns[9]]), np.array([0.05]), transition=1e-3)
    assert abs(at_turn[0]) < 0.6
    assert recorded(np.array([timescale.OLDEST + 1.0]), np.array([0.05]), 0.02)[0][0] == 0.0


def test_what_cannot_be_read_is_told(folder, tmp_path):
    with pytest.raises(StoreError, match="does not exist; give the one that holds epr_age"):
        read(tmp_path / "nowhere", "epr")
    with pytest.raises(StoreError, match=r"holds no epr_age_topo_6m\.nc; put the age grid"):
        read(tmp_path, "epr")
    (tmp_path / "epr_age_topo_6m.nc").write_bytes(b"not a grid")
    with pytest.raises(StoreError, match="cannot be read as NetCDF"):
        read(tmp_path, "epr")


def test_grids_of_something_else_are_told(folder, tmp_path):
    for file in folder.iterdir():
        (tmp_path / file.name).write_bytes(file.read_bytes())
    age = tmp_path / "epr_age_topo_6m.nc"
    with xr.open_dataset(folder / age.name) as ds:
        ds.load()
    age.unlink()
    ds.rename(age="anomaly").to_netcdf(age)
    with pytest.raises(GridError, match=r"holds no 'age' on lat and lon, only \['anomaly', 'topography'\]"):
        read(tmp_path, "epr")
    age.unlink()
    (ds * -1.0).to_netcdf(age)
    with pytest.raises(GridError, match="sea floor is 0 to 400 Myr old"):
        read(tmp_path, "epr")
    age.unlink()
    ds.isel(lat=[0, 1, 2, 4, 9, 10]).to_netcdf(age)
    with pytest.raises(GridError, match="lat of an age grid is not evenly spaced"):
        read(tmp_path, "epr")

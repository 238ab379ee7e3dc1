"""Replicas: real isochrons, the rest drawn; the same for every window of the map."""

import numpy as np
import pytest

from magxr.errors import GridError, ParameterError
from magxr.synthetic import forward, noise, timescale
from magxr.synthetic.ages import read
from magxr.synthetic.crust import Crust
from magxr.synthetic.places import PLACES, replica
from magxr.synthetic.plane import Plane
from magxr.synthetic.provinces import Outline, Province
from magxr.synthetic.replica import Replica, dataset, render
from magxr.synthetic.survey import Survey
from tests import age_folder
from tests.age_folder import AXIS, HALF_RATE

QUIET = {"rough": (0.0, 60.0), "patchy": 0.0, "fabric": 0.0}


@pytest.fixture(scope="module")
def crust(tmp_path_factory):
    return Crust(read(age_folder.write(tmp_path_factory.mktemp("age")), "epr"))


def made(crust, shape=(60, 90), origin=(1.5, -105.5), **changes):
    return Replica(1, Plane(shape, origin, 1.0 / 60.0), crust, **changes)


def test_stripes_follow_the_time_scale_at_the_real_age(crust):
    found = dataset(made(crust, survey=Survey(white=0.0), **QUIET))
    width = 6371.0088 * np.radians(1.0) * np.cos(np.radians(found.lat.values))[:, None]
    age = np.abs((found.lon.values + AXIS) * width) / HALF_RATE
    away = np.abs(found.lon.values + AXIS) > 0.2
    np.testing.assert_allclose(found.age.values[:, away], age[:, away], rtol=2e-3)
    # over steep chrons the anomaly of crust magnetised upright has the sign of the polarity
    sign = np.where(timescale.polarity(age) == 1, 1.0, -1.0)
    assert np.corrcoef(sign.ravel(), found.clean.values.ravel())[0, 1] > 0.5
    assert found.linear.values.all()
    np.testing.assert_allclose(found.anomaly, found.clean, atol=1e-3)
    np.testing.assert_allclose(found.depth, 3.5, atol=1e-5)


def test_one_depth_gives_the_anomaly_of_one_layer(crust):
    flat = made(
        crust, survey=Survey(white=0.0), fabric=3.0, rough=(0.0, 60.0), intensity=(0.0, 0.0, 10.0), patchy=0.0
    )
    found = render(flat, (0, 40), (0, 40))["clean"]

    rows, cols = forward.reach_cells(flat.plane.cell, 80.0)
    y, x = flat.plane.northing((-rows, 40 + rows)), flat.plane.easting((-cols, 40 + cols))
    layer = 3.0 * noise.fractal(1, "fabric", y, x, 40.0, 5.0, 0.2)
    want = forward.anomaly([(layer, forward.Filter(3.5, 0.5, 0.0, 90.0))], flat.plane.cell, 80.0)
    np.testing.assert_allclose(found, want, atol=1e-2)


def test_a_window_is_the_same_as_in_the_whole(crust):
    there = Province("patches", Outline("ellipse", (60.0, 60.0), (40.0, 30.0)))
    whole = made(crust, provinces=(there,), survey=Survey(white=2.0, spikes=1e-3))
    all_of_it = render(whole, (0, 60), (0, 90))
    part = render(whole, (13, 44), (20, 71))
    for name, values in part.items():
        np.testing.assert_allclose(values, all_of_it[name][13:44, 20:71], atol=2e-2, err_msg=name)


def test_seeds_and_only_seeds_change_it(crust):
    one = made(crust, shape=(20, 20))
    np.testing.assert_array_equal(dataset(one).anomaly, dataset(made(crust, shape=(20, 20))).anomaly)
    other = Replica(2, one.plane, crust)
    assert np.abs(dataset(one).anomaly - dataset(other).anomaly).max() > 1.0
    assert one.digest == made(crust, shape=(20, 20)).digest != other.digest


def test_provinces_broken_and_unknown_crust_are_not_linear(crust):
    blob = Province("fractal", Outline("ellipse", (80.0, 50.0), (30.0, 30.0), border=1.0))
    found = dataset(made(crust, shape=(60, 90), origin=(4.6, -108.4), provinces=(blob,)))
    height, width = 6371.0088 * np.radians(1.0), 6371.0088 * np.radians(1.0) * np.cos(np.radians(5.1))
    far = np.hypot(
        (found.lon.values[None, :] + 108.4) * width - 80.0, (found.lat.values[:, None] - 4.6) * height - 50.0
    )
    assert not found.linear.values[far < 25.0].any()
    unknown = found.lon.values < -108.1
    assert not found.linear.values[:, unknown].any()
    assert np.isnan(found.age.values[:, unknown]).all()
    zone = np.abs(found.lat.values - age_folder.ZONE) < 0.04
    assert not found.linear.values[zone].any()
    assert (
        found.linear.values[
            (far > 40.0) & ~unknown & (np.abs(found.lat.values - 5.03) > 0.25)[:, None]
        ].mean()
        > 0.8
    )
    assert np.isnan(found.strike.values[found.linear.values == 0]).all()


def test_places_refuse_what_does_not_fit(crust, tmp_path):
    with pytest.raises(ParameterError, match=r"unknown place 'atlantis'; there are \['azores', 'epr'"):
        replica("atlantis", tmp_path)
    age_folder.write(tmp_path)
    with pytest.raises(ParameterError, match="do not lie inside epr"):
        replica("epr", tmp_path, bounds=(-110.0, 4.0, -104.0, 6.0))
    outside = made(crust, origin=(9.5, -105.5))
    with pytest.raises(GridError, match=r"latitude 9\.508 to 10\.492 leaves the age grid"):
        dataset(outside)


def test_a_part_of_a_place_has_the_same_crust_tracks_and_provinces(tmp_path):
    age_folder.write(tmp_path)
    whole = replica("epr", tmp_path, 3)
    west, south, _, _ = PLACES["epr"].bounds
    part = replica("epr", tmp_path, 3, bounds=(west + 0.5, south + 0.5, west + 1.5, south + 1.5))
    assert part.plane.shape == (60, 60)
    shift = whole.provinces[0].outline.centre[1] - part.provinces[0].outline.centre[1]
    assert shift == pytest.approx(30 * whole.plane.cell[0])


def test_the_papers_rise_has_288_windows(real_data):
    place = PLACES["epr"]
    rows, cols = (int((n * place.native / place.spacing - 250) // 50) + 1 for n in place.shape)
    assert rows * cols == 288
    found = dataset(replica("epr", real_data / "age"))
    assert 0.6 < found.linear.mean() < 0.9
    assert found.attrs["title"] == "synthetic sea floor after epr"
    assert 0.15 < (found.tracked == 1).mean() < 0.6

"""Scenes: the same seed gives the same bits, and the truth is true."""

import json

import numpy as np
import pytest
import xarray as xr

from magxr.errors import ParameterError
from magxr.geogrid import describe
from magxr.synthetic.plane import Plane
from magxr.synthetic.scenes import KINDS, scene, training_scenes

SMALL = (192, 224)


@pytest.fixture(scope="module")
def mixed():
    return scene(11, SMALL, tracks="sparse")


def test_same_seed_same_bits(mixed):
    xr.testing.assert_identical(scene(11, SMALL, tracks="sparse"), mixed)
    assert not np.array_equal(scene(12, SMALL, tracks="sparse").clean, mixed.clean)


def test_what_a_scene_holds(mixed):
    assert {name: str(v.dtype) for name, v in mixed.data_vars.items()} == {
        "anomaly": "float32",
        "clean": "float32",
        "linear": "int8",
        "strike": "float32",
        "tracked": "int8",
        "fidelity": "float32",
    }
    assert mixed.sizes == {"lat": SMALL[0], "lon": SMALL[1]}
    grid, layout = describe(mixed.anomaly)
    assert grid.registration == "pixel"
    assert grid.spacing == pytest.approx((0.012, 0.012))
    assert layout == type(layout)()
    np.testing.assert_allclose(mixed.lat[0], -20.0 + 0.006)
    assert json.loads(mixed.attrs["parameters"])["seed"] == 11
    assert mixed.attrs["Conventions"] == "CF-1.11"


@pytest.mark.parametrize("kind", KINDS)
def test_truth_is_consistent(kind):
    ds = scene(3, SMALL, kind=kind)
    assert np.isfinite(ds.clean).all()
    np.testing.assert_array_equal(np.isnan(ds.strike), ds.linear == 0)
    np.testing.assert_array_equal(np.isnan(ds.anomaly), ds.tracked == -1)
    assert float(ds.strike.min()) >= 0 or kind in ("nonlinear", "noise")
    assert not float(ds.strike.max()) >= 180
    if kind in ("nonlinear", "noise"):
        assert not ds.linear.any()


def test_training_scenes_depend_on_their_own_seed_only():
    few = list(training_scenes([5, 6], SMALL))
    xr.testing.assert_identical(few[1], next(training_scenes([6], SMALL)))
    assert few[0].attrs["kind"] in KINDS


@pytest.mark.parametrize(("latitude", "strike"), [(-2.0, 30.0), (58.0, 30.0), (58.0, 135.0), (-45.0, 90.0)])
def test_strike_is_the_true_azimuth_of_the_stripes(latitude, strike):
    """Measured in the field itself: stripes lie across the mean gradient, in kilometres, not in cells."""
    ds = scene(8, (200, 300), origin=(latitude, 0.0), kind="linear", strike=strike, half_rates=(30.0, 30.0))
    plane = Plane((200, 300), (latitude, 0.0), 0.012)
    north, east = np.gradient(ds.clean.values.astype(float), *plane.cell)
    across = 0.5 * np.degrees(np.arctan2(2 * np.mean(north * east), np.mean(north**2 - east**2)))
    measured = (across + 90.0) % 180.0
    told = np.radians(2 * ds.strike.values[ds.linear.values == 1])
    mean = 0.5 * np.degrees(np.arctan2(np.sin(told).mean(), np.cos(told).mean())) % 180.0
    assert abs((measured - mean + 90.0) % 180.0 - 90.0) < 3.0
    assert abs((mean - strike + 90.0) % 180.0 - 90.0) < 20.0  # isochrons may wander


def test_a_full_survey_without_holes_misses_nothing():
    ds = scene(8, SMALL, holes=False, tracks="full", spikes=0.0)
    assert (ds.tracked == 1).all()
    assert np.isfinite(ds.anomaly).all()
    assert float(abs(ds.anomaly).max()) < 1e4
    holes = scene(8, SMALL, holes=True, tracks="full", spikes=0.0)
    assert 0.0 < float(holes.anomaly.isnull().mean()) < 0.5
    assert np.isfinite(holes.clean).all()


def test_spikes_have_the_share_asked_for():
    ds = scene(8, SMALL, spikes=0.01, holes=False, tracks="full")
    bare = scene(8, SMALL, spikes=0.0, holes=False, tracks="full")
    changed = ds.anomaly != bare.anomaly
    assert float(changed.mean()) == pytest.approx(0.01, rel=0.2)
    assert float(abs(ds.anomaly.where(changed)).min()) >= 1e3


def test_noise_scenes_have_the_spectrum_of_stripes_without_a_direction():
    stripes, noise = (scene(8, (400, 400), (0.012), (-2.4, 0.0), kind=k) for k in ("linear", "noise"))
    # of the part that is rendered, which reaches beyond the scene by as much as its survey needs
    assert float(noise.clean.std()) == pytest.approx(float(stripes.clean.std()), rel=0.2)

    def coherence(values):
        north, east = np.gradient(values.astype(float))
        nn, ee, ne = np.mean(north**2), np.mean(east**2), np.mean(north * east)
        return np.hypot(nn - ee, 2 * ne) / (nn + ee)

    assert coherence(stripes.clean.values) > 0.5
    assert coherence(noise.clean.values) < 0.1


def test_fidelity_tells_sparse_from_full_surveys():
    full, sparse = (scene(8, SMALL, tracks=t, holes=False).fidelity for t in ("full", "sparse"))
    assert float(full.median()) > float(sparse.median())
    assert float(full.max()) <= 1.0 + 1e-6


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"kind": "curly"}, r"kind 'curly' is not one of \['mixed'"),
        ({"tracks": "some"}, r"tracks 'some' is not one of \['full'"),
        ({"spikes": 0.5}, r"spikes is 0\.5; the share .* within 0\.\.0\.1"),
        ({"spacing": "0.72 miles"}, r"spacing '0\.72 miles' is not a number and a unit; write e\.g\."),
        ({"spacing": -1.0}, r"spacing is -1 degrees; it must be above 0"),
        ({"seed": -3}, r"seed is -3; it must be a whole number"),
        ({"origin": (84.0, 0.0)}, r"latitude 84 to .*; the plane holds between -85 and 85"),
        ({"shape": (0, 10)}, r"shape is \(0, 10\); both sides need at least 1 cell"),
        ({"half_rates": (20.0, -1.0)}, r"half_rates are \(20\.0, -1\.0\) km/Myr; both sides"),
    ],
)
def test_refusals(arguments, message):
    with pytest.raises(ParameterError, match=message):
        scene(**{"seed": 1, "shape": SMALL, **arguments})

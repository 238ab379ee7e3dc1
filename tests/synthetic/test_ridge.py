"""Where the stripes of a ridge must lie."""

import numpy as np
import pytest

from magxr.errors import ParameterError
from magxr.synthetic.ridge import Ridge, profile
from magxr.synthetic.timescale import polarity, reversals

U = np.arange(-400.0, 400.5, 0.5)


def line(ridge, north=0.0):
    """Ages along a line to the east through the axis of a ridge that strikes north."""
    across = ridge.across(U[None, :], np.array([[north]]))[0]
    return ridge.age(across)


def test_age_is_distance_over_half_rate_on_each_side():
    ridge = Ridge(half_rates=(20.0, 35.0))
    np.testing.assert_allclose(line(ridge), np.where(U < 0, -U / 20.0, U / 35.0), atol=1e-8)


@pytest.mark.parametrize(("rates", "side"), [((20.0, 35.0), -1), ((20.0, 35.0), 1)])
def test_reversals_are_recorded_where_the_rates_say(rates, side):
    ridge = Ridge(half_rates=rates, transition=0.3)
    u, _, magnetisation, _ = profile(ridge)
    at = u[1:][np.sign(magnetisation[1:]) != np.sign(magnetisation[:-1])]
    rate = rates[0] if side < 0 else rates[1]
    for age in (0.78, 0.99, 1.77, 2.581, 3.58, 9.92, 33.058, 83.0):
        assert np.abs(at - side * age * rate).min() <= 0.26, age
    # The Cretaceous superchron has none.
    inside = (side * at > 84 * rate) & (side * at < 120 * rate)
    assert not inside.any()


def test_magnetisation_has_the_polarity_and_fades_with_age():
    ridge = Ridge(half_rates=(60.0, 60.0), transition=0.5, intensity=(10.0, 4.0, 5.0))
    assert ridge.magnetisation(np.array([0.0]))[0] == pytest.approx(10.0, rel=1e-3)
    old = ridge.magnetisation(np.array([60.0 * 100.0]))[0]
    assert old == pytest.approx(4.0, rel=1e-3)
    middle = 60.0 * 0.5 * (reversals()[:40] + reversals()[1:41])
    wide = np.diff(reversals()[:41]) * 60.0 > 5.0
    signs = np.sign(ridge.magnetisation(middle[wide]))
    np.testing.assert_array_equal(signs, polarity(middle[wide] / 60.0))
    assert not ridge.magnetisation(np.array([60.0 * 170.0])).any()


def test_a_reversal_is_as_wide_as_its_transition():
    u, _, magnetisation, _ = profile(
        Ridge(half_rates=(50.0, 50.0), transition=2.0, intensity=(5.0, 5.0, 1.0))
    )

    # Brunhes-Matuyama at 39 km; the next reversal is 10 km away.
    def at(where):
        return np.interp(where, u, magnetisation)

    assert at(39.0) == pytest.approx(0.0, abs=0.35)
    assert at(37.0) == pytest.approx(5.0 * 0.683, abs=0.35)
    assert at(33.0) == pytest.approx(5.0, abs=0.1)


def test_strike_turns_the_map():
    """With the axis at N30E, the age grows along azimuth 120 and is constant along azimuth 30."""
    ridge = Ridge(strike=30.0, half_rates=(25.0, 25.0), point=(100.0, 50.0))
    step = 75.0
    for azimuth, age in ((120.0, 3.0), (30.0, 0.0), (300.0, 3.0), (210.0, 0.0)):
        east = 100.0 + step * np.sin(np.radians(azimuth))
        north = 50.0 + step * np.cos(np.radians(azimuth))
        across = ridge.across(np.array([[east]]), np.array([[north]]))
        assert ridge.age(across)[0, 0] == pytest.approx(age, abs=1e-6)
    assert ridge.across(np.array([[187.0]]), np.array([[0.0]]))[0, 0] > 0  # right of strike


def test_fracture_zone_offsets_what_lies_beyond_it():
    ridge = Ridge(half_rates=(20.0, 20.0), fracture_zones=((-50.0, -30.0), (10.0, 80.0)))
    at = {north: U[np.argmin(line(ridge, north))] for north in (-60.0, 0.0, 20.0)}
    assert at == {-60.0: 0.0, 0.0: -30.0, 20.0: 50.0}


def test_oblique_spreading():
    """Fracture zones follow the spreading direction, the half-rate counts along it, stripes keep strike."""
    ridge = Ridge(half_rates=(20.0, 20.0), obliquity=30.0, fracture_zones=((0.0, 60.0),))
    far = 100.0
    # The spreading direction is azimuth 120: the fracture zone passes south of east.
    on_zone = -far * np.tan(np.radians(30.0))
    beyond, before = (ridge.across(np.array([[far]]), np.array([[on_zone + d]]))[0, 0] for d in (5.0, -5.0))
    assert before == pytest.approx(far)
    assert beyond == pytest.approx(far - 60.0 * np.cos(np.radians(30.0)))
    assert ridge.age(np.array([far]))[0] == pytest.approx(far / (20.0 * np.cos(np.radians(30.0))))


def test_ridge_jump_leaves_a_piece_on_the_other_plate():
    """A jump of 40 km to the right at 3 Ma, half-rates of 20: written out by hand."""
    age = Ridge(half_rates=(20.0, 20.0), jumps=((3.0, 40.0),)).age
    # Right: new crust to 60 km, then what was 40 km from the old axis at 3 Ma.
    np.testing.assert_allclose(age(np.array([30.0, 59.9, 60.1, 80.0])), [1.5, 2.995, 5.005, 6.0], atol=1e-6)
    # Left: new crust to -60, the captured piece back to the extinct axis at -100, then the old left plate.
    np.testing.assert_allclose(
        age(np.array([-59.9, -60.1, -80.0, -100.0, -120.0])), [2.995, 4.995, 4.0, 3.0, 4.0], atol=1e-6
    )


def test_jumps_left_and_right_mirror_each_other():
    right = Ridge(half_rates=(20.0, 20.0), jumps=((3.0, 40.0), (8.0, -25.0)))
    left = Ridge(half_rates=(20.0, 20.0), jumps=((3.0, -40.0), (8.0, 25.0)))
    where = np.arange(-300.25, 300.0, 0.5)
    np.testing.assert_allclose(right.age(where), left.age(-where), atol=1e-5)


def test_true_strike_follows_the_isochrons():
    """The azimuth given is that of the level lines of the age itself."""
    ridge = Ridge(strike=40.0, wander=(12.0, 300.0, 0.4), half_rates=(20.0, 20.0), point=(-500.0, 900.0))
    x, y = np.meshgrid(np.arange(0.0, 200.0, 1.0), np.arange(0.0, 200.0, 1.0))
    across = ridge.across(x, y)
    north, east = np.gradient(across)
    level = np.degrees(np.arctan2(-north, east)) % 180.0  # at right angles to the gradient
    got = ridge.strikes(x, y)
    off = (got - level + 90.0) % 180.0 - 90.0
    assert np.abs(off[1:-1, 1:-1]).max() < 0.05
    assert np.ptp(got) > 10.0
    assert got.min() >= 0.0
    assert got.max() < 180.0


def test_striped_where_a_reversal_is_near():
    ridge = Ridge(half_rates=(50.0, 50.0))
    quiet, busy = 50.0 * 100.0, 50.0 * 20.0
    np.testing.assert_array_equal(ridge.striped(np.array([quiet, busy])), [False, True])
    edge = 50.0 * 83.0
    np.testing.assert_array_equal(ridge.striped(edge + np.array([49.0, 51.0])), [True, False])
    assert not ridge.striped(np.array([50.0 * 170.0]))[0]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"half_rates": (0.0, 3.0)}, r"half_rates are \(0\.0, 3\.0\) km/Myr; both sides must spread"),
        ({"obliquity": 75.0}, r"obliquity is 75\.0 degrees; it must lie within -60\.\.60"),
        ({"fracture_zones": ((5.0, 1.0), (2.0, 1.0))}, r"fracture zones .*; list them in ascending order"),
        ({"jumps": ((-1.0, 10.0),)}, r"ridge jumps .* ages between 0 and 200 Ma"),
    ],
)
def test_refusals(arguments, message):
    with pytest.raises(ParameterError, match=message):
        Ridge(**arguments)

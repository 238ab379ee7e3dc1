import numpy as np
import pytest

from magxr.kernels.strips import COUNT, STRIPS, strips

SIDE = 124


def grid(angle=0.0):
    """Distances across and along a direction, in cells, from the middle."""
    north, east = np.mgrid[:SIDE, :SIDE] - (SIDE - 1) / 2.0
    return (
        east * np.cos(angle) + north * np.sin(angle),
        north * np.cos(angle) - east * np.sin(angle),
    )


def measured(values, angle=0.0, there=None):
    known = np.ones_like(values, bool) if there is None else there
    return dict(zip(STRIPS, strips(np.where(known, values, 0.0), known, angle), strict=True))


@pytest.mark.parametrize("angle", [0.0, 0.4, 2.5])
def test_straight_stripes_are_alike_everywhere(angle):
    across, _ = grid(angle)
    found = measured(np.sin(2 * np.pi * across / 20.0), angle)
    assert found["stacked variance, fine"] > 0.95
    for name in ("likeness of strips, least", "likeness of every second strip"):
        assert found[name] > 0.95
    assert found["shift of strips"] == 0.0
    assert np.expm1(found["crossings of the profile"]) == pytest.approx(2 * SIDE / 20.0, abs=2)


def test_a_direction_that_is_a_little_off_is_put_right():
    across, _ = grid(0.4)
    found = measured(np.sin(2 * np.pi * across / 20.0), 0.4 + np.radians(3.0))
    assert found["stacked variance, fine"] > 0.95


def test_stripes_that_a_fracture_zone_shifts_fit_when_shifted_back():
    across, along = grid()
    shifted = across + np.where(along > SIDE / (2.0 * COUNT), 9.0, 0.0)
    rng = np.random.default_rng(0)
    profile = np.convolve(rng.standard_normal(SIDE + 40), np.ones(7) / 7.0, "same")
    found = measured(np.interp(shifted, np.arange(-82.0, 82.0), profile))
    assert found["likeness of strips, least"] < 0.5
    assert found["likeness of strips, shifted, least"] > 0.95
    # root mean square over four pairs, of which one is shifted by 9; a tilt may take a little of that
    assert 3.0 < np.expm1(found["shift of strips"]) < 5.0


def test_blobs_are_not_alike():
    from scipy.ndimage import gaussian_filter

    values = gaussian_filter(np.random.default_rng(1).standard_normal((SIDE, SIDE)), 4.0)
    found = measured(values / values.std())
    assert abs(found["likeness of strips"]) < 0.5
    assert found["stacked variance, fine"] < 0.4


def test_one_strong_line_among_weak_ones_has_tails():
    across, _ = grid()
    even = np.sin(2 * np.pi * across / 20.0)
    lone = 0.1 * even + 3.0 * np.exp(-((across - 11.0) ** 2) / 8.0)
    assert measured(lone)["tails of the profile"] > measured(even)["tails of the profile"] + 1.0
    assert measured(lone)["lopsidedness of the profile"] > 1.0
    assert measured(-lone) == pytest.approx(measured(lone))


def test_what_is_missing_does_not_count():
    across, along = grid()
    there = ~((np.abs(along) < 20) & (across > 10))
    holed = np.where(there, np.sin(2 * np.pi * across / 20.0), 1e3)
    assert measured(holed, there=there)["likeness of strips, least"] > 0.95


def test_too_little_is_all_zero():
    nothing = np.zeros((SIDE, SIDE), bool)
    nothing[60, :30] = True
    assert set(measured(np.ones((SIDE, SIDE)), there=nothing).values()) == {0.0}

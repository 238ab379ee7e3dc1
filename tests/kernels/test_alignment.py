import numpy as np
import pytest

from magxr.kernels.alignment import BANDS, LEVELS, NAMES, alignment
from magxr.kernels.stacks import STACKS, stacks

SIDE = 128


def stripes(azimuth, wavelength=24.0, side=SIDE):
    north, east = np.mgrid[:side, :side].astype(float)
    across = east * np.cos(np.radians(azimuth)) - north * np.sin(np.radians(azimuth))
    return np.sin(2.0 * np.pi * across / wavelength)


def noise(seed, smooth=4.0, side=SIDE):
    from scipy.ndimage import gaussian_filter

    field = gaussian_filter(np.random.default_rng(seed).standard_normal((side, side)), smooth)
    return field / field.std()


def measured(window):
    return dict(zip(NAMES, alignment(window[None])[0].tolist(), strict=True))


def test_every_number_has_a_name_of_its_own():
    assert len(set(NAMES)) == len(NAMES)
    assert alignment(np.stack([noise(0), noise(1)])).shape == (2, len(NAMES))


@pytest.mark.parametrize("azimuth", [0.0, 33.0, 90.0, 140.0])
def test_stripes_agree_with_themselves_and_isotropic_noise_does_not(azimuth):
    lines, blobs = measured(stripes(azimuth)), measured(noise(3))
    for level in LEVELS[:3]:
        assert lines[f"agreement, cells of {level}"] > 0.95
        assert blobs[f"agreement, cells of {level}"] < 0.4
    assert lines["stacked variance"] > 0.85  # directions are tried every 5 degrees
    assert blobs["stacked variance"] < 0.4
    assert lines["agreement of quarters"] > 0.95


def test_lines_that_bend_through_half_a_circle_are_coherent_but_do_not_agree():
    north, east = np.mgrid[:SIDE, :SIDE] - (SIDE - 1) / 2.0
    rings = measured(np.sin(2.0 * np.pi * np.hypot(north, east) / 16.0))
    assert rings["coherence over 3, cells of 2"] > 0.7
    assert rings["agreement, cells of 2"] < 0.1
    assert rings["stacked variance"] < 0.3


def test_stripes_are_counted_from_their_stacked_profile():
    few, many = measured(stripes(20.0, 48.0)), measured(stripes(20.0, 12.0))
    assert np.expm1(many["stripes"]) == pytest.approx(2 * SIDE / 12.0, abs=3.0)
    assert np.expm1(few["stripes"]) == pytest.approx(2 * SIDE / 48.0, abs=2.0)


@pytest.mark.parametrize("turn", [np.rot90, np.flipud, np.transpose, np.negative])
def test_turning_mirroring_and_polarity_change_nothing(turn):
    window = stripes(28.0) + 0.8 * noise(5)
    window[10:30, 50:90] = np.nan
    np.testing.assert_allclose(
        alignment(np.ascontiguousarray(turn(window))[None]), alignment(window[None]), atol=5e-3
    )


def test_level_and_unit_change_nothing():
    window = stripes(28.0) + 0.8 * noise(5)
    np.testing.assert_allclose(alignment((7.0 * window + 300.0)[None]), alignment(window[None]), atol=1e-5)


def test_a_window_depends_on_nothing_but_itself():
    many = np.stack([stripes(28.0), noise(1), stripes(80.0) + noise(2)]).astype(np.float32)
    alone = np.concatenate([alignment(w[None]) for w in many])
    np.testing.assert_array_equal(alignment(many), alone)
    inside = np.full((3, SIDE + 3, SIDE + 5), 9.0, np.float32)
    inside[:, 2:-1, 1:-4] = many
    np.testing.assert_array_equal(alignment(inside[:, 2:-1, 1:-4]), alone)


def test_one_seamount_of_a_thousand_nt_has_one_vote():
    window = stripes(60.0) + 0.2 * noise(7)
    peaked = window.copy()
    peaked[60:70, 60:70] += 1e3
    for name in ("agreement, cells of 2", "stacked variance", "agreement of 4 x 4 parts, cells of 1"):
        assert measured(peaked)[name] == pytest.approx(measured(window)[name], abs=0.2)


def test_the_edge_of_a_gap_is_no_line():
    holed = noise(11) + 50.0
    whole = measured(holed)
    holed[30:100, 40:70] = np.nan
    cut = measured(holed)
    for name in NAMES:
        if name.startswith("agreement,"):
            assert cut[name] < whole[name] + 0.25


@pytest.mark.parametrize("window", [np.full((SIDE, SIDE), 3.5), np.full((SIDE, SIDE), np.nan)])
def test_without_contrast_or_values_all_is_zero(window):
    assert not alignment(window[None]).any()


def test_noise_is_explained_by_no_more_than_chance():
    values = np.random.default_rng(2).standard_normal((40, 50, 50))
    there = np.ones((50, 50), bool)
    usual = [
        dict(zip(STACKS, stacks(v, there)[0], strict=True))["stacked variance, median direction"]
        for v in values
    ]
    assert abs(np.mean(usual)) < 0.01


def test_power_lies_in_the_band_of_the_wave():
    low, high = BANDS[1]
    found = measured(stripes(0.0, SIDE / 4.0))
    shares = {band: found[f"power of {band[0]:g} to {band[1]:g} waves"] for band in BANDS}
    assert max(shares, key=shares.get) == (low, high)
    assert found[f"direction of {low:g} to {high:g} waves"] > 0.95

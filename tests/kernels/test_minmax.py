"""Scaling by a window's own extremes: flat, missing, extreme."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from magxr.kernels.minmax import minmax


def test_scales_each_window_by_its_own_extremes():
    windows = np.array([[[-2.0, 0.0], [1.0, 2.0]], [[100.0, 300.0], [200.0, 150.0]]])
    wanted = [[[0, 0.5], [0.75, 1]], [[0, 1], [0.5, 0.25]]]
    got = minmax(windows)
    assert got.dtype == np.float32
    np.testing.assert_array_equal(got, np.float32(wanted))


@pytest.mark.parametrize("value", [0.0, -47.3, 1e4, 3e38])
def test_a_flat_window_says_nothing(value):
    np.testing.assert_array_equal(minmax(np.full((1, 4, 4), value, "f4")), np.full((1, 4, 4), 0.5, "f4"))


def test_rounding_noise_on_a_constant_is_flat_too():
    window = np.full((1, 8, 8), 48_000.0, "f4")
    window[0, 3, 3] = np.nextafter(np.float32(48_000), np.float32(1e9))
    assert np.ptp(window) > 0
    np.testing.assert_array_equal(minmax(window), np.full((1, 8, 8), 0.5, "f4"))


def test_a_window_without_any_value_says_nothing():
    np.testing.assert_array_equal(minmax(np.full((2, 3, 3), np.nan)), np.full((2, 3, 3), 0.5, "f4"))


@pytest.mark.parametrize("hole", [np.nan, np.inf, -np.inf])
def test_missing_cells_take_the_median_and_leave_the_scale_alone(hole):
    window = np.array([[[0.0, 10.0, 2.0], [hole, 4.0, hole]]])
    np.testing.assert_allclose(minmax(window), [[[0, 1, 0.2], [0.3, 0.4, 0.3]]], rtol=1e-6)


def test_leaves_its_input_alone_and_takes_strided_views():
    base = np.random.default_rng(3).normal(size=(20, 20)).astype("f4")
    base[2, 3] = np.nan
    before = base.copy()
    views = np.lib.stride_tricks.sliding_window_view(base, (8, 8))[::4, ::4].reshape(-1, 8, 8)
    np.testing.assert_array_equal(minmax(views), minmax(views.copy()))
    np.testing.assert_array_equal(base, before)
    np.testing.assert_array_equal(minmax(views)[3], minmax(views[3:4])[0])


@given(
    hnp.arrays(
        np.float32,
        (2, 5, 6),
        elements=st.one_of(st.just(np.nan), st.floats(-(2.0**100), 2.0**100, width=32)),
    )
)
def test_always_between_0_and_1_without_holes(windows):
    got = minmax(windows)
    assert np.isfinite(got).all()
    assert got.min() >= 0
    assert got.max() <= 1


def test_unit_and_offset_do_not_matter():
    window = np.random.default_rng(0).normal(size=(1, 30, 30))
    np.testing.assert_allclose(minmax(window), minmax(1e3 * window + 500), atol=2e-6)


def test_no_windows_at_all():
    assert minmax(np.empty((0, 5, 5))).shape == (0, 5, 5)

"""The bicubic spline against scipy's, and what holes do to it."""

import numpy as np
import pytest
from scipy import ndimage
from scipy.interpolate import CubicSpline, RectBivariateSpline

from magxr.kernels import spline


def positions(p):
    base = np.floor(p).astype(np.intp)
    return base, p - base


def respaced(x, rows, cols):
    return spline.respaced(x, positions(rows), positions(cols), halo=(0, 0, 0, 0))


@pytest.mark.parametrize("shape", [(2, 3), (3, 5), (12, 40), (90, 70)])
def test_it_is_scipys_natural_bicubic_spline(shape):
    rng = np.random.default_rng(0)
    x = rng.normal(0, 60, shape)
    rows, cols = (np.sort(rng.uniform(-0.5, n - 0.5, 2 * n)) for n in shape)
    along = CubicSpline(np.arange(shape[0]), x, axis=0, bc_type="natural")(rows)
    expected = CubicSpline(np.arange(shape[1]), along, axis=1, bc_type="natural")(cols)
    np.testing.assert_allclose(respaced(x, rows, cols), expected, rtol=0, atol=1e-10 * np.ptp(x))


def test_inside_the_map_it_is_every_bicubic_spline_of_scipy():
    x = np.random.default_rng(1).normal(0, 60, (90, 100))
    rows, cols = np.linspace(28, 60, 77), np.linspace(29, 70, 91)
    ours = respaced(x, rows, cols)
    by_filter = ndimage.map_coordinates(x, np.meshgrid(rows, cols, indexing="ij"), order=3, mode="mirror")
    by_knots = RectBivariateSpline(np.arange(90), np.arange(100), x)(rows, cols)
    np.testing.assert_allclose(ours, by_filter, rtol=0, atol=1e-10 * np.ptp(x))
    np.testing.assert_allclose(ours, by_knots, rtol=0, atol=1e-10 * np.ptp(x))


def test_it_passes_through_the_samples_and_keeps_float32():
    x = np.random.default_rng(2).normal(0, 60, (60, 50)).astype("f4")
    same = respaced(x, np.arange(60.0), np.arange(50.0))
    assert same.dtype == np.float32
    np.testing.assert_allclose(same, x, rtol=0, atol=1e-5)


def test_holes_stay_where_they_are_and_do_not_ring():
    y, x = np.mgrid[:80, :90]
    truth = 100 * np.sin(x / 8.0 + y / 15.0)
    holed = truth.copy()
    holed[30:60, 40:70] = np.nan
    rows, cols = np.arange(0, 79, 0.25), np.arange(0, 89, 0.25)
    found = respaced(holed, rows, cols)
    gone = np.isnan(holed)[np.ix_(np.floor(rows + 0.5).astype(int), np.floor(cols + 0.5).astype(int))]
    np.testing.assert_array_equal(np.isnan(found), gone)
    right = respaced(truth, rows, cols)
    off = np.where(gone, 0.0, found - right)
    assert abs(off).max() < 12  # beside the hole, where half of the samples are made up
    inside = (rows[:, None] > 20) & (rows[:, None] < 22) & (cols > 30) & (cols < 75)
    assert abs(off[inside]).max() < 1e-3


def test_stretching_reaches_no_farther_than_it_says():
    x = np.full((60, 60), np.nan)
    x[0] = 100.0
    out = spline.stretched(x)
    np.testing.assert_array_equal(out[: spline.STRETCH + 1], 100.0)
    np.testing.assert_array_equal(out[spline.STRETCH + 1 :], 0.0)

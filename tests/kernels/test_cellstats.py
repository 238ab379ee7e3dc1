"""Statistics of crops by running sums: against numpy on every crop, and where squares would drown."""

import numpy as np
import pytest

from magxr.kernels.cellstats import crop_statistics


def by_crops(cells, size, step):
    views = np.lib.stride_tricks.sliding_window_view(cells.astype("f8"), (size, size), axis=(0, 1))
    views = views[::step, ::step]
    return np.concatenate([views.mean(axis=(-2, -1)), views.std(axis=(-2, -1))], axis=-1)


@pytest.mark.parametrize(("size", "step"), [(28, 1), (28, 3), (5, 7), (33, 2)])
def test_equals_numpy(size, step):
    cells = np.random.default_rng(size).normal(2, 1, (40, 33, 6)).astype("f4")
    got = crop_statistics(cells, size, step, np.full(6, 2, "f4"))
    assert got.dtype == np.float32
    np.testing.assert_allclose(got, by_crops(cells, size, step), rtol=1e-5, atol=1e-6)


def test_a_small_spread_around_a_large_value():
    """Squares of 4096 leave a variance of 1e-7 few digits of float64; the value taken off keeps them."""
    rng = np.random.default_rng(0)
    cells = np.float32(4096) + (rng.integers(0, 3, (30, 30, 3)) * 2.0**-11).astype("f4")
    around = np.full(3, 4096, "f4")
    np.testing.assert_allclose(crop_statistics(cells, 9, 2, around), by_crops(cells, 9, 2), rtol=1e-6)


def test_a_constant_has_no_spread_at_all():
    cells = np.full((20, 20, 2), 0.1, "f4")
    got = crop_statistics(cells, 7, 1, cells[0, 0])
    np.testing.assert_array_equal(got[..., :2], np.float32(0.1))
    np.testing.assert_array_equal(got[..., 2:], 0)

"""Floats as ordered integers, counted digit by digit."""

import numpy as np
import pytest

from magxr.kernels import orderstats


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_keys_keep_the_order_and_come_back(dtype):
    tiny, huge = np.finfo(dtype).smallest_subnormal, np.finfo(dtype).max
    values = np.array([-np.inf, -huge, -1.5, -1.0, -tiny, 0.0, tiny, 1.0, 1.5, huge, np.inf], dtype=dtype)
    keys = orderstats.to_keys(values)
    assert keys.dtype.itemsize == values.dtype.itemsize
    assert (np.diff(keys.astype(object)) > 0).all()
    np.testing.assert_array_equal(orderstats.from_keys(keys), values)
    assert orderstats.to_keys(np.array([-0.0], dtype)) == orderstats.to_keys(np.array([0.0], dtype))


def test_counts_add_up_whatever_the_cut():
    x = np.random.default_rng(3).normal(size=(50, 40)).astype("f4")
    x[::7] = np.nan
    whole = orderstats.count_digits(x, (0,), 0)
    parts = orderstats.merge_counts([orderstats.count_digits(p, (0,), 0) for p in (x[:11], x[11:])])
    for mine, other in zip(whole[0], parts[0], strict=True):
        np.testing.assert_array_equal(mine, other)
    assert whole[0][1].sum() == np.isfinite(x).sum()


def test_a_large_block_is_worked_on_in_slabs(monkeypatch):
    x = np.random.default_rng(3).normal(size=(50, 40)).astype("f4")
    whole = orderstats.count_digits(x, (0,), 0)
    monkeypatch.setattr(orderstats, "_SLAB", 100)
    assert len(list(orderstats.slabs(x))) == 25
    for mine, other in zip(whole[0], orderstats.count_digits(x, (0,), 0)[0], strict=True):
        np.testing.assert_array_equal(mine, other)


def test_extents_merge():
    x = np.array([[1.0, np.nan, 3.0], [np.nan, np.nan, np.nan], [np.inf, -2.0, 0.0]])
    merged = orderstats.merge_extents([orderstats.extent(row[None]) for row in x])
    assert merged == orderstats.extent(x) == (-2.0, np.inf, 5, 4, 1)

"""Means of boxes: by hand, and the same from any block."""

import numpy as np
import pytest

from magxr.kernels.boxmean import box_mean


def test_by_hand():
    x = np.arange(20.0, dtype="f4").reshape(4, 5)
    x[0, 0] = np.nan
    x[2:, 4] = np.nan
    want = [[(1 + 5 + 6) / 3, (2 + 3 + 7 + 8) / 4, (4 + 9) / 2], [(10 + 11 + 15 + 16) / 4, 15.0, np.nan]]
    got = box_mean(x, 2)
    assert got.dtype == np.float32
    np.testing.assert_allclose(got, want)


@pytest.mark.parametrize("k", [1, 3, 7, 50])
def test_whole_boxes_equal_a_reshaped_mean(k):
    x = np.random.default_rng(k).normal(size=(100, 150)).astype("f4")
    rows, cols = 100 // k, 150 // k
    want = x[: rows * k, : cols * k].reshape(rows, k, cols, k).astype("f8").mean(axis=(1, 3))
    np.testing.assert_allclose(box_mean(x, k)[:rows, :cols], want, rtol=1e-4, atol=1e-6)

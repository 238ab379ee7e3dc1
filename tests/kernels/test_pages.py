"""Arrays with pages of their own: plain arrays, whose memory goes back at once."""

import pickle

import numpy as np
import psutil
import pytest

from magxr.kernels import pages


@pytest.mark.parametrize("shape", [(3, 4), (700, 900), (0, 5)])
@pytest.mark.parametrize("dtype", ["f4", "f8", "i1", bool])
def test_copies_are_equal_and_independent(shape, dtype):
    x = np.random.default_rng(0).integers(0, 2, shape).astype(dtype)
    copy = pages.copied(x)
    assert copy.dtype == x.dtype
    assert copy.flags.c_contiguous
    assert copy.flags.writeable
    np.testing.assert_array_equal(copy, x)
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(copy)), x)
    copy[...] = 1 - copy.astype("i1")
    assert not (copy == x).any()
    assert pages.copied(x, "f8").dtype == "f8"


def test_memory_goes_back_although_later_arrays_live_on():
    process = psutil.Process()
    side, kept = 1 << 9, []
    before = process.memory_info().rss
    for _ in range(64):
        short = pages.empty((side, side), "f8")
        short[...] = 1.0
        kept.append((short, pages.copied(short)))
    full = process.memory_info().rss - before
    assert full > 120 * side**2 * 8
    kept = [long for _, long in kept]
    del short
    assert process.memory_info().rss - before < 0.6 * full
    assert all((long == 1.0).all() for long in kept)

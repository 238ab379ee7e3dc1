"""Shrinking by blocks gives the bits of shrinking the whole, and reads nothing while the graph is built."""

import dask.array as da
import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from magxr.chunked.coarsen import coarsen
from magxr.testing import nothing_computes, random_chunks


@given(seed=st.integers(0, 10_000), k=st.integers(1, 9))
def test_chunked_equals_whole(seed, k):
    rng = np.random.default_rng(seed)
    x = rng.normal(size=tuple(rng.integers(20, 70, 2))).astype("f4")
    x[rng.random(x.shape) < 0.2] = np.nan
    chunks = random_chunks(x.shape, 1 + seed % 12, seed)
    with nothing_computes():
        lazy = coarsen(da.from_array(x, chunks=chunks), k)
    got = lazy.compute(scheduler="sync")
    assert got.shape == lazy.shape == tuple(-(-n // k) for n in x.shape)
    np.testing.assert_array_equal(got, coarsen(x, k))


def test_gluing_small_chunks_is_logged(caplog):
    x = da.ones((30, 30), chunks=(3, 30), dtype="f4")
    with caplog.at_level("INFO", logger="magxr.plan"):
        out = coarsen(x, 7)
    assert "boxes of 7 cells do not fit" in caplog.text
    assert out.shape == (5, 5)

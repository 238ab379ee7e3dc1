"""Haloed blocks: chunked equals whole, chunks that are too small are refused."""

import dask.array as da
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import ndimage

from magxr.chunked.halo import map_halo
from magxr.errors import ChunkError
from magxr.testing import nothing_computes, random_chunks


def blur(block, *, place=None):
    return ndimage.correlate1d(ndimage.correlate1d(block, [1.0, 2, 4, 2, 1], 0), [1.0, 2, 4, 2, 1], 1)


@given(seed=st.integers(0, 1000), wrap=st.booleans())
def test_chunked_equals_whole(seed, wrap):
    x = np.random.default_rng(seed).normal(size=(31, 44)).astype("f4")
    whole = map_halo(blur, x, depth=(2, 2), wrap=wrap, step="blur")
    lazy = da.from_array(x, chunks=random_chunks(x.shape, 3, seed))
    with nothing_computes():
        blocks = map_halo(blur, lazy, depth=(2, 2), wrap=wrap, step="blur")
    np.testing.assert_array_equal(blocks.compute(scheduler="sync"), whole)
    if wrap:
        rolled = map_halo(blur, np.roll(x, 7, 1), depth=(2, 2), wrap=True, step="blur")
        np.testing.assert_array_equal(rolled, np.roll(whole, 7, 1))
    else:
        np.testing.assert_array_equal(whole, blur(x))


def test_a_halo_one_cell_short_is_found():
    x = np.random.default_rng(0).normal(size=(30, 30))
    short = map_halo(blur, da.from_array(x, chunks=10), depth=(1, 1), step="blur").compute(scheduler="sync")
    assert (short != blur(x)).any()


def test_places_and_several_outputs():
    x = np.arange(12.0 * 20).reshape(12, 20)

    def whereabouts(block, *, place):
        south, _, west, _ = place.halo
        rows = np.arange(block.shape[0])[:, None] + place.rows[0] - south + 0 * block
        cols = np.arange(block.shape[1])[None, :] + place.cols[0] - west + 0 * block
        return np.stack([rows, cols])

    whole = map_halo(whereabouts, x, depth=(2, 2), outputs=2, placed=True, step="where")
    lazy = da.from_array(x, chunks=((5, 7), (4, 9, 7)))
    parts = map_halo(whereabouts, lazy, depth=(2, 2), outputs=2, placed=True, step="where")
    assert parts.shape == (2, 12, 20)
    np.testing.assert_array_equal(parts.compute(scheduler="sync"), whole)


def test_small_chunks_are_refused_with_the_size_that_works():
    x = da.zeros((40, 40), chunks=(20, 8))
    with pytest.raises(
        ChunkError, match=r"halo of 10 cells along longitude.*smallest chunk there has 8.*'longitude': 10"
    ):
        map_halo(blur, x, depth=(10, 10), step="blur")
    with pytest.raises(ChunkError, match="whole grid has only 40"):
        map_halo(blur, da.zeros((40, 40), chunks=(40, 40)), depth=(1, 50), wrap=True, step="blur")

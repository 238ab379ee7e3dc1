"""Tiles that stand on the grid and blend without seams."""

import dask.array as da
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from magxr.chunked.tiles import tiled_low_rank, windows
from magxr.errors import ChunkError, GridError
from magxr.testing import nothing_computes, random_chunks


@pytest.mark.parametrize("periodic", [False, True])
@pytest.mark.parametrize(("size", "tile"), [(8, 8), (9, 8), (30, 8), (32, 8), (57, 16), (31, 30)])
def test_windows_cover_every_cell_and_add_to_one(size, tile, periodic):
    starts, weights = windows(size, tile, periodic=periodic)
    total = np.zeros(size)
    for start, weight in zip(starts, weights, strict=True):
        cells = start + np.arange(tile)
        assert periodic or cells[-1] < size
        total[cells % size] += weight
    np.testing.assert_allclose(total, 1, rtol=1e-14)
    assert set(starts[:-1] % (tile // 2)) <= {0}
    assert (weights > 0).all()


def options(**other):
    return {"variance": 0.9, "k": None, "center": False, "wrap": False, "column0": 0} | other


@given(seed=st.integers(0, 10_000), tile=st.sampled_from([8, 10]), wrap=st.booleans(), center=st.booleans())
def test_chunked_equals_whole(seed, tile, wrap, center):
    rng = np.random.default_rng(seed)
    x = (rng.normal(size=tuple(rng.integers(tile, 50, 2))) * 100).astype("f4")
    x[rng.random(x.shape) < 0.1] = np.nan
    how = options(tile=tile, wrap=wrap, center=center, column0=int(rng.integers(x.shape[1])))
    whole = tiled_low_rank(x, **how)
    lazy = da.from_array(x, chunks=random_chunks(x.shape, tile - 1, seed))
    with nothing_computes():
        parts = tiled_low_rank(lazy, **how)
    np.testing.assert_array_equal(parts.compute(scheduler="sync"), whole)
    np.testing.assert_array_equal(np.isnan(whole), np.isnan(x))


def test_equals_the_tiles_computed_one_by_one():
    x = np.random.default_rng(3).normal(size=(29, 40)) * 50
    want = np.zeros(x.shape)
    for top, row in zip(*windows(29, 12, periodic=False), strict=True):
        for left, column in zip(*windows(40, 12, periodic=False), strict=True):
            where = np.s_[top : top + 12, left : left + 12]
            u, s, v = np.linalg.svd(x[where])
            want[where] += np.outer(row, column) * ((u[:, :3] * s[:3]) @ v[:3])
    np.testing.assert_allclose(tiled_low_rank(x, tile=12, **options(k=3)), want, atol=1e-11)


def test_all_variance_gives_the_map_back_without_seams():
    x = np.random.default_rng(3).normal(size=(29, 41)) * 50
    np.testing.assert_allclose(tiled_low_rank(x, tile=12, **options(variance=1.0)), x, atol=1e-11)
    np.testing.assert_allclose(
        tiled_low_rank(x, tile=12, **options(variance=1.0, wrap=True, column0=7)), x, atol=1e-11
    )


def test_a_constant_stays_and_missing_tiles_stay_missing():
    x = np.full((30, 30), 7.0)
    np.testing.assert_allclose(tiled_low_rank(x, tile=8, **options()), 7, rtol=1e-12)
    np.testing.assert_allclose(tiled_low_rank(x, tile=8, **options(center=True)), 7, rtol=1e-12)
    x[:, :20] = np.nan
    assert np.isnan(tiled_low_rank(x, tile=8, **options())[:, :20]).all()


def test_refusals():
    x = da.zeros((40, 40), chunks=10)
    with pytest.raises(
        ChunkError, match=r"denoise needs a halo of 11 cells.*'latitude': 14, 'longitude': 14\}"
    ):
        tiled_low_rank(x, tile=12, **options())
    bad = np.ones((20, 20))
    bad[3, 3] = np.inf
    with pytest.raises(GridError, match="infinite cells in rows 0 to 20"):
        tiled_low_rank(bad, tile=8, **options())

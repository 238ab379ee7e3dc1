"""The low-rank approximation of a region: that of the SVD, the same bits whatever the chunks."""

import dask
import dask.array as da
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from magxr.chunked import gram
from magxr.chunked.gram import low_rank
from magxr.errors import GridError, ParameterError
from magxr.testing import nothing_computes, random_chunks


def noisy(seed):
    rng = np.random.default_rng(seed)
    shape = tuple(rng.integers(3, 50, 2))
    x = rng.normal(size=shape) * 100 + rng.normal() * 50
    x[rng.random(shape) < 0.1 * (seed % 3)] = np.nan
    x[0, 0] = 1.0
    return x.astype(("f4", "f8")[seed % 2])


def by_svd(x, variance, k, center):
    mean = np.nanmean(x.astype("f8")) if center else 0.0
    left, s, right = np.linalg.svd(np.nan_to_num(x.astype("f8") - mean), full_matrices=False)
    k = k or int(np.argmax(np.cumsum(s**2) >= variance * (s**2).sum())) + 1
    return np.where(np.isnan(x), np.nan, (left[:, :k] * s[:k]) @ right[:k] + mean), k, s


@given(seed=st.integers(0, 10_000), center=st.booleans(), k=st.sampled_from([None, 1, 3]))
def test_equals_the_svd_and_does_not_depend_on_the_chunks(seed, center, k):
    x = noisy(seed)
    whole = low_rank(x, variance=0.9, k=k, center=center)
    values, rank, singular = by_svd(x, 0.9, k, center)
    assert whole.rank == rank
    assert whole.values.dtype == x.dtype
    np.testing.assert_allclose(whole.values, values, rtol=0, atol=1e-9 + 300 * np.finfo(x.dtype).eps)
    np.testing.assert_allclose(whole.singular_values, singular, rtol=0, atol=1e-6 * singular[0])
    lazy = da.from_array(x, chunks=random_chunks(x.shape, 2, seed))
    with nothing_computes():
        parts = low_rank(lazy, variance=0.9, k=k, center=center)
    assert parts.values.chunks == lazy.chunks
    for mine, other in zip(dask.compute(*parts, scheduler="sync"), whole, strict=True):
        np.testing.assert_array_equal(mine, other)


def test_full_rank_gives_the_map_back():
    x = noisy(4)
    whole = low_rank(x, variance=1.0, k=min(x.shape), center=False)
    np.testing.assert_allclose(whole.values, x, atol=1e-4)
    assert whole.retained == 1.0


def test_two_kinds_of_centring_do_not_share_results():
    x = da.from_array(noisy(8) + 500, chunks=9)
    both = [low_rank(x, variance=0.9, k=2, center=c).singular_values for c in (True, False)]
    centred, plain = dask.compute(*both, scheduler="sync")
    assert centred[0] < 0.5 * plain[0]


def test_no_task_but_the_last_reads_the_source_itself():
    """Else every chunk would wait in memory for the basis."""
    x = da.from_array(np.random.default_rng(0).normal(size=(20, 30)), chunks=9)
    found = low_rank(x, variance=0.9, k=2, center=True)
    readers = {
        str(key[0] if isinstance(key, tuple) else key).rsplit("-", 1)[0]
        for key, needs in found.values.dask.get_all_dependencies().items()
        if any(isinstance(n, tuple) and n[0] == x.name for n in needs)
    }
    assert readers == {"magxr-low-rank"}


def test_refusals(monkeypatch):
    monkeypatch.setattr(gram, "SHORT_SIDE", 20)
    with pytest.raises(ParameterError, match=r"30 x 21 cells is over its limit of 20; use mode='tile'"):
        low_rank(da.zeros((30, 21)), variance=0.9, k=None, center=False)
    flat = da.full((8, 20), 7.0, chunks=4)
    with pytest.raises(GridError, match="7 nT in every valid cell"):
        low_rank(flat, variance=0.9, k=None, center=False).values.compute(scheduler="sync")

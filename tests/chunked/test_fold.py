"""Small results of all chunks, lazily, and sources that are read again."""

import dask.array as da
import numpy as np
import pytest
from dask import delayed

from magxr.chunked.fold import fold, on_chunks, reread, then
from magxr.testing import nothing_computes


def total(block, factor=1):
    return int(block.sum()) * factor


@pytest.mark.parametrize("chunks", [(40, 30), (7, 30), (3, 4), (1, 1)])
def test_folds_whatever_the_number_of_chunks(chunks):
    x = np.arange(1200.0).reshape(40, 30)
    lazy = da.from_array(x, chunks=chunks)
    with nothing_computes():
        found = fold(lazy, total, sum, 3, name="total", every=2)
        doubled = then(np.multiply, found, 2.0, name="double", shape=())
    assert (
        doubled.compute(scheduler="sync")
        == 6 * x.sum()
        == then(np.multiply, fold(x, total, sum, 3, name="t"), 2, name="d")
    )


def test_small_results_reach_every_chunk():
    x = np.arange(12.0).reshape(3, 4)
    lazy = da.from_array(x, chunks=2)
    ends = then(np.array, fold(lazy, total, sum, name="total"), name="pair", shape=())
    row = then(np.atleast_1d, ends, name="row", shape=(1,))
    out = on_chunks(lazy, np.subtract, row, name="less")
    assert out.chunks == lazy.chunks
    np.testing.assert_array_equal(out.compute(scheduler="sync"), x - 66)
    np.testing.assert_array_equal(on_chunks(x, np.subtract, np.array([66.0]), name="less"), x - 66)


def test_reading_again_shares_no_task_and_has_one_name_for_one_purpose():
    lazy = da.ones((4, 4), chunks=2) + 1
    again, other = reread(lazy, "a"), reread(lazy, "b")
    assert again.name == reread(lazy, "a").name != other.name
    assert not set(again.dask) & set(lazy.dask)
    assert not set(again.dask) & set(other.dask)
    np.testing.assert_array_equal(again.compute(scheduler="sync"), 2)
    x = np.ones((2, 2))
    assert reread(x, "a") is x


@pytest.mark.parametrize(
    "made",
    [
        lambda x: x[::-1],
        lambda x: da.concatenate([x[:, 5:], x[:, :5]], axis=1),
        lambda x: da.overlap.overlap(x, depth={0: 1, 1: 1}, boundary="none"),
        lambda x: x.rechunk((3, 5)),
        lambda x: x.T + x.mean(),
        lambda x: da.from_array(np.ones((4, 12)), chunks=3)[:, 1:] * 2,
        lambda x: da.from_delayed(delayed(np.ones)((6, 4)), (6, 4), dtype="f8") + 1,
        lambda x: x.persist(scheduler="sync")[1:],
    ],
)
def test_every_kind_of_history_is_made_anew(made):
    x = made(da.from_array(np.random.default_rng(0).normal(size=(8, 12)), chunks=4))
    again = reread(x, "again")
    assert again.chunks == x.chunks
    assert not set(again.dask) & set(x.dask)
    np.testing.assert_array_equal(again.compute(scheduler="sync"), x.compute(scheduler="sync"))
    both = da.stack([x, again]).compute(scheduler="sync")
    np.testing.assert_array_equal(both[0], both[1])


def test_finished_statistics_are_shared():
    x = da.from_array(np.random.default_rng(0).normal(size=(8, 12)), chunks=4)
    row = then(np.atleast_1d, fold(x, total, sum, name="total"), name="row", shape=(1,))
    less = on_chunks(x, np.subtract, row, name="less")[::-1]
    again = reread(less, "again")
    assert set(again.dask) & set(less.dask) == set(row.dask)
    np.testing.assert_array_equal(again.compute(scheduler="sync"), less.compute(scheduler="sync"))

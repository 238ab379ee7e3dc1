"""Exact quantiles whatever the chunks, in a few chunks of memory."""

import dask
import dask.array as da
import numpy as np
import pytest
from dask.callbacks import Callback
from hypothesis import given
from hypothesis import strategies as st

from magxr.chunked.quantiles import extremes, problem, quantiles, quartiles
from magxr.errors import GridError, ParameterError
from magxr.testing import nothing_computes, random_chunks

Q = np.array([0.0, 0.013, 0.25, 0.5, 0.6, 0.75, 0.999, 1.0])


def values(seed, dtype):
    rng = np.random.default_rng(seed)
    x = rng.normal(size=tuple(rng.integers(1, 60, 2))) * 10.0 ** rng.integers(-3, 4)
    x = np.round(x, 1) if seed % 3 == 0 else x
    x[rng.random(x.shape) < 0.2] = np.nan
    x.flat[0] = -0.0
    return x.astype(dtype)


@given(seed=st.integers(0, 10_000), dtype=st.sampled_from(["f4", "f8"]))
def test_equals_numpy_bit_for_bit_whatever_the_chunks(seed, dtype):
    x = values(seed, dtype)
    want = np.nanquantile(x, Q, method="linear")
    np.testing.assert_array_equal(quantiles(x, Q), want)
    with nothing_computes():
        lazy = quantiles(da.from_array(x, chunks=random_chunks(x.shape, 2, seed)), Q)
    assert lazy.dtype == np.float64
    assert lazy.shape == Q.shape
    np.testing.assert_array_equal(lazy.compute(scheduler="sync"), want)


def test_stock_percentile_depends_on_the_chunks():
    """Why `dask.array.percentile` is not used: on a map that drifts its quartiles are those of no map."""
    rng = np.random.default_rng(0)
    x = (rng.normal(size=(200, 300)).cumsum(0).cumsum(1) / 50).astype("f4")
    whole = np.percentile(x, [25, 75])
    iqr = whole[1] - whole[0]
    off = []
    for chunks in ((50, 300), (20, 100), (200, 30)):
        lazy = da.from_array(x, chunks=chunks)
        stock = da.percentile(lazy.ravel(), [25, 75]).compute(scheduler="sync")
        off.append(abs((stock[1] - stock[0]) / iqr - 1))
        np.testing.assert_array_equal(quartiles(lazy).compute(scheduler="sync")[[0, 2]], whole)
    assert max(off) > 0.01


def test_extremes():
    x = values(5, "f4")
    want = [np.nanmin(x), np.nanmax(x), np.isfinite(x).sum(), np.isnan(x).sum(), 0]
    np.testing.assert_array_equal(extremes(x), want)
    with nothing_computes():
        lazy = extremes(da.from_array(x, chunks=7))
    np.testing.assert_array_equal(lazy.compute(scheduler="sync"), want)


def test_nothing_valid_gives_nan():
    x = np.full((6, 8), np.nan, "f4")
    assert np.isnan(quartiles(x)).all()
    assert np.isnan(quartiles(da.from_array(x, chunks=4)).compute(scheduler="sync")).all()
    np.testing.assert_array_equal(extremes(x), [np.nan, np.nan, 0, 48, 0])


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda x: x * np.nan, "no valid value: all 80 cells are NaN"),
        (lambda x: np.where(x > 1, np.inf, x), "infinite cells; mask them"),
        (lambda x: np.where(x > 1, 99999, x), "reaches 99999 nT, which is a fill value"),
        (lambda x: np.where(x < -1, -99999, x), "reaches -99999 nT"),
        (lambda x: np.where(x < -1, 1e20, x), r"reaches 1e\+20 nT"),
        (lambda x: np.where(x < -1, -32768, x), "reaches -32768 nT"),
        (lambda x: 0 * x + 7, "7 nT in every valid cell; a constant grid"),
    ],
)
def test_unusable_values_are_named_before_anything_uses_the_result(spoil, message):
    x = spoil(np.random.default_rng(1).normal(size=(8, 10))).astype("f4")
    assert problem(extremes(x))
    with pytest.raises(GridError, match=message):
        quartiles(x, checked=True)
    lazy = quartiles(da.from_array(x, chunks=4), checked=True)
    with pytest.raises(GridError, match=message):
        lazy.compute(scheduler="sync")
    assert problem(extremes(np.random.default_rng(1).normal(size=(8, 10)))) is None


def test_refusals():
    x = np.zeros((4, 4))
    with pytest.raises(ParameterError, match=r"within 0..1, got \[0.5, 25.0\]"):
        quantiles(x, [0.5, 25])
    with pytest.raises(GridError, match="need float32 or float64 values, got int16"):
        quantiles(x.astype("i2"), 0.5)


class Memory(Callback):
    """Largest number of bytes that finished tasks held at any time."""

    def __init__(self):
        super().__init__()
        self.peak = 0

    def _posttask(self, key, result, dsk, state, worker_id):
        held = sum(v.nbytes for v in state["cache"].values() if isinstance(v, np.ndarray))
        self.peak = max(self.peak, held)


def made(block_info=None):
    (r0, r1), (c0, c1) = block_info[None]["array-location"]
    return np.random.default_rng([r0, c0]).normal(size=(r1 - r0, c1 - c0)).astype("f4")


def peak(result):
    with Memory() as memory, dask.config.set(scheduler="threads", num_workers=2):
        result.compute()
    return memory.peak / (500 * 500 * 4)


def test_memory_stays_at_a_few_chunks():
    """4000 x 4000 cells in 64 chunks: quartiles, then a use of them that folds the same data."""
    x = da.map_blocks(made, chunks=((500,) * 8, (500,) * 8), dtype="f4", meta=np.empty((0, 0), "f4"))
    assert peak(quartiles(x)) < 16
    assert peak((x > quartiles(x)[2]).sum()) < 16
    # Without reading the data twice every chunk waits for the statistic.
    assert peak((x > x.max()).sum()) > 50


def test_no_task_is_shared_with_the_source_but_finished_statistics_are():
    x = da.from_array(np.random.default_rng(0).normal(size=(8, 8)), chunks=4)
    first = quartiles(x)
    assert not set(x.dask) & set(first.dask)
    cleaned = da.where(x > first[2], np.nan, x)
    second = quartiles(cleaned)
    shared = set(cleaned.dask) & set(second.dask)
    assert any("magxr-statistic-quantiles" in str(key) for key in shared)
    assert not set(x.dask) & set(second.dask)
    want = np.nanquantile(cleaned.compute(scheduler="sync"), [0.25, 0.5, 0.75])
    np.testing.assert_array_equal(second.compute(scheduler="sync"), want)

"""Steps between exchanges: as few exchanges as fit, and the sum is exact."""

import dask.array as da
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import ndimage

from magxr.chunked.exchange import REDUNDANT, plan_exchanges, redundant, step_blocks
from magxr.chunked.halo import map_halo
from magxr.errors import ChunkError
from magxr.testing import nothing_computes, random_chunks


def blur(block, *, count, halo):
    for _ in range(count):
        block = ndimage.correlate1d(ndimage.correlate1d(block, [1.0, 2, 1], 0), [1.0, 2, 1], 1) / 16
    south, north, west, east = halo
    return block[south : block.shape[0] - north, west : block.shape[1] - east]


@given(
    chunks=st.lists(st.integers(20, 3000), min_size=1, max_size=3).map(tuple),
    reach=st.integers(1, 20),
    steps=st.integers(1, 60),
    wrap=st.booleans(),
)
def test_groups_add_up_fit_and_waste_little(chunks, reach, steps, wrap):
    groups = plan_exchanges((chunks, (500,)), reach, steps, wrap=wrap)
    assert sum(groups) == steps
    assert max(groups) - min(groups) <= 1
    sides = [max(chunks)] * (len(chunks) > 1) + [500] * wrap
    if not sides:
        assert groups == (steps,)
        return
    smallest = min([min(chunks)] * (len(chunks) > 1) + [500] * wrap)
    assert max(groups) == 1 or max(groups) * reach <= smallest
    assert redundant(max(groups), reach, sides) <= REDUNDANT


def test_usual_chunks_exchange_seldom():
    grid = (1000,) * 4, (1000,) * 4
    assert plan_exchanges(grid, 16, 20) == (20,)
    assert plan_exchanges(((500,) * 4, (500,) * 4), 16, 20) == (10, 10)
    assert plan_exchanges(((2048,) * 4, (2048,) * 4), 16, 20) == (20,)
    assert plan_exchanges(((100, 40), (100, 40)), 16, 5) == (2, 2, 1)
    assert plan_exchanges(((4000,), (4000,)), 16, 20) == (20,)
    assert redundant(20, 16, (2048, 2048)) == pytest.approx(0.327, abs=1e-3)


@given(seed=st.integers(0, 1000), wrap=st.booleans(), steps=st.integers(1, 12))
def test_blocks_equal_the_whole(seed, wrap, steps):
    x = np.random.default_rng(seed).normal(size=(31, 44))
    whole = step_blocks(blur, x, reach=1, steps=steps, step="blur", wrap=wrap)
    lazy = da.from_array(x, chunks=random_chunks(x.shape, 4, seed))
    with nothing_computes():
        blocks = step_blocks(blur, lazy, reach=1, steps=steps, step="blur", wrap=wrap)
        once = step_blocks(blur, lazy, reach=1, steps=min(steps, 4), step="blur", wrap=wrap, depth=9)
    assert blocks.chunks == lazy.chunks
    np.testing.assert_array_equal(blocks.compute(scheduler="sync"), whole)
    few = step_blocks(blur, x, reach=1, steps=min(steps, 4), step="blur", wrap=wrap)
    np.testing.assert_array_equal(once.compute(scheduler="sync"), few)
    if not wrap:
        np.testing.assert_array_equal(whole, blur(x, count=steps, halo=(0, 0, 0, 0)))


def test_tasks_grow_with_exchanges_not_with_steps():
    x = da.zeros((400, 400), chunks=100)
    few = step_blocks(blur, x, reach=1, steps=3, step="blur")
    many = step_blocks(blur, x, reach=1, steps=12, step="blur")
    assert len(few.__dask_graph__()) == len(many.__dask_graph__()) <= 25 * 16


def test_chunks_smaller_than_one_step_are_refused():
    with pytest.raises(
        ChunkError, match=r"blur needs a halo of 6 cells along latitude.*has 5.*'latitude': 20"
    ):
        step_blocks(blur, da.zeros((40, 40), chunks=((35, 5), (40,))), reach=6, steps=9, step="blur")


def test_a_lazy_scalar_arrives_as_its_value():
    x = np.arange(12.0 * 20).reshape(12, 20)
    lazy = da.from_array(x, chunks=(6, 10))

    def scaled(block, *, factor):
        return block * float(factor)

    with nothing_computes():
        result = map_halo(scaled, lazy, depth=(2, 2), step="scale", factor=lazy.max() - lazy.min())
    np.testing.assert_array_equal(result.compute(scheduler="sync"), x * 239.0)

"""Steps between exchanges: as few exchanges as fit, and the sum is exact."""

import dask.array as da
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import ndimage

from magxr.chunked.exchange import REDUNDANT, plan_exchanges, redundant, step_blocks
from magxr.chunked.halo import map_halo
from magxr.chunked.streaming import one_by_one
from magxr.errors import ChunkError
from magxr.testing import nothing_computes, random_chunks


def blur(block, *others, taken, place):
    for _ in range(*taken):
        block = ndimage.correlate1d(ndimage.correlate1d(block, [1.0, 2, 1], 0), [1.0, 2, 1], 1) / 16
        for other in others:
            block = block * other
    return place.core(block)


@given(
    chunks=st.lists(st.integers(20, 3000), min_size=1, max_size=3).map(tuple),
    reaches=st.lists(st.tuples(st.integers(1, 20), st.integers(1, 20)), min_size=1, max_size=60),
    wrap=st.booleans(),
)
def test_groups_add_up_fit_and_waste_little(chunks, reaches, wrap):
    plan = plan_exchanges((chunks, (500,)), reaches, wrap=wrap)
    assert [k for a, b in plan.groups for k in range(a, b)] == list(range(len(reaches)))
    counts = [b - a for a, b in plan.groups]
    assert max(counts) - min(counts) <= 1
    sides = {0: max(chunks)} if len(chunks) > 1 else {}
    sides |= {1: 500} if wrap else {}
    if not sides:
        assert len(plan.groups) == 1
        assert plan.redundant == 0.0
    for (a, b), depth in zip(plan.groups, plan.depths, strict=True):
        assert depth == tuple(map(sum, zip(*reaches[a:b], strict=True)))
        if b - a > 1:
            assert all(depth[axis] <= (min(chunks) if axis == 0 else 500) for axis in sides)
            assert redundant(reaches[a:b], sides) <= REDUNDANT


def test_usual_chunks_exchange_seldom():
    def counts(chunks, reach, steps):
        return [b - a for a, b in plan_exchanges(chunks, [(reach, reach)] * steps).groups]

    grid = (1000,) * 4, (1000,) * 4
    assert counts(grid, 16, 20) == [20]
    assert counts(((500,) * 4, (500,) * 4), 16, 20) == [10, 10]
    assert counts(((2048,) * 4, (2048,) * 4), 16, 20) == [20]
    assert counts(((100, 40), (100, 40)), 16, 5) == [2, 2, 1]
    assert counts(((4000,), (4000,)), 16, 20) == [20]
    assert redundant([(16, 16)] * 20, {0: 2048, 1: 2048}) == pytest.approx(0.327, abs=1e-3)
    # Of single blocks each would make what its neighbours were before the last exchange.
    with one_by_one():
        assert counts(((500,) * 4, (500,) * 4), 16, 20) == [20]
        assert counts(((200,) * 4, (200,) * 4), 16, 20) == [10, 10]
    # Work left on the halo shrinks by what the steps still to come look at: 0 in the last.
    assert redundant([(5, 1), (2, 7)], {0: 100, 1: 50}) == pytest.approx((1.04 * 1.28 + 1) / 2 - 1)


@given(seed=st.integers(0, 1000), wrap=st.booleans(), steps=st.integers(1, 12))
def test_blocks_equal_the_whole(seed, wrap, steps):
    rng = np.random.default_rng(seed)
    x, other = rng.normal(size=(31, 44)), rng.random((31, 44))
    look = [(1, 1)] * steps
    whole = step_blocks(blur, x, other, reaches=look, step="blur", wrap=wrap)
    chunks = random_chunks(x.shape, 4, seed)
    lazy, beside = (da.from_array(a, chunks=chunks) for a in (x, other))
    with nothing_computes():
        blocks = step_blocks(blur, lazy, beside, reaches=look, step="blur", wrap=wrap)
        once = step_blocks(blur, lazy, reaches=look[:4], step="blur", wrap=wrap, depth=(9, 9))
    assert blocks.chunks == lazy.chunks
    np.testing.assert_array_equal(blocks.compute(scheduler="sync"), whole)
    few = step_blocks(blur, x, reaches=look[:4], step="blur", wrap=wrap)
    np.testing.assert_array_equal(once.compute(scheduler="sync"), few)


def test_tasks_grow_with_exchanges_not_with_steps():
    x = da.zeros((400, 400), chunks=100)
    few = step_blocks(blur, x, reaches=[(1, 1)] * 3, step="blur")
    many = step_blocks(blur, x, reaches=[(1, 1)] * 12, step="blur")
    assert len(few.__dask_graph__()) == len(many.__dask_graph__()) <= 20 * 16


def test_the_plan_says_what_it_chose(caplog):
    with caplog.at_level("INFO", logger="magxr.plan"):
        step_blocks(blur, da.zeros((400, 400), chunks=100), reaches=[(16, 20)] * 6, step="blur")
    said = caplog.messages[-1]
    assert "blur: steps 2+2+2, an exchange each, halo 32 x 40, 32 x 40, 32 x 40 cells, 42% redundant" in said
    assert "tasks a chunk" in said
    caplog.clear()
    with caplog.at_level("INFO", logger="magxr.plan"):
        step_blocks(
            blur, da.zeros((400, 400), chunks=100), reaches=[(16, 20)] * 6, step="blur", depth=(30, 30)
        )
    assert "blur: steps 6, an exchange each, halo 30 x 30 cells, 156% redundant work" in caplog.messages[-1]


def test_chunks_smaller_than_one_step_are_refused():
    with pytest.raises(
        ChunkError, match=r"blur needs a halo of 6 cells along latitude.*has 5.*'latitude': 20"
    ):
        step_blocks(blur, da.zeros((40, 40), chunks=((35, 5), (40,))), reaches=[(6, 6)] * 9, step="blur")


def test_a_lazy_scalar_arrives_as_its_value():
    x = np.arange(12.0 * 20).reshape(12, 20)
    lazy = da.from_array(x, chunks=(6, 10))

    def scaled(block, *, factor):
        return block * float(factor)

    with nothing_computes():
        result = map_halo(scaled, lazy, depth=(2, 2), step="scale", factor=lazy.max() - lazy.min())
    np.testing.assert_array_equal(result.compute(scheduler="sync"), x * 239.0)

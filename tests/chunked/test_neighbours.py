"""Blocks with halos: the cells that belong there, put together in order, and what is kept for it."""

import dask
import dask.array as da
import numpy as np
import pytest
from dask.callbacks import Callback
from hypothesis import given
from hypothesis import strategies as st

from magxr.chunked.halo import map_halo
from magxr.testing import nothing_computes, random_chunks


class Started(Callback):
    """The blocks of one kind of layer, in the order in which they were begun."""

    def __init__(self, layer):
        self.layer, self.blocks = layer, []

    def _pretask(self, key, dsk, state):
        if isinstance(key, tuple) and key[0].startswith(self.layer):
            self.blocks.append(key[1:])


def seen(x, depth, **how):
    """Return what the kernel is given for each block."""
    blocks = {}

    def keep(block, *, place):
        blocks[place.number] = block.copy()
        return place.core(block)

    result = map_halo(keep, x, depth=depth, step="keep", placed=True, out_chunks=x.chunks, **how)
    return result, blocks


@given(
    seed=st.integers(0, 1000),
    depth=st.tuples(st.integers(0, 4), st.integers(0, 4)),
    wrap=st.booleans(),
    remake=st.booleans(),
)
def test_every_block_carries_the_cells_around_it(seed, depth, wrap, remake):
    x = np.random.default_rng(seed).normal(size=(23, 31)).astype("f4")
    lazy = da.from_array(x, chunks=random_chunks(x.shape, 4, seed))
    with nothing_computes():
        result, blocks = seen(lazy, depth, wrap=wrap, remake=remake)
    np.testing.assert_array_equal(result.compute(scheduler="sync"), x)
    around = np.pad(x, ((0, 0), (depth[1], depth[1])), mode="wrap") if wrap else x
    shift = depth[1] if wrap else 0
    assert set(blocks) == set(np.ndindex(*lazy.numblocks))
    for (i, j), block in blocks.items():
        top, left = sum(lazy.chunks[0][:i]), sum(lazy.chunks[1][:j]) + shift
        rows = slice(max(top - depth[0], 0), top + lazy.chunks[0][i] + depth[0])
        columns = slice(max(left - depth[1], 0), left + lazy.chunks[1][j] + depth[1])
        np.testing.assert_array_equal(block, around[rows, columns])


@pytest.mark.parametrize("scheduler", ["sync", "threads"])
def test_blocks_take_turns_from_the_south_west_on(scheduler):
    result, _ = seen(da.ones((50, 70), chunks=10), (2, 2))
    started = Started("magxr-halo-turn")
    with started, dask.config.set(scheduler=scheduler, num_workers=4):
        result.sum().compute(optimize_graph=False)
    assert started.blocks == [(i, j) for i in range(5) for j in range(7)]


def counted(x):
    """Return a Dask array that counts how often each of its blocks is made, and the counts."""
    made = {}

    def make(block, block_id=None):
        made[block_id] = made.get(block_id, 0) + 1
        return block

    return da.from_array(x, chunks=10).map_blocks(make, dtype=x.dtype, meta=x[:0, :0]), made


def test_a_source_is_read_twice_and_what_came_through_a_halo_once():
    source, made = counted(np.arange(30.0 * 40).reshape(30, 40))
    seen(source, (1, 1), remake=True)[0].compute(scheduler="sync")
    # Nothing lies south of the southernmost row that could look at it.
    assert made == {(i, j): 2 if i else 1 for i in range(3) for j in range(4)}
    made.clear()
    seen(source, (1, 1))[0].compute(scheduler="sync")
    assert set(made.values()) == {1}
    made.clear()
    seen(seen(source, (1, 1))[0], (1, 1), remake=True)[0].compute(scheduler="sync")
    assert set(made.values()) == {1}


def test_a_result_keeps_nothing_else_alive():
    result, _ = seen(da.ones((2048, 2048), chunks=1024), (8, 8))
    for block in dask.compute(*result.to_delayed().ravel(), scheduler="sync"):
        owner = block
        while isinstance(owner.base, np.ndarray):
            owner = owner.base
        assert owner.nbytes == block.nbytes == 1024**2 * 8


def test_without_a_halo_a_block_needs_no_other():
    source, made = counted(np.arange(30.0 * 40).reshape(30, 40))
    seen(source, (0, 0))[0].blocks[2, 3].compute(scheduler="sync")
    assert made == {(2, 3): 1}

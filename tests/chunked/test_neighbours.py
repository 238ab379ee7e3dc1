"""Blocks with halos: the cells that belong there, put together in order, and what is kept for it."""

import dask
import dask.array as da
import numpy as np
import pytest
from dask.callbacks import Callback
from hypothesis import given
from hypothesis import strategies as st

from magxr.chunked.neighbours import joined
from magxr.testing import nothing_computes, random_chunks


def blocks_of(x):
    """Return the computed blocks of a Dask array, rows of them."""
    return dask.compute(x.to_delayed().tolist(), scheduler="sync")[0]


class Done(Callback):
    """The tasks of one kind of layer, in the order in which they ended."""

    def __init__(self, layer):
        self.layer, self.blocks = layer, []

    def _posttask(self, key, result, dsk, state, worker):
        if isinstance(key, tuple) and key[0].startswith(self.layer):
            self.blocks.append(key[1:])


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
        haloed = joined(lazy, depth, wrap=wrap, remake=remake)
    around = np.pad(x, ((0, 0), (depth[1], depth[1])), mode="wrap") if wrap else x
    shift = depth[1] if wrap else 0
    for i, row in enumerate(blocks_of(haloed)):
        for j, block in enumerate(row):
            top, left = sum(lazy.chunks[0][:i]), sum(lazy.chunks[1][:j]) + shift
            rows = slice(max(top - depth[0], 0), top + lazy.chunks[0][i] + depth[0])
            columns = slice(max(left - depth[1], 0), left + lazy.chunks[1][j] + depth[1])
            np.testing.assert_array_equal(block, around[rows, columns])
            assert block.shape == haloed.blocks[i, j].shape


@pytest.mark.parametrize("scheduler", ["sync", "threads"])
def test_blocks_are_put_together_from_the_south_west_on_one_after_the_other(scheduler):
    haloed = joined(da.ones((50, 70), chunks=10), (2, 2), remake=True)
    done = Done("magxr-halo-joined")
    with done, dask.config.set(scheduler=scheduler, num_workers=4):
        haloed.sum().compute(optimize_graph=False)
    assert done.blocks == [(i, j) for i in range(5) for j in range(7)]


def counted(x):
    """Return a Dask array that counts how often each of its blocks is made, and the counts."""
    made = {}

    def make(block, block_id=None):
        made[block_id] = made.get(block_id, 0) + 1
        return block

    return da.from_array(x, chunks=10).map_blocks(make, dtype=x.dtype, meta=x[:0, :0]), made


def test_a_source_is_read_twice_and_what_came_through_a_halo_once():
    x = np.arange(30.0 * 40).reshape(30, 40)
    source, made = counted(x)
    np.testing.assert_array_equal(joined(source, (0, 1), remake=True).blocks[0, 0].compute(), x[:10, :11])
    made.clear()
    joined(source, (1, 1), remake=True).compute(scheduler="sync")
    # Nothing lies south of the southernmost row that could look at it.
    assert made == {(i, j): 2 if i else 1 for i in range(3) for j in range(4)}
    made.clear()
    joined(source, (1, 1)).compute(scheduler="sync")
    assert set(made.values()) == {1}
    made.clear()
    again = joined(joined(source, (1, 1)), (1, 1), remake=True)
    again.compute(scheduler="sync")
    assert set(made.values()) == {1}


def test_a_haloed_block_keeps_nothing_else_alive():
    x = da.ones((2048, 2048), chunks=1024)
    for row in blocks_of(joined(x, (8, 8))):
        for block in row:
            owner = block
            while isinstance(owner.base, np.ndarray):
                owner = owner.base
            assert owner.nbytes == block.nbytes == 1032**2 * 8

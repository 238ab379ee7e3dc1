"""Output blocks read exactly the cells they ask for."""

import dask.array as da
import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from magxr.chunked.blocks import Job, map_regions, output_chunks, reach
from magxr.chunked.streaming import one_by_one
from magxr.testing import nothing_computes, random_chunks


@given(st.integers(-30, 30), st.integers(1, 40), st.sampled_from(["mirror", "wrap"]))
def test_reach_beyond_the_ends_is_numpys_padding(start, length, beyond):
    axis = np.arange(20)
    stop = start + length
    want = np.pad(axis, 60, mode="symmetric" if beyond == "mirror" else "wrap")[60 + start : 60 + stop]
    got = reach(start, stop, 20, beyond)
    read = np.concatenate([axis[a:b] for a, b in got.runs])
    if got.pick is not None:
        read = read[list(got.pick)]
    np.testing.assert_array_equal(read, want)
    real = [True] * length if beyond == "wrap" else [0 <= k < 20 for k in range(start, stop)]
    np.testing.assert_array_equal(got.real, real)


def total(block=None, other=None, *, add):
    return np.full((1, 1), add if block is None else block.sum() + 1000 * other.sum() + add)


@given(st.integers(0, 200))
def test_regions_of_any_chunking(seed):
    rng = np.random.default_rng(seed)
    x, y = rng.integers(0, 50, (2, 23, 31)).astype("f8")
    rows = [reach(-4, 9, 23, "mirror"), reach(5, 23, 23, "mirror")]
    columns = [reach(-6, 5, 31, "wrap"), reach(3, 20, 31, "wrap"), reach(25, 40, 31, "wrap")]
    jobs = {(i, j): Job(r, c, {"add": i + 2 * j}) for i, r in enumerate(rows) for j, c in enumerate(columns)}
    jobs[1, 1] = Job(None, None, {"add": -1})
    told = {"chunks": ((1, 1), (1, 1, 1)), "dtype": "f8", "step": "total"}
    whole = map_regions(total, [x, y], jobs, **told)
    padded = np.pad(
        np.pad(np.stack([x, y]), ((0, 0), (4, 0), (0, 0)), "symmetric"), ((0, 0), (0, 0), (9, 9)), "wrap"
    )
    assert whole[0, 0] == padded[0, 0:13, 3:14].sum() + 1000 * padded[1, 0:13, 3:14].sum()
    assert whole[1, 1] == -1
    lazy = [
        da.from_array(x, chunks=random_chunks(x.shape, 1, seed)),
        da.from_array(y, chunks=random_chunks(x.shape, 1, seed + 1)),
    ]
    with nothing_computes():
        parts = map_regions(total, lazy, jobs, **told)
    np.testing.assert_array_equal(parts.compute(scheduler="sync"), whole)


def test_one_kernel_task_a_block_and_few_pieces():
    x = da.zeros((1000, 1000), chunks=250)
    jobs = {
        (i,): Job(reach(100 * i, 100 * i + 200, 1000, "mirror"), reach(0, 200, 1000, "mirror"), {})
        for i in range(8)
    }
    out = map_regions(lambda b: b[:1, 0], [x], jobs, chunks=((1,) * 8,), dtype="f8", step="few")
    own = [k for k in out.__dask_graph__() if str(k[0]).startswith("magxr-few")]
    kernels = [k for k in own if k[0] == out.name]
    assert len(kernels) == 8
    turns = [k for k in own if str(k[0]).startswith("magxr-few-turn")]
    assert len(turns) == 8
    assert len(own) - len(kernels) - len(turns) <= 2 * 8


def test_blocks_get_their_pieces_in_turn_unless_they_are_made_one_by_one():
    x = da.ones((40, 40), chunks=10)
    rows = reach(0, 5, 40, "mirror")
    jobs = {(n,): Job(rows, reach(5 * n, 5 * n + 5, 40, "mirror"), {}) for n in range(8)}

    def built():
        return map_regions(lambda b: b[:1, 0], [x], jobs, chunks=((1,) * 8,), dtype="f8", step="few")

    needs, turn = built().dask.get_all_dependencies(), built().name.replace("few-", "few-turn-")
    assert all((turn, n - 1) in needs[turn, n] for n in range(1, 8))
    assert all((turn, n) in needs[built().name, n] for n in range(8))
    with one_by_one():
        alone = built()
    assert not [k for k in alone.__dask_graph__() if "turn" in str(k[0])]
    np.testing.assert_array_equal(alone, built())


def test_names_follow_content():
    x = da.zeros((20, 20), chunks=5)
    job = {(0,): Job(reach(0, 9, 20, "mirror"), reach(0, 9, 20, "mirror"), {})}
    told = {"chunks": ((1,),), "dtype": "f8", "step": "same"}
    assert map_regions(np.sum, [x], job, **told).name == map_regions(np.sum, [x], job, **told).name
    assert map_regions(np.sum, [x], job, **told).name != map_regions(np.mean, [x], job, **told).name


@given(st.integers(1, 2000), st.integers(0, 300))
def test_output_chunks_suit_zarr_and_the_halo(count, like):
    got = output_chunks(count, like, least=12, most=20)
    assert sum(got) == count
    assert len(set(got[:-1])) <= 1
    assert got[-1] <= got[0] <= 23
    assert min(got) >= min(12, count)


def test_output_chunks_follow_the_inputs():
    assert output_chunks(300, 15, least=12, most=20) == (15,) * 20
    assert output_chunks(300, 30, least=12, most=20) == (15,) * 20
    assert output_chunks(33, 33, least=12, most=20) == (17, 16)
    assert output_chunks(19, 5, least=12, most=20) == (19,)
    assert output_chunks(300, 3, least=12, most=20) == (12,) * 25


def channels(block, other, *, add):
    return (block.sum(axis=(0, 1)) + other.sum() + add)[None, None]


@given(st.integers(0, 100))
def test_arrays_may_have_channels(seed):
    """Rows and columns are the first two dims, also where pieces of several chunks are put together."""
    rng = np.random.default_rng(seed)
    x, y = rng.integers(0, 50, (23, 31, 4)).astype("f8"), rng.integers(0, 9, (23, 31)).astype("f8")
    rows, columns = [reach(2, 9, 23, "refuse"), reach(5, 23, 23, "refuse")], reach(25, 40, 31, "wrap")
    jobs = {(i, 0, 0): Job(r, columns, {"add": i}) for i, r in enumerate(rows)}
    told = {"chunks": ((1, 1), (1,), (4,)), "dtype": "f8", "step": "channels"}
    whole = map_regions(channels, [x, y], jobs, **told)
    around = [np.concatenate([a[5:, 25:], a[5:, :9]], axis=1) for a in (x, y)]
    np.testing.assert_array_equal(whole[1, 0], around[0].sum(axis=(0, 1)) + around[1].sum() + 1)
    cuts = [random_chunks(y.shape, 1, s) for s in (seed, seed + 1)]
    lazy = [da.from_array(x, chunks=(*cuts[0], 4)), da.from_array(y, chunks=cuts[1])]
    parts = map_regions(channels, lazy, jobs, **told)
    np.testing.assert_array_equal(parts.compute(scheduler="sync"), whole)


def test_blocks_of_what_was_made_before_come_along():
    x = np.arange(60.0).reshape(6, 10)
    rows, columns = [reach(0, 3, 6, "refuse"), reach(2, 6, 6, "refuse")], reach(0, 10, 10, "refuse")
    jobs = {(i, 0): Job(r, columns, {}) for i, r in enumerate(rows)}
    jobs[1, 0] = Job(None, None, {})
    told = {"chunks": ((1, 2), (1,)), "dtype": "f8"}

    def first(block=None):
        return np.full((1, 1), block.sum()) if block is not None else np.array([[-1.0], [-2.0]])

    def second(block=None, before=None):
        return block.max() * before if block is not None else np.full((2, 1), np.nan)

    for array in (x, da.from_array(x, chunks=4)):
        before = map_regions(first, [array], jobs, step="first", **told)
        found = map_regions(second, [array], jobs, step="second", beside=[before], **told)
        np.testing.assert_array_equal(np.asarray(before)[:, 0], [x[:3].sum(), -1, -2])
        np.testing.assert_array_equal(np.asarray(found)[:, 0], [29 * x[:3].sum(), np.nan, np.nan])

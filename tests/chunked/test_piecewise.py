"""Regions of lazy arrays: equal to the whole, made of what they need, with statistics put in their place."""

import dask
import dask.array as da
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from magxr.chunked.fold import fold, on_chunks, reread, then
from magxr.chunked.gram import low_rank
from magxr.chunked.halo import map_halo
from magxr.chunked.piecewise import Piecewise, statistics
from magxr.chunked.streaming import one_by_one, streaming
from magxr.kernels.lowrank import Basis

RNG = np.random.default_rng(7)
MAP = RNG.normal(0, 50, (60, 84)).astype("f4")


def blurred(x):
    """Sum over 7 x 7 cells of a map less its largest value: a statistic and a halo."""
    largest = then(np.atleast_1d, fold(x, np.max, max, name="largest"), name="as-row", shape=(1,))
    less = on_chunks(x, lambda block, m: block - m[0], largest, name="less")

    def summed(block):
        padded = np.pad(block.astype("f8"), 3, mode="reflect")
        view = np.lib.stride_tricks.sliding_window_view(padded, (7, 7))
        return view.sum(axis=(2, 3)).astype("f4")

    return map_halo(summed, less, depth=(3, 3), step="blur", wrap=True, remake=True)


def cut(x, rows, columns):
    return da.from_array(x, chunks=(rows, columns), name=f"map-{rows}-{columns}")


@given(st.integers(8, 60), st.integers(8, 84), st.data())
@settings(deadline=None, max_examples=25)
def test_any_region_equals_the_whole(rows, columns, data):
    rows = next(r for r in range(rows, 61) if 60 % r == 0 or 60 % r >= 3)
    columns = next(c for c in range(columns, 85) if 84 % c == 0 or 84 % c >= 3)
    x = cut(MAP, rows, columns)
    known = dict(zip(*_computed(statistics([blurred(x)])), strict=True))
    with one_by_one():
        pieces = Piecewise({"sum": blurred(x)}, [x.name], known)
    top, left = data.draw(st.integers(0, 58)), data.draw(st.integers(0, 82))
    bottom, right = data.draw(st.integers(top + 1, 60)), data.draw(st.integers(left + 1, 84))
    values, _ = pieces.region({"sum": (slice(top, bottom), slice(left, right))})
    np.testing.assert_array_equal(values["sum"], blurred(x).compute()[top:bottom, left:right])


def _computed(lazy):
    return lazy.keys(), dask.compute(*lazy.values())


def test_a_block_is_made_of_itself_and_its_neighbours():
    x = cut(MAP, 12, 12)
    known = dict(zip(*_computed(statistics([blurred(x)])), strict=True))
    with one_by_one():
        pieces = Piecewise({"sum": blurred(x)}, [x.name], known)
    _, read = pieces.region({"sum": (slice(24, 36), slice(36, 48))})
    assert len(read) == 9
    _, read = pieces.region({"sum": (slice(0, 12), slice(0, 12))})
    assert len(read) == 6  # none beyond the south, one beyond the west: longitude goes round


def test_statistics_are_found_once_and_then_given():
    x = cut(MAP, 12, 12)
    lazy = statistics([blurred(x)])
    assert list(lazy) == ["as-row-0"]
    with one_by_one():
        pieces = Piecewise({"sum": blurred(x)}, [x.name], {"as-row-0": np.array([0.0], "f4")})
        with pytest.raises(KeyError):
            Piecewise({"sum": blurred(x)}, [x.name], {})
    values, _ = pieces.region({"sum": (slice(0, 12), slice(0, 12))})
    whole = blurred(x).compute()[:12, :12] + 49 * MAP.max()
    np.testing.assert_allclose(values["sum"], whole, rtol=1e-4)


def test_a_low_rank_basis_is_a_statistic():
    x = cut(MAP, 20, 28)

    def kept(x):
        return low_rank(x, variance=0.9, k=None, center=True).values

    known = dict(zip(*_computed(statistics([kept(x)])), strict=True))
    assert sum(isinstance(v, Basis) for v in known.values()) == 1
    with one_by_one():
        pieces = Piecewise({"kept": kept(x)}, [x.name], known)
    values, read = pieces.region({"kept": (slice(20, 40), slice(28, 56))})
    np.testing.assert_array_equal(values["kept"], kept(x).compute()[20:40, 28:56])
    assert len(read) == 1


def test_streaming_is_left_as_it_was_after_an_error():
    def failing():
        with one_by_one():
            assert not streaming()
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        failing()
    assert streaming()
    x = cut(MAP, 12, 12)
    assert reread(x, "test").name != x.name

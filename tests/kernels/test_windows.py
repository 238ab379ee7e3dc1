"""Where windows stand, and exact counts in them."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from magxr.kernels.windows import box_counts, centres, divisors, runs, shares, starts, starts_around


def test_the_papers_count():
    rows, columns = (starts(n, 250, 50, "drop") for n in (1000, 1100))
    assert (len(rows), len(columns)) == (16, 18)
    assert len(rows) * len(columns) == 288
    for edges in ("shift", "pad"):
        np.testing.assert_array_equal(starts(1000, 250, 50, edges), rows)


def test_what_becomes_of_the_rest():
    assert starts(10, 4, 4, "drop").tolist() == [0, 4]
    assert starts(10, 4, 4, "shift").tolist() == [0, 4, 6]
    assert starts(10, 4, 4, "pad").tolist() == [0, 4, 8]


@given(st.integers(1, 60), st.integers(1, 20), st.integers(1, 20))
def test_shift_and_pad_see_every_cell(more, size, stride):
    stride = min(stride, size)
    cells = size + more
    for edges in ("shift", "pad"):
        seen = np.zeros(cells + size, dtype=bool)
        for s in starts(cells, size, stride, edges):
            seen[s : s + size] = True
        assert seen[:cells].all()
    assert starts(cells, size, stride, "shift")[-1] + size == cells


@given(st.integers(1, 12), st.integers(2, 30), st.integers(0, 400))
def test_windows_around_the_globe_start_at_fixed_longitudes(stride, count, anchor):
    cells = stride * count
    first = starts_around(cells, stride, anchor)
    assert len(first) == count
    assert ((first + anchor) % stride == 0).all()
    assert first[0] >= 0
    assert first[-1] < cells


def test_runs_of_even_stride():
    assert runs(np.array([0, 4, 8, 10]), 4) == [slice(0, 3), slice(3, 4)]
    assert runs(np.array([5]), 3) == [slice(0, 1)]


@given(st.integers(1, 12), st.integers(0, 10), st.integers(0, 50))
def test_centres_cover_the_axis(stride, half, more):
    size = stride + 2 * half
    cells = size + more
    plan = centres(cells, size, stride)
    first_answered = plan.first + plan.middle
    middles = first_answered + stride * np.arange(plan.count) + (stride - 1) / 2
    # Exactly the windows at multiples of the stride whose middle lies between the outermost cell centres.
    every = half + stride * np.arange(-200, 200) + (stride - 1) / 2
    np.testing.assert_array_equal(middles, every[(every >= 0) & (every <= cells - 1)])
    begin = plan.first + stride * np.arange(plan.count)
    assert (begin % stride == 0).all()
    inside = np.flatnonzero((begin >= 0) & (begin + size <= cells))
    assert plan.fits == (inside[0], inside[-1] + 1)
    assert plan.reach(*plan.fits)[1] <= cells


def test_centres_of_the_paper():
    plan = centres(1000, 250, 10)
    assert (plan.count, plan.first, plan.fits) == (100, -120, (12, 88))


def test_centres_around_the_globe():
    plan = centres(60, 10, 4, wrap=True, anchor=7)
    assert plan.count == 15
    assert plan.fits == (0, 15)
    assert (plan.first + 7) % 4 == 0
    assert 0 <= plan.first + plan.middle < 4


@given(st.integers(0, 1000))
def test_box_counts_are_plain_sums(seed):
    rng = np.random.default_rng(seed)
    marked = rng.random((17, 23)) < 0.3
    rows, columns = np.array([0, 3, 12]), np.array([1, 2, 18])
    want = [[marked[r : r + 5, c : c + 5].sum() for c in columns] for r in rows]
    np.testing.assert_array_equal(box_counts(marked, 5, rows, columns), want)


def test_mirrored_cells_do_not_count():
    marked = np.ones((6, 6), dtype=bool)
    marked[:, :2] = False
    real = (np.array([True] * 6), np.array([False, False, True, True, True, True]))
    got = shares(marked, real, 4, np.array([0]), np.array([0, 2]))
    np.testing.assert_array_equal(got, [[1.0, 1.0]])
    got = shares(~marked, real, 4, np.array([0]), np.array([0, 2]))
    np.testing.assert_array_equal(got, [[0.0, 0.0]])


@pytest.mark.parametrize(("n", "below", "want"), [(12, 12, [1, 2, 3, 4, 6, 12]), (12, 5, [1, 2, 3, 4])])
def test_divisors(n, below, want):
    assert divisors(n, below) == want

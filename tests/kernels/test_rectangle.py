"""The largest rectangle without gaps, against trying every rectangle."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from magxr.kernels.rectangle import largest_rectangle


def largest_area(known):
    """Try every rectangle."""
    rows, columns = known.shape
    return max(
        (a2 - a1) * (b2 - b1)
        for a1 in range(rows)
        for a2 in range(a1 + 1, rows + 1)
        for b1 in range(columns)
        for b2 in range(b1 + 1, columns + 1)
        if known[a1:a2, b1:b2].all()
    )


@given(st.integers(0, 2**32 - 1), st.integers(1, 7), st.integers(1, 7), st.floats(0.3, 0.95))
def test_no_other_is_larger(seed, rows, columns, share):
    known = np.random.default_rng(seed).random((rows, columns)) < share
    known[0, 0] = True
    found = known[largest_rectangle(known)]
    assert found.all()
    assert found.size == largest_area(known)


def test_a_map_without_gaps_is_its_own():
    assert largest_rectangle(np.ones((5, 9), bool)) == (slice(0, 5), slice(0, 9))


def test_nothing_is_empty():
    assert np.ones((3, 4))[largest_rectangle(np.zeros((3, 4), bool))].size == 0


@pytest.mark.parametrize("gap", [0, 3, 6])
def test_a_row_of_gaps_parts_a_map(gap):
    known = np.ones((7, 8), bool)
    known[gap] = False
    rows, columns = largest_rectangle(known)
    assert columns == slice(0, 8)
    assert rows == max((slice(0, gap), slice(gap + 1, 7)), key=lambda s: s.stop - s.start)

"""How a run is cut into blocks."""

import math

from hypothesis import given
from hypothesis import strategies as st

from magxr.runs.planning import LONGEST, USUAL, even_blocks


@given(st.integers(1, 200_000))
def test_blocks_are_equal_and_never_longer_than_memory_is_checked_for(cells):
    side = even_blocks({"lat": cells})["lat"]
    count = math.ceil(cells / side)
    assert 1 <= side <= LONGEST
    assert side == math.ceil(cells / count)
    assert count == 1 or side > LONGEST / 2


@given(st.integers(4000, 200_000))
def test_on_large_maps_they_are_about_the_same_whatever_the_map(cells):
    assert abs(even_blocks({"lat": cells})["lat"] / USUAL - 1) < 0.12


@given(st.integers(1, 50_000), st.integers(1, 3000))
def test_a_length_that_was_asked_for_is_not_exceeded(cells, longest):
    side = even_blocks({"lat": cells}, longest)["lat"]
    assert side == math.ceil(cells / math.ceil(cells / longest)) <= longest

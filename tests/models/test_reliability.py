"""Reliability: bins by hand, an honest model on the diagonal, a boastful one off it."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from magxr.errors import ParameterError
from magxr.models.evaluate import wilson
from magxr.models.reliability import bin_codes, reliability


def test_bins_by_hand():
    found = reliability([0, 0, 1, 0, 1, 1], [0.1, 0.2, 0.3, 0.6, 0.8, 0.9], bins=2)
    np.testing.assert_allclose(found.probability, [0.2, 2.3 / 3])
    np.testing.assert_allclose(found.share, [1 / 3, 2 / 3])
    np.testing.assert_array_equal(found.windows, [3, 3])
    assert (found.low[0], found.high[0]) == wilson(1, 3)
    assert found.error == pytest.approx((abs(1 / 3 - 0.2) + abs(2 / 3 - 2.3 / 3)) / 2)


@given(st.lists(st.integers(0, 9), min_size=1, max_size=60), st.integers(1, 12))
def test_bins_are_in_order_full_and_keep_equals_together(values, bins):
    p = np.array(values) / 9
    code = bin_codes(p, bins)
    counts = np.bincount(code)
    assert (counts > 0).all()
    assert counts.size <= bins
    for low, high in zip(range(counts.size - 1), range(1, counts.size), strict=True):
        assert p[code == low].max() < p[code == high].min()


def test_different_probabilities_make_bins_of_equal_counts():
    counts = np.bincount(bin_codes(np.random.default_rng(0).random(1003), 10))
    assert counts.size == 10
    assert np.ptp(counts) <= 1


def test_true_probabilities_lie_in_their_intervals_and_squeezed_ones_do_not():
    rng = np.random.default_rng(1)
    p = rng.random(4000)
    labels = (rng.random(4000) < p).astype(int)
    honest = reliability(labels, p)
    inside = (honest.low <= honest.probability) & (honest.probability <= honest.high)
    assert inside.sum() >= 8
    assert honest.error < 2 * honest.by_chance
    loud = reliability(labels, np.clip(1.8 * (p - 0.5) + 0.5, 0, 1))
    assert loud.error > 5 * loud.by_chance
    assert loud.share[0] > loud.high[0] - 0.2
    assert loud.probability[0] < loud.low[0]
    assert loud.probability[-1] > loud.high[-1]


def test_no_windows_one_window_one_class():
    nothing = reliability([], [])
    assert nothing.windows.size == nothing.share.size == 0
    assert math.isnan(nothing.error)
    one = reliability([1], [0.75])
    assert one.windows.tolist() == [1]
    assert one.error == 0.25
    assert reliability([0, 0, 0], [0.1, 0.1, 0.4], bins=3).share.tolist() == [0, 0]


@pytest.mark.parametrize("bins", [0, 2.5])
def test_refused(bins):
    with pytest.raises(ParameterError, match=f"bins={bins} must be a whole number of at least 1"):
        reliability([0, 1], [0.1, 0.9], bins=bins)

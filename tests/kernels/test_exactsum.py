"""Sums that do not depend on the order."""

import math
from fractions import Fraction

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from magxr.kernels import exactsum

floats = st.floats(allow_nan=False, allow_infinity=False, width=64)


@given(values=st.lists(floats, min_size=1, max_size=40), cut=st.integers(0, 40))
def test_the_mean_is_the_true_one_rounded_once(values, cut):
    x = np.array([values])
    whole = exactsum.parts(x)
    merged = exactsum.merge([exactsum.parts(x[:, :cut]), exactsum.parts(x[:, cut:])])
    np.testing.assert_array_equal(merged, whole)
    want = sum((Fraction(v) for v in values), Fraction(0)) / len(values)
    assert exactsum.mean(merged, len(values)) == float(want)


def test_missing_cells_are_left_out_and_cancellation_is_exact():
    x = np.array([[1e300, np.nan, 1.0], [-1e300, 5e-324, np.inf]])
    assert exactsum.mean(exactsum.parts(x), 4) == 0.25
    assert math.isnan(exactsum.mean(exactsum.parts(x * np.nan), 0))

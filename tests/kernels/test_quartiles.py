"""Quartiles by selection against `numpy.percentile`, bit for bit, and sums by lanes."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from magxr.kernels.lanesums import extremes, make_lanes, squares, total
from magxr.kernels.quartiles import BINS, quartiles


def found(values):
    out = np.zeros(3)
    work = np.zeros(BINS, np.int32), np.zeros(values.size + 1)
    quartiles(values, values.size, values.min(), values.max(), *work, out)
    return out


def expected(values):
    return np.percentile(values, [25.0, 50.0, 75.0])


@pytest.mark.parametrize("count", [1, 2, 3, 4, 5, 7, 64, 1000, 62_499, 62_500])
@pytest.mark.parametrize(
    "make",
    [
        lambda rng, n: rng.standard_normal(n),
        lambda rng, n: rng.standard_normal(n).astype(np.float32).astype(float),
        lambda rng, n: rng.integers(-3, 4, n).astype(float),
        lambda rng, n: rng.standard_cauchy(n) ** 3,
        lambda rng, n: np.sort(rng.standard_normal(n)),
        lambda rng, n: np.where(np.arange(n) == 0, 1e12, rng.standard_normal(n)),
        lambda rng, n: np.full(n, 2.5),
        lambda rng, n: 1e-310 * np.arange(n),
        lambda rng, n: 1e307 * rng.standard_normal(n),
    ],
    ids=["normal", "float32", "ties", "tails", "sorted", "an outlier", "equal", "tiny", "huge"],
)
def test_equals_numpy(make, count):
    values = make(np.random.default_rng(count), count)
    kept = values.copy()
    with np.errstate(over="ignore"):
        np.testing.assert_array_equal(found(values), expected(values))
    np.testing.assert_array_equal(values, kept)


@given(st.lists(st.floats(-1e6, 1e6, width=32), min_size=1, max_size=40))
def test_equals_numpy_on_short_lists(values):
    given_values = np.array(values)
    np.testing.assert_array_equal(found(given_values), expected(given_values))


@pytest.mark.parametrize("count", [1, 63, 64, 65, 1000, 62_500])
def test_sums_and_extremes(count):
    values = np.random.default_rng(count).standard_normal(count + 5)
    values[count:] = 1e9  # not among the first
    first, lanes = values[:count], make_lanes()
    assert total(values, count, lanes) == pytest.approx(first.sum(), abs=1e-9)
    assert squares(values, count, 0.3, lanes) == pytest.approx(((first - 0.3) ** 2).sum(), rel=1e-12)
    assert extremes(values, count, lanes) == (first.min(), first.max())

"""ROC and precision-recall curves against hand counts, and their areas against the definitions."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from magxr.errors import ParameterError
from magxr.models.curves import precision_recall, roc
from magxr.models.evaluate import area_under_curve

LABELS = [1, 0, 1, 1, 0]
GIVEN = [0.9, 0.8, 0.8, 0.3, 0.1]

scores = st.lists(st.tuples(st.booleans(), st.integers(0, 6)), min_size=2, max_size=40).filter(
    lambda rows: len({truth for truth, _ in rows}) == 2
)


def test_roc_by_hand():
    curve = roc(LABELS, GIVEN)
    np.testing.assert_allclose(curve.x, [0, 0, 1 / 2, 1 / 2, 1])
    np.testing.assert_allclose(curve.y, [0, 1 / 3, 2 / 3, 1, 1])
    np.testing.assert_array_equal(curve.threshold, [np.inf, 0.9, 0.8, 0.3, 0.1])


def test_precision_recall_by_hand():
    curve = precision_recall(LABELS, GIVEN)
    np.testing.assert_allclose(curve.x, [0, 1 / 3, 2 / 3, 1, 1])
    np.testing.assert_allclose(curve.y, [1, 1, 2 / 3, 3 / 4, 3 / 5])
    assert curve.area == pytest.approx(1 / 3 * 1 + 1 / 3 * 2 / 3 + 1 / 3 * 3 / 4)


@given(scores)
def test_areas_are_the_share_of_won_pairs_and_the_mean_precision(rows):
    truth = np.array([t for t, _ in rows])
    p = np.array([s for _, s in rows]) / 6
    pairs = [(a > b) + (a == b) / 2 for a in p[truth] for b in p[~truth]]
    assert roc(truth, p).area == pytest.approx(np.mean(pairs))
    assert roc(truth, p).area == pytest.approx(area_under_curve(truth, p))
    precision = [truth[p >= s].mean() for s in p[truth]]  # at the threshold of each linear window
    assert precision_recall(truth, p).area == pytest.approx(np.mean(precision))


@given(scores)
def test_every_point_is_what_its_threshold_gives(rows):
    truth = np.array([t for t, _ in rows])
    p = np.array([s for _, s in rows]) / 6
    curve = roc(truth, p)
    for x, y, threshold in zip(curve.x, curve.y, curve.threshold, strict=True):
        assert (x, y) == pytest.approx((np.mean(p[~truth] >= threshold), np.mean(p[truth] >= threshold)))


def test_one_class_and_none():
    only = roc([1, 1], [0.2, 0.7])
    assert math.isnan(only.area)
    assert np.isnan(only.x).all()
    np.testing.assert_array_equal(only.y, [0, 0.5, 1])
    assert math.isnan(precision_recall([0, 0], [0.2, 0.7]).area)
    assert precision_recall([1, 1], [0.2, 0.7]).area == 1
    for curve in (roc([], []), precision_recall([], [])):
        assert math.isnan(curve.area)
        assert len(curve.x) == len(curve.y) == len(curve.threshold) == 1


@pytest.mark.parametrize(
    ("labels", "probability", "message"),
    [
        ([1, 0], [0.5], "2 labels for 1 probabilities"),
        ([1, -1], [0.5, 0.5], r"labels hold \[-1\]; they must be 1"),
        ([1, 0], [0.5, np.nan], "1 of 2 probabilities are not numbers from 0 to 1 .the first is nan"),
        ([1, 0], [1.5, 0.5], "the first is 1.5"),
        ([[1, 0]], [[0.5, 0.5]], r"shape \(1, 2\)"),
    ],
)
def test_refused(labels, probability, message):
    with pytest.raises(ParameterError, match=message):
        roc(labels, probability)

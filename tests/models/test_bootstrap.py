"""Redrawing blocks: against a plain loop over windows, and by how often the interval holds the truth."""

import math

import numpy as np
import pytest

from magxr.errors import ParameterError
from magxr.models.bootstrap import interval, measure, redrawn
from magxr.models.evaluate import area_under_curve, block_interval, confusion, wilson
from magxr.models.reliability import bin_codes

STATISTICS = ("accuracy", "balanced_accuracy", "auc", "ece")


def made(seed, blocks=9, size=12):
    """Windows whose block shifts their score, some blocks of one class only."""
    rng = np.random.default_rng(seed)
    groups = np.repeat(np.arange(blocks), size)
    labels = rng.integers(0, 2, blocks * size)
    labels[groups == 0], labels[groups == 1] = 0, 1
    score = 1.5 * (2 * labels - 1) + rng.normal(0, 1, blocks)[groups] + rng.normal(0, 1.5, labels.size)
    return labels, np.round(1 / (1 + np.exp(-score)), 2), groups


def plain(statistic, labels, p, code):
    if statistic == "auc":
        return area_under_curve(labels, p)
    if statistic == "ece":
        bins = [np.abs(np.sum(labels[code == b] - p[code == b])) for b in np.unique(code)]
        return np.sum(bins) / labels.size
    found = confusion(labels, p)
    return found.accuracy if statistic == "accuracy" else found.balanced_accuracy


@pytest.mark.parametrize("statistic", STATISTICS)
def test_a_redraw_is_the_statistic_of_its_windows(statistic):
    labels, p, groups = made(0)
    times = redrawn(9, 25, seed=4)
    assert (times.sum(axis=1) == 9).all()
    found = measure(statistic, labels == 1, p, groups, 9, threshold=0.5, bins=4)(times)
    code = bin_codes(p, 4)
    for row, value in zip(times.astype(int), found, strict=True):
        chosen = np.concatenate([np.tile(np.flatnonzero(groups == b), n) for b, n in enumerate(row)])
        assert value == pytest.approx(plain(statistic, labels[chosen], p[chosen], code[chosen]), nan_ok=True)


@pytest.mark.parametrize("statistic", STATISTICS[:3])
def test_the_value_lies_inside_and_the_seed_fixes_it(statistic):
    labels, p, groups = made(1)
    found = interval(labels, p, groups, statistic)
    assert found.low < found.value < found.high
    assert found.blocks == 9
    assert found == interval(labels, p, [f"scene {g}" for g in groups], statistic)
    assert (redrawn(9, 50, seed=0) != redrawn(9, 50, seed=1)).any()


def test_block_interval_is_the_same():
    labels, p, groups = made(2)
    found = interval(labels, p, groups)
    assert block_interval(labels, p, groups) == (found.low, found.high)


def test_nineteen_of_twenty_intervals_hold_the_truth():
    """Blocks differ in how right the model is; the truth is the mean over blocks."""
    held = windowwise = 0
    for seed in range(150):
        rng = np.random.default_rng(seed)
        groups = np.repeat(np.arange(40), 20)
        labels = np.tile([0, 1], 400)
        right = rng.random(800) < rng.beta(8, 2, 40)[groups]  # 0.8 on average
        p = np.where(right, labels, 1 - labels).astype(float)
        found = interval(labels, p, groups, "accuracy", draws=400)
        held += found.low <= 0.8 <= found.high
        low, high = wilson(int(right.sum()), 800)
        windowwise += low <= 0.8 <= high
    assert 0.89 <= held / 150 <= 0.99
    assert windowwise / 150 < 0.89


def test_the_calibration_error_of_an_honest_model_is_not_sworn_to():
    """Redraws alone would put the interval well above 0, where the truth is."""
    honest = loud = 0
    for seed in range(100):
        rng = np.random.default_rng(seed)
        p = rng.random(600)
        drawn = rng.random(600)
        for true, off in ((p, 0.0), (0.8 * p + 0.1, 0.05)):
            found = interval((drawn < true).astype(int), p, np.arange(600) // 20, "ece", draws=300)
            assert found.low <= found.value <= found.high
            honest += off == 0 and found.low == 0
            loud += off > 0 and found.low <= off <= found.high
    assert honest >= 89
    assert loud >= 89


def test_nothing_wrong_is_not_certainty():
    labels, groups = np.tile([0, 1], 40), np.arange(80) // 8
    found = interval(labels, labels.astype(float), groups, "accuracy")
    assert (found.value, found.high) == (1.0, 1.0)
    assert found.low == wilson(10, 10)[0]


def test_where_nothing_is_known():
    nothing = interval([], [], [])
    assert math.isnan(nothing.value)
    assert nothing[1:] == (0.0, 1.0, 0, 0)
    assert block_interval([], [], []) == (0.0, 1.0)
    assert interval([1, 0], [0.9, 0.8], [7, 7], "accuracy")[:3] == (0.5, 0.0, 1.0)
    one_class = interval([1, 1, 1], [0.9, 0.8, 0.1], [0, 1, 2], "auc")
    assert math.isnan(one_class.value)
    assert one_class[1:] == (0.0, 1.0, 3, 0)


def test_redraws_of_one_class_are_left_out_and_counted():
    found = interval([1, 1, 0, 0], [0.9, 0.4, 0.1, 0.2], [0, 0, 1, 1], draws=1000)
    assert found.used == pytest.approx(500, abs=60)  # both blocks drawn: half of the redraws
    assert found.low == found.high == found.value == 0.75


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"statistic": "f1"}, "statistic='f1' is unknown; use one of 'accuracy', 'balanced_accuracy'"),
        ({"confidence": 95}, "confidence=95 must lie between 0 and 1"),
        ({"draws": 0}, "draws=0 must be a whole number"),
        ({"groups": [1]}, "1 groups for 2 windows"),
    ],
)
def test_refused(change, message):
    told = {"groups": [0, 1], "statistic": "accuracy"} | change
    with pytest.raises(ParameterError, match=message):
        interval([0, 1], [0.1, 0.9], **told)

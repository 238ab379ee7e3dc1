"""Intervals against published values, counts against hand counts."""

import math

import numpy as np
import pytest

from magxr.errors import ParameterError
from magxr.models.evaluate import (
    Confusion,
    area_under_curve,
    block_interval,
    confusion,
    wilson,
)


# The first four: Newcombe (1998), Stat. Med. 17, table I, method 3.
@pytest.mark.parametrize(
    ("right", "total", "low", "high"),
    [
        (81, 263, 0.2553, 0.3662),
        (15, 148, 0.0624, 0.1605),
        (0, 20, 0.0, 0.1611),
        (1, 29, 0.0061, 0.1718),
        (168, 170, 0.958, 0.997),  # the paper's 98.6 % of about 170 windows
        (155, 170, 0.860, 0.946),
        (133, 170, 0.714, 0.838),
    ],
)
def test_wilson_against_known_values(right, total, low, high):
    digits = 5e-5 if total not in (170,) else 6e-4
    assert wilson(right, total) == pytest.approx((low, high), abs=digits)


def test_wilson_at_the_ends():
    assert wilson(0, 0) == (0.0, 1.0)
    assert wilson(0, 10)[0] == 0.0
    assert wilson(10, 10)[1] == 1.0
    low, high = wilson(3, 10)
    assert wilson(7, 10) == pytest.approx((1 - high, 1 - low))


@pytest.mark.parametrize("case", [(3, 2, 0.95), (-1, 2, 0.95), (1, 2, 1.0)])
def test_wilson_refuses_nonsense(case):
    with pytest.raises(ParameterError, match="need 0 <= right <= total"):
        wilson(*case)


def test_confusion_counts():
    found = confusion([1, 1, 1, 0, 0], [0.9, 0.5, 0.1, 0.2, 0.7])
    assert found == Confusion(2, 1, 1, 1)
    assert (found.total, found.right) == (5, 3)
    assert found.accuracy == 3 / 5
    assert found.balanced_accuracy == (2 / 3 + 1 / 2) / 2
    assert found.report()["accuracy_interval"] == wilson(3, 5)


def test_a_constant_answer_has_balanced_accuracy_one_half():
    assert confusion([1] * 9 + [0], np.ones(10)).balanced_accuracy == 0.5
    assert math.isnan(confusion([1, 1], [1, 1]).balanced_accuracy)


def test_confusion_refuses_unequal_lengths():
    with pytest.raises(ParameterError, match="2 labels for 3 probabilities"):
        confusion([0, 1], [0.1, 0.2, 0.3])


def test_area_under_curve():
    assert area_under_curve([0, 0, 1, 1], [0.1, 0.4, 0.35, 0.8]) == 0.75
    assert area_under_curve([0, 1], [0.5, 0.5]) == 0.5
    assert math.isnan(area_under_curve([1, 1], [0.2, 0.3]))


def test_block_interval_is_wider_where_blocks_fail_together():
    rng = np.random.default_rng(0)
    groups = np.repeat(np.arange(12), 40)
    labels = np.tile([0, 1], 240)
    wrong = np.isin(groups, [2, 7, 9])
    together = np.where(wrong, 1 - labels, labels).astype(float)
    apart = np.where(rng.permutation(wrong), 1 - labels, labels).astype(float)
    low, high = block_interval(labels, together, groups)
    low_apart, high_apart = block_interval(labels, apart, groups)
    assert high - low > 3 * (high_apart - low_apart)
    assert low < confusion(labels, together).balanced_accuracy < high
    assert block_interval(labels, together, groups) == (low, high)

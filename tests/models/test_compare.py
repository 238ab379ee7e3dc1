"""Ties: equal models share a rank, a better one does not, letters say exactly who is tied with whom."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from magxr.errors import ParameterError
from magxr.models.compare import compare, letters


def answers(seed, right, blocks=30, size=20):
    """Models that are right in these shares of windows, a share of it the same windows for all: easy ones."""
    rng = np.random.default_rng(seed)
    labels, groups = np.tile([0, 1], blocks * size // 2), np.repeat(np.arange(blocks), size)
    ease = rng.normal(0, 0.1, blocks)[groups] + rng.normal(0, 0.1, labels.size)
    hit = {n: rng.random(labels.size) < np.clip(r + ease, 0, 1) for n, r in right.items()}
    return labels, {n: np.where(h, labels, 1 - labels).astype(float) for n, h in hit.items()}, groups


def test_equal_models_are_tied_and_a_worse_one_is_not():
    labels, models, groups = answers(0, {"worse": 0.7, "one": 0.9, "other": 0.9})
    found = compare(labels, models, groups)
    assert found.names[-1] == "worse"
    assert found.rank == (1, 1, 3)
    assert found.letters == ("a", "a", "b")
    values = [s.value for s in found.scores]
    assert values == sorted(values, reverse=True)
    np.testing.assert_allclose(found.difference, np.subtract.outer(values, values))
    assert (np.diag(found.low) == 0).all()
    np.testing.assert_allclose(found.low, -found.high.T)


def test_the_order_given_and_the_names_do_not_matter():
    labels, models, groups = answers(1, {"a": 0.7, "b": 0.8, "c": 0.9})
    there = compare(labels, models, groups)
    back = compare(labels, dict(reversed(models.items())), groups)
    assert there.report() == back.report()


def test_of_many_equal_models_hardly_one_looks_better():
    together = alone = 0
    for seed in range(40):
        labels, models, groups = answers(seed, dict.fromkeys("abcdef", 0.85))
        told = {"groups": groups, "draws": 300, "statistic": "accuracy"}
        together += not compare(labels, models, **told).tied.all()
        alone += not compare(labels, models, together=False, **told).tied.all()
    assert together <= 6  # 2 of 40 expected
    assert alone > 12


def test_pairs_see_a_difference_that_single_intervals_hide():
    """Blocks differ far more than models: the intervals overlap, the difference is sure."""
    rng = np.random.default_rng(3)
    groups, labels = np.repeat(np.arange(20), 50), np.tile([0, 1], 500)
    place = rng.random(1000)
    hard = rng.uniform(0.2, 0.8, 20)[groups]
    models = {
        n: np.where(place > hard + d, labels, 1 - labels).astype(float) for n, d in (("a", 0), ("b", 0.06))
    }
    found = compare(labels, models, groups, "accuracy")
    assert found.scores[1].high > found.scores[0].value
    assert found.rank == (1, 2)


def test_less_calibration_error_is_better():
    rng = np.random.default_rng(4)
    p = rng.random(2000)
    labels = (rng.random(2000) < p).astype(int)
    loud = np.clip(1.8 * (p - 0.5) + 0.5, 0, 1)
    found = compare(labels, {"loud": loud, "honest": p}, np.arange(2000) // 50, "ece")
    assert found.names == ("honest", "loud")
    assert found.rank == (1, 2)


def test_one_block_no_window_one_model():
    labels = [0, 1, 1]
    models = {"right": [0.1, 0.9, 0.9], "wrong": [0.9, 0.1, 0.1]}
    found = compare(labels, models, [5, 5, 5])
    assert found.names == ("right", "wrong")
    assert found.rank == (1, 1)
    assert found.letters == ("a", "a")
    assert compare([], {"a": [], "b": []}, []).tied.all()
    assert compare(labels, {"right": models["right"]}, [0, 1, 1]).letters == ("a",)


def test_models_that_answer_alike_are_tied_exactly():
    labels, models, groups = answers(5, {"a": 0.9, "b": 0.6})
    found = compare(labels, models | {"again": models["a"]}, groups)
    assert found.letters == ("a", "a", "b")
    assert found.low[0, 1] == found.high[0, 1] == 0


def test_the_table_as_text_and_as_data():
    labels, models, groups = answers(0, {"worse": 0.7, "better": 0.9})
    found = compare(labels, models, groups)
    lines = found.markdown().splitlines()
    assert len(lines) == 4
    assert lines[2].startswith("| better | ")
    assert lines[3].endswith("| 2 | b |")
    report = found.report()
    assert [m["rank"] for m in report["models"]] == [1, 2]
    assert report["blocks"] == 30
    low, high = report["models"][1]["first_minus_this"]
    assert 0 < low < found.difference[0, 1] < high


@given(st.integers(1, 7), st.integers(0, 2**32 - 1))
def test_two_models_share_a_letter_if_and_only_if_they_are_tied(count, seed):
    tied = np.random.default_rng(seed).random((count, count)) < 0.6
    tied = tied | tied.T | np.eye(count, dtype=bool)
    found = letters(tied)
    for i in range(count):
        assert found[i]
        for j in range(count):
            assert bool(set(found[i]) & set(found[j])) == tied[i, j]


@pytest.mark.parametrize(
    ("models", "message"),
    [
        ({}, "no models to compare"),
        ({"short": [0.5]}, "model 'short': 2 labels for 1 probabilities"),
        ({"odd": [0.5, 2.0]}, "model 'odd': 1 of 2 probabilities are not numbers"),
    ],
)
def test_refused(models, message):
    with pytest.raises(ParameterError, match=message):
        compare([0, 1], models, [0, 1])

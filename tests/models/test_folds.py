"""Cross-validation by blocks: each window tested once, no block on two sides."""

import numpy as np
import pytest

from magxr.errors import ParameterError
from magxr.models.folds import fold_codes
from magxr.models.split import TEST, TRAIN, VALIDATION
from magxr.models.train import train

LABELS = np.random.default_rng(0).integers(0, 2, 200)
GROUPS = np.arange(200) // 8


@pytest.mark.parametrize("split", ["block", "random"])
def test_each_window_is_tested_once_and_validated_once(split):
    codes = fold_codes(LABELS, folds=5, split=split, groups=GROUPS)
    for side in (TEST, VALIDATION):
        np.testing.assert_array_equal((codes == side).sum(axis=0), 1)
    shares = [(codes[f] == s).mean() for f in range(5) for s in (TRAIN, VALIDATION, TEST)]
    np.testing.assert_allclose(np.reshape(shares, (5, 3)), [[0.6, 0.2, 0.2]] * 5, atol=0.05)


def test_no_block_is_on_two_sides():
    codes = fold_codes(LABELS, folds=4, groups=GROUPS, seed=3)
    for g in np.unique(GROUPS):
        assert all(len(np.unique(own[g == GROUPS])) == 1 for own in codes)
    again = fold_codes(LABELS, folds=4, groups=GROUPS, seed=3)
    np.testing.assert_array_equal(codes, again)
    assert not np.array_equal(codes, fold_codes(LABELS, folds=4, groups=GROUPS, seed=4))


@pytest.mark.parametrize(
    ("more", "match"),
    [
        ({"folds": 2}, "folds=2: at least 3"),
        ({"folds": 201}, "200 labelled windows for folds=201"),
        ({"folds": 5, "groups": np.arange(200) // 50}, "4 groups for folds=5"),
        ({"folds": 5, "groups": None}, "needs groups="),
        ({"folds": 5, "groups": [1, 2]}, "2 groups for 200 labels"),
        ({"folds": 5, "split": "odd"}, "split='odd'"),
    ],
)
def test_refused(more, match):
    with pytest.raises(ParameterError, match=match):
        fold_codes(LABELS, **{"groups": GROUPS, **more})


def test_a_fold_without_a_class_is_refused():
    labels = (GROUPS == 0).astype(int)
    with pytest.raises(ParameterError, match=r"does not hold both classes; give fewer folds"):
        fold_codes(labels, folds=5, groups=GROUPS)


def test_training_on_folds_scores_each_window_unseen(monkeypatch):
    """The out-of-fold answer of a window comes from the head that did not learn from its block."""
    rng = np.random.default_rng(1)
    windows = rng.normal(size=(200, 8, 8)).astype("f4")
    values = rng.normal(size=(200, 6)).astype("f4") + 2 * LABELS[:, None]
    monkeypatch.setattr("magxr.models.worker.features", lambda *a, **k: values)
    places = np.column_stack([GROUPS * 100, 10 * (np.arange(200) % 8)])
    made = train(windows, LABELS, groups=GROUPS, positions=places, folds=5, epochs=5)
    assert len(made.head.members) == 5
    assert made.report["test"]["windows"] == 200
    assert made.report["leakage"] == 0
    assert len(made.report["test_by_fold"]) == 5
    low, high = made.report["test"]["balanced_interval_by_block"]
    assert low < made.report["test"]["balanced_accuracy"] < high
    codes = fold_codes(LABELS, folds=5, groups=GROUPS)
    for own, head in zip(codes, made.head.members, strict=True):
        tested = own == TEST
        np.testing.assert_array_equal(made.out_of_fold[tested], head.probability(values[tested]))

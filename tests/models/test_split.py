"""Splits hold groups together, keep the ratio, and say what they share."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from magxr.errors import ParameterError
from magxr.models.split import block_ids, leakage, leave_out_overlaps, split_windows


def test_random_split_of_the_papers_851_windows():
    labels = np.random.default_rng(0).integers(0, 2, 851)
    codes = split_windows(labels, split="random", seed=1)
    assert np.bincount(codes).tolist() == [511, 170, 170]
    np.testing.assert_array_equal(codes, split_windows(labels, split="random", seed=1))
    assert (codes != split_windows(labels, split="random", seed=2)).any()


@given(st.integers(0, 10_000))
def test_no_group_is_on_two_sides(seed):
    rng = np.random.default_rng(seed)
    groups = rng.integers(0, 25, 400)
    labels = rng.integers(0, 2, 400)
    codes = split_windows(labels, groups=groups, seed=seed)
    sides = [set(groups[codes == s]) for s in range(3)]
    assert sum(map(len, sides)) == len(set(groups))
    for side, share in zip(range(3), (0.6, 0.2, 0.2), strict=True):
        assert abs(np.mean(codes == side) - share) < 0.1
        assert set(labels[codes == side]) == {0, 1}


def test_blocked_split_needs_groups():
    with pytest.raises(ParameterError, match="needs groups="):
        split_windows([0, 1, 0, 1])


@pytest.mark.parametrize(
    ("labels", "kind", "match"),
    [
        ([1, 1, 1], {"split": "random"}, "all 3 labels are linear"),
        ([0, 0], {"split": "random"}, "all 2 labels are nonlinear"),
        ([0, 1, -1, 2], {"split": "random"}, r"labels hold \[-1, 2\].*leave ambiguous"),
        ([], {"split": "random"}, "at least a few"),
        ([0, 1] * 20, {"split": "random", "ratio": (1, 0, 1)}, "three positive shares"),
        ([0, 1] * 20, {"split": "both"}, "split='both' is unknown"),
        ([0, 1] * 20, {"groups": [0, 1] * 20}, "at least 3 groups, got 2"),
        ([0, 1] * 20, {"groups": [0, 1, 2]}, "3 groups for 40 labels"),
        ([0] * 30 + [1] * 10, {"groups": [0] * 30 + [1] * 5 + [2] * 5}, "does not hold both classes"),
        ([0, 1, 0, 1], {"split": "random"}, "does not hold both classes; give more labelled windows"),
    ],
)
def test_refusals(labels, kind, match):
    with pytest.raises(ParameterError, match=match):
        split_windows(labels, **kind)


def test_leakage_by_hand():
    # windows of 10 px at columns 0, 5 (train) and 8 (test): columns 8..14 of the test's 8..17 are trained on
    positions = np.array([[0, 0], [0, 5], [0, 8]])
    assert leakage(positions, np.array([0, 0, 2], np.int8), 10) == 0.7
    assert leakage(positions, np.array([0, 1, 2], np.int8), 10) == 0.2
    assert leakage(positions, np.array([1, 1, 2], np.int8), 10) == 0.0
    apart = np.array([[0, 0, 0], [0, 0, 5], [1, 0, 8]])
    assert leakage(apart, np.array([0, 0, 2], np.int8), 10) == 0.0


def test_random_split_of_overlapping_windows_leaks_and_blocks_can_be_cut_clean():
    rows, columns = np.mgrid[0:1000:50, 0:1000:50]
    positions = np.column_stack([rows.ravel(), columns.ravel()])
    labels = np.random.default_rng(0).integers(0, 2, len(positions))
    codes = split_windows(labels, split="random")
    assert leakage(positions, codes, 250) > 0.99
    codes = split_windows(labels, groups=block_ids(positions, 250))
    assert 0 < leakage(positions, codes, 250) < 0.95
    clean = leave_out_overlaps(positions, codes, 250)
    assert leakage(positions, clean, 250) == 0.0
    np.testing.assert_array_equal(clean == 2, codes == 2)
    assert set(clean[clean != codes]) == {-1}


def test_block_ids():
    assert len(np.unique(block_ids([[0, 0], [0, 99], [0, 100], [100, 0]], 100))) == 3
    assert len(np.unique(block_ids([[0, 5, 5], [1, 5, 5]], 100))) == 2
    with pytest.raises(ParameterError, match="whole numbers of shape"):
        block_ids([[0.5, 1.0]], 10)

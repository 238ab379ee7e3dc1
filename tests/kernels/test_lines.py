"""Cells that lines run through: no path of neighbouring pixels crosses a line through an open cell."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import ndimage

from magxr.kernels.lines import between_labels, crossed


def open_pairs(shut):
    """Connect pixels that share an open cell (also across its corner); return the label of each pixel."""
    n, m = shut.shape[0] - 1, shut.shape[1] - 1
    # Pixels at even, cells at odd places: a cell joins its four corners.
    fine = np.zeros((2 * n + 1, 2 * m + 1), bool)
    fine[1::2, 1::2] = True
    fine[::2, ::2] = ~shut
    return ndimage.label(fine, structure=np.ones((3, 3)))[0][1::2, 1::2]


@given(
    seed=st.integers(0, 100_000),
    whole=st.booleans(),
    points=st.integers(2, 6),
)
def test_a_line_from_side_to_side_parts_the_pixels(seed, whole, points):
    rng = np.random.default_rng(seed)
    n, m = 14, 17
    y = np.concatenate([[-3.0], np.sort(rng.uniform(0, n, points)), [n + 2.0]])
    x = rng.uniform(2, m - 3, len(y))
    if whole:
        x, y = np.rint(x), np.rint(y)
    shut = crossed([np.column_stack([x, y])], (0, n), (0, m))
    assert shut.shape == (n + 1, m + 1)
    label = open_pairs(shut)
    assert not set(label[:, 0]) & set(label[:, -1])


@given(seed=st.integers(0, 100_000))
def test_a_block_finds_what_the_whole_finds(seed):
    rng = np.random.default_rng(seed)
    lines = [rng.uniform(-5, 45, (4, 2)) for _ in range(3)]
    whole = crossed(lines, (0, 40), (0, 40), 40.0)
    r0, c0 = rng.integers(0, 30, 2)
    part = crossed(lines, (r0, r0 + 10), (c0, c0 + 9), 40.0)
    np.testing.assert_array_equal(part, whole[r0 : r0 + 11, c0 : c0 + 10])


def test_cells_are_few_and_the_right_ones():
    shut = crossed([np.array([[0.5, 0.5], [2.5, 0.5]])], (0, 4), (0, 5))
    assert sorted(map(tuple, np.argwhere(shut))) == [(1, 1), (1, 2), (1, 3)]
    shut = crossed([np.array([[0.2, 0.5], [0.2, 2.5]])], (0, 4), (0, 5))
    assert sorted(map(tuple, np.argwhere(shut))) == [(1, 1), (2, 1), (3, 1)]
    through = crossed([np.array([[1.5, 0.5], [2.5, 1.5]])], (0, 4), (0, 5))  # right through pixel (1, 2)
    assert sorted(map(tuple, np.argwhere(through))) == [(1, 2), (1, 3), (2, 2), (2, 3)]
    assert not crossed([np.array([[40.0, 0.0], [50.0, 9.0]])], (0, 4), (0, 5)).any()
    assert crossed([np.array([[40.2, 0.0], [42.2, 9.0]])], (0, 4), (0, 5), 40.0).any()


@pytest.mark.parametrize("labels", [np.arange(20).reshape(4, 5) // 10, np.ones((4, 5))])
def test_labels_that_differ_shut_what_is_between_them(labels):
    shut = between_labels(labels.astype("f4"))
    assert shut.shape == (5, 6)
    expected = np.zeros((5, 6), bool)
    if labels.max() > labels.min():
        expected[2] = True
    np.testing.assert_array_equal(shut, expected)

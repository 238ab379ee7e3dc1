"""Scaling by slowly varying extremes: against loops over every cell, holes, flat parts, any block."""

import numpy as np
import pytest

from magxr.kernels.localscale import localscale, margin


def by_loops(values, size):
    """Extremes of every square, then their mean, cell by cell."""
    n, m = values.shape
    rim, back, ahead = size - 1, size // 2, (size - 1) // 2
    low, high = np.full((2, n, m), np.nan)
    for i in range(back, n - ahead):
        for j in range(back, m - ahead):
            square = values[i - back : i - back + size, j - back : j - back + size]
            known = square[np.isfinite(square)]
            if known.size:
                low[i, j], high[i, j] = known.min(), known.max()
    out = np.full((n - 2 * rim, m - 2 * rim), 0.5)
    for i, j in np.ndindex(*out.shape):
        at = (slice(i + rim - ahead, i + rim - ahead + size), slice(j + rim - ahead, j + rim - ahead + size))
        known = np.isfinite(low[at])
        x = values[i + rim, j + rim]
        if np.isfinite(x) and known.any():
            a, b = low[at][known].mean(), high[at][known].mean()
            out[i, j] = np.clip((x - a) / (b - a), 0, 1)
    return out


@pytest.mark.parametrize("size", [2, 5, 8])
def test_equals_loops(size):
    rng = np.random.default_rng(size)
    values = rng.normal(0, 100, (41, 38)).astype("f4")
    values[rng.random(values.shape) < 0.2] = np.nan
    values[:20, :22] = np.nan
    values[33, 30] = np.inf
    got = localscale(values, size)
    assert got.dtype == np.float32
    assert got.shape == tuple(n - 2 * margin(size) for n in values.shape)
    np.testing.assert_allclose(got, by_loops(values, size), atol=1e-7)
    assert 0 < (got == 0.5).mean() < 1


def test_the_margin_is_what_a_cell_depends_on():
    """The farthest corner of the margin changes the scale of the only cell; there is nothing further."""
    values = np.random.default_rng(0).normal(size=(13, 13)).astype("f4")
    before = localscale(values, 7)
    assert before.shape == (1, 1)
    for corner in [(0, 0), (12, 12), (0, 12)]:
        changed = values.copy()
        changed[corner] = 1000.0
        assert localscale(changed, 7) != before


def test_a_block_gives_what_the_whole_gives():
    values = np.random.default_rng(1).normal(3000, 50, (90, 100)).astype("f4")
    values[40:60, 20:50] = np.nan
    whole = localscale(values, 12)
    part = localscale(values[17:80, 31:], 12)
    np.testing.assert_allclose(part, whole[17:58, 31:], rtol=0, atol=1e-7)


def test_unit_and_offset_play_no_part_and_flat_is_half():
    values = np.random.default_rng(2).normal(0, 50, (60, 60)).astype("f4")
    np.testing.assert_allclose(localscale(values * 8, 9), localscale(values, 9), atol=1e-7)
    np.testing.assert_allclose(localscale(values + 256, 9), localscale(values, 9), atol=1e-5)
    np.testing.assert_array_equal(localscale(np.full((30, 30), 7.25), 9), 0.5)
    np.testing.assert_array_equal(localscale(np.full((30, 30), np.nan), 9), 0.5)

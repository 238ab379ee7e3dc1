"""Which holes stay, and patches that leave no mark."""

import numpy as np
import pytest

from magxr.kernels import gaps
from magxr.kernels.minimum_curvature import minimum_curvature


@pytest.mark.parametrize("max_gap", [1, 2, 5, 8])
def test_a_strip_of_max_gap_is_a_gap_and_a_wider_one_is_a_hole(max_gap):
    for more in (0, 1 + max_gap % 2):
        known = np.ones((60, 50), bool)
        known[20 : 20 + max_gap + more] = False
        wide = gaps.too_wide(known, max_gap)
        assert wide.any() == bool(more)
        assert not more or (wide == ~known).all()


def test_along_the_edge_of_the_map_half_as_many():
    for rows, stays in ((5, False), (6, True)):
        known = np.ones((40, 40), bool)
        known[:rows] = False
        assert gaps.too_wide(known, 9).any() == stays


def test_a_network_of_narrow_gaps_is_no_hole_and_a_round_hole_stays_round():
    known = np.zeros((91, 91), bool)
    known[::10] = known[:, ::10] = True
    assert not gaps.too_wide(known, 9).any()
    y, x = np.mgrid[:90, :90]
    hole = (y - 45) ** 2 + (x - 45) ** 2 <= 20**2
    wide = gaps.too_wide(~hole, 9)
    assert wide.sum() > 0.97 * hole.sum()
    assert gaps.too_wide(np.zeros((5, 5), bool), 3).all()
    assert not gaps.too_wide(np.ones((5, 5), bool), 3).any()


def field(shape):
    y, x = np.mgrid[: shape[0], : shape[1]]
    return 100 * np.sin(x / 9.0 + y / 21.0) + 60 * np.cos(y / 11.0 - x / 40)


def laid_out(shape, patch=32):
    sides = tuple(tuple((a, min(a + patch, n)) for a in range(0, n, patch)) for n in shape)
    whole = (0, shape[0]), (0, shape[1])
    return {"corner": (0, 0), "core": whole, "extent": whole, "patches": sides}


def whole_map(values, max_gap, patch=32):
    layout = laid_out(values.shape, patch)
    return gaps.fill_gaps(values, aspect=np.ones(values.shape[0]), max_gap=max_gap, **layout)


@pytest.mark.parametrize("share", [0.0, 0.02, 0.5, 0.9, 0.99, 1.0])
def test_what_can_be_filled_is_told_without_filling(share):
    rng = np.random.default_rng(3)
    values = field((90, 110))
    values[rng.random(values.shape) < share] = np.nan
    values[20:41, 30:60] = np.nan
    values[70:, :20] = np.nan
    filled = np.isnan(values) & ~np.isnan(whole_map(values, 6))
    np.testing.assert_array_equal(gaps.fillable(values, max_gap=6, **laid_out(values.shape)), filled)


def test_wide_holes_are_those_that_a_disc_fits_into():
    rng = np.random.default_rng(4)
    for _ in range(100):
        known = rng.random(rng.integers(2, 40, 2)) < rng.choice([0.01, 0.05, 0.2, 0.5])
        max_gap = int(rng.integers(1, 14))
        cells, there = np.argwhere(np.ones_like(known)), np.argwhere(known)
        if known.all() or not known.any():
            continue
        far = np.hypot(*(cells[:, None] - there[None]).transpose(2, 0, 1)).min(axis=1) > (max_gap + 1) / 2
        centres = cells[far]
        wide = np.zeros_like(known)
        if len(centres):
            apart = np.hypot(*(cells[:, None] - centres[None]).transpose(2, 0, 1)).min(axis=1)
            wide = (apart <= (max_gap + 1) / 2).reshape(known.shape) & ~known
        np.testing.assert_array_equal(gaps.too_wide(known, max_gap), wide)


def test_patches_leave_no_mark_on_gaps_that_they_see_whole():
    values = field((100, 130))
    y, x = np.mgrid[:100, :130]
    for row, col, radius in ((32, 32, 5), (64, 30, 4), (31, 97, 6), (50, 64, 3), (3, 60, 4)):
        values[(y - row) ** 2 + (x - col) ** 2 <= radius**2] = np.nan
    known = np.isfinite(values)
    at_once = minimum_curvature(values, known, ~known, (0, 100, 0, 130), np.ones(100))
    np.testing.assert_allclose(whole_map(values, 14)[~known], at_once[~known], rtol=0, atol=1e-8)


def test_long_gaps_between_tracks_come_close_to_the_solution_at_once():
    truth = field((160, 160))
    y, x = np.mgrid[:160, :160]
    known = ((x + y // 3) % 16 == 0) | ((y - x // 5) % 70 == 5)
    known[[0, -1]] = known[:, [0, -1]] = True
    values = np.where(known, truth, np.nan)
    at_once = minimum_curvature(values, known, ~known, (0, 160, 0, 160), np.ones(160))
    patched = whole_map(values, 16)
    assert np.isfinite(patched).all()
    off, wrong = (patched - at_once)[~known], (at_once - truth)[~known]
    assert off.std() < 0.1 * wrong.std()


def test_infinite_cells_are_missing_and_an_empty_block_stays_empty():
    values = field((40, 40))
    values[20, 20] = np.inf
    assert abs(whole_map(values, 4)[20, 20] - field((40, 40))[20, 20]) < 0.5
    assert np.isnan(whole_map(np.full((40, 40), np.nan), 4)).all()

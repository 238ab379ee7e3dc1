"""Minimum curvature against a brute-force minimisation of the same energy."""

import numpy as np
import pytest

from magxr.kernels.minimum_curvature import minimum_curvature


def rows_of_energy(exists, missing, aspect):
    """Every weighted second difference that lies within the cells that exist and touches a missing one."""
    ny, nx = exists.shape
    for i in range(ny):
        for j in range(nx):
            twist = 0.5 * (aspect[i] + aspect[min(i + 1, ny - 1)])
            for cells, factors, weight in (
                ([(i, j), (i, j + 1), (i, j + 2)], [1, -2, 1], aspect[i] ** 2),
                ([(i, j), (i + 1, j), (i + 2, j)], [1, -2, 1], 1.0),
                ([(i, j), (i, j + 1), (i + 1, j), (i + 1, j + 1)], [1, -1, -1, 1], 2 * twist),
            ):
                if all(a < ny and b < nx and exists[a, b] for a, b in cells) and any(
                    missing[c] for c in cells
                ):
                    row = np.zeros((ny, nx))
                    for cell, factor in zip(cells, factors, strict=True):
                        row[cell] = factor * np.sqrt(weight)
                    yield row.ravel()


def brute_force(values, known, missing, aspect):
    energy = np.array(list(rows_of_energy(known | missing, missing, aspect)))
    u, k = missing.ravel(), known.ravel()
    found = np.full(values.size, np.nan)
    found[u] = np.linalg.lstsq(energy[:, u], -energy[:, k] @ values.ravel()[k], rcond=None)[0]
    return found.reshape(values.shape)


def everywhere(shape):
    return (0, shape[0], 0, shape[1])


@pytest.mark.parametrize("seed", range(4))
def test_it_minimises_the_energy(seed):
    rng = np.random.default_rng(seed)
    values = rng.normal(0, 50, (14, 17))
    known = rng.random(values.shape) < 0.5
    missing = ~known
    missing[rng.random(values.shape) < 0.1] = False  # cells that do not exist
    known &= ~missing
    aspect = np.linspace(1.0, 2.5, 14)
    found = minimum_curvature(values, known, missing, everywhere(values.shape), aspect)
    solved = np.isfinite(found)
    assert (solved <= missing).all()
    assert solved.sum() > 0.9 * missing.sum()
    np.testing.assert_allclose(
        found[solved], brute_force(values, known, missing, aspect)[solved], rtol=0, atol=1e-3
    )


def test_planes_are_exact_and_go_on_beyond_the_data():
    y, x = np.mgrid[:30.0, :40.0]
    plane = 3 * y - 2 * x + 7
    known = np.zeros(plane.shape, bool)
    known[10:20, 10:30] = True
    known[13:17, 14:24] = False
    found = minimum_curvature(plane, known, ~known, everywhere(plane.shape), np.ones(30))
    np.testing.assert_allclose(found[~known], plane[~known], atol=1e-3)


def test_a_bowl_on_the_ground_needs_the_shape_of_the_cells():
    """u = x**4 - 6 x**2 y**2 + y**4 solves the equation of the plate; here cells are half as wide as high."""
    y, x = np.mgrid[-15.0:16, -20.0:21]
    bowl = 0.01 * ((x / 2) ** 4 - 6 * (x / 2) ** 2 * y**2 + y**4)
    hole = (y**2 + (x / 2) ** 2) < 50
    box = everywhere(bowl.shape)
    right = minimum_curvature(bowl, ~hole, hole, box, np.full(31, 4.0))
    wrong = minimum_curvature(bowl, ~hole, hole, box, np.ones(31))
    assert abs(right - bowl)[hole].max() < 1e-4
    assert abs(wrong - bowl)[hole].max() > 0.1


def test_one_track_leaves_the_slope_open_and_gets_none():
    values = np.zeros((21, 31))
    values[10] = 5.0
    known = values > 0
    found = minimum_curvature(values, known, ~known, everywhere(values.shape), np.ones(21))
    np.testing.assert_allclose(found[~known], 5.0, atol=0.05)


def test_gaps_that_are_not_needed_or_touch_no_data_stay():
    values = np.ones((20, 40))
    missing = np.zeros(values.shape, bool)
    missing[5:8, 5:8] = missing[5:8, 30:33] = missing[15, 20] = True
    known = ~missing
    known[12:19, 17:24] = False
    found = minimum_curvature(values, known, missing, (0, 20, 0, 20), np.ones(20))
    np.testing.assert_allclose(found[5:8, 5:8], 1.0, rtol=1e-9)
    assert np.isnan(found[5:8, 30:33]).all()
    assert np.isnan(minimum_curvature(values, known, missing, (14, 17, 18, 22), np.ones(20))).all()

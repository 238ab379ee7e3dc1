"""Cells in polygons, against shapely."""

import numpy as np
import pytest
import shapely
from hypothesis import given
from hypothesis import strategies as st

from magxr.kernels.polygons import inside

LAT, LON = 10 + 0.5 * np.arange(40), -20 + 0.5 * np.arange(50)


def by_shapely(polygon, lon=LON):
    x, y = np.meshgrid(lon, LAT)
    return shapely.contains_xy(polygon, x, y)


@given(st.integers(0, 5000))
def test_equals_shapely(seed):
    rng = np.random.default_rng(seed)
    angle = np.sort(rng.uniform(0, 2 * np.pi, 9))
    radius = rng.uniform(2, 14, 9)
    ring = np.column_stack([-8 + radius * np.cos(angle), 19.7 + radius * np.sin(angle)])
    hole = np.column_stack([-8 + 1.3 * np.cos(angle), 19.7 + 1.3 * np.sin(angle)])
    np.testing.assert_array_equal(inside([ring], LAT, LON), by_shapely(shapely.Polygon(ring)))
    both = by_shapely(shapely.Polygon(ring)) ^ by_shapely(shapely.Polygon(hole))
    np.testing.assert_array_equal(inside([ring, hole], LAT, LON), both)


def test_any_turn_of_longitude():
    ring = np.array([[-15.2, 12.1], [-3.3, 14.0], [-9.1, 25.2]])
    want = inside([ring], LAT, LON)
    assert want.any()
    for turn in (-360, 360):
        np.testing.assert_array_equal(inside([ring + np.array([turn, 0])], LAT, LON), want)
    np.testing.assert_array_equal(inside([ring], LAT, LON + 360), want)


def test_across_the_date_line():
    lon = 170 + 0.5 * np.arange(40)
    ring = np.array([[175.1, 12.1], [184.9, 12.1], [184.9, 20.1], [175.1, 20.1]])
    want = by_shapely(shapely.Polygon(ring), lon)
    np.testing.assert_array_equal(inside([ring - np.array([360, 0])], LAT, lon), want)


def test_neighbours_share_no_cell():
    west = np.array([[-20.0, 10], [-10, 10], [-10, 20], [-20, 20]])
    east = west + np.array([10, 0])
    together = inside([west], LAT, LON).astype(int) + inside([east], LAT, LON)
    assert together.max() == 1
    assert together.sum() == inside([np.array([[-20.0, 10], [0, 10], [0, 20], [-20, 20]])], LAT, LON).sum()


@pytest.mark.parametrize(
    "ring", [[[50.0, 50], [60, 50], [60, 60]], [[-19.9, 10.1], [-19.8, 10.1], [-19.8, 10.2]]]
)
def test_nothing_inside(ring):
    assert not inside([np.array(ring)], LAT, LON).any()

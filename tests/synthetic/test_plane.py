"""Kilometres of a region."""

import numpy as np
import pytest

from magxr.errors import ParameterError
from magxr.synthetic.plane import Plane, degrees


def test_cells_are_as_large_as_the_latitude_makes_them():
    # The paper: 0.72 arcmin is about 1.33 km, 0.36 arcmin about 0.67 km.
    assert Plane((10, 10), (-0.06, 0.0), degrees("0.72 arcmin")).cell == pytest.approx(
        (1.334, 1.334), abs=1e-3
    )
    assert Plane((10, 10), (-0.03, 0.0), degrees("0.36 arcmin")).cell[0] == pytest.approx(0.667, abs=1e-3)
    north = Plane((100, 100), (59.4, 0.0), 0.012)
    assert north.cell[1] == pytest.approx(0.5 * north.cell[0], rel=1e-3)
    assert north.size == pytest.approx((133.4, 66.7), abs=0.1)


def test_coordinates_are_cell_centres():
    plane = Plane((4, 5), (10.0, 20.0), 0.5)
    np.testing.assert_allclose(plane.latitude, [10.25, 10.75, 11.25, 11.75])
    np.testing.assert_allclose(plane.longitude[[0, -1]], [20.25, 22.25])
    np.testing.assert_allclose(plane.northing((-1, 2)) / plane.cell[0], [-0.5, 0.5, 1.5])
    np.testing.assert_allclose(plane.easting((3, 5)) / plane.cell[1], [3.5, 4.5])


@pytest.mark.parametrize(
    ("told", "value"),
    [("0.72 arcmin", 0.012), ("30 arcsec", 1 / 120), ("0.25deg", 0.25), (0.1, 0.1), ("2'", 1 / 30)],
)
def test_spacings(told, value):
    assert degrees(told) == pytest.approx(value)


@pytest.mark.parametrize("told", ["0.72", "1.2.3 deg", "fast", "", "2 arcmins"])
def test_spacings_that_are_none(told):
    with pytest.raises(ParameterError, match=r"is not a number and a unit; write e\.g\. '0\.72 arcmin'"):
        degrees(told)


def test_at_most_one_globe():
    with pytest.raises(ParameterError, match=r"370 degrees of longitude wide; at most 360"):
        Plane((10, 370), (0.0, 0.0), 1.0)

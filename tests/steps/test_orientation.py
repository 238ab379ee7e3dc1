"""Strike and its uncertainty on synthetic ridges, whose isochrons bend."""

import numpy as np
import pytest

from magxr.steps.orientation import structure
from magxr.synthetic.plane import Plane, degrees
from magxr.synthetic.ridge import Ridge
from magxr.synthetic.scenes import from_world
from magxr.synthetic.survey import Survey
from magxr.synthetic.world import Plate, World

EDGE = 30
"""Cells left out: the tensor mirrors at the map's edge."""


def ridge(strike, white=0.0, **disturbed):
    """A scene on the equator, where azimuths are true: isochrons swing 9 degrees to either side."""
    spacing, n = degrees("0.72 arcmin"), 260
    plane = Plane((n, n), (-0.5 * n * spacing, -20.0), spacing)
    middle = (0.5 * plane.size[1], 0.5 * plane.size[0])
    axis = Ridge(strike=strike, point=middle, wander=(10.0, 400.0, 0.7 + strike))
    still = {"rough": (0.0, 60.0), "patchy": 0.0, "fabric": 0.0}
    world = World(int(strike), plane, (Plate(axis, middle),), survey=Survey(white=white), **still | disturbed)
    return from_world(world)


def found(scene, **scales):
    """Return error and uncertainty of the strike, degrees, and the coherence."""
    cut = {"lat": slice(EDGE, -EDGE), "lon": slice(EDGE, -EDGE)}
    got, truth = structure(scene, variable="anomaly", **scales).isel(cut), scene["strike"].isel(cut)
    error = (got["strike"] - truth + 90.0) % 180.0 - 90.0
    return error.values, got["strike_uncertainty"].values, got["coherence"].values


@pytest.mark.parametrize(("white", "rho", "within"), [(0.0, 4.0, 1.0), (10.0, 4.0, 0.99), (10.0, 8.0, 1.0)])
def test_strike_of_turned_curved_ridges_is_within_a_degree(white, rho, within):
    """Where coherence is above 0.7; with 10 nT of noise it takes the wider Gaussian for all cells."""
    errors, ratios = [], []
    for strike in np.arange(0.0, 180.0, 20.0):
        scene = ridge(strike, white)
        bends = np.ptp(np.sin(np.radians(scene["strike"].values - strike)))
        assert bends > np.sin(np.radians(8.0))
        error, uncertain, coherence = found(scene, rho=rho)
        sure = (coherence > 0.7) & np.isfinite(error)
        assert sure.mean() > 0.9
        errors.append(np.abs(error[sure]))
        ratios.append(error[sure] / uncertain[sure])
    errors = np.concatenate(errors)
    assert (errors <= 1.0).mean() >= within
    assert errors.mean() <= 0.2
    assert np.sqrt(np.mean(np.concatenate(ratios) ** 2)) <= 1.0


@pytest.mark.parametrize("disturbed", [{"patchy": 0.25}, {"fabric": 0.5}])
def test_disturbances_of_the_sea_floor_are_up_to_four_times_the_uncertainty(disturbed):
    """As documented: they are smooth where they are observed, so the Gaussian holds fewer samples of them."""
    ratios = []
    for strike in (10.0, 60.0, 130.0):
        error, uncertain, coherence = found(ridge(strike, **disturbed))
        sure = (coherence > 0.7) & np.isfinite(error)
        ratios.append(np.mean((error[sure] / uncertain[sure]) ** 2))
    assert np.sqrt(np.mean(ratios)) <= 4.0

"""The forward model against bodies whose anomaly is known in closed form."""

import numpy as np
import pytest

from magxr.errors import ParameterError
from magxr.synthetic.forward import (
    HALF_MU0,
    Filter,
    anomaly,
    continued,
    kernel,
    layer_anomaly,
    reach_cells,
    transfer,
)

CELL = (1.3, 1.0)
ROWS, COLS = 240, 601


def dike(x, half_width, how):
    """Anomaly of an endless slab of rectangular section and 1 A/m, striking north (Blakely 1995, ch. 9).

    The skewness adds the logarithm, the Hilbert transform of the angles.
    """
    phase = np.radians(how.skewness)
    total = np.zeros_like(x)
    for z, sign in ((how.depth, 1.0), (how.depth + how.thickness, -1.0)):
        angle = np.arctan((x + half_width) / z) - np.arctan((x - half_width) / z)
        log = 0.5 * np.log(((x - half_width) ** 2 + z**2) / ((x + half_width) ** 2 + z**2))
        total += sign * (np.cos(phase) * angle + np.sin(phase) * log)
    return HALF_MU0 / np.pi * total


@pytest.fixture(scope="module")
def stripe():
    """A slab 21 km wide striking north, edges in the middle of cells, and the eastings."""
    x = CELL[1] * (np.arange(COLS) - COLS // 2)
    profile = (np.abs(x) < 10.6).astype(float)
    return np.tile(profile, (ROWS, 1)), x


@pytest.mark.parametrize("skewness", [0.0, 35.0, -80.0, 180.0])
def test_a_slab_by_fft(stripe, skewness):
    magnetisation, x = stripe
    how = Filter(4.0, 0.5, skewness, toward=90.0)
    want = dike(x, 10.5, how)
    got = layer_anomaly(magnetisation, CELL, how)
    # What is left is the slab's neighbours in the repeated map, a slow drift.
    assert np.abs(got - want).max() < 0.02 * np.abs(want).max()


@pytest.mark.parametrize("skewness", [0.0, 35.0, -80.0])
def test_alternating_stripes_by_the_truncated_operator(skewness):
    x = CELL[1] * (np.arange(COLS) - COLS // 2)
    how = Filter(4.0, 0.5, skewness, toward=90.0)
    centres = np.arange(-1501.0, 1502.0, 22.0)
    signs = np.where(np.arange(centres.size) % 2, -1.0, 1.0)
    # Stripes 11 km wide of either polarity, 11 km apart: far ones cancel, as on the sea floor.
    magnetisation = sum(s * (np.abs(x - c) < 5.6) for s, c in zip(signs, centres, strict=True))
    want = sum(s * dike(x - c, 5.5, how) for s, c in zip(signs, centres, strict=True))
    reach = 80.0
    rows, cols = reach_cells(CELL, reach)
    got = anomaly([(np.tile(magnetisation, (ROWS, 1)), how)], CELL, reach)
    assert got.shape == (ROWS - 2 * rows, COLS - 2 * cols)
    inner = want[cols:-cols]
    assert np.abs(got - inner).max() < 0.01 * np.abs(inner).max()


def test_amplitude_of_one_wave():
    """Crust of 1 A/m varying over 20 km, 3 km down and 1 km thick: mu0/2 e^-kz (1 - e^-kt)."""
    k = 2 * np.pi / 20.0
    x = 0.5 * np.arange(400)
    wave = np.tile(np.cos(k * x), (8, 1))
    got = layer_anomaly(wave, (0.5, 0.5), Filter(3.0, 1.0))
    want = 2e-7 * np.pi * 1e9 * np.exp(-3 * k) * (1 - np.exp(-k))
    np.testing.assert_allclose(got, want * wave, atol=1e-9 * want)
    assert want == pytest.approx(66.0, abs=0.01)  # 628.32 x 0.38965 x 0.26960


@pytest.mark.parametrize("toward", [0.0, 90.0, 130.0])
def test_skewness_shifts_the_phase_of_stripes_and_nothing_else(toward):
    k = 2 * np.pi / 25.0
    how = Filter(5.0, 0.7, 50.0, toward)
    north, east = k * np.cos(np.radians(toward)), k * np.sin(np.radians(toward))
    ahead = transfer(how, np.array([north]), np.array([east]))[0]
    plain = transfer(Filter(5.0, 0.7), np.array([north]), np.array([east]))[0]
    assert ahead / plain == pytest.approx(np.exp(1j * np.radians(50.0)))
    back = transfer(how, np.array([-north]), np.array([-east]))[0]
    assert back == pytest.approx(np.conj(ahead))


@pytest.mark.parametrize("thickness", [0.6, 0.0])
def test_operator_has_the_transfer_function_within_its_reach(thickness):
    how = Filter(4.0, thickness, 40.0, 90.0)
    cell = (1.3, 1.3)
    taps = kernel(how, cell, 80.0).sum(axis=0)
    x = cell[1] * (np.arange(taps.size) - taps.size // 2)
    for wavelength in (10.0, 20.0, 40.0, 80.0, 100.0):
        k = np.array([2 * np.pi / wavelength])
        got = (taps * np.exp(-1j * k * x)).sum()
        want = transfer(how, np.zeros(1), k)[0]
        assert abs(got - want) < 0.07 * abs(want), wavelength


def test_a_uniform_layer_makes_no_anomaly():
    rows, cols = reach_cells(CELL, 30.0)
    ones = np.ones((2 * rows + 5, 2 * cols + 7))
    got = anomaly([(ones, Filter(3.0, 0.5, 30.0))], CELL, 30.0)
    assert got.shape == (5, 7)
    assert np.abs(got).max() < 1e-9
    assert np.abs(layer_anomaly(ones, CELL, Filter(3.0))).max() < 1e-9


def test_pieces_fit_together():
    """The field of a piece with what surrounds it is the field of the whole."""
    source = np.random.default_rng(0).normal(size=(150, 160))
    how, reach = Filter(3.0, 0.5, 20.0, 45.0), 30.0
    rows, cols = reach_cells(CELL, reach)
    whole = anomaly([(source, how)], CELL, reach)
    piece = anomaly([(source[20 : 80 + 2 * rows, 10 : 50 + 2 * cols], how)], CELL, reach)
    np.testing.assert_allclose(piece, whole[20:80, 10:50], atol=1e-10 * np.abs(whole).max())


def test_raised_and_continued_agree():
    x = np.arange(256)
    source = np.outer(np.cos(2 * np.pi * x / 32), np.cos(2 * np.pi * x / 16))
    low = layer_anomaly(source, (1.0, 1.0), Filter(3.0))
    high = layer_anomaly(source, (1.0, 1.0), Filter(3.0).raised(2.5))
    np.testing.assert_allclose(continued(low, (1.0, 1.0), 2.5), high, atol=1e-9)
    assert high.std() < low.std()


def test_mirrored_edges_are_cut_off_again(stripe):
    magnetisation, _ = stripe
    assert layer_anomaly(magnetisation, CELL, Filter(4.0), pad=40).shape == magnetisation.shape


def test_depth_must_be_above_zero():
    with pytest.raises(ParameterError, match=r"depth 0\.0 km must be above 0"):
        Filter(0.0)

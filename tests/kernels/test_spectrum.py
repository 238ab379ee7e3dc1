"""The dominant wavelength of a window: plane waves, noise, gaps, and what has no direction."""

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from magxr.kernels.spectrum import NOTHING, dominant, plane, taper, waves

SIZE = 200


def colourless(shape, rng):
    return rng.normal(size=shape)


def red(shape, rng, stretch):
    """Noise of power k^-3 in kilometres, of variance 1, that does not repeat at the window's edges."""
    tall, wide = 2 * shape[0], 2 * shape[1]
    k = np.hypot(np.fft.fftfreq(tall)[:, None], np.fft.rfftfreq(wide, 1 / stretch))
    k[0, 0] = np.inf
    field = np.fft.irfft2(np.fft.rfft2(rng.normal(size=(tall, wide))) * k**-1.5, (tall, wide))
    field = field[: shape[0], : shape[1]]
    return field / field.std()


def stripes(length, strike, stretch, rng, n=SIZE):
    """A wave ``length`` km long on cells 1 km high and 1 / stretch wide."""
    north, east = np.meshgrid(np.arange(n), np.arange(n) / stretch, indexing="ij")
    azimuth = np.radians(strike)
    across = east * np.cos(azimuth) - north * np.sin(azimuth)
    return np.sin(2 * np.pi * across / length + rng.uniform(0, 7))


def turned(azimuth, truth):
    return (azimuth - truth + 90.0) % 180.0 - 90.0


@pytest.mark.parametrize("stretch", [1.0, 2.0])
@pytest.mark.parametrize("length", [6.0, 10.0, 23.0, 45.0])
def test_a_plane_wave_has_its_wavelength_and_strike(length, stretch):
    among = waves(SIZE, 1.0, 1.0 / stretch)
    for strike in np.arange(0.0, 180.0, 13.0):
        found = dominant(stripes(length, strike, stretch, np.random.default_rng(0)), among)
        assert found.wavelength == pytest.approx(length, rel=0.02)
        assert abs(turned(found.azimuth, strike)) <= 1.0
        assert 0.0 <= found.azimuth < 180.0
        assert found.sharpness > 0.99
        assert abs(found.wavelength - length) <= 3 * found.uncertainty


@pytest.mark.parametrize("stretch", [1.0, 2.0])
def test_errors_are_as_large_as_stated(stretch):
    """Widths and seeds other than those that the constants were chosen on (6, 12, 25, 60; seeds 0 to 11)."""
    among = waves(SIZE, 1.0, 1.0 / stretch)
    ratios, tried = [], 0
    for length in (7.0, 16.0, 37.0 / stretch**0.5):
        for white, coloured in ((0.3, 0.0), (1.5, 0.0), (3.0, 0.0), (0.0, 0.5), (0.0, 1.5), (1.0, 1.0)):
            square = []
            for seed in range(8):
                rng = np.random.default_rng([seed, 9])
                strike = 22.5 * seed + 3
                u = stripes(length, strike, stretch, rng) + white * colourless((SIZE, SIZE), rng)
                found = dominant(u + coloured * red(u.shape, rng, stretch), among)
                tried += 1
                if np.isfinite(found.wavelength):
                    square.append(((found.wavelength - length) / found.uncertainty) ** 2)
                    assert abs(turned(found.azimuth, strike)) < 6.0
            ratios += square
            assert np.sqrt(np.mean(square)) < 1.5, (length, white, coloured)
    assert len(ratios) > 0.9 * tried
    assert 0.3 < np.sqrt(np.mean(ratios)) <= 1.0


def test_noise_alone_has_no_wavelength():
    answered = 0
    for seed in range(20):
        rng = np.random.default_rng([seed, 5])
        for stretch in (1.0, 2.0):
            among = waves(SIZE, 1.0, 1.0 / stretch)
            for u in (colourless((SIZE, SIZE), rng), red((SIZE, SIZE), rng, stretch)):
                answered += np.isfinite(dominant(u, among).wavelength)
    assert answered <= 2


def test_of_two_waves_the_one_with_more_power_by_octave_counts():
    rng = np.random.default_rng(1)
    among = waves(SIZE, 1.0, 1.0)
    long, short = stripes(40.0, 30.0, 1.0, rng), stripes(10.0, 30.0, 1.0, rng)
    # Both have one lobe, of the power a²; the band is wider where waves are shorter.
    assert dominant(2 * long + 0.3 * short, among).wavelength == pytest.approx(40.0, rel=0.02)
    assert dominant(0.3 * long + 2 * short, among).wavelength == pytest.approx(10.0, rel=0.02)
    both = dominant(long + 0.5 * stripes(10.0, 120.0, 1.0, rng), among)
    assert abs(turned(both.azimuth, 30.0)) < 1.0
    assert 0.5 < both.sharpness < 0.95


def test_a_ripple_on_longer_waves_is_not_dominant():
    """Interpolation leaves waves of hardly any power, but of one direction, below the spacing of its data."""
    rng = np.random.default_rng(11)
    among = waves(SIZE, 1.0, 1.0)
    wide = gaussian_filter(rng.normal(size=(SIZE, SIZE)), 12.0)
    wide /= wide.std()
    assert np.isnan(dominant(wide, among).wavelength)
    assert np.isnan(dominant(wide + 0.02 * stripes(8.0, 40.0, 1.0, rng), among).wavelength)
    assert dominant(wide + stripes(8.0, 40.0, 1.0, rng), among).wavelength == pytest.approx(8.0, rel=0.02)


def test_longer_than_half_the_window_is_no_answer():
    among = waves(SIZE, 1.0, 1.0)
    rng = np.random.default_rng(2)
    assert np.isfinite(dominant(stripes(0.45 * SIZE, 0.0, 1.0, rng), among).wavelength)
    assert dominant(stripes(0.6 * SIZE, 0.0, 1.0, rng), among) == NOTHING


def test_a_trend_is_taken_out():
    rng = np.random.default_rng(3)
    among = waves(SIZE, 1.0, 1.0)
    u = stripes(15.0, 70.0, 1.0, rng) + 0.3 * colourless((SIZE, SIZE), rng)
    y, x = np.mgrid[:SIZE, :SIZE]
    np.testing.assert_allclose(dominant(u, among), dominant(u + 300 + 5.0 * y - 3.0 * x, among), rtol=1e-6)


def test_gaps_hardly_move_it():
    rng = np.random.default_rng(4)
    among = waves(SIZE, 1.0, 1.0)
    u = stripes(15.0, 70.0, 1.0, rng) + 0.3 * colourless((SIZE, SIZE), rng) + 200.0
    holes = rng.random(u.shape) < 0.05
    holes[20:90, 100:150] = True
    found = dominant(np.where(holes, np.nan, u), among)
    assert holes.mean() > 0.1
    assert found.wavelength == pytest.approx(15.0, rel=0.02)
    assert abs(turned(found.azimuth, 70.0)) < 1.0
    assert abs(found.wavelength - 15.0) < 3 * found.uncertainty


@pytest.mark.parametrize("window", [
    np.full((40, 40), 5.0), np.full((40, 40), np.nan), np.mgrid[:40, :40][0] * 2.0 + 7.0, np.zeros((40, 40)),
])  # fmt: skip
def test_nothing_to_see(window):
    assert dominant(window, waves(40, 1.0, 1.0)) == NOTHING
    lonely = np.full((40, 40), np.nan)
    lonely[20] = np.arange(40.0)
    assert dominant(lonely, waves(40, 1.0, 1.0)).sharpness is not None


def test_the_plane_is_that_of_least_squares():
    rng = np.random.default_rng(6)
    u, weight = rng.normal(size=(30, 30)), taper(30) * (rng.random((30, 30)) < 0.8)
    y, x = np.mgrid[:30, :30]
    basis = np.stack([np.ones(900), y.ravel(), x.ravel()], axis=1)
    root = np.sqrt(weight.ravel())
    expected = basis @ np.linalg.lstsq(basis * root[:, None], u.ravel() * root, rcond=None)[0]
    np.testing.assert_allclose(plane(u, weight).ravel(), expected, atol=1e-12)


def test_waves_are_counted_once():
    """Parseval: the power of all waves, each once, is half that of the values."""
    import scipy.fft

    u = np.random.default_rng(7).normal(size=(32, 32))
    spectrum = np.abs(scipy.fft.rfft2(u - u.mean())) ** 2
    among = waves(32, 1.0, 1.0)
    assert len(np.unique(among.keep)) == len(among.keep)
    whole = np.abs(np.fft.fft2(u)) ** 2
    k = np.hypot(np.fft.fftfreq(32)[:, None], np.fft.fftfreq(32))
    inside = whole[(k > 0) & (k < 0.5)].sum()
    assert spectrum.ravel()[among.keep].sum() == pytest.approx(inside / 2, rel=1e-12)

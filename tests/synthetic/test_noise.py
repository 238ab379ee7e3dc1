"""Noise belongs to places, and has the statistics it promises."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from magxr.synthetic.noise import BLOCK, fractal, smooth, white


@given(
    st.integers(-3 * BLOCK, 3 * BLOCK),
    st.integers(-3 * BLOCK, 3 * BLOCK),
    st.integers(1, 2 * BLOCK),
    st.integers(1, 2 * BLOCK),
)
def test_a_window_of_white_noise_is_a_piece_of_the_whole(row, col, height, width):
    whole = white(5, "a", (-200, 330), (-200, 330))
    piece = white(5, "a", (row, row + height), (col, col + width))
    np.testing.assert_array_equal(piece, whole[row + 200 :, col + 200 :][:height, :width])


def test_white_noise_is_white():
    drawn = white(1, "a", (0, 512), (-256, 256))
    assert drawn.mean() == pytest.approx(0.0, abs=0.01)
    assert drawn.std() == pytest.approx(1.0, abs=0.01)
    for shift in ((0, 1), (1, 0), (BLOCK, 0), (0, BLOCK)):
        assert abs(np.mean(drawn * np.roll(drawn, shift, (0, 1)))) < 0.01
    flat = white(1, "a", (0, 512), (0, 512), "uniform")
    assert flat.min() >= 0.0
    assert flat.max() < 1.0
    np.testing.assert_allclose(np.histogram(flat, 10, (0, 1))[0] / flat.size, 0.1, atol=0.005)


def test_seeds_and_names_tell_apart():
    fields = [white(s, n, (0, 64), (0, 64)) for s, n in ((1, "a"), (2, "a"), (1, "b"))]
    for i, one in enumerate(fields):
        for other in fields[:i]:
            assert abs(np.corrcoef(one.ravel(), other.ravel())[0, 1]) < 0.06


def test_smooth_noise_at_the_same_places_is_the_same():
    y, x = np.arange(-50.0, 150.0), np.arange(0.0, 200.0)
    whole = smooth(3, "s", y, x, 17.0)
    np.testing.assert_array_equal(smooth(3, "s", y[40:90], x[13:77], 17.0), whole[40:90, 13:77])


def test_smooth_noise_is_smooth_and_of_unit_variance():
    y = x = np.arange(0.0, 4000.0, 5.0)
    field = smooth(3, "s", y, x, 40.0)
    assert field.std() == pytest.approx(1.0, abs=0.03)
    assert field.mean() == pytest.approx(0.0, abs=0.05)
    power = np.abs(np.fft.rfft2(field * np.outer(np.hanning(800), np.hanning(800)))) ** 2
    k = np.hypot(np.fft.fftfreq(800, 5.0)[:, None], np.fft.rfftfreq(800, 5.0))
    assert power[k > 1 / 18.0].sum() < 0.01 * power.sum()


def test_fractal_noise_has_unit_variance_and_a_falling_spectrum():
    y = x = np.arange(0.0, 3000.0, 4.0)
    rough, tame = (fractal(3, "f", y, x, 200.0, 12.0, slope) for slope in (0.0, 1.0))
    assert rough.std() == pytest.approx(1.0, abs=0.06)
    assert tame.std() == pytest.approx(1.0, abs=0.1)
    assert np.diff(rough).std() > 1.5 * np.diff(tame).std()

"""The frame of a map: degrees, steps, limits, scale bars."""

import numpy as np
import pytest

from magxr.view.maps import degree_step, degrees, round_below, symmetric_limit


@pytest.mark.parametrize(
    ("value", "step", "letters", "text"),
    [
        (-30.0, 5, "NS", "30°S"),
        (42.5, 0.5, "NS", "42.5°N"),
        (0.0, 5, "NS", "0°"),
        (-72.0, 2, "EW", "72°W"),
        (190.0, 10, "EW", "170°W"),
        (180.0, 10, "EW", "180°"),
        (-180.0, 10, "EW", "180°"),
        (-182.5, 0.5, "EW", "177.5°E"),
        (-30.25, 0.25, "NS", "30°15′S"),
        (-1e-13, 1, "NS", "0°"),
    ],
)
def test_degrees(value, step, letters, text):
    assert degrees(value, step, letters) == text


def test_steps_are_round():
    assert degree_step(20.7) == 5
    assert degree_step(8) == 2
    assert degree_step(360) == 60
    assert degree_step(0.9) == 10 / 60


def test_limit_is_robust_symmetric_and_rounded():
    x = np.concatenate([np.linspace(-100, 80, 1000), [9e6], [np.nan, np.inf]])
    assert symmetric_limit(x) == 99
    assert symmetric_limit(np.full((3, 3), np.nan)) == 1.0
    assert symmetric_limit(np.zeros((3, 3))) == 1.0


def test_scale_bar_lengths():
    assert [round_below(v) for v in (0.3, 9.9, 10, 480, 5000)] == [0.2, 5, 10, 200, 5000]

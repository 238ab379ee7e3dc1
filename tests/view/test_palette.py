"""Colours: even, symmetric about the middle, closed where they must be."""

import numpy as np
import pytest

from magxr.view.palette import _RGB_OF_LMS, colormap, colours


def lightness(rgb):
    """OKLab lightness (0 black to 1 white) of sRGB colours."""
    linear = np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)
    lms = np.cbrt(linear @ np.linalg.inv(_RGB_OF_LMS).T)
    return lms @ np.array([0.2104542553, 0.7936177850, -0.0040720468])


def test_lightness_of_known_colours():
    got = lightness(np.array([[0.0, 0, 0], [1, 1, 1], [1, 0, 0]]))
    np.testing.assert_allclose(got, [0.0, 1.0, 0.628], atol=1e-3)


@pytest.mark.parametrize("name", ["anomaly", "probability"])
def test_both_arms_of_a_diverging_map_darken_evenly(name):
    light = lightness(colours(name, 257))
    middle = int(np.argmax(light))
    assert abs(middle - 128) <= 1
    assert (np.diff(light[:middle]) > 0).all()
    assert (np.diff(light[middle:]) < 0).all()
    assert abs(light[0] - light[-1]) < 0.03
    assert light.max() > 0.95
    assert np.abs(light - light[::-1]).max() < 0.06


def test_coherence_darkens_all_the_way():
    assert (np.diff(lightness(colours("coherence"))) < 0).all()


def test_strike_closes():
    rgb = colours("strike", 181)
    np.testing.assert_allclose(rgb[0], rgb[-1], atol=1e-6)
    assert np.abs(np.diff(rgb, axis=0)).max() < 0.04


@pytest.mark.parametrize("name", ["anomaly", "probability", "strike"])
def test_arms_differ_without_red_green(name):
    """Opposite ends stay apart when red and green are seen as one (Viénot 1999, deuteranopia)."""
    rgb = colours(name, 257)[[64, 192]] ** 2.2
    seen = np.stack(
        [0.29275 * rgb[:, 0] + 0.70725 * rgb[:, 1], -0.02234 * rgb[:, 0] + 0.02234 * rgb[:, 1] + rgb[:, 2]],
        -1,
    )
    assert np.abs(seen[0] - seen[1]).max() > 0.15


def test_colormaps_hide_missing_cells():
    assert colormap("anomaly")(np.ma.masked)[3] == 0.0


def test_no_strike_is_as_pale_as_paper():
    light = lightness(colours("strike"))
    assert light.max() < 0.8
    assert np.abs(light - light[::-1]).max() < 0.02

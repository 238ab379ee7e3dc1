"""Provinces lie where they should and have no direction of their own."""

import numpy as np
import pytest

from magxr.synthetic.provinces import TEXTURES, Outline, Province, sources

Y, X = np.arange(0.0, 600.0, 1.5), np.arange(0.0, 750.0, 1.5)


def test_half_plane():
    weight = Outline("half", (300.0, 0.0), azimuth=90.0, border=4.0).weight(1, "o", Y, X)
    np.testing.assert_allclose(weight, np.tile(weight[0], (Y.size, 1)), atol=1e-12)
    assert weight[0, 200] == pytest.approx(0.5)
    assert weight[0, 210] == pytest.approx(0.5 + 0.5 * np.tanh(15.0 / 4.0))
    assert weight[0, 0] < 1e-6


@pytest.mark.parametrize("azimuth", [0.0, 65.0])
def test_the_window_of_an_ellipse_holds_all_of_it(azimuth):
    outline = Outline("ellipse", (300.0, 250.0), (120.0, 60.0), azimuth, (4.0, 90.0), 3.0)
    weight = outline.weight(1, "o", Y, X)
    part = outline.window(Y, X)
    np.testing.assert_array_equal(outline.weight(1, "o", Y[part[0]], X[part[1]]), weight[part])
    assert weight[part].size < 0.7 * weight.size
    weight[part] = 0.0
    assert weight.max() < 1e-6


def test_far_outlines_are_left_out():
    ellipse = Outline("ellipse", (1000.0, 300.0), (200.0, 120.0), 90.0, (0.0, 90.0), 6.0)
    assert ellipse.window(Y, X[:300]) is None
    half = Outline("half", (800.0, 0.0), azimuth=90.0, wiggle=(3.0, 50.0), border=2.0)
    assert half.window(Y, X) is None
    assert half.weight(1, "o", Y, X).max() < 1e-6
    assert half.window(Y, X + 30.0) is not None


def test_wiggles_move_the_border_not_the_area():
    plain, wiggly = (
        Outline("ellipse", (375.0, 300.0), (200.0, 150.0), 0.0, (w, 150.0), 5.0).weight(1, "o", Y, X)
        for w in (0.0, 15.0)
    )
    assert (plain > 0.5).mean() == pytest.approx(np.pi * 200 * 150 / (600 * 750), rel=0.01)
    assert (wiggly > 0.5).mean() == pytest.approx((plain > 0.5).mean(), rel=0.15)
    assert ((plain > 0.5) != (wiggly > 0.5)).mean() > 0.01


@pytest.mark.parametrize("texture", TEXTURES)
def test_textures(texture):
    province = Province(texture, strength=3.0, longest=60.0, bodies=40.0)
    drawn = sources(province, 2, "p", Y, X, 1.5)
    assert drawn.layer.shape == (Y.size, X.size)
    assert np.isfinite(drawn.layer).all()
    assert (drawn.sheet is not None) == (texture in ("seamounts", "plateau"))
    assert (drawn.deep is not None) == (texture == "continent")
    assert (drawn.layer.std() < 0.3) == (texture == "quiet")
    # A window has the same crust.
    piece = sources(province, 2, "p", Y[100:300], X[50:400], 1.5)
    for one, other in ((drawn.layer, piece.layer), (drawn.sheet, piece.sheet), (drawn.deep, piece.deep)):
        if one is not None:
            np.testing.assert_allclose(other, one[100:300, 50:400], rtol=0, atol=1e-12)


@pytest.mark.parametrize("texture", ["fractal", "patches", "quiet"])
def test_no_direction_is_preferred(texture):
    big = np.arange(0.0, 3000.0, 4.0)
    layer = sources(Province(texture, longest=40.0), 5, "p", big, big, 4.0).layer
    north, east = np.gradient(layer)
    assert np.mean(north**2) == pytest.approx(np.mean(east**2), rel=0.05)
    assert abs(np.mean(north * east)) < 0.05 * np.mean(east**2)


def test_seamounts_have_both_polarities():
    sheet = sources(Province("seamounts", bodies=30.0), 2, "p", Y, X, 1.5).sheet
    assert sheet.max() > 1.0
    assert sheet.min() < -1.0
    assert (sheet == 0).mean() > 0.3

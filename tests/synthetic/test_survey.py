"""What a survey does to a field: seams, holes, noise, spikes."""

import numpy as np
import pytest

from magxr.synthetic.plane import Plane
from magxr.synthetic.provinces import Outline
from magxr.synthetic.survey import Patch, Rectangle, Survey, observe
from magxr.synthetic.tracks import Tracks

PLANE = Plane((256, 320), (10.0, 20.0), 0.012)
WINDOW = (0, 256), (0, 320)


def surveyed(survey, field=0.0, raised=None, window=WINDOW):
    halo = 2 * survey.halo
    whole = np.full([high - low + halo for low, high in window], field)
    return observe(survey, 4, PLANE, window, whole, raised)


def test_nothing_done_nothing_changed():
    anomaly, tracked = surveyed(Survey(white=0.0), field=12.5)
    np.testing.assert_array_equal(anomaly, 12.5)
    np.testing.assert_array_equal(tracked, 1)


def test_white_noise_has_its_standard_deviation():
    anomaly, _ = surveyed(Survey(white=7.0))
    assert anomaly.std() == pytest.approx(7.0, rel=0.02)
    assert anomaly.mean() == pytest.approx(0.0, abs=0.1)


def test_spikes_are_as_frequent_and_as_large_as_said():
    anomaly, _ = surveyed(Survey(white=0.0, spikes=0.01))
    size = np.abs(anomaly[anomaly != 0.0])
    assert size.size / anomaly.size == pytest.approx(0.01, rel=0.1)
    assert size.min() >= 1e3
    assert size.max() <= 1e5
    assert np.median(np.log10(size)) == pytest.approx(4.0, abs=0.1)
    assert np.mean(anomaly[anomaly != 0] > 0) == pytest.approx(0.5, abs=0.06)


def test_patches_make_seams():
    patch = Patch(Rectangle((40, 90), (100, 180)), offset=30.0, tilt=(20.0, 0.0))
    anomaly, _ = surveyed(Survey(white=0.0, patches=(patch,)))
    inside = anomaly[40:90, 100:180]
    assert inside.mean() == pytest.approx(30.0, abs=0.3)
    assert inside[-1, 0] - inside[0, 0] == pytest.approx(20.0 * 49 / 50)
    outside = anomaly.copy()
    outside[40:90, 100:180] = 0.0
    assert not outside.any()


def test_high_flown_patches_show_the_field_from_above():
    patch = Patch(Rectangle((0, 50), (0, 50)), raised=True)
    anomaly, _ = surveyed(Survey(white=0.0, patches=(patch,)), field=5.0, raised=np.full(PLANE.shape, 2.0))
    np.testing.assert_array_equal(anomaly[:50, :50], 2.0)
    np.testing.assert_array_equal(anomaly[50:], 5.0)


def test_holes_are_where_they_were_put():
    blob = Outline("ellipse", (200.0, 150.0), (60.0, 30.0), 90.0, (0.0, 50.0), 1.0)
    survey = Survey(holes=(Rectangle((200, 400), (-10, 40)), blob), spikes=0.05)
    anomaly, tracked = surveyed(survey)
    missing = np.isnan(anomaly)
    np.testing.assert_array_equal(tracked == -1, missing)
    assert missing[200:, :40].all()
    elsewhere = missing.copy()
    elsewhere[200:, :40] = False
    area = elsewhere.sum() * np.prod(PLANE.cell)
    assert area == pytest.approx(np.pi * 60.0 * 30.0, rel=0.02)
    rows, cols = np.nonzero(elsewhere)
    np.testing.assert_allclose(PLANE.easting((0, 320))[cols].mean(), 200.0, atol=0.5)
    np.testing.assert_allclose(PLANE.northing((0, 256))[rows].mean(), 150.0, atol=0.5)
    assert np.ptp(PLANE.easting((0, 320))[cols]) > 110.0  # the long axis lies east-west


def test_regional_field_is_long():
    anomaly, _ = surveyed(Survey(white=0.0, regional=20.0))
    assert np.diff(anomaly).std() < 1.0
    assert np.abs(anomaly).max() > 5.0


def test_between_tracks_is_interpolated_and_far_off_is_missing():
    survey = Survey(
        tracks=(Tracks(spacing=150.0, jitter=0.0, meander=(0.0, 1.0), level=0.0, noise=0.0),),
        levels=4,
        white=0.0,
    )
    anomaly, tracked = surveyed(survey, field=9.0)
    assert set(np.unique(tracked)) == {-1, 0, 1}
    np.testing.assert_array_equal(np.isnan(anomaly), tracked == -1)
    np.testing.assert_allclose(anomaly[tracked >= 0], 9.0)
    assert (tracked == 1).mean() == pytest.approx(PLANE.cell[1] / 150.0, rel=0.3)


def test_a_window_is_a_piece_of_the_whole():
    survey = Survey(
        holes=(Rectangle((20, 60), (30, 200)),),
        spikes=0.01,
        regional=5.0,
        white=3.0,
        patches=(Patch(Rectangle((10, 200), (100, 300)), 12.0, (3.0, 4.0)),),
    )
    whole = surveyed(survey)
    piece = surveyed(survey, window=((33, 170), (71, 250)))
    for all_of_it, part in zip(whole, piece, strict=True):
        np.testing.assert_array_equal(part, all_of_it[33:170, 71:250])

"""Ship tracks: where they run, what errors they carry, and what is gridded between them."""

import numpy as np
import pytest

from magxr.synthetic.plane import Plane
from magxr.synthetic.tracks import Tracks, fill

PLANE = Plane((600, 600), (-3.0, 10.0), 0.012)  # about 1.334 km a side, at the equator
WHOLE = (0, 600), (0, 600)


def mask(tracks, window=WHOLE):
    r, c, error = tracks.cells(7, "t", PLANE, *window)
    found = np.zeros([high - low for low, high in window], bool)
    found[r, c] = True
    return found, error


def test_even_tracks_run_where_they_should():
    tracks = Tracks(azimuth=0.0, spacing=26.68, jitter=0.0, meander=(0.0, 100.0))
    found, _ = mask(tracks)
    columns = np.flatnonzero(found.all(axis=0))
    np.testing.assert_array_equal(found.any(axis=0), found.all(axis=0))  # straight, from edge to edge
    np.testing.assert_allclose(np.diff(columns), 20.0, atol=1)
    assert len(columns) == 31


@pytest.mark.parametrize("azimuth", [0.0, 30.0, 90.0, 145.0])
def test_share_of_measured_cells_follows_from_the_spacing(azimuth):
    found, _ = mask(Tracks(azimuth=azimuth, spacing=30.0, meander=(2.0, 200.0)))
    # A straight line passes |cos| + |sin| cells per cell of length, some of them at a corner only.
    passed = abs(np.cos(np.radians(azimuth))) + abs(np.sin(np.radians(azimuth)))
    even = PLANE.cell[0] / 30.0
    assert 0.9 * even < found.mean() < 1.1 * even * passed


def test_a_window_is_a_piece_of_the_whole():
    tracks = Tracks(azimuth=37.0, spacing=15.0, kept=0.7, disc=(400.0, 400.0, 300.0))
    found, _ = mask(tracks)
    piece, _ = mask(tracks, ((130, 390), (64, 300)))
    np.testing.assert_array_equal(piece, found[130:390, 64:300])
    assert found.any()
    assert not found[:60, :60].any()  # outside the circle


def test_legs_that_were_not_sailed():
    every, some = (mask(Tracks(azimuth=20.0, spacing=12.0, leg=80.0, kept=k))[0].sum() for k in (1.0, 0.4))
    assert some / every == pytest.approx(0.4, abs=0.08)


def test_errors_along_a_track_are_correlated_and_as_large_as_asked():
    r, _, error = Tracks(spacing=15.0, jitter=0.0, meander=(0.0, 1.0), level=0.0, noise=6.0).cells(
        1, "t", PLANE, *WHOLE
    )
    assert error.std() == pytest.approx(6.0, rel=0.1)
    near = np.abs(np.diff(r)) <= 1
    assert np.diff(error)[near].std() < 1.0
    _, _, level = Tracks(spacing=4.0, level=9.0, noise=0.0).cells(1, "t", PLANE, *WHOLE)
    assert np.unique(level).std() == pytest.approx(9.0, rel=0.15)


def test_fill_keeps_what_was_measured_and_constants():
    rng = np.random.default_rng(0)
    values = rng.normal(size=(128, 96))
    measured = rng.random(values.shape) < 0.1
    filled = fill(np.where(measured, values, np.nan), measured, 5)
    np.testing.assert_array_equal(filled[measured], values[measured])
    np.testing.assert_allclose(fill(np.full((128, 96), 3.0), measured, 5), 3.0)


def test_fill_stays_between_the_extremes_and_leaves_what_is_far():
    measured = np.zeros((256, 256), bool)
    measured[:, 8] = True
    values = np.where(measured, np.arange(256.0)[:, None], np.nan)
    filled = fill(values, measured, 4)
    assert np.nanmin(filled) >= 0.0
    assert np.nanmax(filled) <= 255.0
    assert np.isfinite(filled[:, :20]).all()
    assert np.isnan(filled[:, 64:]).all()


def test_fill_follows_a_smooth_field():
    y, x = np.mgrid[:256, :256]
    field = 100 * np.sin(2 * np.pi * (x + 0.3 * y) / 90.0)
    measured = (y % 12 == 5) | (x % 40 == 3)
    filled = fill(np.where(measured, field, np.nan), measured, 5)
    assert np.sqrt(np.mean((filled - field) ** 2)) < 0.2 * field.std()


def test_fill_is_local():
    """Nothing farther than 3 * 2**levels cells matters."""
    rng = np.random.default_rng(2)
    measured = rng.random((256, 256)) < 0.02
    values = rng.normal(size=measured.shape)
    other = values.copy()
    other[128:] = 99.0
    a, b = (fill(np.where(measured, v, np.nan), measured, 4) for v in (values, other))
    np.testing.assert_array_equal(a[: 128 - 48], b[: 128 - 48])
    assert not np.array_equal(a[:128], b[:128], equal_nan=True)

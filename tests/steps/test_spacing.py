"""Spacings as people write them, and the paper's two rules."""

import math

import pytest

from magxr.errors import ParameterError
from magxr.steps.spacing import KM_PER_DEGREE, degrees, suggest_spacing


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("0.72 arcmin", 0.012),
        ("0.24arcmin", 0.004),
        ("15 arcsec", 15 / 3600),
        ("2'", 2 / 60),
        ("0.05 deg", 0.05),
        ("5e-2 Degrees", 0.05),
        ("1°", 1.0),
        (" 222.3901609 km ", 2.0),
    ],
)
def test_lengths(text, value):
    assert degrees(text) == pytest.approx(value, rel=1e-7)


def test_the_papers_kilometres():
    """0.36 arcmin is ~0.67 km and 0.72 arcmin ~1.33 km (Methods, step 3)."""
    assert degrees("0.36 arcmin") * KM_PER_DEGREE == pytest.approx(0.667, abs=1e-3)
    assert degrees("0.72 arcmin") * KM_PER_DEGREE == pytest.approx(1.334, abs=1e-3)


def test_five_anomalies_in_a_window_by_default():
    advice = suggest_spacing(25)
    assert 250 * advice.arcmin * KM_PER_DEGREE / 60 / 25 == pytest.approx(5, rel=0.02)
    assert advice.between[0] < advice.arcmin < advice.between[1] < advice.nyquist
    assert str(advice) == "0.27 arcmin"
    for said in ("0.27 arcmin", "250 pixels", "25 km", "4 to 6", "at least 2"):
        assert said in advice.explanation


@pytest.mark.parametrize(
    ("area", "widths", "arcmin", "held", "agrees"),
    [
        ("Reykjanes", (20, 30), 0.24, (3.7, 5.6), True),
        ("Azores", (20, 30), 0.36, (5.6, 8.3), False),
        ("Shatsky", (40, 40), 0.72, (8.3, 8.3), False),
        ("EPR", (10, 10), 0.24, (11.1, 11.1), False),
    ],
)
def test_the_papers_own_spacings_against_its_rules(area, widths, arcmin, held, agrees):
    """All sample every anomaly often enough; only Reykjanes' puts four to six into 250 pixels."""
    narrow = suggest_spacing(widths[0])
    assert arcmin <= narrow.nyquist
    count = [250 * arcmin * KM_PER_DEGREE / 60 / w for w in (widths[1], widths[0])]
    assert count == pytest.approx(held, abs=0.06)
    middle = suggest_spacing(sum(widths) / 2)
    assert (middle.between[0] <= arcmin <= middle.between[1]) == agrees


def test_latitude_and_small_windows():
    assert suggest_spacing(40, latitude=60).arcmin == pytest.approx(
        suggest_spacing(40).arcmin / math.sqrt(0.5), abs=0.011
    )
    tiny = suggest_spacing(30, window=8)
    assert tiny.arcmin <= tiny.nyquist < tiny.between[1]
    assert suggest_spacing(1e-3).arcmin > 0


@pytest.mark.parametrize(
    ("args", "message"),
    [
        ({"anomaly_width_km": 0}, "anomaly_width_km=0 must be larger than zero"),
        ({"anomaly_width_km": float("nan")}, "anomaly_width_km=nan"),
        ({"anomaly_width_km": 10, "latitude": 90}, "latitude=90 must lie between -90 and 90"),
        ({"anomaly_width_km": 10, "window": 1}, "window=1 must be a whole number of at least 2"),
        (
            {"anomaly_width_km": 10, "anomalies": (6, 4)},
            r"anomalies=\(6, 4\) must be the fewest and the most",
        ),
    ],
)
def test_bad_arguments(args, message):
    with pytest.raises(ParameterError, match=message):
        suggest_spacing(**args)

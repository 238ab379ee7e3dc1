"""Gap closing: where tracks run, what is scored, what reaches the diffusion, refusals."""

import numpy as np
import pytest
import xarray as xr

from magxr import structure
from magxr.errors import ParameterError
from magxr.studies import closing, gap_closing
from magxr.studies.tracklines import hidden

SMALL = {"shape": (72, 72), "seeds": (0, 1)}


@pytest.fixture(scope="module")
def found():
    return gap_closing(widths=(12, 4), **SMALL)


def drawn(seed, crossing):
    return hidden(seed, shape=(160, 160), spacing="0.72 arcmin", crossing=crossing, noise=0.1)


@pytest.mark.parametrize("crossing", [90.0, 40.0])
def test_tracks_cross_the_stripes_at_the_angle_asked_for(crossing):
    one = drawn(2, crossing)
    north, east = np.gradient(one.across)
    normal = np.degrees(np.arctan2(east, north * np.cos(np.radians(one.truth.lat.mean().item()))))
    azimuth = np.median(normal) - 90.0
    found = structure(one.truth, sigma=1, rho=8)
    strike = found.strike.values[found.coherence.values > 0.8]
    angle = (azimuth - strike + 90.0) % 180.0 - 90.0
    assert abs(np.median(np.abs(angle)) - crossing) < 10.0


def test_tracks_are_as_wide_and_as_far_apart_as_asked():
    one = drawn(0, 90.0)
    for width, track in ((8, 1), (5, 3)):
        measured = one.measured(width, track)
        assert measured.dtype == bool
        assert float(measured.mean()) == pytest.approx(track / (width + track), rel=0.05)
        along = np.sort(one.across[measured.values])
        assert np.diff(along).max() == pytest.approx(width, abs=0.1)
    error = (one.surveyed - one.truth).std() / one.truth.std()
    assert float(error) == pytest.approx(0.1, rel=0.02)


def test_scores_are_those_of_hidden_cells_only(found):
    example = found.example
    assert example.attrs["width"] == 12
    inner = np.zeros((72, 72), bool)
    inner[12:-12, 12:-12] = True
    gaps = inner & np.isnan(example.holed.values)
    truth = example.truth.values[gaps].astype("f8")
    for name in example.variant.values:
        made = example.filled.sel(variant=name).values[gaps].astype("f8")
        score = found.scores.sel(variant=name, width=12, seed=0)
        assert float(score.correlation) == pytest.approx(np.corrcoef(made, truth)[0, 1], abs=1e-12)
        assert float(score.rms) == pytest.approx(np.sqrt(np.mean((made - truth) ** 2)), abs=1e-9)
    assert float(found.scores.hidden_share.sel(width=12, seed=0)) == gaps.sum() / inner.sum()
    assert (found.scores.unfilled_share == 0).all()


def test_wider_gaps_are_closed_less_well(found):
    scores = found.scores
    assert scores.width.values.tolist() == [4, 12]
    splines = scores.correlation.sel(variant="splines")
    assert (splines.sel(width=4) > splines.sel(width=12)).all()
    assert (scores.correlation.sel(variant=closing.UNHIDDEN) > splines.sel(width=12)).all()
    gain = scores.correlation - splines
    xr.testing.assert_allclose(scores.correlation_gain, gain.drop_vars("variant").assign_coords(gain.coords))
    assert (scores.correlation_gain.sel(variant="splines") == 0).all()


def test_held_tracks_keep_what_was_measured(found):
    holed = found.example.holed
    known = holed.notnull()
    held = found.example.filled.sel(variant="splines + diffusion, tracks held", drop=True)
    np.testing.assert_array_equal(held.where(known), holed)
    flowed = found.example.filled.sel(variant="splines + diffusion", drop=True)
    assert not np.array_equal(flowed.where(known), holed, equal_nan=True)


def test_variants_reach_the_diffusion(monkeypatch):
    seen = []

    def fake(da, **parameters):
        seen.append((da, parameters))
        return da

    monkeypatch.setattr(closing, "diffuse", fake)
    variants = {"none": None, "held": {"fixed": "measured", "steps": 3}}
    found = gap_closing(widths=(6,), variants=variants, **SMALL)
    assert found.scores.variant.values.tolist() == ["none", "held", closing.UNHIDDEN]
    filled, told = seen[1]
    assert told["steps"] == 3
    assert told["fixed"].dtype == bool
    xr.testing.assert_equal(told["fixed"], found.example.holed.notnull())
    xr.testing.assert_equal(filled, found.example.filled.sel(variant="none", drop=True))


def test_the_same_seeds_give_the_same_bits(found):
    again = gap_closing(widths=(4, 12), **SMALL)
    xr.testing.assert_identical(again.scores, found.scores)


def test_it_says_what_it_found(found):
    lines = found.to_text().splitlines()
    assert [line for line in lines if not line.startswith(" ")] == lines[::3]
    assert lines[0].startswith("gaps of 4 cells: correlation with the truth: splines 0.")
    gain = float(found.scores.correlation_gain.sel(width=4, variant="splines + diffusion").mean())
    assert lines[1].startswith(f"  splines + diffusion over splines: {gain:+.3f} (95 % ")


@pytest.mark.parametrize(
    ("arguments", "match"),
    [
        ({"widths": ()}, r"widths=\(\) must be different whole numbers"),
        ({"widths": (4, 4)}, r"widths=\(4, 4\) must be different whole numbers"),
        ({"widths": (4, 2.5)}, r"whole numbers of cells"),
        ({"seeds": (1,)}, r"seeds=\(1,\) must be at least two"),
        ({"track": 0}, r"track=0 must be a whole number"),
        ({"crossing": 0}, r"crossing=0 must be a number greater than 0 and at most 90, degrees"),
        ({"noise": -1}, r"noise=-1 must be a number at least 0"),
        ({"widths": (32,)}, r"shape=\(72, 72\) is too small for gaps of 32 cells.*\(128, 128\)"),
        ({"variants": {}}, r"must name at least one way"),
        ({"variants": {"not hidden": None}}, r"none of them 'not hidden'"),
        ({"widths": (4,), "variants": {"a": None, "b": {"steps": 0}}}, r"steps=0 must be a whole number"),
    ],
)
def test_refused(arguments, match, monkeypatch):
    monkeypatch.setattr(closing, "grid", None)  # no gap is filled before all is checked
    with pytest.raises(ParameterError, match=match):
        gap_closing(**{"widths": (4,)} | SMALL | arguments)

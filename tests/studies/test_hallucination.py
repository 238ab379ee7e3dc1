"""The hallucination meter: noise without lines, what is measured on it, gaps, refusals."""

import json
from dataclasses import dataclass

import numpy as np
import pytest
import xarray as xr
from scipy import stats

from magxr import diffuse, structure, studies
from magxr.errors import GridError, ModelError, ParameterError
from magxr.steps.classify import classify
from magxr.studies import hallucination
from magxr.studies.interval import over_seeds
from magxr.studies.likeness import Likeness
from magxr.testing import nothing_computes, wavy_sea_floor


@dataclass
class Fake:
    """Says how large a share of a window is above 0."""

    window: int = 16
    batch: int = 32
    spacing: tuple[float, float] | None = None

    def predict(self, windows):
        return np.array([np.nanmean(w > 0) for w in windows], dtype=np.float32)


@pytest.fixture(scope="module")
def sea_floor():
    return wavy_sea_floor((96, 120))


def white(shape=(128, 128)):
    """White noise at the equator, where cells are square."""
    da = wavy_sea_floor(shape)
    values = np.random.default_rng(1).normal(0, 50, shape).astype("f4")
    return da.copy(data=values).assign_coords(lat=da.lat - float(da.lat.mean()))


def by_area(values, lat):
    weight = np.broadcast_to(np.cos(np.radians(lat))[:, None], values.shape)
    return float((values * weight).sum() / weight.sum())


def test_what_is_known_of_white_noise_comes_out():
    """Stated in `magxr.diffuse`: from 0.03 to about 0.44 in 20 steps."""
    found = hallucination(white(), seeds=range(3)).shares["mean_coherence"]
    assert (found.sel(stage="before") < 0.06).all()
    assert (abs(found.sel(stage="after") - 0.44) < 0.06).all()


def test_noise_has_the_spectrum_of_stripes_and_no_stripes(sea_floor):
    shares = hallucination(sea_floor, seeds=range(3)).shares
    assert float(shares.map_coherent_share.sel(stage="before")) > 0.9
    assert (shares.coherent_share.sel(stage="before") < 0.1).all()
    assert (shares.coherent_share.sel(stage="after") > shares.coherent_share.sel(stage="before")).all()
    noise = Likeness.of(sea_floor).noise(0)
    assert float(noise.std()) == pytest.approx(float(sea_floor.std()), rel=1e-3)


def test_shares_of_the_map_are_what_the_steps_say(sea_floor):
    shares = hallucination(sea_floor, coherent=0.98, rho=2, steps=5, seeds=range(2)).shares
    quartiles = np.quantile(sea_floor, [0.25, 0.75])
    after = diffuse(sea_floor, rho=2, steps=5, scale=float(np.diff(quartiles)[0]))
    for stage, field in (("before", sea_floor), ("after", after)):
        coherence = structure(field, rho=2).coherence.values
        want = by_area(coherence > 0.98, sea_floor.lat.values)
        assert 0.02 < want < 0.98
        assert float(shares.map_coherent_share.sel(stage=stage)) == pytest.approx(want, abs=1e-12)
        mean = by_area(coherence.astype("f8"), sea_floor.lat.values)
        assert float(shares.map_mean_coherence.sel(stage=stage)) == pytest.approx(mean, abs=1e-12)


def test_the_model_judges_noise_and_map(sea_floor):
    shares = hallucination(sea_floor, model=Fake(), stride=8, seeds=range(2)).shares
    p = classify(sea_floor, model=Fake(), stride=8).linear_probability
    answered = p.notnull()
    weight = np.cos(np.radians(p.lat))
    want = ((p > 0.5) * weight).where(answered).sum() / weight.where(answered).sum()
    assert 0.1 < float(want) < 0.9
    assert float(shares.map_linear_share.sel(stage="before")) == pytest.approx(float(want), abs=1e-6)
    assert shares.linear_share.dims == ("seed", "stage")
    assert shares.linear_share.notnull().all()
    assert (shares.linear_share_interval >= 0).all()
    assert (shares.linear_share_interval <= 1).all()
    assert (shares.attrs["model"], shares.attrs["linear"], shares.attrs["stride"]) == ("Fake", 0.5, 8)
    assert "linear_share" not in hallucination(sea_floor, seeds=range(2)).shares


def test_the_contrast_is_that_of_the_map(sea_floor):
    spiky = sea_floor**3 / 1e4
    spiky.attrs = sea_floor.attrs
    told = json.loads(hallucination(spiky, seeds=range(2)).shares.attrs["diffuse"])
    assert told["scale"] == pytest.approx(float(np.diff(np.quantile(spiky, [0.25, 0.75]))[0]), rel=1e-6)
    told = json.loads(hallucination(spiky, seeds=range(2), scale=7.0).shares.attrs["diffuse"])
    assert told == {"scale": 7.0}
    kept = spiky.assign_coords(first_quartile=-1.0, third_quartile=2.0)
    assert json.loads(hallucination(kept, seeds=range(2)).shares.attrs["diffuse"]) == {}


def test_gaps_are_filled_or_left_out_for_the_spectrum_and_kept_in_the_noise():
    full = wavy_sea_floor((90, 150))
    narrow = full.copy()
    narrow[:, 10::20] = np.nan
    likeness = Likeness.of(narrow)
    assert likeness.sample.shape == (90, 150)
    assert likeness.sample.std() == pytest.approx(float(full.std()), rel=0.05)
    wide = narrow.copy()
    wide[:, 80:] = np.nan
    likeness = Likeness.of(wide)
    assert likeness.sample.shape == (90, 80)
    noise = likeness.noise(3)
    xr.testing.assert_equal(noise.isnull(), wide.isnull())
    assert noise.dtype == wide.dtype
    shares = hallucination(wide, seeds=range(2)).shares
    assert (shares.attrs["spectrum_rows"], shares.attrs["spectrum_columns"]) == (90, 80)
    assert shares.coherent_share.notnull().all()


def test_layout_and_chunks_do_not_matter(sea_floor):
    want = hallucination(sea_floor, seeds=range(2)).shares
    for other in (sea_floor[::-1], sea_floor.T, sea_floor.chunk(40), sea_floor.to_dataset()):
        xr.testing.assert_identical(hallucination(other, seeds=range(2)).shares, want)


def test_the_interval_is_students():
    values = xr.DataArray([[0.1, 0.5], [0.2, 0.9], [0.4, np.nan]], dims=("seed", "stage"))
    got = over_seeds(values)
    low, high = stats.t.interval(0.95, 2, loc=0.7 / 3, scale=stats.sem([0.1, 0.2, 0.4]))
    np.testing.assert_allclose(got.isel(stage=0), [0.7 / 3, low, high])
    low, high = stats.t.interval(0.95, 1, loc=0.7, scale=stats.sem([0.5, 0.9]))
    np.testing.assert_allclose(got.isel(stage=1), [0.7, low, high])
    alone = over_seeds(values.isel(seed=[2]))
    assert alone.sel(estimate=["low", "high"]).isnull().all()


def test_it_says_what_it_found(sea_floor):
    found = hallucination(sea_floor, coherent=0.6, model=Fake(), stride=8, seeds=(4, 9))
    windows = int(classify(sea_floor, model=Fake(), stride=8).linear_probability.notnull().sum())
    lines = found.to_text().splitlines()
    assert [line.split(":")[0] for line in lines] == [
        "area above coherence 0.6",
        "mean coherence",
        f"area called linear by Fake in {windows} windows",
    ]
    mean = 100 * float(found.shares.coherent_share.sel(stage="after").mean())
    assert f"-> {mean:.1f} % (95 % interval over 2 seeds" in lines[0]
    assert found.shares.seed.values.tolist() == [4, 9]
    again = hallucination(sea_floor, coherent=0.6, model=Fake(), stride=8, seeds=(4, 9))
    xr.testing.assert_identical(again.example, found.example)
    assert not np.array_equal(Likeness.of(sea_floor).noise(4), Likeness.of(sea_floor).noise(9))


@pytest.mark.parametrize(
    ("arguments", "error", "match"),
    [
        ({"coherent": 1.0}, ParameterError, r"coherent=1\.0 must be a number greater than 0 and less than 1"),
        ({"seeds": [3]}, ParameterError, r"seeds=\[3\] must be at least two different whole numbers"),
        ({"seeds": [1, 1]}, ParameterError, r"at least two different whole numbers"),
        ({"seeds": 4}, ParameterError, r"seeds=4 must be at least two"),
        ({"steps": 0}, ParameterError, r"steps=0 must be a whole number"),
        ({"rho": -1}, ParameterError, r"rho=-1 must be a number greater than 0"),
        ({"model": Fake(), "stride": 3}, ParameterError, r"stride"),
        ({"model": 3.5}, ModelError, r"3\.5, which is not a model"),
        ({"variable": "x"}, GridError, r"no variable 'x'"),
    ],
)
def test_refused_before_any_work(arguments, error, match):
    ds = wavy_sea_floor((60, 60)).chunk(30).to_dataset()
    with nothing_computes(), pytest.raises(error, match=match):
        hallucination(ds, **arguments)


def test_maps_without_a_spectrum():
    with pytest.raises(GridError, match=r"map is constant"):
        hallucination(wavy_sea_floor((40, 40)) * 0 + 5)
    holed = wavy_sea_floor((120, 120))
    holed[:, 20:] = np.nan
    with pytest.raises(GridError, match=r"120 x 20 cells, too little for a spectrum, which needs 32 x 32"):
        hallucination(holed)


def test_names_of_the_package():
    assert dir(studies) == [
        "cutoffs",
        "gap_closing",
        "hallucination",
        "neighbours",
        "pick_recall",
        "window_sizes",
    ]
    with pytest.raises(AttributeError, match="no attribute 'nonsense'"):
        studies.nonsense  # noqa: B018

"""Held cells, barriers and the other schemes as arguments of the step."""

import json

import numpy as np
import pytest
import xarray as xr
from hypothesis import given
from hypothesis import strategies as st
from shapely.geometry import LineString, Polygon

from magxr.errors import ChunkError, GridError, MagxrError, ParameterError
from magxr.steps.diffusion import diffuse
from magxr.testing import nothing_computes, random_chunks, wavy_sea_floor
from tests.steps.test_diffusion import chunked, globe, plane_wave

TRENCH = [(-109.5, -40.2), (-109.1, -39.0), (-108.6, -37.0)]


@pytest.fixture(scope="module")
def floor():
    return wavy_sea_floor((96, 120))


@given(seed=st.integers(0, 1000), scheme=st.sampled_from(["cell", "fed"]), raster=st.booleans())
def test_chunked_equals_whole_bit_for_bit(floor, seed, scheme, raster):
    rng = np.random.default_rng(seed)
    held = floor.copy(data=rng.random(floor.shape) < 0.1)
    labels = floor.copy(data=np.digitize(floor["lon"].values + 0 * floor.values, [-109.0, -108.2]))
    rule = {"steps": 4, "scheme": scheme, "rho": 2.0, "barrier": labels if raster else TRENCH}
    lazy = chunked(floor, random_chunks(floor.shape, 17, seed))
    beside = chunked(held, random_chunks(floor.shape, 20, seed + 1))
    with nothing_computes():
        result = diffuse(lazy, fixed=beside, **rule)
    assert result.chunks == lazy.chunks
    whole = diffuse(floor, fixed=held, **rule)
    np.testing.assert_array_equal(result.compute(scheduler="sync").values, whole.values)
    np.testing.assert_array_equal(whole.values[held.values], floor.values[held.values])
    assert 'fixed="given", barrier="given"' in whole.attrs["history"]


@given(seed=st.integers(0, 1000), cycles=st.integers(1, 4))
def test_cycles_chunked_equal_whole_bit_for_bit(floor, seed, cycles):
    lazy = chunked(floor, random_chunks(floor.shape, 20, seed))
    rule = {"scheme": "fed", "time": 4.0, "cycles": cycles}
    with nothing_computes():
        result = diffuse(lazy, **rule)
    np.testing.assert_array_equal(result.compute(scheduler="sync").values, diffuse(floor, **rule).values)


@given(
    seed=st.integers(0, 1000),
    scheme=st.sampled_from(["nonnegative", "rotation_invariant"]),
    gaps=st.booleans(),
)
def test_the_schemes_on_pixels_chunked_equal_whole_bit_for_bit(floor, seed, scheme, gaps):
    rng = np.random.default_rng(seed)
    field = floor.where(rng.random(floor.shape) > 0.02) if gaps else floor
    held = floor.copy(data=rng.random(floor.shape) < 0.1)
    rule = {"scheme": scheme, "steps": 5, "rho": 3.0, "truncate": (2.0, 3.0), "fixed": held}
    lazy = chunked(field, random_chunks(floor.shape, 13, seed))
    with nothing_computes():
        result = diffuse(lazy, **rule)
    np.testing.assert_array_equal(result.compute(scheduler="sync").values, diffuse(field, **rule).values)


@pytest.mark.parametrize(("scheme", "largest"), [("nonnegative", 0.4), ("rotation_invariant", 1.9)])
def test_each_scheme_has_its_largest_step(floor, scheme, largest):
    assert np.isfinite(diffuse(floor, scheme=scheme, tau=largest, steps=40)).all()
    with pytest.raises(ParameterError, match=rf"tau=2 must be a number .* at most {largest}, pixels²"):
        diffuse(floor, scheme=scheme, tau=2)


@pytest.mark.parametrize("scheme", ["cell", "nonnegative", "rotation_invariant"])
def test_as_many_steps_are_taken_as_asked_for(floor, scheme):
    told = diffuse(floor, scheme=scheme, steps=7).attrs["history"]
    assert "steps=7, tau=0.25, time=1.75" in told


def test_a_large_alpha_takes_shorter_steps_where_the_scheme_asks_for_it(floor):
    with pytest.raises(ParameterError, match=r"tau=0.25 must be a number .* at most 0.225"):
        diffuse(floor, scheme="nonnegative", tau=0.25, alpha=0.9999)
    smooth = diffuse(floor, scheme="nonnegative", time=20.0, alpha=0.9999)
    assert float(smooth.std()) < float(floor.std())


def test_schemes_differ_and_agree_on_what_matters():
    field = plane_wave(0.0, 30.0)
    field += np.random.default_rng(0).normal(0, 20, field.shape).astype("f4")
    truth = plane_wave(0.0, 30.0)
    off = {}
    for scheme in ("cell", "fed", "nonnegative", "rotation_invariant"):
        result = diffuse(field, scheme=scheme, steps=30, scale=200.0)
        off[scheme] = float((result - truth)[20:-20, 20:-20].std())
    assert max(off.values()) < 15.0
    assert off["cell"] < off["rotation_invariant"]  # which leaves the noise of two pixels' wavelength
    assert abs(off["fed"] - off["cell"]) < 0.5


def test_tracks_hold_while_the_rest_flows():
    truth = plane_wave(0.0, 30.0)
    held = truth.copy(data=np.zeros(truth.shape, bool))
    held[::20] = True
    guess = truth.where(held, 0.0)
    inside = np.s_[20:-20, 20:-20]

    def alike(field):
        return np.corrcoef(
            field.values[inside][~held.values[inside]], truth.values[inside][~held.values[inside]]
        )[0, 1]

    bound, free = (diffuse(guess, steps=300, scale=200.0, fixed=f) for f in (held, None))
    np.testing.assert_array_equal(bound.values[held.values], truth.values[held.values])
    assert alike(bound) > alike(free) + 0.02


def test_fixed_must_be_truth_values_on_the_grid(floor):
    with pytest.raises(ParameterError, match=r"fixed must be a grid of truth values, not float32.*notnull"):
        diffuse(floor, fixed=floor)
    with pytest.raises(GridError, match=r"fixed has no cell at lat"):
        diffuse(floor, fixed=(floor > 0).isel(lat=slice(0, 90)))


def test_a_barrier_may_be_given_in_many_ways(floor, tmp_path):
    line = LineString(TRENCH)
    path = tmp_path / "trench.geojson"
    path.write_text(json.dumps(line.__geo_interface__))
    expected = diffuse(floor, steps=5, barrier=TRENCH)
    feature = {"type": "Feature", "properties": None, "geometry": line.__geo_interface__}
    turned = [(x + 360.0, y) for x, y in TRENCH]
    for same in (line, path, str(path), [line], feature, np.array(TRENCH), turned, [TRENCH[:2], TRENCH[1:]]):
        xr.testing.assert_identical(diffuse(floor, steps=5, barrier=same), expected)
    assert not expected.equals(diffuse(floor, steps=5))


def test_nothing_crosses_a_line_and_each_side_keeps_its_mean(floor):
    field = floor.astype("f8")
    lon, lat = np.meshgrid(field["lon"], field["lat"])
    west = lon < np.interp(lat, [y for _, y in TRENCH], [x for x, _ in TRENCH])
    field = field + xr.DataArray(np.where(west, 0.0, 900.0), dims=field.dims)
    field.attrs["units"] = "nT"
    for scheme in ("cell", "fed"):
        result = diffuse(field, steps=100, scale=300.0, scheme=scheme, barrier=TRENCH)
        for side in (west, ~west):
            drift = result.values[side].mean() - field.values[side].mean()
            assert abs(drift) <= 1e-9 * float(field.max() - field.min())


def test_an_area_counts_by_its_outline(floor):
    corners = [(-109.2, -39.5), (-108.4, -39.4), (-108.5, -38.6), (-109.3, -38.7)]
    result = diffuse(floor.astype("f8"), steps=50, barrier=Polygon(corners))
    inside = floor.copy(data=np.zeros(floor.shape))
    from magxr.kernels.polygons import inside as within

    inside = within([np.array(corners)], floor["lat"].values, floor["lon"].values)
    drift = (result.values - floor.values.astype("f8"))[inside].mean()
    assert abs(drift) <= 1e-9 * float(floor.max() - floor.min())
    assert abs((diffuse(floor.astype("f8"), steps=50) - floor).values[inside].mean()) > 1e-3


def test_a_barrier_may_cross_the_date_line_and_the_seam():
    field = globe()
    line = [(170.0, -31.0), (-170.0, -9.0)]  # the short way
    expected = diffuse(field, steps=3, barrier=line)
    assert not np.array_equal(expected.values[:, 85:96], diffuse(field, steps=3).values[:, 85:96])
    np.testing.assert_array_equal(expected.values[:, :30], diffuse(field, steps=3).values[:, :30])
    for shift in (88, 92):
        rolled = diffuse(field.roll(longitude=shift, roll_coords=True), steps=3, barrier=line)
        np.testing.assert_array_equal(rolled.values, np.roll(expected.values, shift, axis=1))


@pytest.mark.parametrize(
    ("barrier", "error", "message"),
    [
        (
            [(10.0, 50.0), (20.0, 60.0)],
            GridError,
            r"no line of the barrier comes near the grid.*longitude, lat",
        ),
        (
            [(-109.0, 95.0), (-109.0, 96.0)],
            ParameterError,
            r"line point \(-109, 9[56]\) is not longitude",
        ),
        ([(-109.0, -39.0)], ParameterError, r"1 points are no line; it needs at least 2"),
        ({"type": "Point", "coordinates": [0, 0]}, ParameterError, r"geometry of type 'Point' has no line"),
        ("nowhere.geojson", MagxrError, r"no file nowhere.geojson"),
        (7, ParameterError, r"expected lines .*got int"),
    ],
)
def test_a_barrier_that_is_none_says_so(floor, barrier, error, message):
    with nothing_computes(), pytest.raises(error, match=message):
        diffuse(chunked(floor, (48, 60)), barrier=barrier)


@pytest.mark.parametrize("field", ["white noise", "spikes", "stripes"])
@pytest.mark.parametrize("steps", [20, 50, 200])
def test_the_halo_of_the_rule_holds_and_checks_itself(field, steps):
    rng = np.random.default_rng(0)
    base = plane_wave(0.0, 30.0, n=512).astype("f8")
    if field == "white noise":
        base = base.copy(data=rng.normal(0, 50, base.shape))
    if field == "spikes":
        base.values[rng.integers(0, 512, 40), rng.integers(0, 512, 40)] = 9e4
    base.attrs["units"] = "nT"
    lazy = chunked(base, (256, 256))
    with nothing_computes():
        ruled = diffuse(lazy, steps=steps, tau=0.2, scale=200.0, halo="rule")
    whole = diffuse(base, steps=steps, tau=0.2, scale=200.0)
    span = float(base.max() - base.min())
    assert float(np.abs(ruled.compute(scheduler="sync") - whole).max()) <= 1e-6 * span


def test_a_halo_that_cannot_be_checked_is_refused(floor):
    lazy = chunked(floor, (48, 60))
    with pytest.raises(ChunkError, match=r"needs a halo of 60 cells.*smallest chunk there has 48"):
        diffuse(lazy, halo=30)
    with pytest.raises(ChunkError, match=r"differs from twice the halo"):
        diffuse(lazy, halo=5).compute(scheduler="sync")
    # As deep as all steps can see: there is nothing left to check, and the result is exact.
    exact = diffuse(lazy, steps=2, rho=2.0, halo=20).compute(scheduler="sync")
    np.testing.assert_array_equal(exact.values, diffuse(floor, steps=2, rho=2.0).values)

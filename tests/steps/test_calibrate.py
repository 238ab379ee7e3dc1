"""The vote on labelled maps: laziness, chunks, the globe, barriers, percentages."""

import dask.array
import numpy as np
import pytest
import shapely
import xarray as xr
from hypothesis import given
from hypothesis import strategies as st

from magxr.errors import ChunkError, GridError, ParameterError, StoreError
from magxr.geogrid import describe
from magxr.kernels.polygons import inside
from magxr.kernels.votes import vote
from magxr.steps.calibrate import calibrate
from magxr.steps.classify import classify
from magxr.steps.percent import percent_linear
from magxr.steps.zones import sides_of
from magxr.testing import nothing_computes, random_chunks, wavy_sea_floor


def predictions(shape=(30, 40), seed=0, *, lat0=30.0, lon0=140.0, step=0.2):
    rng = np.random.default_rng(seed)
    p = rng.uniform(0, 1, shape).astype("f4")
    p[rng.random(shape) < 0.1] = np.nan
    lat, lon = lat0 + step * np.arange(shape[0]), lon0 + step * np.arange(shape[1])
    da = xr.DataArray(
        p,
        {
            "latitude": ("latitude", lat, {"units": "degrees_north"}),
            "longitude": ("longitude", lon, {"units": "degrees_east"}),
        },
        ("latitude", "longitude"),
        attrs={"registration": "pixel"},
    )
    return xr.Dataset({"linear_probability": da, "missing_share": da * 0})


def globe(seed=0):
    return predictions((20, 36), seed, lat0=-47.5, lon0=-175.0, step=5.0 * 2).assign_coords(
        latitude=-47.5 + 5.0 * np.arange(20)
    )


RULE = {"neighbours": 5, "keep": (0.3, 0.7), "majority": 0.5, "cut": 0.5, "to": "certain", "ties": "keep"}


def test_adds_two_variables_and_leaves_the_rest():
    ds = predictions()
    out = calibrate(ds, neighbours=5)
    np.testing.assert_array_equal(out.calibrated_probability, vote(ds.linear_probability.values, **RULE))
    np.testing.assert_array_equal(
        out.linear, np.where(np.isnan(ds.linear_probability), -1, out.calibrated_probability > 0.5)
    )
    assert out.calibrated_probability.dtype == np.float32
    assert out.linear.dtype == np.int8
    assert set(np.unique(out.linear)) == {-1, 0, 1}
    xr.testing.assert_identical(out[list(ds.data_vars)], ds)
    assert out.calibrated_probability.attrs["neighbours"] == 5
    assert "calibrate(neighbours=5" in out.linear.attrs["history"]
    alone = calibrate(ds.linear_probability, neighbours=5)
    xr.testing.assert_equal(alone, out.drop_vars("missing_share"))


@given(seed=st.integers(0, 10_000), to=st.sampled_from(["certain", "extreme"]), helped=st.booleans())
def test_chunked_equals_whole(seed, to, helped):
    ds = predictions(seed=seed)
    rng = np.random.default_rng(seed)
    told = {"neighbours": 7, "to": to}
    lazy_told = dict(told)
    if helped:
        where = ds.linear_probability.copy(data=rng.random((30, 40)) < 0.7)
        barrier = ds.linear_probability.copy(data=rng.integers(0, 3, (30, 40)))
        told |= {"where": where, "barrier": barrier}
        lazy_told |= {"where": where.chunk(11), "barrier": barrier}
    whole = calibrate(ds, **told)
    chunks = dict(zip(("latitude", "longitude"), random_chunks((30, 40), 3, seed), strict=True))
    with nothing_computes():
        lazy = calibrate(ds.chunk(chunks), **lazy_told)
        share = percent_linear(lazy, weights="area")
    assert lazy.calibrated_probability.chunks is not None
    xr.testing.assert_identical(lazy.compute(scheduler="sync"), whole)
    assert float(share.compute(scheduler="sync")) == float(percent_linear(whole, weights="area"))


def test_layouts():
    ds = predictions()
    want = calibrate(ds, neighbours=5).linear
    for other in (
        ds.isel(latitude=slice(None, None, -1)),
        ds.isel(longitude=slice(None, None, -1)),
        ds.transpose(),
    ):
        out = calibrate(other, neighbours=5).linear
        assert out.dims == other.linear_probability.dims
        xr.testing.assert_equal(out.sortby(["latitude", "longitude"]).transpose(*want.dims), want)


def test_round_the_globe():
    ds = globe()
    out = calibrate(ds, neighbours=7).calibrated_probability
    values = ds.linear_probability.values
    doubled = np.concatenate([values] * 3, axis=1)
    np.testing.assert_array_equal(out, vote(doubled, **RULE | {"neighbours": 7})[:, 36:72])
    rolled = calibrate(ds.roll(longitude=11, roll_coords=True), neighbours=7).calibrated_probability
    xr.testing.assert_equal(rolled.sortby("longitude"), out)
    lazy = calibrate(ds.chunk({"longitude": 9, "latitude": 5}), neighbours=7).calibrated_probability
    np.testing.assert_array_equal(lazy.compute(scheduler="sync"), out)


TRENCH = [[144.0, 20.0], [160.0, 20.0], [160.0, 50.0], [144.0, 50.0]]


def across_a_trench():
    """West of 144 E nonlinear, east of it linear, and undecided cells along the trench."""
    ds = predictions()
    p = xr.where(ds.longitude < 143.9, 0.1, 0.9).broadcast_like(ds.linear_probability).astype("f4")
    p = p.transpose("latitude", "longitude").copy()
    # Most of the neighbours of column 21 lie west of the trench, most of column 18's east of it.
    p[:, 17:20] = 0.45
    p[:, 20:24] = 0.55
    p[:, 21] = 0.45
    p.attrs = {"registration": "pixel"}
    return p.to_dataset(name="linear_probability")


def test_votes_do_not_cross_a_trench():
    ds = across_a_trench()
    free = calibrate(ds, neighbours=9).linear
    drawn = calibrate(ds, neighbours=9, barrier={"type": "Polygon", "coordinates": [TRENCH]}).linear
    np.testing.assert_array_equal(drawn, np.where(ds.longitude.values >= 143.95, 1, 0)[None].repeat(30, 0))
    east_sides = xr.where(ds.longitude >= 143.95, 7, 3).broadcast_like(ds.linear_probability)
    raster = calibrate(ds, neighbours=9, barrier=east_sides.transpose()).linear
    np.testing.assert_array_equal(raster, drawn)
    bare = calibrate(ds, neighbours=9, barrier=shapely.Polygon(TRENCH)).linear
    np.testing.assert_array_equal(bare, drawn)
    # Turn the west's answers over: nothing may change in the east.
    turned = ds.copy(deep=True)
    turned.linear_probability[:, :20] = 0.99
    again = calibrate(turned, neighbours=9, barrier=east_sides)
    np.testing.assert_array_equal(again.linear[:, 20:], drawn[:, 20:])
    crossing = calibrate(turned, neighbours=9).calibrated_probability
    assert (crossing != calibrate(ds, neighbours=9).calibrated_probability)[:, 20:].any()
    assert free.shape == drawn.shape


@given(seed=st.integers(0, 10_000), drawn=st.integers(1, 9))
def test_polygons_that_overlap_part_cells_by_which_they_lie_in(seed, drawn):
    da = predictions().linear_probability
    grid, _ = describe(da)
    rng = np.random.default_rng(seed)
    west, south = rng.uniform(138, 149, drawn), rng.uniform(28, 37, drawn)
    boxes = [
        shapely.box(w, s, w + rng.uniform(0.1, 6), s + rng.uniform(0.1, 6))
        for w, s in zip(west, south, strict=True)
    ]
    member = [inside([np.array(b.exterior.coords)], grid.latitude, grid.longitude) for b in boxes]
    sides = sides_of(da, grid, boxes, "barrier")
    want = np.unique(np.stack(member).reshape(drawn, -1), axis=1, return_inverse=True)[1].reshape(30, 40)
    found = np.unique(np.stack([sides.ravel(), want.ravel()]), axis=1)
    # As many pairs as labels on either side: they name the same parts.
    assert found.shape[1] == want.max() + 1 == len(np.unique(sides)) == sides.max() + 1


def test_only_where():
    ds = predictions()
    east = ds.longitude >= 144
    out = calibrate(ds, neighbours=9, where=east.broadcast_like(ds.linear_probability)).calibrated_probability
    xr.testing.assert_equal(out.where(~east), ds.linear_probability.where(~east))
    free = calibrate(ds, neighbours=9).calibrated_probability
    xr.testing.assert_equal(out.where(east), free.where(east))
    drawn = calibrate(ds, neighbours=9, where=[shapely.box(143.9, 0, 170, 80)]).calibrated_probability
    xr.testing.assert_equal(drawn, out)
    assert (out != free).any()


def test_masks_are_matched_by_place():
    ds = predictions()
    mask = ds.linear_probability.copy(data=np.random.default_rng(1).random((30, 40)) < 0.5)
    want = calibrate(ds, neighbours=5, where=mask)
    for other in (
        mask[::-1],
        mask.T,
        mask.assign_coords(longitude=mask.longitude - 360),
        mask.values,
        dask.array.from_array(mask.values, chunks=13),
    ):
        xr.testing.assert_equal(calibrate(ds, neighbours=5, where=other), want)
    flipped = ds.isel(latitude=slice(None, None, -1))
    xr.testing.assert_equal(calibrate(flipped, neighbours=5, where=mask).sortby("latitude"), want)


def test_cut_moves_the_classes():
    ds = predictions()
    low = calibrate(ds, neighbours=1, keep=(0.5, 0.5), cut=0.2)
    np.testing.assert_array_equal(
        low.linear,
        np.where(np.isnan(ds.linear_probability), -1, low.calibrated_probability > np.float32(0.2)),
    )


@pytest.mark.parametrize(
    ("arguments", "error", "match"),
    [
        ({"neighbours": 24}, ParameterError, r"neighbours is 24; .* odd and at least 1"),
        ({"neighbours": -1}, ParameterError, r"neighbours is -1"),
        ({"neighbours": 2.5}, ParameterError, r"neighbours is 2\.5"),
        ({"keep": (0.7, 0.3)}, ParameterError, r"keep is \(0\.7, 0\.3\); .* first <= second"),
        ({"majority": 0}, ParameterError, r"majority is 0; it is a share"),
        ({"cut": 50}, ParameterError, r"cut is 50; it is a probability"),
        ({"to": "max"}, ParameterError, r"to is 'max'; use one of 'certain', 'extreme'"),
        ({"ties": "coin"}, ParameterError, r"ties is 'coin'"),
        ({"variable": "p"}, GridError, r"no variable 'p' in the dataset.*classify\(\.\.\.\) first"),
        ({"where": np.ones((3, 3))}, GridError, r"where has shape \(3, 3\), the map \(30, 40\)"),
        ({"barrier": "trench.geojson"}, StoreError, r"no file trench\.geojson"),
        (
            {"barrier": shapely.LineString([(0, 0), (1, 1)])},
            ParameterError,
            r"type 'LineString' is not an area",
        ),
        (
            {"where": predictions().linear_probability.isel(latitude=slice(5))},
            GridError,
            r"where has no cell at latitude 31",
        ),
        (
            {"where": predictions().linear_probability.rename(latitude="y")},
            GridError,
            r"where has dimensions \('y', 'longitude'\)",
        ),
    ],
)
def test_refused(arguments, error, match):
    with nothing_computes(), pytest.raises(error, match=match):
        calibrate(predictions().chunk(15), **arguments)


def test_chunks_smaller_than_the_reach():
    with pytest.raises(ChunkError, match=r"halo of 12 cells along latitude.*smallest chunk there has 10"):
        calibrate(predictions().chunk(10))
    with pytest.raises(ParameterError, match=r"neighbours is 37, but only 36 predictions go round"):
        calibrate(globe(), neighbours=37)


def test_percent_by_cells_and_by_area():
    """Linear south of the equator's twin at 30 N only: shares of a sphere are known exactly."""
    lat = -90 + 1.0 * (np.arange(180) + 0.5)
    lon = 1.0 * (np.arange(360) + 0.5)
    linear = np.where(lat < 30, 1, 0)[:, None].repeat(360, 1).astype("i1")
    da = xr.DataArray(linear, {"latitude": lat, "longitude": lon}, ("latitude", "longitude"))
    np.testing.assert_allclose(float(percent_linear(da)), 100 * 120 / 180)
    np.testing.assert_allclose(float(percent_linear(da, weights="area")), 75.0, rtol=1e-12)
    # No answer counts neither way.
    holed = da.where(da.latitude > -30, -1).astype("i1")
    np.testing.assert_allclose(float(percent_linear(holed)), 50.0)
    np.testing.assert_allclose(float(percent_linear(holed, weights="area")), 100 * 1.0 / 1.5, rtol=1e-12)
    north = percent_linear(da, weights="area", where=da.latitude.broadcast_like(da) > 0)
    np.testing.assert_allclose(float(north), 50.0, rtol=1e-12)
    assert north.attrs["units"] == "percent"


def test_percent_is_lazy_and_may_be_unknown():
    ds = calibrate(predictions().chunk(20), neighbours=5)
    with nothing_computes():
        share = percent_linear(ds)
    assert share.ndim == 0
    values = ds.linear.values
    assert float(share) == 100 * (values == 1).sum() / (values >= 0).sum()
    assert np.isnan(float(percent_linear(ds.linear * 0 - 1)))
    with pytest.raises(ParameterError, match=r"weights is 'mass'; use 'cells' or 'area'"):
        percent_linear(ds, weights="mass")
    with pytest.raises(GridError, match=r"no variable 'linear' in the dataset.*calibrate\(\.\.\.\) first"):
        percent_linear(predictions())


class Mean:
    """A stand-in for a network: the share of positive cells."""

    window, batch = 20, 64

    def predict(self, windows):
        return (windows > 0).mean(axis=(1, 2), dtype="f4")


def test_from_classify_to_a_store_and_back(tmp_path):
    da = wavy_sea_floor((300, 320)).chunk(30)
    with nothing_computes():
        out = calibrate(classify(da, model=Mean(), stride=4))
    out.to_zarr(tmp_path / "p.zarr", zarr_format=3, consolidated=False)
    back = xr.open_zarr(tmp_path / "p.zarr", consolidated=False)
    whole = calibrate(classify(da.compute(), model=Mean(), stride=4))
    xr.testing.assert_equal(back.compute(), whole)
    assert float(percent_linear(back)) == float(percent_linear(whole))
    again = calibrate(back.drop_vars(["calibrated_probability", "linear"]))
    np.testing.assert_array_equal(again.linear.compute(), whole.linear)

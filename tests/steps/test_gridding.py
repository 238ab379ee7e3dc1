"""Step 3: gaps and cells on labelled grids, whatever the chunks, the direction and the wrap."""

import warnings

import numpy as np
import pytest
import xarray as xr
from hypothesis import given
from hypothesis import strategies as st
from scipy.interpolate import CubicSpline, griddata

from magxr.errors import ChunkError, GridError, MagxrWarning, ParameterError
from magxr.steps.gridding import SpacingAdvice, grid, suggest_spacing
from magxr.testing import hidden_discs, nothing_computes, random_chunks, wavy_sea_floor

GAP = 6
HALO = 2 * GAP + 42


def holed(shape=(130, 150), seed=0):
    """Stripes with single cells, clusters, a track of a gap, an edge and a big hole missing."""
    da = wavy_sea_floor(shape, seed=seed)
    rng = np.random.default_rng(seed)
    values = da.values
    values[rng.random(shape) < 0.03] = np.nan
    for row, col in rng.integers(0, shape, (25, 2)):
        values[row : row + 4, col : col + 3] = np.nan
    values[60:64] = np.nan
    values[80:110, 90:120] = np.nan
    values[:3, 20:50] = np.nan
    return da


def globe(shape=(120, 180), seed=0, *, registration="pixel"):
    """A band round the globe, 2 degrees a column, with gaps; also across its seam."""
    rng = np.random.default_rng(seed)
    values = rng.normal(0, 50, shape).astype("f4")
    values[rng.random(shape) < 0.05] = np.nan
    values[50:54, :7] = values[52:56, -6:] = np.nan
    values[20:50, 60:90] = np.nan
    half = 0.5 if registration == "pixel" else 0.0
    return xr.DataArray(
        values,
        dims=("lat", "lon"),
        coords={
            "lat": ("lat", -60 + 1.0 * (np.arange(shape[0]) + half), {"units": "degrees_north"}),
            "lon": ("lon", 2.0 * (np.arange(shape[1]) + half), {"units": "degrees_east"}),
        },
        attrs={"units": "nT", "registration": registration},
        name="anomaly",
    )


def same(one, other):
    """The same bits: values, flags, coordinates."""
    np.testing.assert_array_equal(one.values, other.values)
    np.testing.assert_array_equal(one["filled"].values, other["filled"].values)
    assert one.dtype == other.dtype
    assert one["filled"].dtype == np.int8
    assert one.dims == other.dims
    for dim in one.dims:
        np.testing.assert_array_equal(one[dim], other[dim])


@pytest.fixture(scope="module")
def wholes():
    da = holed()
    kinds = [
        {"max_gap": GAP},
        {"max_gap": 0, "spacing": "0.7 arcmin"},
        {"max_gap": GAP, "spacing": ("0.5 arcmin", "0.9 arcmin")},
    ]
    return da, [(kw, grid(da, **kw)) for kw in kinds]


@given(seed=st.integers(0, 10_000))
def test_chunks_do_not_matter(wholes, seed):
    da, results = wholes
    for kw, whole in results:
        smallest = HALO if kw["max_gap"] else 42
        chunks = random_chunks(da.shape, smallest, seed)
        with nothing_computes():
            lazy = grid(da.chunk(dict(zip(da.dims, chunks, strict=True))), **kw)
        assert lazy.chunks is not None
        assert lazy["filled"].chunks == lazy.chunks
        assert len(lazy.chunks[0]) == len(chunks[0])
        same(lazy.compute(scheduler="sync"), whole)


@pytest.mark.parametrize("short", [8, 25])
def test_a_halo_that_is_too_short_is_noticed(monkeypatch, short):
    """Without the reach of the disc other cells count as missing; still less, and a patch sees too little."""
    from magxr.kernels import gaps

    da = wavy_sea_floor((192, 96)).astype("f8")
    da = da.where(np.random.default_rng(0).random(da.shape) < 0.1)
    whole = grid(da, max_gap=GAP)
    reach = gaps.reach
    monkeypatch.setattr(gaps, "reach", lambda gap: reach(gap) - short)

    def wrong(cut):
        found = grid(da.chunk({"lat": (cut, 192 - cut), "lon": 96}), max_gap=GAP)
        return not found.compute(scheduler="sync").equals(whole)

    if short == 8:
        assert any(wrong(cut) for cut in range(60, 130))
    else:
        with pytest.raises(ValueError, match="beyond its block"):
            [wrong(cut) for cut in range(60, 130)]


def test_what_is_filled_what_stays_and_what_the_flag_says():
    da = holed()
    out = grid(da, max_gap=GAP)
    flag, had, has = out["filled"].values, da.notnull().values, out.notnull().values
    np.testing.assert_array_equal(out.values[had], da.values[had])
    np.testing.assert_array_equal(flag == 1, ~had & has)
    assert np.isnan(out.values[85:105, 95:115]).all()
    assert has[:, :85].all()
    assert out["filled"].attrs["flag_meanings"].split()[1] == "interpolated_over_a_gap"
    again = grid(out.where(out["lat"] > -39.9), max_gap=GAP)
    lost = (out["lat"] <= -39.9).values
    assert (again["filled"].values[~lost] >= flag[~lost]).all(), "what was interpolated once stays marked"
    whole = grid(da, max_gap=40)
    assert whole.notnull().all()


def test_flags_follow_the_cells_onto_a_finer_grid():
    da = holed()
    coarse, fine = grid(da, max_gap=GAP), grid(da, max_gap=GAP, spacing="0.4 arcmin")
    assert fine.shape == (390, 450)
    np.testing.assert_array_equal(fine["filled"].values[1::3, 1::3], coarse["filled"].values)
    np.testing.assert_array_equal(fine["filled"].values[::3, 2::3], coarse["filled"].values)
    np.testing.assert_array_equal(np.isnan(fine.values[::3, ::3]), np.isnan(coarse.values))
    np.testing.assert_allclose(fine.values[1::3, 1::3], coarse.values, rtol=0, atol=1e-3)


def test_where_nothing_is_missing_it_is_scipys_spline():
    da = wavy_sea_floor((60, 70)).astype("f8")
    out = grid(da, spacing="0.24 arcmin")
    along = CubicSpline(da["lat"], da.values, axis=0, bc_type="natural")(out["lat"])
    expected = CubicSpline(da["lon"], along, axis=1, bc_type="natural")(out["lon"])
    np.testing.assert_allclose(out.values, expected, rtol=0, atol=1e-8)
    assert not out["filled"].any()


@pytest.mark.parametrize("registration", ["pixel", "gridline"])
def test_a_globe_rolled_in_is_rolled_out(registration):
    da = globe(registration=registration)
    for kw in ({}, {"spacing": ("0.5 deg", "0.8 deg")}):
        whole = grid(da, max_gap=GAP, **kw)
        chunked = da.chunk(lat=60, lon=(70, 54, 56))
        same(grid(chunked, max_gap=GAP, **kw).compute(scheduler="sync"), whole)
        for shift in (1, 37, 90):
            west = da.roll(lon=shift, roll_coords=True)
            west = west.assign_coords(
                lon=("lon", np.where(np.arange(180) < shift, west["lon"] - 360, west["lon"]), da["lon"].attrs)
            )
            rolled = grid(west, max_gap=GAP, **kw)
            order = np.argsort(np.round(rolled["lon"].values % 360, 9))
            back = rolled.isel(lon=order)
            np.testing.assert_allclose((back["lon"] + 1e-6) % 360, whole["lon"] + 1e-6, atol=1e-9)
            np.testing.assert_array_equal(back.values, whole.values)
            np.testing.assert_array_equal(back["filled"].values, whole["filled"].values)


def test_a_jump_inside_the_grid_or_a_repeated_column_change_nothing():
    da = globe(registration="gridline")
    filled = grid(da, max_gap=GAP)
    jumped = grid(da.roll(lon=40, roll_coords=True), max_gap=GAP)
    same(jumped, filled.roll(lon=40, roll_coords=True))
    twice = xr.concat([da, da.isel(lon=[0]).assign_coords(lon=[360.0])], "lon")
    repeated = grid(twice, max_gap=GAP)
    same(repeated.isel(lon=slice(0, -1)), filled)
    np.testing.assert_array_equal(repeated["filled"][:, -1], filled["filled"][:, 0])
    same(grid(twice, max_gap=GAP, spacing="1 deg"), grid(da, max_gap=GAP, spacing="1 deg"))


@pytest.mark.parametrize("kw", [{}, {"spacing": "0.7 arcmin"}])
def test_directions_and_order_of_dims_are_kept(kw):
    da = holed()
    whole = grid(da, max_gap=GAP, **kw)
    same(grid(da.isel(lat=slice(None, None, -1)), max_gap=GAP, **kw), whole.isel(lat=slice(None, None, -1)))
    same(grid(da.isel(lon=slice(None, None, -1)), max_gap=GAP, **kw), whole.isel(lon=slice(None, None, -1)))
    turned = grid(da.T.chunk(lon=75, lat=65), max_gap=GAP, **kw)
    assert turned.dims == turned["filled"].dims == ("lon", "lat")
    same(turned.compute(scheduler="sync").transpose("lat", "lon"), whole)


def test_new_cells_keep_the_outer_edges_or_the_first_nodes():
    da = wavy_sea_floor((60, 70), spacing=1 / 60)
    pixel = grid(da, spacing="0.25 arcmin")
    assert pixel.shape == (240, 280)
    np.testing.assert_allclose(pixel["lat"][0], -40 + 0.125 / 60)
    np.testing.assert_allclose(pixel["lon"][-1], -110 + 70 / 60 - 0.125 / 60)
    uneven = grid(da, spacing="0.72 arcmin")
    assert uneven.shape == (83, 97), "whole cells that fit into 60 x 70 arcmin"
    np.testing.assert_allclose(np.diff(uneven["lat"]), 0.72 / 60)
    nodes = da.assign_coords(lat=da["lat"] - 0.5 / 60, lon=da["lon"] - 0.5 / 60)
    nodes = nodes.assign_attrs(registration="gridline")
    for name in ("lat", "lon"):
        nodes[name].attrs.update(da[name].attrs)
    finer = grid(nodes, spacing="0.25 arcmin")
    assert finer.shape == (59 * 4 + 1, 69 * 4 + 1)
    assert finer.attrs["registration"] == "gridline"
    np.testing.assert_allclose(finer["lat"][[0, -1]], nodes["lat"][[0, -1]])
    np.testing.assert_allclose(finer.values[::4, ::4], nodes.values, rtol=0, atol=1e-4)


def test_labels_attrs_crs_and_other_variables():
    da = holed().chunk(lat=65, lon=75)
    da = da.assign_coords(spatial_ref=0, fence_low=np.float32(-400))
    da["spatial_ref"].attrs.update(crs_wkt="GEOGCS[...]", GeoTransform="-110 0.02 0 -40 0 0.02")
    da.attrs.update(source="made up", actual_range=[-1, 1], history="was here")
    ds = xr.Dataset({"anomaly": da, "depth": xr.zeros_like(da), "count": 3}, attrs={"title": "a map"})
    ds["depth"].attrs["units"] = "m"
    kept = grid(ds, max_gap=GAP)
    assert set(kept.data_vars) == {"anomaly", "depth", "count"}
    assert "filled" in kept.coords
    with pytest.warns(MagxrWarning, match=r"\['depth'\] lie on the old cells"):
        out = grid(ds, max_gap=GAP, spacing="0.7 arcmin")
    assert set(out.data_vars) == {"anomaly", "count"}
    assert out.attrs == {"title": "a map"}
    assert {"filled", "spatial_ref", "fence_low"} <= set(out.coords)
    assert "GeoTransform" not in out["spatial_ref"].attrs
    assert "GeoTransform" in da["spatial_ref"].attrs, "the input is not touched"
    assert "actual_range" not in out["anomaly"].attrs
    assert out["anomaly"].attrs["source"] == "made up"
    assert out["anomaly"].attrs["units"] == "nT"
    assert out["anomaly"].attrs["registration"] == "pixel"
    assert 'grid(spacing="0.7 arcmin", max_gap=6)' in out["anomaly"].attrs["history"]
    assert out["lat"].attrs["units"] == "degrees_north"
    assert "history" not in out["filled"].attrs
    assert grid(da.rename(None), max_gap=GAP, spacing="0.7 arcmin").name is None


def test_flags_survive_a_store(tmp_path):
    for number, kw in enumerate(({}, {"spacing": "0.7 arcmin"})):
        out = grid(holed().chunk(lat=65, lon=75), max_gap=GAP, **kw)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            out.chunk(lat=100, lon=100).to_dataset().to_zarr(tmp_path / f"{number}.zarr", consolidated=False)
        back = xr.open_zarr(tmp_path / f"{number}.zarr", consolidated=False)
        assert "filled" in back.coords
        same(back["anomaly"].compute(scheduler="sync"), out.compute(scheduler="sync"))
        again = grid(back.chunk(lat=-1, lon=-1), max_gap=GAP)["filled"]
        assert (again >= back["filled"]).all()


def test_what_suggest_spacing_says_can_be_given():
    da = wavy_sea_floor((60, 70))
    advice = suggest_spacing(40)
    assert isinstance(advice, SpacingAdvice)
    xr.testing.assert_identical(grid(da, spacing=advice), grid(da, spacing=f"{advice.arcmin:g} arcmin"))


def test_the_same_spacing_keeps_the_cells():
    da = holed()
    xr.testing.assert_equal(grid(da, max_gap=float(GAP)), grid(da, max_gap=GAP))
    xr.testing.assert_equal(grid(da, max_gap=GAP, spacing="0.02 deg"), grid(da, max_gap=GAP))
    xr.testing.assert_equal(grid(da, max_gap=GAP), grid(da, max_gap=f"{GAP * 0.02 * 111.2:.5f} km"))


def test_coarser_cells_warn_of_aliases():
    with pytest.warns(
        MagxrWarning, match=r"coarser along latitude \(3 arcmin\) than the data \(1\.2 arcmin\)"
    ):
        out = grid(wavy_sea_floor((60, 70)), spacing=("3 arcmin", "1.2 arcmin"))
    assert out.shape == (24, 70)


@pytest.mark.parametrize(
    ("kw", "error", "message"),
    [
        ({"spacing": 0.72}, ParameterError, r"spacing=0.72 has no unit.*'0.72 arcmin'"),
        ({"spacing": "0.72"}, ParameterError, "not a number and a unit.*deg, arcmin, arcsec and km"),
        ({"spacing": "0.72 m"}, ParameterError, "arc-minutes in GMT and metres elsewhere"),
        ({"spacing": "-1 arcmin"}, ParameterError, "must be larger than zero"),
        ({"spacing": "fine"}, ParameterError, "spacing='fine' is not a number and a unit"),
        ({"spacing": ("1 km",)}, ParameterError, r"has 1 entries; give one, or \(latitude, longitude\)"),
        ({"spacing": "40 deg"}, ParameterError, "leaves 0 x 0 cells on a map of 130 x 150"),
        ({"max_gap": -1}, ParameterError, "max_gap=-1 must be a whole number of cells"),
        ({"max_gap": float("nan")}, ParameterError, "max_gap=nan must be a whole number of cells"),
        ({"max_gap": None}, ParameterError, "max_gap=None must be a whole number of cells"),
        ({"max_gap": 2.5}, ParameterError, "max_gap=2.5 must be a whole number of cells"),
        ({"max_gap": "5 miles"}, ParameterError, "max_gap='5 miles' is not a number and a unit"),
        ({"variable": "depth"}, GridError, None),
    ],
)
def test_bad_arguments(kw, error, message):
    da = holed()
    with nothing_computes(), pytest.raises(error, match=message or "no variable 'depth'"):
        grid(da.to_dataset() if message is None else da.chunk(lat=65, lon=75), **kw)


def test_spacings_that_do_not_close_the_globe():
    with pytest.raises(
        ParameterError,
        match=r"42 arcmin along longitude does not divide 360 degrees.*nearest that does is 42\.02",
    ):
        grid(globe(), max_gap=GAP, spacing="0.7 deg")
    assert grid(globe(), max_gap=GAP, spacing="0.66666667 deg").sizes["lon"] == 540


def test_small_chunks_name_the_halo():
    with pytest.raises(ChunkError, match=f"filling gaps.*halo of {HALO} cells along latitude"):
        grid(holed().chunk(lat=40), max_gap=GAP)
    with pytest.raises(ChunkError, match=r"respacing.*halo of 42 cells"):
        grid(holed().chunk(lon=40), max_gap=0, spacing="1 arcmin")
    with (
        pytest.warns(MagxrWarning),
        pytest.raises(ChunkError, match="larger than the chunk of 42 cells along longitude"),
    ):
        grid(holed().chunk(lon=(54, 54, 42)), max_gap=0, spacing="1.1 deg")


def test_no_data_at_all():
    da = holed()
    with pytest.raises(GridError, match="anomaly has no data: every cell is NaN or infinite"):
        grid(da.where(False))
    lazy = grid(da.where(False).chunk(lat=65), max_gap=GAP, spacing="1 arcmin").compute(scheduler="sync")
    assert lazy.isnull().all()
    assert not lazy["filled"].any()


def test_infinite_cells_are_gaps():
    da = wavy_sea_floor((60, 70))
    da.values[30, 30] = np.inf
    out = grid(da, max_gap=GAP)
    assert np.isfinite(out.values).all()
    assert out["filled"].values[30, 30] == 1
    assert out["filled"].values.sum() == 1


def scores(da, hidden, other):
    """Rms of what was hidden, by `grid` and by scipy's griddata, nT."""
    truth = da.values[hidden]
    given = da.where(~hidden)
    at, wanted = np.argwhere(given.notnull().values), np.argwhere(hidden)
    both = grid(given).values[hidden], griddata(at, given.values[tuple(at.T)], wanted, method=other)
    return [float(np.sqrt(np.mean((found - truth) ** 2))) for found in both]


def test_hidden_discs_of_a_smooth_field():
    y, x = np.mgrid[:200, :220]
    values = 90 * np.sin(2 * np.pi * (x + 0.4 * y) / 35) + 50 * np.sin(2 * np.pi * (y - 0.2 * x) / 50)
    da = wavy_sea_floor((200, 220)).copy(data=values)
    ours, linear = scores(da, hidden_discs(values, radius=(1, 4.5), discs=60), "linear")
    assert ours < 2.0
    assert ours < 0.2 * linear


@pytest.mark.parametrize(
    ("tile", "radius", "gmt"),
    [
        ("chile_margin", (1, 4.5), 4.61),
        ("chile_margin", (2, 9), 8.41),
        ("nw_africa", (1, 4.5), 5.12),
        ("nw_africa", (2, 9), 9.53),
    ],
)
def test_hidden_discs_of_the_real_map(real_data, tile, radius, gmt):
    """No worse than GMT 6.4 `surface -T0` on the same discs: figures of benchmarks/peers/gridding_gmt.py."""
    da = xr.open_dataset(real_data / "emag2v3" / f"{tile}.nc")["magnetic_anomaly"].load()
    ours, nearest = scores(da, hidden_discs(da.values, radius=radius), "nearest")
    assert ours <= gmt
    assert ours < 0.5 * nearest

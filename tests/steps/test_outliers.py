"""Tukey's fences and the summary of a map: exact, lazy, the same whatever the chunks and the layout."""

import dask
import dask.array as dask_array
import numpy as np
import pytest
import xarray as xr
from dask.callbacks import Callback
from hypothesis import given
from hypothesis import strategies as st

from magxr.errors import GridError, ParameterError
from magxr.steps.outliers import remove_outliers, summary
from magxr.testing import nothing_computes, random_chunks, wavy_sea_floor

COORDS = ["first_quartile", "third_quartile", "lower_fence", "upper_fence", "outlier_count"]


@pytest.fixture
def spiky():
    da = wavy_sea_floor((60, 80))
    values = da.values.copy()
    rng = np.random.default_rng(1)
    values.flat[rng.choice(values.size, 90, replace=False)] *= 40
    values[3:9, 5:20] = np.nan
    return da.copy(data=values)


def test_removes_what_lies_outside_the_fences(spiky):
    out = remove_outliers(spiky)
    x = spiky.values
    q1, q3 = np.nanquantile(x, [0.25, 0.75])
    low, high = q1 - 1.5 * (q3 - q1), q3 + 1.5 * (q3 - q1)
    np.testing.assert_array_equal(out, np.where((x < low) | (x > high), np.nan, x))
    assert [float(out[c]) for c in COORDS] == [q1, q3, low, high, ((x < low) | (x > high)).sum()]
    assert out.outlier_count > 20
    assert out.dtype == spiky.dtype
    assert out.lower_fence.attrs["units"] == "nT"
    assert out.attrs["history"].endswith("remove_outliers(k=1.5)")
    assert np.isfinite(x).sum() - np.isfinite(out).sum() == out.outlier_count
    assert "history" not in spiky.attrs
    xr.testing.assert_identical(spiky.drop_attrs(), spiky.copy(data=x).drop_attrs())


@given(seed=st.integers(0, 10_000), dtype=st.sampled_from(["f4", "f8"]))
def test_chunked_equals_whole(seed, dtype):
    rng = np.random.default_rng(seed)
    da = wavy_sea_floor((23, 31), seed=seed).astype(dtype)
    da = da.where(rng.random(da.shape) > 0.1) * 10.0 ** rng.integers(0, 3, da.shape)
    da.attrs["units"] = "nT"
    lazy = da.chunk(dict(zip(da.dims, random_chunks(da.shape, 2, seed), strict=True)))
    with nothing_computes():
        out, row = remove_outliers(lazy, k=1.0), summary(lazy)
    assert out.chunks == lazy.chunks
    with dask.config.set(scheduler="sync"):
        xr.testing.assert_identical(out.compute(), remove_outliers(da, k=1.0))
        xr.testing.assert_identical(row.compute(), summary(da))


def test_datasets_keep_what_else_they_hold(spiky):
    ds = (
        spiky.to_dataset()
        .assign(depth=("lat", np.arange(60.0)), other=spiky * 2)
        .assign_coords(spatial_ref=0)
    )
    with pytest.raises(GridError, match="several variables"):
        remove_outliers(ds.assign(again=spiky))
    out = remove_outliers(ds.chunk(20), variable="anomaly")
    assert set(out.data_vars) == {"anomaly", "depth", "other"}
    assert set(COORDS) <= set(out.coords)
    np.testing.assert_array_equal(out.anomaly.compute(scheduler="sync"), remove_outliers(spiky))


def test_flipped_and_rolled_in_is_flipped_and_rolled_out():
    lon = np.arange(-180.0, 180.0, 3.0)
    lat = np.arange(-60.0, 61.0, 3.0)
    values = np.random.default_rng(1).standard_t(2, size=(lat.size, lon.size)) * 50
    da = xr.DataArray(values, {"lat": lat, "lon": lon}, ("lat", "lon"), "a", {"units": "nT"})
    out = remove_outliers(da)
    xr.testing.assert_identical(remove_outliers(da[::-1]), out[::-1])
    xr.testing.assert_identical(remove_outliers(da.T), out.T)
    rolled = da.roll(lon=17, roll_coords=True)
    xr.testing.assert_identical(remove_outliers(rolled), out.roll(lon=17, roll_coords=True))
    again = da.pad(lon=(0, 1), mode="wrap").assign_coords(lon=np.append(lon, 180.0))
    assert remove_outliers(again).outlier_count == out.outlier_count


def test_infinite_k_keeps_everything(spiky):
    out = remove_outliers(spiky, k=np.inf)
    np.testing.assert_array_equal(out, spiky)
    assert out.outlier_count == 0
    assert out.upper_fence == np.inf


@pytest.mark.parametrize("k", [0, -1.5, np.nan])
def test_k_must_be_positive(spiky, k):
    with pytest.raises(ParameterError, match=f"k must be greater than 0.*got {k}"):
        remove_outliers(spiky, k=k)


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda d: d * np.nan, "all 4800 cells are NaN"),
        (lambda d: d * 0 + 3, "3 nT in every valid cell"),
        (lambda d: d.where(d < 100, np.inf), "infinite cells"),
        (lambda d: d.where(d < 100, 99999), "99999 nT, which is a fill value"),
        (lambda d: d.where(d > 140, 0), "half of all cells or more hold one value, 0 nT"),
    ],
)
def test_unusable_values(spiky, spoil, message):
    da = spoil(wavy_sea_floor((60, 80)))
    da.attrs["units"] = "nT"
    with pytest.raises(GridError, match=message):
        remove_outliers(da)
    lazy = remove_outliers(da.chunk(20))
    with pytest.raises(GridError, match=message):
        lazy.compute(scheduler="sync")


def test_summary_is_the_row_of_the_table(spiky):
    row = summary(spiky)
    x = spiky.values.astype("f8")
    assert row["min"] == np.nanmin(x)
    assert row["max"] == np.nanmax(x)
    np.testing.assert_array_equal(
        [row.first_quartile, row["median"], row.third_quartile],
        np.nanquantile(spiky.values, np.array([0.25, 0.5, 0.75])),
    )
    assert row.interquartile_range == row.third_quartile - row.first_quartile
    np.testing.assert_allclose(row["mean"], np.nanmean(x), rtol=1e-12)
    assert (row.valid, row.missing, row.infinite) == (4800 - 90, 90, 0)
    np.testing.assert_allclose([row.latitude_spacing, row.longitude_spacing], 1.2)
    np.testing.assert_allclose([row.south, row.north, row.west, row.east], [-40, -38.8, -110, -108.4])
    assert all(v.attrs["units"] and v.attrs["long_name"] for v in row.data_vars.values())


def test_summary_describes_what_steps_refuse(spiky):
    row = summary(spiky.where(spiky < 1000, np.inf).where(spiky > -1000, -99999))
    assert row["min"] == -99999
    assert row["mean"] == row["max"] == np.inf
    assert row.infinite > 0
    assert np.isnan(summary(spiky * np.nan)["mean"])


def test_the_real_tile(real_data):
    ds = xr.open_dataset(real_data / "emag2v3" / "chile_margin.nc")
    name = next(n for n, v in ds.data_vars.items() if v.ndim == 2)
    da = ds[name].astype("f4").assign_attrs(units="nT")
    row = summary(da.chunk(200)).compute(scheduler="sync")
    assert row.missing == 55361
    out = remove_outliers(da.chunk(200)).compute(scheduler="sync")
    q1, q3 = np.nanquantile(da.values, [0.25, 0.75])
    assert (out.first_quartile, out.third_quartile) == (q1, q3)
    assert float(abs(out).max()) <= max(abs(q1 - 1.5 * (q3 - q1)), abs(q3 + 1.5 * (q3 - q1)))


class Memory(Callback):
    """Largest number of bytes that finished tasks held at any time."""

    def __init__(self):
        super().__init__()
        self.peak = 0

    def _posttask(self, key, result, dsk, state, worker_id):
        held = sum(v.nbytes for v in state["cache"].values() if isinstance(v, np.ndarray))
        self.peak = max(self.peak, held)


@pytest.mark.parametrize("north_first", [False, True])
def test_writing_the_result_holds_a_few_chunks(tmp_path, north_first):
    """4000 x 4000 cells in 64 chunks, from quartiles to the store, without holding the grid."""

    def made(block_info=None):
        (r0, r1), (c0, c1) = block_info[None]["array-location"]
        return np.random.default_rng([r0, c0]).standard_t(3, (r1 - r0, c1 - c0)).astype("f4")

    values = dask_array.map_blocks(
        made, chunks=((500,) * 8, (500,) * 8), dtype="f4", meta=np.empty((0, 0), "f4")
    )
    lat, lon = -40 + 0.004 * np.arange(4000), 10 + 0.004 * np.arange(4000)
    lat = lat[::-1] if north_first else lat
    da = xr.DataArray(values, {"lat": lat, "lon": lon}, ("lat", "lon"), "anomaly", {"units": "nT"})
    store = remove_outliers(da).to_dataset().to_zarr(tmp_path / "out.zarr", compute=False, consolidated=False)
    with Memory() as memory, dask.config.set(scheduler="threads", num_workers=2):
        store.compute()
    assert memory.peak < 16 * 500 * 500 * 4
    assert (xr.open_zarr(tmp_path / "out.zarr", consolidated=False).outlier_count > 1000).compute()

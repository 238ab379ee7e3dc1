"""Low-rank denoising: the SVD's result with labels, on every kind of input and layout."""

import dask
import numpy as np
import pytest
import xarray as xr

from magxr.errors import ChunkError, GridError, ParameterError
from magxr.steps.lowrank import denoise
from magxr.testing import nothing_computes, wavy_sea_floor

MODES = [{"mode": "region"}, {"mode": "region", "center": True}, {"mode": "tile", "tile": 16}]


def rank_k(x, k):
    left, s, right = np.linalg.svd(x.astype("f8"), full_matrices=False)
    return (left[:, :k] * s[:k]) @ right[:k]


@pytest.mark.parametrize("shape", [(50, 70), (70, 50), (40, 40)])
def test_is_the_rank_k_approximation_of_the_gridded_values(shape):
    da = wavy_sea_floor(shape)
    s = np.linalg.svd(da.values.astype("f8"), compute_uv=False)
    k = int(np.argmax(np.cumsum(s**2) >= 0.98 * (s**2).sum())) + 1
    out = denoise(da)
    assert 1 < k < min(shape)
    assert out["rank"] == k
    assert 0.98 <= out["retained_variance"] < 0.98 + s[k - 1] ** 2 / (s**2).sum()
    np.testing.assert_allclose(out, rank_k(da.values, k), atol=1e-4)
    np.testing.assert_array_equal(denoise(da, k=k), out)
    assert out.dtype == np.float32
    assert out.attrs["units"] == "nT"
    assert out.attrs["low_rank_mode"] == "region"
    assert out.attrs["low_rank_centred"] == "no"
    assert 'denoise(variance=0.98, mode="region"' in out.attrs["history"]
    assert "history" not in da.attrs


def test_double_precision_is_kept():
    da = wavy_sea_floor((50, 70)).astype("f8") * (1 + 1e-9)
    da.attrs["units"] = "nT"
    np.testing.assert_allclose(denoise(da, k=5), rank_k(da.values, 5), atol=1e-8)


def test_noise_goes_and_stripes_stay():
    noisy = wavy_sea_floor((128, 128))
    rng = np.random.default_rng(0)
    clean = noisy - rng.normal(0, 20, noisy.shape)
    for how in ({"k": 4}, {"k": 4, "mode": "tile", "tile": 64}):
        out = denoise(noisy, **how)
        assert float(((out - clean) ** 2).mean()) < 0.2 * float(((noisy - clean) ** 2).mean())


@pytest.mark.parametrize("how", MODES)
def test_chunked_equals_whole_and_building_computes_nothing(how):
    rng = np.random.default_rng(0)
    da = wavy_sea_floor((50, 70))
    da = da.where(rng.random(da.shape) > 0.05)
    whole = denoise(da, **how)
    np.testing.assert_array_equal(np.isnan(whole), np.isnan(da))
    for chunks in ({"lat": 25, "lon": (20, 15, 35)}, {"lat": (15, 35), "lon": 70}, {"lat": 50, "lon": 35}):
        lazy = da.chunk(chunks)
        with nothing_computes():
            out = denoise(lazy, **how)
        assert out.chunks == lazy.chunks
        xr.testing.assert_identical(out.compute(scheduler="sync"), whole)


@pytest.mark.parametrize("how", MODES)
def test_flipped_and_rolled_in_is_flipped_and_rolled_out(how):
    for lat, lon in (
        (np.arange(-60, 61, 4.0), np.arange(-180, 180, 4.0)),
        (np.arange(-60, 60.5), np.arange(0, 360, 6.0)),
    ):
        values = np.random.default_rng(1).normal(size=(lat.size, lon.size)) * 100
        da = xr.DataArray(values, {"lat": lat, "lon": lon}, ("lat", "lon"), "a", {"units": "nT"})
        out = denoise(da, **how)
        xr.testing.assert_identical(denoise(da[::-1], **how), out[::-1])
        xr.testing.assert_identical(denoise(da[:, ::-1].T, **how), out[:, ::-1].T)
        for by in (1, 17, 30):
            rolled = da.roll(lon=by, roll_coords=True)
            want = out.roll(lon=by, roll_coords=True)
            xr.testing.assert_identical(denoise(rolled, **how), want)
        lazy = denoise(rolled.chunk(lat=-1, lon=30), **how)
        xr.testing.assert_identical(lazy.compute(scheduler="sync"), want)


def test_datasets_carry_the_spectrum():
    da = wavy_sea_floor((50, 70))
    ds = da.to_dataset().assign(depth=("lat", np.arange(50.0))).chunk(25)
    with nothing_computes():
        out = denoise(ds)
    assert set(out.data_vars) == {"anomaly", "depth"}
    s = np.linalg.svd(da.values.astype("f8"), compute_uv=False)
    np.testing.assert_allclose(out.singular_values, s, rtol=0, atol=1e-6 * s[0])
    assert out.singular_values.dims == ("component",)
    with nothing_computes():
        again = denoise(out, k=3)
    assert again.compute(scheduler="sync")["rank"] == 3


@pytest.mark.parametrize("how", MODES)
def test_the_residual_is_what_was_removed(how):
    da = wavy_sea_floor((50, 70))
    plain = denoise(da, **how)
    for obj in (da, da.to_dataset(), da.chunk(25), da.chunk(25).to_dataset()):
        with nothing_computes():
            out = denoise(obj, residual=True, **how)
        with dask.config.set(scheduler="sync"):
            np.testing.assert_array_equal(out.anomaly, plain)
            np.testing.assert_array_equal(out.anomaly_residual, da - plain)
        assert out.anomaly_residual.attrs["units"] == "nT"
    assert set(denoise(da.rename(None), residual=True, **how).data_vars) == {"anomaly", "anomaly_residual"}


def test_an_offset_is_what_centring_is_for():
    da = wavy_sea_floor((50, 70))
    high = da + 3000
    high.attrs["units"] = "nT"
    assert denoise(high)["rank"] == 1
    centred = denoise(high, center=True)
    assert centred["rank"] == denoise(da, center=True)["rank"] > 1
    np.testing.assert_allclose(centred - 3000, denoise(da, center=True), atol=0.01)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"variance": 0}, "greater than 0 and at most 1 .*got 0"),
        ({"variance": 1.2}, "got 1.2"),
        ({"variance": 98}, "got 98"),
        ({"variance": 0.9, "k": 3}, "give k=3 or variance=0.9, not both"),
        ({"k": 0}, "from 1 to 30 .*got 0"),
        ({"k": 31}, "from 1 to 30 .*got 31"),
        ({"k": 2.5}, "whole number .*got 2.5"),
        ({"mode": "local"}, "'region' or 'tile', got 'local'"),
        ({"mode": "tile", "tile": 15}, "even whole number .*got 15"),
        ({"mode": "tile", "tile": 4}, "at least 8 cells, got 4"),
        ({"mode": "tile", "tile": 64}, "tile=64 is larger than .*30 x 40 cells; use tile=30 or less"),
        ({"mode": "tile", "tile": 16, "k": 17}, "from 1 to 16"),
    ],
)
def test_arguments_out_of_range(arguments, message):
    for da in (wavy_sea_floor((30, 40)), wavy_sea_floor((30, 40)).chunk(20)):
        with nothing_computes(), pytest.raises(ParameterError, match=message):
            denoise(da, **arguments)


@pytest.mark.parametrize("how", MODES)
def test_unusable_values(how):
    da = wavy_sea_floor((30, 40))
    infinite = da.where(da < 100, np.inf).assign_attrs(units="nT")
    for obj, message in ((infinite, "infinite cells"), ((da * np.nan).assign_attrs(units="nT"), "are NaN")):
        with pytest.raises(GridError, match=message):
            denoise(obj, **how)
    lazy = denoise(infinite.chunk(lat=15, lon=20), **how)
    with pytest.raises(GridError, match="infinite cells"):
        lazy.compute(scheduler="sync")


def test_chunks_smaller_than_a_tile_are_refused():
    with pytest.raises(ChunkError, match=r"denoise needs a halo of 15 cells.*smallest chunk there has 10"):
        denoise(wavy_sea_floor((30, 40)).chunk(10), mode="tile", tile=16)


@pytest.mark.parametrize("how", [{}, {"mode": "tile", "tile": 128}])
def test_bits_do_not_depend_on_how_many_threads_work(how):
    """BLAS itself would give other bits on another number of threads (see `magxr.kernels.blas`)."""
    da = wavy_sea_floor((300, 400))
    whole = denoise(da, **how)
    for scheduler, workers in (("threads", 4), ("threads", 2), ("sync", 1)):
        with dask.config.set(scheduler=scheduler, num_workers=workers):
            xr.testing.assert_identical(denoise(da.chunk(lat=150, lon=200), **how).compute(), whole)

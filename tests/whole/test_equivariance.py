"""Steps 2 to 5 together: chunked equals whole, rolled in is rolled out, flipped in is flipped out, lazily."""

import numpy as np
import pytest
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st

from magxr.testing import nothing_computes, random_chunks, wavy_sea_floor


def steps_2_to_5(obj, mode, spacing=None):
    filled = obj.mag.remove_outliers().mag.grid(spacing=spacing, max_gap=6)
    denoised = filled.mag.denoise(mode=mode, **({"tile": 32} if mode == "tile" else {}))
    return denoised.mag.diffuse(sigma=0.5, rho=1.5, steps=3)


def sea_floor_with_gaps(shape=(140, 190), **kwargs):
    da = wavy_sea_floor(shape, **kwargs)
    rng = np.random.default_rng(5)
    values = da.values.copy()
    values[30:34, 60:64] = np.nan
    values[80, :40] = np.nan
    values[rng.random(shape) < 0.002] = 9000.0
    return da.copy(data=values)


@pytest.mark.parametrize("mode", ["region", "tile"])
@settings(max_examples=5)
@given(seed=st.integers(0, 10_000))
def test_chunked_equals_whole(mode, seed):
    da = sea_floor_with_gaps()
    whole = steps_2_to_5(da, mode)
    chunks = dict(zip(da.dims, random_chunks(da.shape, 60, seed), strict=True))
    with nothing_computes():
        lazy = steps_2_to_5(da.chunk(chunks), mode)
    np.testing.assert_array_equal(lazy.values, whole.values)
    np.testing.assert_array_equal(lazy.coords["filled"].values, whole.coords["filled"].values)
    assert lazy.attrs == whole.attrs


def test_chunked_equals_whole_on_another_spacing():
    da = sea_floor_with_gaps()
    whole = steps_2_to_5(da, "region", spacing="0.8 arcmin")
    lazy = steps_2_to_5(da.chunk({"lat": 70, "lon": 95}), "region", spacing="0.8 arcmin")
    xr.testing.assert_identical(lazy.compute(), whole)


@pytest.mark.parametrize("mode", ["region", "tile"])
def test_flipped_in_is_flipped_out(mode):
    da = sea_floor_with_gaps()
    np.testing.assert_array_equal(steps_2_to_5(da[::-1], mode).values, steps_2_to_5(da, mode).values[::-1])


@pytest.mark.parametrize("mode", ["region", "tile"])
@pytest.mark.parametrize("chunked", [False, True])
def test_rolled_in_is_rolled_out(mode, chunked):
    lat, lon = -60 + np.arange(120), -180 + 2.0 * (np.arange(180) + 0.5)
    globe = sea_floor_with_gaps((120, 180)).assign_coords(
        lon=("lon", lon, {"units": "degrees_east"}), lat=("lat", lat, {"units": "degrees_north"})
    )
    rolled = globe.roll(lon=53, roll_coords=True)
    east = globe.assign_coords(lon=globe.lon % 360).sortby("lon")
    want = steps_2_to_5(globe, mode)
    for other, shift in ((rolled, -53), (east, 90)):
        got = steps_2_to_5(other.chunk(60) if chunked else other, mode)
        np.testing.assert_array_equal(np.roll(got.values, shift, axis=1), want.values)

"""The chain of the README, through to_zarr and back, on every kind of input."""

import numpy as np
import pytest
import xarray as xr

import magxr
from magxr.synthetic.seafloor import demo_region
from magxr.testing import nothing_computes


class Brightness:
    """A stand-in for the network: the mean of the window, squeezed."""

    window, batch, spacing = 250, 8, (0.1, 2.0)

    def predict(self, windows):
        return (1 / (1 + np.exp(-np.nanmean(windows, axis=(1, 2)) / 5))).astype(np.float32)


def chain(obj):
    maps = obj.mag.remove_outliers().mag.grid(spacing="0.6 arcmin").mag.denoise(variance=0.98)
    found = maps.mag.diffuse(sigma=1, rho=4, steps=3).mag.classify(stride=10, model=Brightness())
    return found.mag.calibrate(neighbours=9)


@pytest.fixture(scope="module")
def region():
    return demo_region((360, 380), chunks=190)


def test_nothing_is_computed_before_to_zarr(region, tmp_path):
    with nothing_computes():
        out = chain(region[["anomaly"]])
    out.to_zarr(tmp_path / "chile.zarr", consolidated=False)
    back = xr.open_zarr(tmp_path / "chile.zarr", consolidated=False)
    xr.testing.assert_equal(back.load(), out.compute())
    assert set(np.unique(back.linear)) <= {-1, 0, 1}
    assert (back.linear >= 0).any()
    history = back.linear.attrs["history"].splitlines()
    assert [line.split(": ")[1].split("(")[0] for line in history] == [
        "remove_outliers", "grid", "denoise", "diffuse", "classify", "calibrate",
    ]  # fmt: skip


def test_array_or_dataset_whole_or_chunked_give_the_same(region):
    inputs = {
        "Dataset, Dask": region[["anomaly"]],
        "DataArray, Dask": region["anomaly"],
        "Dataset, numpy": region[["anomaly"]].load(),
        "DataArray, numpy": region["anomaly"].load(),
    }
    results = {what: chain(obj)["calibrated_probability"].values for what, obj in inputs.items()}
    for what, values in results.items():
        np.testing.assert_array_equal(values, results["Dataset, Dask"], err_msg=what)


def test_flipped_in_is_flipped_out_to_the_end(region):
    whole = region[["anomaly"]].load()
    flipped = whole.isel(lat=slice(None, None, -1))
    for name in ("linear_probability", "linear"):
        np.testing.assert_array_equal(chain(flipped)[name].values, chain(whole)[name].values[::-1])


def test_a_rolled_globe_gives_the_rolled_answer():
    rng = np.random.default_rng(3)
    lat, lon = -56 + 0.4 * np.arange(280), -180 + 0.4 * (np.arange(900) + 0.5)
    values = rng.normal(0, 100, (280, 900)).astype("f4")
    globe = xr.DataArray(values, {"lat": lat, "lon": lon}, ("lat", "lon"), "anomaly", {"units": "nT"})
    rolled = globe.roll(lon=230, roll_coords=True)

    def found(da):
        return magxr.calibrate(
            magxr.classify(da, model=Brightness(), stride=10, check_spacing=False), neighbours=5
        )

    want, got = found(globe), found(rolled.chunk(300))
    for name in ("linear_probability", "linear"):
        np.testing.assert_array_equal(got.sortby("lon")[name].values, want.sortby("lon")[name].values)

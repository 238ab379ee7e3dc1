"""Blocks without a value, land and no-data: the same answer as on the usual way, without its work."""

import numpy as np
import pytest
import xarray as xr

import magxr
from magxr.chunked.tiles import tiled_low_rank
from magxr.kernels import diffusion, diffusion_array, fed, pixels, spline, strike_noise, structure
from magxr.kernels.cycles import plan_cycles
from magxr.kernels.metric import pixel_metric
from magxr.testing import wavy_sea_floor


class Loud:
    """A stand-in for a network that must not be asked about a window without a value."""

    window, batch = 20, 16

    def predict(self, windows):
        assert np.isfinite(windows).any(axis=(1, 2)).all()
        return np.nanmean(windows > 0, axis=(1, 2), dtype="f4")


def unseen(*_, **__):
    pytest.fail("work was done on a block without a value")


HALO = (3, 0, 2, 5)
CORE = np.s_[..., 3:, 2:-5]
SMOOTH = {"sigma": 0.5, "rho": 1.0, "alpha": 1e-3, "contrast": 1.0, "scale": 100.0, "halo": HALO}
KERNELS = {
    "cell": (diffusion, "make_field", lambda u: diffusion.diffuse(u, steps=2, tau=0.2, **SMOOTH)),
    "fed": (fed, "make_field", lambda u: fed.fed(u, cycles=plan_cycles(3.0, 2, 0.4), **SMOOTH)),
    "nonnegative": (
        pixels,
        "make_field",
        lambda u: pixels.diffuse_pixels(u, scheme="nonnegative", steps=2, tau=0.2, **SMOOTH),
    ),
    "rotation_invariant": (
        pixels,
        "make_field",
        lambda u: pixels.diffuse_pixels(u, scheme="rotation_invariant", steps=2, tau=0.2, **SMOOTH),
    ),
    "array": (
        diffusion_array,
        "make_scheme",
        lambda u: diffusion_array.diffuse(u, steps=2, tau=0.2, **SMOOTH),
    ),
    "orientation": (structure, "make_field", lambda u: structure.orientation(u, 1.0, 2.0)[CORE]),
    "uncertainty": (
        strike_noise,
        "_lost",
        lambda u: strike_noise.uncertainty(
            structure.orientation(u, 1.0, 2.0), np.isfinite(u), 1.0, 2.0, np.ones(31), pixel_metric(30)
        )[CORE],
    ),
    "respaced": (
        spline,
        "coefficients",
        lambda u: spline.respaced(
            u, (np.arange(30), np.full(30, 0.25)), (np.arange(40), np.full(40, 0.25)), halo=(0, 0, 0, 0)
        )[CORE],
    ),
}


@pytest.mark.parametrize("dtype", ["f4", "f8"])
@pytest.mark.parametrize("name", KERNELS)
def test_a_kernel_answers_the_same_and_does_nothing(monkeypatch, name, dtype):
    module, work, kernel = KERNELS[name]
    u = np.full((30, 40), np.nan, dtype)
    u[20:, 30:] = np.inf
    # The last column of the halo, far enough from the core.
    one = u.copy()
    one[0, -1] = 100.0
    want = kernel(one)
    monkeypatch.setattr(module, work, unseen)
    got = kernel(u)
    assert got.dtype == want.dtype
    np.testing.assert_array_equal(got.view(f"u{u.itemsize}"), want.view(f"u{u.itemsize}"))
    assert not np.shares_memory(got, u)
    with pytest.raises(pytest.fail.Exception, match="work was done"):
        kernel(one)


def test_tiles(monkeypatch):
    how = {"tile": 8, "variance": 0.9, "k": None, "center": True, "wrap": False, "column0": 0}
    u = np.full((32, 40), np.nan, "f4")
    one = u.copy()
    one[0, -1] = 100.0
    want = tiled_low_rank(one, **how)
    assert want[0, -1] == 100.0
    want[0, -1] = np.nan
    monkeypatch.setattr("magxr.chunked.tiles.windows", unseen)
    np.testing.assert_array_equal(tiled_low_rank(u, **how).view("u4"), want.view("u4"))


STEPS = {
    "grid": lambda da: magxr.grid(da, max_gap=2, spacing="0.9 arcmin"),
    "denoise": lambda da: magxr.denoise(da, mode="tile", tile=16),
    **{
        scheme: lambda da, scheme=scheme: magxr.diffuse(da, sigma=0.5, rho=1.0, scale=100.0, scheme=scheme)
        for scheme in ("cell", "fed", "nonnegative", "rotation_invariant")
    },
    "structure": lambda da: magxr.structure(da, sigma=1.0, rho=2.0),
    "wavelength": lambda da: magxr.wavelength(da, size=20, stride=4, max_missing=1.0),
    "classify": lambda da: magxr.classify(da, model=Loud(), stride=4, max_missing=1.0),
    "calibrate": lambda da: magxr.calibrate((np.abs(da) % 1.0).drop_attrs(deep=False), neighbours=5),
}


@pytest.mark.parametrize("name", STEPS)
def test_a_map_with_empty_blocks_is_the_map(name):
    da = wavy_sea_floor((212, 260))
    da = da.where((da.lat > da.lat[170]) & (da.lon < da.lon[40]))
    whole, lazy = STEPS[name](da), STEPS[name](da.chunk(53))
    xr.testing.assert_equal(lazy.compute(scheduler="sync"), whole)


def test_no_windows_are_cut_where_none_has_an_answer(monkeypatch):
    monkeypatch.setattr("magxr.steps.sweep.planned", unseen)
    monkeypatch.setattr("magxr.kernels.spectrum.waves", unseen)
    da = wavy_sea_floor((60, 80)).chunk(-1)
    few = da.where(da.lat < da.lat[3])  # some values, but too few for an answer
    for name, values in (("nothing", da * np.float32(np.nan)), ("too little", few)):
        found = magxr.classify(values, model=Loud(), stride=4).compute(scheduler="sync")
        assert np.isnan(found.linear_probability).all(), name
        waves = magxr.wavelength(values, size=20, stride=4).compute(scheduler="sync")
        assert np.isnan(waves.wavelength).all(), name

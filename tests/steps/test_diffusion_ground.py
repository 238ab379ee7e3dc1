"""Diffusion on the sphere: lengths in km, true strikes, the same scene at two latitudes, globes and poles."""

import numpy as np
import pytest
import xarray as xr
from hypothesis import given
from hypothesis import strategies as st
from scipy.interpolate import CubicSpline

from magxr.errors import ChunkError, GridError
from magxr.geogrid import EARTH_RADIUS
from magxr.steps.diffusion import diffuse, structure
from magxr.testing import nothing_computes, random_chunks
from tests.steps.test_diffusion import chunked, globe, plane_wave

STEP = 0.02
KM = np.radians(STEP) * EARTH_RADIUS / 1000.0
"""Height of a pixel of `plane_wave`."""


@pytest.mark.parametrize("scheme", ["cell", "fed"])
@pytest.mark.parametrize("latitude", [60.0, -60.0])
def test_stripes_keep_their_strike_within_half_a_degree(scheme, latitude):
    for strike in np.arange(10.0, 180.0, 40.0):
        field = plane_wave(latitude, strike)
        field += np.random.default_rng(0).normal(0, 5, field.shape).astype("f4")
        result = diffuse(field, metric="spherical", scheme=scheme, scale=200.0)
        found = structure(result, metric="spherical").isel(lat=slice(25, -25), lon=slice(40, -40))
        off = (found["strike"] - strike + 90.0) % 180.0 - 90.0
        assert float(np.abs(off).mean()) <= 0.5
        assert abs(float(off.mean())) <= 0.25
        assert float(found["coherence"].min()) > 0.9


def scene(latitude, step=0.005, rows=160, columns=160):
    """Curved stripes and a spot, drawn in km around a place, on equal degrees."""
    lat = latitude + step * (np.arange(rows) - rows / 2)
    lon = step * (np.arange(columns) - columns / 2)
    km = np.radians(1.0) * EARTH_RADIUS / 1000.0
    north, east = np.meshgrid((lat - latitude) * km, lon, indexing="ij")
    east = east * km * np.cos(np.radians(lat))[:, None]
    across = east * np.cos(0.5) - north * np.sin(0.5) + 2 * np.sin(north / 9.0)
    wave = 100 * np.sin(2 * np.pi * across / 8.0) + 20 * np.sin(north * 1.9) * np.cos(east * 1.7)
    wave = wave + 150 * np.exp(-((north - 8) ** 2 + (east + 6) ** 2) / 8.0)
    return xr.DataArray(
        wave, dims=("lat", "lon"), coords={"lat": lat, "lon": lon}, attrs={"units": "nT"}
    ), east


@pytest.mark.parametrize("scheme", ["cell", "fed"])
def test_the_same_scene_at_two_latitudes_gives_the_same_within_discretisation(scheme):
    rule = {"sigma": 0.7, "rho": 2.5, "time": 2.0, "scheme": scheme, "metric": "spherical"}

    def unlike(step, rows, **rule):
        """Return the difference as a share of what the diffusion changes."""
        # The contrast is that of gradients per height: so that it is the same in nT/km at every spacing.
        strong = {"scale": 150.0 * step / 0.005}
        (low, east), (high, near) = scene(0.0, step, rows, rows), scene(60.0, step, rows, 2 * rows)
        here = diffuse(low, **strong, **rule | {"metric": "spherical"})
        there = diffuse(high, **strong, **rule)
        moved = [CubicSpline(e, line)(x) for x, e, line in zip(east, near, there.values, strict=True)]
        inner = np.s_[rows // 4 : -rows // 4, rows // 4 : -rows // 4]
        return (np.array(moved) - here.values)[inner].std() / float((here - low).std())

    coarse, fine = unlike(0.005, 160, **rule), unlike(0.0025, 320, **rule)
    assert coarse < 0.03
    assert fine < coarse / 3  # second order
    # In pixels the scene comes out otherwise: there the Gaussians are half as wide east-west, in km.
    height = float(np.radians(0.005) * EARTH_RADIUS / 1000.0)
    pixels = {"sigma": 0.7 / height, "rho": 2.5 / height, "time": 2.0 / height**2, "scheme": scheme}
    (low, east), (high, near) = scene(0.0), scene(60.0, columns=320)
    here, there = (diffuse(f, scale=150.0, **pixels) for f in (low, high))
    moved = [CubicSpline(e, line)(x) for x, e, line in zip(east, near, there.values, strict=True)]
    assert (np.array(moved) - here.values)[40:-40, 40:-40].std() / float((here - low).std()) > 0.1


def test_at_the_equator_pixels_and_kilometres_agree():
    field = scene(0.0)[0]
    height = float(np.radians(0.005) * EARTH_RADIUS / 1000.0)
    pixels = diffuse(field, sigma=1.0, rho=4.0, steps=12, scale=150.0)
    ground = diffuse(
        field, sigma=height, rho=4 * height, time=3.0 * height**2, scale=150.0, metric="spherical"
    )
    assert float(np.abs(pixels - ground).max()) < 0.1  # nT of 400: cos(0.4 degrees) is not 1
    assert 'metric="spherical"' in ground.attrs["history"]
    default = diffuse(field, steps=12, scale=150.0, metric="spherical")
    np.testing.assert_allclose(default.values, ground.values, rtol=0, atol=1e-9)


@given(seed=st.integers(0, 1000), scheme=st.sampled_from(["cell", "fed"]), gaps=st.booleans())
def test_chunked_equals_whole_bit_for_bit(seed, scheme, gaps):
    field = plane_wave(62.0, 30.0).isel(lat=slice(0, 100))
    if gaps:
        field = field.where(np.random.default_rng(seed).random(field.shape) > 0.02)
    rule = {"metric": "spherical", "sigma": KM, "rho": 1.5 * KM, "time": 1.5 * KM**2, "scheme": scheme}
    lazy = chunked(field, random_chunks(field.shape, 34, seed))
    with nothing_computes():
        result, found = diffuse(lazy, **rule), structure(lazy, metric="spherical", rho=2 * KM)
    np.testing.assert_array_equal(result.compute(scheduler="sync").values, diffuse(field, **rule).values)
    expected = structure(field, metric="spherical", rho=2 * KM)
    xr.testing.assert_identical(found.compute(scheduler="sync"), expected)


@pytest.mark.parametrize(
    "turn", [lambda f: f[::-1], lambda f: f[:, ::-1], lambda f: f.transpose("lon", "lat")]
)
def test_flipped_in_is_flipped_out(turn):
    field = plane_wave(55.0, 30.0)
    whole = diffuse(field, metric="spherical", steps=3)
    xr.testing.assert_identical(diffuse(turn(field), metric="spherical", steps=3), turn(whole))


@pytest.mark.parametrize("scheme", ["cell", "fed"])
def test_rolled_in_is_rolled_out_on_a_globe(scheme):
    field = globe().assign_coords(latitude=30.0 + 0.5 * np.arange(40))
    rule = {"metric": "spherical", "steps": 4, "scheme": scheme}
    whole = diffuse(field, **rule)
    for shift in (1, 57, 163):
        rolled = diffuse(field.roll(longitude=shift, roll_coords=True), **rule)
        xr.testing.assert_identical(rolled, whole.roll(longitude=shift, roll_coords=True))
    area = np.cos(np.radians(field["latitude"]))
    drift = float(((whole - field).astype("f8") * area).mean() / area.mean())
    assert abs(drift) <= 1e-8 * float(field.max() - field.min())


def test_the_poles_are_refused_with_the_latitude_that_works():
    field = globe(rows=170, columns=180).assign_coords(latitude=-84.5 + np.arange(170.0))
    message = r"reaches latitude -84.5, but metric='spherical' ends at 80 degrees.*crop.*slice\(-80, 80\)"
    for step in (diffuse, structure):
        with nothing_computes(), pytest.raises(GridError, match=message):
            step(field.chunk(), metric="spherical")
    cropped = field.sel(latitude=slice(-60, 60)).isel(longitude=slice(0, 90))
    assert np.isfinite(diffuse(cropped, metric="spherical", steps=1)).all()


def test_chunks_must_fit_the_wider_reach_along_longitude():
    field = plane_wave(70.0, 30.0)
    lazy = chunked(field, (40, 40))
    with pytest.raises(ChunkError, match=r"halo of 49 cells along longitude.*smallest chunk there has 40"):
        diffuse(lazy, metric="spherical", steps=1)


def test_narrow_pixels_take_more_steps_for_the_same_time():
    told = diffuse(plane_wave(60.0, 30.0), metric="spherical", steps=2).attrs["history"]
    count = int(told.split("steps=")[1].split(",")[0])
    # (cos 61.2 degrees)^-2 = 4.31, in whole steps.
    assert count == 9
    assert f"time={0.5 * KM**2:.6f}"[:9] in told

"""Dominant wavelengths as a step: lattice, laziness, chunks, layouts, globe, arguments, synthetic ridges."""

import numpy as np
import pytest
import xarray as xr
from hypothesis import given
from hypothesis import strategies as st
from scipy.ndimage import map_coordinates

import magxr
from magxr.errors import GridError, ParameterError
from magxr.io.read import open_anomaly
from magxr.kernels.spectrum import dominant, waves
from magxr.steps.classify import classify
from magxr.steps.wavelength import wavelength
from magxr.synthetic.plane import KM_PER_DEGREE
from magxr.synthetic.scenes import scene
from magxr.testing import nothing_computes, random_chunks, wavy_sea_floor

SMALL = {"size": 40, "stride": 10}
NAMES = ["wavelength", "wavelength_uncertainty", "strike", "sharpness"]


@pytest.fixture(scope="module")
def floor():
    return wavy_sea_floor((90, 110))


@pytest.fixture(scope="module")
def holey(floor):
    gaps = np.random.default_rng(5).random(floor.shape) < 0.05
    gaps[30:60, 50:75] = True
    return floor.where(~gaps)


class Even:
    """A stand-in for the network."""

    window, batch, spacing = 40, 8, (0.1, 2.0)

    def predict(self, windows):
        return np.full(len(windows), 0.5, np.float32)


def plane_wave(latitude, strike, length, shape=(250, 250), step=0.012):
    """Stripes ``length`` km wide of true azimuth ``strike`` about ``latitude``."""
    lat = latitude + step * (np.arange(shape[0]) - (shape[0] - 1) / 2)
    lon = step * np.arange(shape[1])
    north, east = np.meshgrid(
        lat * KM_PER_DEGREE, lon * KM_PER_DEGREE * np.cos(np.radians(latitude)), indexing="ij"
    )
    azimuth = np.radians(strike)
    across = east * np.cos(azimuth) - north * np.sin(azimuth)
    return xr.DataArray(
        (100 * np.sin(2 * np.pi * across / length)).astype("f4"),
        dims=("lat", "lon"),
        coords={"lat": lat, "lon": lon},
        attrs={"units": "nT"},
    )


@pytest.mark.parametrize("latitude", [-60.0, 0.0, 60.0])
def test_a_plane_wave_has_its_wavelength_in_km_and_its_true_azimuth(latitude):
    for length in (9.0, 20.0, 50.0):
        for strike in np.arange(0.0, 180.0, 25.0):
            found = wavelength(plane_wave(latitude, strike, length)).squeeze()
            centre = found.isel(lat=found.lat.size // 2, lon=found.lon.size // 2)
            assert float(centre["wavelength"]) == pytest.approx(length, rel=0.02)
            assert abs((float(centre["strike"]) - strike + 90.0) % 180.0 - 90.0) <= 1.0


def test_results_are_those_of_a_plain_loop_on_the_cells_of_classify(holey):
    found = wavelength(holey, **SMALL)
    like = classify(holey, model=Even(), stride=10, check_spacing=False)
    assert list(found.data_vars) == NAMES
    np.testing.assert_array_equal(found.lat, like.lat)
    np.testing.assert_array_equal(found.lon, like.lon)
    seen = 0
    for i, lat in enumerate(found.lat.values):
        for j, lon in enumerate(found.lon.values):
            row, column = (
                int(np.rint((x - a[0]) / 0.02 - 19.5))
                for x, a in ((lat, holey.lat.values), (lon, holey.lon.values))
            )
            here = [float(found[k][i, j]) for k in NAMES]
            window = holey.values[max(row, 0) : row + 40, max(column, 0) : column + 40]
            if window.shape != (40, 40) or np.isnan(window).mean() > 0.2:
                assert np.isnan(here).all()
                continue
            cell = 0.02 * KM_PER_DEGREE, 0.02 * KM_PER_DEGREE * np.cos(np.radians(lat))
            np.testing.assert_allclose(here, dominant(window, waves(40, *cell)), rtol=1e-5)
            seen += np.isfinite(here).all()
    assert seen > 10
    assert found["wavelength"].attrs["units"] == "km"
    assert "wavelength(" in found["wavelength"].attrs["history"]


@given(seed=st.integers(0, 1000), gaps=st.booleans())
def test_chunked_equals_whole_bit_for_bit(floor, holey, seed, gaps):
    field = holey if gaps else floor
    lazy = field.chunk(dict(zip(field.dims, random_chunks(field.shape, 7, seed), strict=True)))
    with nothing_computes():
        result = wavelength(lazy, size=30, stride=4)
    whole = wavelength(field, size=30, stride=4)
    assert result["wavelength"].chunks is not None
    assert float(whole["wavelength"].notnull().mean()) > 0.1
    xr.testing.assert_identical(result.compute(scheduler="sync"), whole)


@pytest.mark.parametrize("turn", [
    lambda da: da[::-1], lambda da: da[:, ::-1], lambda da: da.T, lambda da: da.to_dataset(name="anomaly"),
])  # fmt: skip
def test_turned_in_turned_out(holey, turn):
    whole = wavelength(holey, **SMALL)
    for name in NAMES:
        got = wavelength(turn(holey), **SMALL)[name]
        assert got.dims == (turn(holey).dims if isinstance(turn(holey), xr.DataArray) else holey.dims)
        xr.testing.assert_equal(got.sortby(["lat", "lon"]).transpose(*holey.dims), whole[name])


def test_rolled_in_rolled_out():
    rng = np.random.default_rng(8)
    stripe = np.sin(np.arange(180) * 2 * np.pi / 9 + np.arange(40)[:, None] / 5)
    globe = xr.DataArray(
        (stripe + 0.2 * rng.normal(size=(40, 180))).astype("f4"),
        dims=("lat", "lon"),
        coords={"lat": -20 + np.arange(40.0), "lon": 2 * np.arange(180) + 1.0},
        attrs={"units": "nT"},
    )
    whole = wavelength(globe, size=24, stride=6)
    assert whole.sizes["lon"] == 30
    assert float(whole["wavelength"].notnull().mean()) > 0.3
    rolled = globe.roll(lon=-67, roll_coords=True).assign_coords(
        lon=(globe.roll(lon=-67, roll_coords=True).lon + 180) % 360 - 180
    )
    other = wavelength(rolled.sortby("lon"), size=24, stride=6)
    other = other.assign_coords(lon=other.lon % 360).sortby("lon")
    for name in NAMES:
        np.testing.assert_array_equal(other[name].values, whole[name].values)


def test_filled_cells_count_as_missing(floor):
    filled = xr.zeros_like(floor).astype("i1")
    filled[:, :60] = 1
    marked = floor.assign_coords(filled=filled)
    found, plain = wavelength(marked, **SMALL), wavelength(floor, **SMALL)
    assert found["wavelength"].notnull().sum() < plain["wavelength"].notnull().sum()
    xr.testing.assert_equal(
        wavelength(marked, **SMALL, max_missing=1.0)["wavelength"].drop_vars("filled", errors="ignore"),
        plain["wavelength"],
    )


@pytest.mark.parametrize(("arguments", "error", "match"), [
    ({"size": 40, "stride": 7}, ParameterError, "no central 7 x 7 cells.*use stride 6 or 8"),
    ({"size": 2.5}, ParameterError, "size is 2.5; it must be a whole number"),
    ({"size": 40, "stride": 50}, ParameterError, "stride 50 is larger than the window of 40"),
    ({"max_missing": 2, **SMALL}, ParameterError, "max_missing is 2; it is a share"),
    ({}, GridError, "a window of 250 x 250 cells is larger than the map of 90 x 110"),
])  # fmt: skip
def test_refused(floor, arguments, error, match):
    for field in (floor, floor.chunk(40)):
        with nothing_computes(), pytest.raises(error, match=match):
            wavelength(field, **arguments)


def along_truth(field, strike, row, column, size, cell):
    """Peak of k P(k) of profiles across a known strike, straight through a window, in km."""
    step = cell[1]
    reach = 0.35 * size * cell[0]
    t, s = np.arange(-reach, reach, step), np.arange(-0.5 * reach, 0.5 * reach, 3 * step)
    a = np.radians(strike)
    east = t * np.cos(a) + s[:, None] * np.sin(a)
    north = -t * np.sin(a) + s[:, None] * np.cos(a)
    lines = map_coordinates(field, [row + north / cell[0], column + east / cell[1]], order=1, mode="nearest")
    lines = (lines - lines.mean(axis=1, keepdims=True)) * np.hanning(len(t))
    n = 8 * len(t)
    k, p = np.fft.rfftfreq(n, step), (np.abs(np.fft.rfft(lines, n)) ** 2).mean(axis=0)
    width = np.maximum(2 / (2 * reach), 0.25 * k)
    band = np.clip(1 - np.abs(k - k[:, None]) / width[:, None], 0, None)
    smooth = (band * p).sum(axis=1) / width
    return k, k * smooth


@pytest.mark.parametrize("seed", [11, 12, 13])
def test_on_ridges_it_lies_near_the_peak_of_the_truth(seed):
    """The power by octave at the wavelength found is near its maximum on profiles of the true field."""
    shape = (400, 400)
    floor = scene(seed, shape, origin=(10.0 * (seed - 10), -120.0), kind="linear", holes=False, spikes=0.0)
    found = wavelength(floor, stride=50, variable="anomaly")
    cell = 0.012 * KM_PER_DEGREE, 0.012 * KM_PER_DEGREE * np.cos(np.radians(float(floor.lat.mean())))
    heights = []
    for i, j in np.argwhere(found["wavelength"].notnull().values):
        row, column = ((float(found[d][n]) - float(floor[d][0])) / 0.012 for d, n in (("lat", i), ("lon", j)))
        strike = float(floor["strike"][round(row), round(column)])
        if np.isnan(strike):
            continue
        k, power = along_truth(floor["clean"].values, strike, row, column, 250, cell)
        heights.append(np.interp(1 / float(found["wavelength"][i, j]), k, power) / power.max())
    assert len(heights) >= 4
    assert np.median(heights) > 0.8
    assert np.mean(np.array(heights) > 0.5) >= 0.8


def test_a_real_tile(real_data):
    tile = open_anomaly(real_data / "emag2v3" / "chile_margin.nc", chunks={"lat": 200, "lon": 160})
    with nothing_computes():
        lazy = magxr.wavelength(tile, size=150, stride=50)
    whole = magxr.wavelength(tile.compute(), size=150, stride=50)
    xr.testing.assert_identical(lazy.compute(scheduler="sync"), whole)
    assert float(whole["wavelength"].max()) < 150 * 0.5 * tile.lat.diff("lat").values[0] * 112

"""Scattered tracks through verde's spline."""

import importlib.util

import numpy as np
import pytest
import xarray as xr

from magxr.errors import MissingExtraError, ParameterError
from magxr.steps.gridding import grid
from magxr.steps.points import grid_points

pytest.importorskip("verde", reason="verde grids scattered points (extra 'tracks')")


def anomaly(lat, lon):
    return 100 * np.sin(2 * np.pi * (lon + 0.5 * lat) / 0.6)


def tracks(west=-110.0, seed=0):
    """Twelve tracks across a degree square, 0.02 degrees between readings."""
    rng = np.random.default_rng(seed)
    along = np.arange(0, 1, 0.02)
    lat = np.concatenate([np.full(50, y) for y in np.linspace(-39.97, -39.03, 12)])
    lon = np.tile(west + along, 12) + rng.normal(0, 1e-3, 600)
    value = anomaly(lat, lon)
    return {"latitude": lat, "longitude": (lon + 180) % 360 - 180, "anomaly": value}


def test_a_smooth_field_comes_back():
    table = tracks()
    out = grid_points(table, spacing="1.2 arcmin", region=(-110, -109, -40, -39))
    assert out["anomaly"].dims == ("lat", "lon")
    assert out["anomaly"].shape == (50, 50)
    assert out["anomaly"].attrs["units"] == "nT"
    assert out["anomaly"].attrs["registration"] == "pixel"
    np.testing.assert_allclose(out["lat"][[0, -1]], [-39.99, -39.01])
    truth = anomaly(out["lat"], out["lon"])
    inside = (out["lat"] > -39.95) & (out["lat"] < -39.05) & (out["lon"] > -109.95) & (out["lon"] < -109.05)
    assert float(np.abs(out["anomaly"] - truth).where(inside).max()) < 12
    assert float(((out["anomaly"] - truth).where(inside) ** 2).mean() ** 0.5) < 4
    xr.testing.assert_equal(grid(out)["anomaly"].drop_vars("filled"), out["anomaly"])


def test_across_the_date_line_it_is_the_same():
    here = grid_points(tracks(), spacing="1.2 arcmin", region=(-110, -109, -40, -39))
    table = tracks(west=179.5)
    table["anomaly"] = tracks()["anomaly"]
    there = grid_points(table, spacing="1.2 arcmin", region=(179.5, -179.5, -40, -39))
    np.testing.assert_allclose(there["lon"], here["lon"] + 289.5)
    np.testing.assert_allclose(there["anomaly"], here["anomaly"], rtol=0, atol=1e-4)
    found = grid_points(table, spacing="1.2 arcmin")
    assert found["lon"][0] == pytest.approx(179.49, abs=0.011)
    assert found["lon"][-1] == pytest.approx(180.49, abs=0.03)


def test_far_cells_are_left_out_and_incomplete_rows_too():
    table = tracks()
    table["anomaly"][::7] = np.nan
    some = {k: v[:300] for k, v in table.items()}
    out = grid_points(
        some,
        spacing=("3 arcmin", "1.5 arcmin"),
        region=(-110, -109, -40, -39),
        max_distance="10 km",
        damping=1e-6,
    )
    assert out["anomaly"].shape == (20, 40)
    top = float(np.nanmax(some["latitude"]))
    north = out["anomaly"].sel(lat=slice(top + 0.12, None))
    assert north.isnull().all()
    assert out["anomaly"].sel(lat=slice(None, top)).notnull().all()


def test_datasets_and_other_names():
    ds = xr.Dataset({k: ("row", v) for k, v in tracks().items()}).rename(anomaly="MAG_RES")
    a = grid_points(ds, spacing="3 arcmin", anomaly="MAG_RES")
    b = grid_points(tracks(), spacing="3 arcmin")
    xr.testing.assert_equal(a, b)


@pytest.mark.parametrize(
    ("change", "kw", "message"),
    [
        ({}, {"anomaly": "mag"}, r"no column 'mag' in the table \(it has \['latitude'"),
        ({}, {"spacing": 1}, "spacing=1 has no unit"),
        ({}, {"max_distance": "far"}, "max_distance='far' is not a number"),
        ({}, {"damping": 0}, "damping=0 must be larger than zero"),
        ({}, {"region": (0, 1)}, r"region=\(0, 1\) must be \(west, east, south, north\)"),
        ({}, {"region": (0, 1, 5, 4)}, "south below north"),
        ({"latitude": np.full(600, 91.0)}, {}, "latitude reaches 91"),
        ({"latitude": np.zeros(5)}, {}, r"\[5, 600, 600\] rows; they must have as many"),
        ({"anomaly": np.full(600, np.nan)}, {}, "0 of 600 rows are complete; a spline needs at least 3"),
    ],
)
def test_bad_input(change, kw, message):
    with pytest.raises(ParameterError, match=message):
        grid_points(tracks() | change, **({"spacing": "3 arcmin"} | kw))


def test_too_many_blocks_are_refused_with_the_memory(monkeypatch):
    monkeypatch.setattr("magxr.steps.points.MOST_BLOCKS", 100)
    with pytest.raises(ParameterError, match=r"blocks hold data; one spline takes at most 100.*GiB"):
        grid_points(tracks(), spacing="1.2 arcmin")


def test_without_verde(monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(MissingExtraError, match=r"verde.*magxr\[tracks\]"):
        grid_points(tracks(), spacing="1.2 arcmin")

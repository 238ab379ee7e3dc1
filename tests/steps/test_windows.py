"""Windows of a map: the paper's number, nothing dropped silently, equal to plain slices."""

import subprocess
import sys

import numpy as np
import pytest
import xarray as xr
from hypothesis import given
from hypothesis import strategies as st

from magxr.errors import GridError, MagxrWarning, MissingExtraError, ParameterError
from magxr.steps import cutting
from magxr.steps import windows as module
from magxr.steps.windows import windows
from magxr.testing import nothing_computes, random_chunks, wavy_sea_floor


def globe(columns=60, rows=24):
    step = 360.0 / columns
    lon = -180.0 + step * (np.arange(columns) + 0.5)
    lat = step * (np.arange(rows) - rows / 2 + 0.5)
    values = np.random.default_rng(3).normal(size=(rows, columns)).astype("f4")
    return xr.DataArray(
        values,
        {"latitude": lat, "longitude": lon},
        ("latitude", "longitude"),
        "anomaly",
        {"units": "nT", "registration": "pixel"},
    )


def test_288_windows_of_the_east_pacific_rise():
    da = xr.DataArray(
        np.zeros((1000, 1100), "f4"),
        {"lat": 0.004 * np.arange(1000), "lon": 0.004 * np.arange(1100)},
        ("lat", "lon"),
        "anomaly",
        {"units": "nT"},
    ).chunk({"lat": 400, "lon": 400})
    for edges in ("shift", "pad", "drop"):
        with nothing_computes():
            out = windows(da, size=250, stride=50, edges=edges)
        assert out.sizes == {"window": 288, "row": 250, "column": 250}
        assert out.attrs["cells_unseen"] == 0


@pytest.mark.parametrize("edges", ["shift", "pad"])
def test_equal_plain_slices(edges):
    da = wavy_sea_floor((37, 45))
    out = windows(da, size=10, stride=4, edges=edges)
    padded = np.pad(da.values, ((0, 20), (0, 20)), mode="symmetric")
    seen = np.zeros(padded.shape, dtype=bool)
    for k in range(out.sizes["window"]):
        one = out.isel(window=k)
        r, c = int(one.start_row), int(one.start_column)
        np.testing.assert_array_equal(one.anomaly, padded[r : r + 10, c : c + 10])
        seen[r : r + 10, c : c + 10] = True
        np.testing.assert_allclose(one.south, -40 + 0.02 * r)
        np.testing.assert_allclose(one.north - one.south, 0.2)
        np.testing.assert_allclose(one.west, -110 + 0.02 * c)
        np.testing.assert_allclose((one.west + one.east) / 2, one.longitude)
        np.testing.assert_allclose((one.south + one.north) / 2, one.latitude)
    assert seen[:37, :45].all()
    assert out.anomaly.dtype == da.dtype
    assert out.anomaly.attrs["units"] == "nT"


def test_dropping_is_said_and_counted():
    da = wavy_sea_floor((37, 48))
    with pytest.warns(MagxrWarning, match=r"leave 201 of 1776 cells unseen; use edges='shift' or 'pad'"):
        out = windows(da, size=10, stride=5, edges="drop")
    assert out.attrs["cells_unseen"] == 37 * 48 - 35 * 45
    assert out.sizes["window"] == 6 * 8


@given(
    seed=st.integers(0, 1000), edges=st.sampled_from(["shift", "pad"]), f8=st.booleans(), gaps=st.booleans()
)
def test_chunked_equals_whole(seed, edges, f8, gaps):
    da = wavy_sea_floor((33, 41), seed=seed)
    if f8:
        da = da.astype("f8")
    if gaps:
        hole = np.random.default_rng(seed).random(da.shape) < 0.2
        da = da.where(~hole).assign_coords(filled=(da.dims, (np.roll(hole, 3)).astype("i1")))
    whole = windows(da, size=9, stride=5, edges=edges)
    with nothing_computes():
        lazy = windows(
            da.chunk(dict(zip(da.dims, random_chunks(da.shape, 1, seed), strict=True))),
            size=9,
            stride=5,
            edges=edges,
        )
    xr.testing.assert_identical(lazy.compute(scheduler="sync"), whole)


def test_many_blocks(monkeypatch):
    da = wavy_sea_floor((33, 41))
    whole = windows(da, size=9, stride=2)
    for windows_a_task in (1, 5, 40):
        monkeypatch.setattr(module, "_BLOCK_BYTES", windows_a_task * 9 * 9 * 4)
        lazy = windows(da.chunk(10), size=9, stride=2)
        assert max(lazy.chunks["window"]) <= windows_a_task
        assert len(set(lazy.chunks["window"][:-1])) <= 1
        # No Dask slice for each window: a task a block, and the pieces that it reads.
        kernels = [k for k in lazy.anomaly.__dask_graph__() if k[0] == lazy.anomaly.data.name]
        assert len(kernels) == len(lazy.chunks["window"])
        xr.testing.assert_identical(lazy.compute(scheduler="sync"), whole)


def test_direction_of_the_input_does_not_matter():
    da = wavy_sea_floor((30, 40))
    want = windows(da, size=8, stride=4)
    for other in (da[::-1], da[:, ::-1], da.T, da[::-1].T):
        xr.testing.assert_identical(windows(other, size=8, stride=4), want)


def test_missing_and_filled_cells_are_shared_out():
    da = wavy_sea_floor((20, 20)).copy()
    da[:5, :] = np.nan
    da[5, 0] = np.inf
    da = da.assign_coords(filled=(da.dims, np.zeros(da.shape, "i1")))
    da.coords["filled"][6, :10] = 1
    out = windows(da, size=10, stride=10)
    np.testing.assert_array_equal(out.missing_share, np.float32([0.61, 0.5, 0, 0]))
    flipped = windows(da[::-1].transpose(), size=10, stride=10)
    np.testing.assert_array_equal(flipped.missing_share, out.missing_share)


def test_windows_go_round_the_globe():
    da = globe()
    out = windows(da, size=9, stride=5, edges="shift")
    assert out.sizes["window"] == 4 * 12
    rolled = windows(
        da.assign_coords(longitude=da.longitude % 360).sortby("longitude"), size=9, stride=5, edges="shift"
    )

    def by_place(ds):
        return ds.assign_coords(at=("window", np.round(ds.south * 1000 + ds.west % 360, 6).values)).sortby(
            "at"
        )

    np.testing.assert_array_equal(by_place(out).anomaly, by_place(rolled).anomaly)
    across = out.isel(window=int(np.argmax(out.start_column.values)))
    r, c = int(across.start_row), int(across.start_column)
    assert c + 9 > 60
    np.testing.assert_array_equal(across.anomaly, np.roll(da.values, -c, axis=1)[r : r + 9, :9])
    lazy = windows(da.chunk({"latitude": 7, "longitude": 13}), size=9, stride=5)
    xr.testing.assert_identical(lazy.compute(scheduler="sync"), out)


def test_a_dataset_keeps_its_scalars():
    ds = wavy_sea_floor((20, 20)).to_dataset().assign_coords(spatial_ref=0, rank=7)
    out = windows(ds, size=10, stride=10)
    assert int(out["rank"]) == 7
    assert "spatial_ref" in out.coords


def test_written_and_read_back(tmp_path):
    out = windows(wavy_sea_floor((30, 30)).chunk(10), size=10, stride=5)
    out.to_zarr(tmp_path / "w.zarr", zarr_format=3, consolidated=False)
    back = xr.open_zarr(tmp_path / "w.zarr", consolidated=False)
    xr.testing.assert_equal(back.compute(), out.compute())


@pytest.mark.parametrize(
    ("arguments", "error", "match"),
    [
        (
            {"size": 60},
            GridError,
            r"window of 60 x 60 cells is larger than the map of 30 x 40; use a smaller",
        ),
        ({"size": 10, "stride": 11}, ParameterError, r"stride 11 is larger than the window of 10"),
        ({"size": 10, "stride": 0}, ParameterError, r"stride is 0; it must be a whole number of cells"),
        ({"size": 2.5}, ParameterError, r"size is 2\.5; it must be a whole number"),
        ({"size": 10, "stride": 5, "edges": "wrap"}, ParameterError, r"edges is 'wrap'; use one of 'shift'"),
    ],
)
def test_refused(arguments, error, match):
    with nothing_computes(), pytest.raises(error, match=match):
        windows(wavy_sea_floor((30, 40)).chunk(10), **arguments)


def test_refused_around_the_globe():
    match = r"stride 7 does not divide the 60 columns.*strides that do: 4, 5, 6, 10"
    with pytest.raises(ParameterError, match=match):
        windows(globe(), size=10, stride=7)


def test_without_xbatcher(monkeypatch):
    monkeypatch.setattr(cutting, "find_spec", lambda name: None)
    with pytest.raises(MissingExtraError, match=r"pip install 'magxr\[windows\]'"):
        windows(wavy_sea_floor((30, 40)), size=10, stride=5)


def test_xbatcher_waits_until_it_is_needed():
    code = "import sys, magxr; magxr.windows; assert 'xbatcher' not in sys.modules; print('light')"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.stdout == "light\n", done.stderr

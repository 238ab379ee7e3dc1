"""Runs by blocks: the same bits as the lazy graph, whatever the map and the blocks; what is refused."""

import json
import os

import numpy as np
import pytest
import xarray as xr

import magxr
from magxr.errors import ChunkError, ParameterError, StoreError
from magxr.io import store
from magxr.runs import blocks
from magxr.runs.ledger import Ledger
from magxr.synthetic.seafloor import demo_region

SMALL = {"stride": 50, "steps": 2, "chunk": 200}


@pytest.fixture(scope="module")
def region():
    """A map with gaps, larger than a window."""
    return demo_region((400, 420), chunks=(200, 210))[["anomaly"]].load().chunk(lat=170, lon=260)


@pytest.fixture(scope="module")
def larger():
    """Two blocks each way that hold the halo of a tile."""
    return demo_region((520, 540), chunks=(260, 270))[["anomaly"]].load().chunk(lat=260, lon=270)


@pytest.fixture
def bare(monkeypatch):
    """Leave the pictures out: they are the same whichever way the numbers came."""
    for module in ("magxr.runs.finish", "magxr.runs.pipeline"):
        monkeypatch.setattr(f"{module}.present", lambda found, folder: ("none.html", [], "none"))


def assert_same_stores(one, other):
    """Every array, its attrs and the labels, bit for bit."""
    for group in ("", "maps"):
        a, b = store.open(one / group, chunks=None), store.open(other / group, chunks=None)
        assert a.attrs == b.attrs
        assert set(a.variables) == set(b.variables)
        for name in a.variables:
            np.testing.assert_array_equal(a[name].values, b[name].values, err_msg=str(name))
            assert a[name].dtype == b[name].dtype
            assert str(a[name].attrs) == str(b[name].attrs)


def globe(rows=360, columns=720):
    """All longitudes, from north to south, with land that has no data."""
    noise = np.random.default_rng(4).normal(0, 60, (rows, columns)).astype("f4")
    noise[:, 300:420] = np.nan
    noise[40:43, 100:140] = np.nan
    step = 180 / rows
    lat, lon = 90 - step / 2 - step * np.arange(rows), -180 + step / 2 + step * np.arange(columns)
    return xr.Dataset(
        {"anomaly": (("lat", "lon"), noise, {"units": "nT"})},
        coords={
            "lat": ("lat", lat, {"units": "degrees_north"}),
            "lon": ("lon", lon, {"units": "degrees_east"}),
        },
    )


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"spacing": "0.5 arcmin"},
        {"metric": "spherical", "edges": "pad", "scheme": "fed"},
        {"max_gap": "20 km", "rank": 7, "outliers": 3.0},
    ],
)
def test_equal_to_the_lazy_graph_bit_for_bit(region, tmp_path, bare, changes):
    changes = SMALL | changes
    whole = magxr.run(region, tmp_path / "whole.zarr", **changes)
    found = magxr.run(region, tmp_path / "blocks.zarr", engine="blocks", **changes)
    assert_same_stores(whole.store, found.store)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["blocks.zarr", "whole.zarr"]


@pytest.mark.parametrize("changes", [{}, {"spacing": "0.6 arcmin", "doubt": True, "chunk": 330}])
def test_equal_with_local_bases(larger, tmp_path, bare, changes):
    changes = SMALL | {"denoise": "tile", "chunk": 280} | changes
    whole = magxr.run(larger, tmp_path / "whole.zarr", **changes)
    found = magxr.run(larger, tmp_path / "blocks.zarr", engine="blocks", **changes)
    assert_same_stores(whole.store, found.store)


@pytest.mark.parametrize("turned", [False, True])
def test_a_globe(tmp_path, bare, turned):
    ds = globe()
    if turned:  # cut at another meridian, and longitude first
        ds = ds.roll(lon=200, roll_coords=True).transpose()
    changes = {"denoise": "tile", "chunk": 360, "stride": 40, "steps": 2, "max_gap": 8}
    changes |= {"check_spacing": False, "max_missing": 0.9}
    whole = magxr.run(ds, tmp_path / "whole.zarr", **changes)
    found = magxr.run(ds, tmp_path / "blocks.zarr", engine="blocks", **changes)
    assert_same_stores(whole.store, found.store)


@pytest.mark.parametrize("scheduler", ["sync", "processes"])
def test_wherever_it_computes(region, tmp_path, bare, scheduler):
    whole = magxr.run(region, tmp_path / "threads.zarr", engine="blocks", **SMALL)
    found = magxr.run(region, tmp_path / "other.zarr", engine="blocks", scheduler=scheduler, **SMALL)
    assert_same_stores(whole.store, found.store)


def stopped(region, out, monkeypatch, after, **changes):
    """Run until so many blocks are done, then fail."""
    real, count = blocks.make_block, iter(range(10_000))

    def failing(*arguments):
        if next(count) >= after:
            msg = "enough"
            raise RuntimeError(msg)
        return real(*arguments)

    with monkeypatch.context() as patch:
        patch.setattr(blocks, "make_block", failing)
        with pytest.raises(RuntimeError, match="enough"):
            magxr.run(region, out, **SMALL | {"engine": "blocks", "scheduler": "sync"} | changes)
    return out.with_name(out.name + ".unfinished")


def entries(folder):
    return {str(p.relative_to(folder)): p.stat().st_mtime_ns for p in folder.glob("ledger/*/*.json")}


def test_resume_makes_only_what_is_missing(region, tmp_path, bare, monkeypatch):
    out = tmp_path / "out.zarr"
    folder = stopped(region, out, monkeypatch, after=20)
    before = entries(folder)
    assert len(before) == 20
    assert not out.exists()
    made = []
    real = blocks.make_block
    monkeypatch.setattr(blocks, "make_block", lambda *a: made.append(real(*a)) or made[-1])
    magxr.run(region, out, engine="blocks", resume=True, **SMALL)
    assert sum(not m["made"] for m in made) == 20
    assert not folder.exists()
    whole = magxr.run(region, tmp_path / "whole.zarr", **SMALL)
    assert_same_stores(whole.store, out)


def test_resume_repairs_torn_blocks(region, tmp_path, bare, monkeypatch):
    out = tmp_path / "out.zarr"
    folder = stopped(region, out, monkeypatch, after=20)
    shards = sorted((folder / "maps.zarr" / "denoised" / "c").rglob("*"))
    shards = [s for s in shards if s.is_file()]
    shards[0].write_bytes(shards[0].read_bytes()[:-100])  # torn
    shards[1].unlink()  # lost
    changed = bytearray(shards[2].read_bytes())
    changed[len(changed) // 2] ^= 255
    shards[2].write_bytes(bytes(changed))
    magxr.run(region, out, engine="blocks", resume=True, **SMALL)
    whole = magxr.run(region, tmp_path / "whole.zarr", **SMALL)
    assert_same_stores(whole.store, out)


def test_what_is_in_the_way_is_never_wiped(region, tmp_path, bare, monkeypatch):
    out = tmp_path / "out.zarr"
    folder = stopped(region, out, monkeypatch, after=5)
    before = entries(folder)
    for changes in ({}, {"overwrite": True}):
        with pytest.raises(StoreError, match=r"unfinished run; finish it with .*--resume"):
            magxr.run(region, out, engine="blocks", **SMALL, **changes)
    for changes, what in (
        ({"steps": 3}, "parameter steps is 2, asked for now is 3"),
        ({"chunk": 210}, "blocks"),
        ({"spacing": "0.7 arcmin"}, "blocks is|working grid|parameter spacing"),
    ):
        with pytest.raises(StoreError, match=what):
            magxr.run(region, out, **SMALL | {"engine": "blocks", "resume": True} | changes)
    other = region.assign(anomaly=region.anomaly + np.float32(1))
    other.anomaly.attrs["units"] = "nT"
    with pytest.raises(StoreError, match="source sha256"):
        magxr.run(other, out, engine="blocks", resume=True, **SMALL)
    shorter = region.isel(lat=slice(0, 399))
    with pytest.raises(StoreError, match="another one"):
        magxr.run(shorter, out, engine="blocks", resume=True, **SMALL)
    assert entries(folder) == before


@pytest.mark.parametrize(
    ("path", "content", "message"),
    [
        ("run.json", "{", "damaged"),
        ("run.json", '{"format": "something"}', "another format"),
        ("ledger/grid/0-0.json", "[]", "damaged"),
        ("statistics/grid.npz", "no archive", "damaged"),
    ],
)
def test_foreign_and_corrupted_ledgers(region, tmp_path, bare, monkeypatch, path, content, message):
    out = tmp_path / "out.zarr"
    folder = stopped(region, out, monkeypatch, after=12)
    (folder / path).write_text(content)
    before = entries(folder)
    with pytest.raises(StoreError, match=message) as caught:
        magxr.run(region, out, engine="blocks", resume=True, **SMALL)
    assert str(folder / path) in str(caught.value)
    assert entries(folder) == before


def test_a_folder_that_is_no_run(region, tmp_path, bare):
    folder = tmp_path / "out.zarr.unfinished"
    folder.mkdir()
    (folder / "thesis.txt").write_text("all of it")
    with pytest.raises(StoreError, match=r"no run\.json"):
        magxr.run(region, tmp_path / "out.zarr", engine="blocks", resume=True, **SMALL)
    assert (folder / "thesis.txt").read_text() == "all of it"


def test_a_second_run_on_the_same_store_is_refused(region, tmp_path, bare, monkeypatch):
    out = tmp_path / "out.zarr"
    folder = stopped(region, out, monkeypatch, after=5)
    with (
        Ledger(folder).locked(),
        pytest.raises(StoreError, match=f"at work in .*process {os.getpid()} on"),
    ):
        magxr.run(region, out, engine="blocks", resume=True, **SMALL)


def test_empty_blocks_are_signed(tmp_path, bare, monkeypatch):
    ds = globe()
    ds.anomaly[:, :360] = np.nan
    out = tmp_path / "out.zarr"
    changes = {"chunk": 120, "stride": 40, "steps": 2, "max_gap": 0, "check_spacing": False}
    folder = stopped(ds, out, monkeypatch, after=18 * 4 + 1, **changes, denoise="region")
    signed = [json.loads(p.read_text()) for p in folder.glob("ledger/diffuse/*.json")]
    assert len(signed) == 18
    assert 0 < sum(e["empty"] for e in signed) < 18


@pytest.mark.parametrize(
    ("changes", "error", "message"),
    [
        ({"resume": True, "engine": "graph"}, ParameterError, "engine='blocks'"),
        ({"engine": "parts"}, ParameterError, "engine is 'parts'"),
        ({"engine": "blocks", "chunk": 40}, ChunkError, "chunk=40 is too small"),
        ({"engine": "blocks", "denoise": "tile", "chunk": 210}, ChunkError, "chunk=210 is too small"),
    ],
)
def test_refused_before_anything_is_written(region, tmp_path, changes, error, message):
    with pytest.raises(error, match=message):
        magxr.run(region, tmp_path / "out.zarr", **SMALL | changes)
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_cannot_be_written(region, tmp_path, bare):
    if os.geteuid() == 0:
        pytest.skip("root may write everywhere")
    tmp_path.chmod(0o500)
    with pytest.raises(StoreError, match="cannot write into"):
        magxr.run(region, tmp_path / "out.zarr", engine="blocks", **SMALL)

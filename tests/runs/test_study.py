"""``magxr study``: what it leaves, says and refuses."""

import json

import numpy as np
import pandas as pd
import pytest

from magxr import denoise, grid, remove_outliers, tune
from magxr.cli import main
from magxr.errors import ParameterError, StoreError
from magxr.runs.study import study_gaps, study_hallucination
from magxr.studies import hallucination
from magxr.testing import wavy_sea_floor


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "survey.nc"
    wavy_sea_floor((80, 90)).to_netcdf(path)
    return path


def test_hallucination_leaves_table_parameters_and_picture(file, tmp_path, capsys):
    out = tmp_path / "study"
    arguments = ["--out", str(out), "--seeds", "2", "--steps", "5", "--rho", "3", "--coherent", "0.6"]
    assert main(["study", "hallucination", str(file), *arguments]) == 0
    assert sorted(p.name for p in out.iterdir()) == [f"hallucination.{e}" for e in ("csv", "json", "png")]
    table = pd.read_csv(out / "hallucination.csv")
    assert table.groupby(["field", "stage"]).size().to_dict() == {
        ("map", "after"): 1,
        ("map", "before"): 1,
        ("noise", "after"): 2,
        ("noise", "before"): 2,
    }
    prepared = denoise(grid(remove_outliers(wavy_sea_floor((80, 90)))))
    want = hallucination(prepared, coherent=0.6, seeds=range(2), steps=5, rho=3.0)
    noise = table[(table.field == "noise") & (table.stage == "after")].set_index("seed")
    np.testing.assert_allclose(noise.coherent_share, want.shares.coherent_share.sel(stage="after"))
    about = json.loads((out / "hallucination.json").read_text())
    assert about["coherent"] == 0.6
    assert json.loads(about["diffuse"]) == {"rho": 3.0, "steps": 5}
    assert about["headline"] == want.to_text().splitlines()
    said = capsys.readouterr().out
    assert said.startswith(want.to_text())
    assert f"picture {out / 'hallucination.png'}" in said


def test_a_study_that_cannot_write_leaves_nothing(tmp_path, monkeypatch):
    def full(*_, **__):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(pd.DataFrame, "to_csv", full)
    with pytest.raises(OSError, match="No space left"):
        study_gaps(tmp_path / "study", seeds=2, widths=(4,), side=64, parameters={"steps": 1})
    assert not list(tmp_path.iterdir())


def test_gaps_leaves_table_parameters_and_picture(tmp_path, capsys):
    out = tmp_path / "study"
    arguments = ["--widths", "4", "8", "--seeds", "2", "--side", "64", "--steps", "3", "--noise", "0"]
    assert main(["study", "gaps", "--out", str(out), *arguments]) == 0
    table = pd.read_csv(out / "gaps.csv")
    assert len(table) == 4 * 2 * 2
    assert table.columns[:3].tolist() == ["variant", "width", "seed"]
    assert (table[table.variant == "not hidden"].correlation > 0.999999).all()
    about = json.loads((out / "gaps.json").read_text())
    assert json.loads(about["variants"]) == {
        "splines": None,
        "splines + diffusion": {"steps": 3},
        "splines + diffusion, tracks held": {"steps": 3, "fixed": "measured"},
    }
    assert about["noise"] == 0
    assert (out / "gaps.png").stat().st_size > 10_000
    assert "gaps of 8 cells: correlation with the truth: splines 0." in capsys.readouterr().out


def test_nothing_is_replaced_and_nothing_left_by_what_is_refused(file, tmp_path, capsys):
    assert main(["study", "gaps", "--out", str(tmp_path)]) == 1
    assert "is already there; choose another folder" in capsys.readouterr().err
    new = tmp_path / "new"
    assert main(["study", "gaps", "--out", str(new), "--track", "0"]) == 1
    assert main(["study", "hallucination", str(file), "--out", str(new), "--scheme", "x"]) == 1
    with pytest.raises(ParameterError, match=r"seeds=1 must be a whole number of at least 2"):
        study_gaps(new, seeds=1)
    with pytest.raises(StoreError, match=r"does not exist"):
        study_hallucination(str(file), tmp_path / "a" / "b")
    assert not new.exists()


def test_tune_leaves_report_table_and_picture(tmp_path, capsys):
    y, x = np.mgrid[:128, :128]
    rng = np.random.default_rng(0)
    da = wavy_sea_floor((128, 128))
    da = da.copy(data=(100 * np.sin(2 * np.pi * x / 16) + rng.normal(0, 60, y.shape)).astype("f4"))
    da.to_netcdf(tmp_path / "noisy.nc")
    out = tmp_path / "tuned"
    arguments = ["--out", str(out), "--seeds", "2", "--size", "64", "--stride", "16"]
    assert main(["study", "tune", str(tmp_path / "noisy.nc"), *arguments]) == 0
    assert sorted(p.name for p in out.iterdir()) == [f"tune.{e}" for e in ("csv", "json", "md", "png")]
    want = tune(grid(remove_outliers(da)), size=64, stride=16, seeds=range(2))
    assert want.chosen is not None
    about = json.loads((out / "tune.json").read_text())
    assert about["chosen"] == want.chosen
    table = pd.read_csv(out / "tune.csv")
    np.testing.assert_allclose(table.gain.dropna()[:7], want.table.gain)
    assert (out / "tune.md").read_text() == want.report()
    assert capsys.readouterr().out.startswith(want.to_text())


def test_tune_without_stripes_leaves_a_report_that_says_so(tmp_path, capsys):
    rng = np.random.default_rng(0)
    da = wavy_sea_floor((96, 96))
    da.copy(data=rng.normal(0, 60, da.shape).astype("f4")).to_netcdf(tmp_path / "noise.nc")
    out = tmp_path / "tuned"
    assert main(["study", "tune", str(tmp_path / "noise.nc"), "--out", str(out), "--size", "64"]) == 0
    assert sorted(p.name for p in out.iterdir()) == ["tune.csv", "tune.json", "tune.md"]
    assert "No diffusion" in capsys.readouterr().out

"""Studies of what a run left: files, the numbers of the functions, what is refused, nothing half-written."""

import json

import numpy as np
import pandas as pd
import pytest
import xarray as xr

from magxr.cli import main
from magxr.errors import ModelError, StoreError
from magxr.io import store
from magxr.models.spec import load
from magxr.runs.stored import study_cutoffs, study_neighbours, study_windows
from magxr.steps.calibrate import calibrate
from magxr.studies import cutoffs, neighbours, window_sizes
from magxr.view import votes as figures


@pytest.fixture(scope="module")
def left(tmp_path_factory):
    """A small store as `magxr.run` leaves it, of the demo region, without asking for 5,000 windows."""
    from magxr import classify, diffuse, grid, remove_outliers
    from magxr.synthetic.seafloor import demo_region

    folder = tmp_path_factory.mktemp("run") / "demo.zarr"
    anomaly = diffuse(grid(remove_outliers(demo_region((420, 420), chunks=210)[["anomaly"]])), steps=2)
    raw = classify(anomaly.compute(), stride=50)
    # what a run's probabilities look like: fewer that are sure
    raw["linear_probability"] = (0.25 + 0.5 * raw["linear_probability"]).assign_attrs(
        raw.linear_probability.attrs
    )
    store.write(calibrate(raw, neighbours=5), folder)
    store.write(anomaly, folder / "maps")
    return folder


@pytest.mark.network_model
def test_neighbours_leaves_table_parameters_and_picture(left, tmp_path, capsys):
    out = tmp_path / "study"
    assert (
        main(
            [
                "study",
                "neighbours",
                str(left),
                "--out",
                str(out),
                "--neighbours",
                "1",
                "3",
                "--majority",
                "0.6",
            ]
        )
        == 0
    )
    assert sorted(p.name for p in out.iterdir()) == [f"neighbours.{e}" for e in ("csv", "json", "png")]
    want = neighbours(store.open(left), neighbours=(1, 3), majority=0.6)
    table = pd.read_csv(out / "neighbours.csv")
    assert table.neighbours.tolist() == [1, 3]
    np.testing.assert_allclose(table.percent_linear_area, want.table.percent_linear_area)
    about = json.loads((out / "neighbours.json").read_text())
    assert about["majority"] == 0.6
    assert about["model"] == "default"
    assert about["headline"] == want.to_text().splitlines()
    assert capsys.readouterr().out.startswith(want.to_text())


@pytest.mark.network_model
def test_cutoffs_votes_with_the_runs_neighbours(left, tmp_path):
    out = tmp_path / "study"
    given = ["--keep", "0.3-0.7", "0.4-0.6", "--cut", "0.5", "--majority", "0.5", "0.7", "--ties", "linear"]
    assert main(["study", "cutoffs", str(left), "--out", str(out), *given]) == 0
    want = cutoffs(
        store.open(left),
        neighbours=5,
        keep=[(0.3, 0.7), (0.4, 0.6)],
        cut=[0.5],
        majority=[0.5, 0.7],
        ties="linear",
    ).table
    table = pd.read_csv(out / "cutoffs.csv")
    assert len(table) == 4
    assert table.columns[:3].tolist() == ["keep", "majority", "cut"]
    np.testing.assert_allclose(table.uncertain_share, want.uncertain_share.values.ravel())
    assert json.loads((out / "cutoffs.json").read_text())["neighbours"] == 5


@pytest.mark.network_model
def test_windows_asks_the_runs_model_for_the_runs_map(left, tmp_path, capsys):
    out = tmp_path / "study"
    given = ["--sizes", "1.5", "3", "4.5", "--stride", "0.25", "--tolerance", "10", "--waves", "3"]
    assert main(["study", "windows", str(left), "--out", str(out), *given]) == 0
    maps = store.open(left / "maps")["anomaly"]
    want = window_sizes(maps, sizes=(1.5, 3, 4.5), stride=0.25, tolerance=10, waves=3)
    table = pd.read_csv(out / "windows.csv")
    assert table["size"].tolist() == [1.5, 3, 4.5]
    assert table.trained.tolist() == [True, True, False]
    np.testing.assert_allclose(table.percent_linear, want.table.percent_linear)
    assert want.answers.probability.notnull().any()
    about = json.loads((out / "windows.json").read_text())
    assert about["model"] == "default"
    assert about["waves"] == 3
    assert capsys.readouterr().out.startswith(want.to_text())


@pytest.mark.network_model
def test_a_part_of_the_map(left, tmp_path):
    whole = store.open(left)
    west, east = -117.0, -115.0
    found = study_neighbours(left, tmp_path / "part", bounds=(west, -39, east, -36.5), neighbours=(3,))
    part = whole.sel(lon=slice(west, east), lat=slice(-39, -36.5))
    want = neighbours(part, neighbours=(3,)).table
    assert pd.read_csv(found.table).percent_linear_cells[0] == pytest.approx(want.percent_linear_cells.item())
    assert json.loads(found.table.with_suffix(".json").read_text())["bounds"] == [west, -39, east, -36.5]


@pytest.mark.network_model
def test_what_cannot_be_used_leaves_nothing(left, tmp_path, monkeypatch):
    new = tmp_path / "new"
    store.write(xr.Dataset({"x": ("a", np.zeros(3))}), tmp_path / "other.zarr")
    refused = [
        (study_neighbours, (tmp_path / "none.zarr",), {}, StoreError, "there is no Zarr store"),
        (
            study_cutoffs,
            (tmp_path / "other.zarr",),
            {},
            StoreError,
            r"not what a run leaves: it holds \['x'\]",
        ),
        (study_windows, (left,), {"variable": "denoised"}, StoreError, r"hold \['anomaly'\], not 'denoised'"),
    ]
    for study, given, options, error, message in refused:
        with pytest.raises(error, match=message):
            study(*given, new, **options)
    assert main(["study", "cutoffs", str(left), "--out", str(new), "--cut", "2"]) == 1
    with pytest.raises(StoreError, match="is already there"):
        study_windows(left, tmp_path)

    def broken(*_, **__):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(figures.maps, "blank_figure", broken)
    with pytest.raises(OSError, match="No space"):
        study_neighbours(left, new)
    monkeypatch.undo()
    monkeypatch.setattr(pd.DataFrame, "to_csv", broken)
    with pytest.raises(OSError, match="No space"):
        study_cutoffs(left, new)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["other.zarr"]


def test_only_a_model_that_is_still_the_same_is_taken_by_its_name(tmp_path):
    p = xr.DataArray(
        np.zeros((5, 5), "f4"),
        coords={"lat": np.arange(5.0), "lon": np.arange(5.0)},
        name="linear_probability",
    )
    store.write(p.assign_attrs(model="default", sha256="0" * 64), tmp_path / "a.zarr")
    store.write(p.assign_attrs(model="mine"), tmp_path / "b.zarr")
    store.write(p.assign_attrs(model="default", sha256=load("default").sha256), tmp_path / "c.zarr")
    for path in ("a.zarr", "b.zarr", "c.zarr"):
        store.write((p * 0 + 1.0).rename("anomaly").assign_attrs(units="nT"), tmp_path / path / "maps")
    with pytest.raises(ModelError, match=r"not the one that the run asked \(SHA-256 000000000000\.\.\.\)"):
        study_windows(tmp_path / "a.zarr", tmp_path / "out")
    with pytest.raises(ModelError, match=r"'mine', which does not come with magxr; give its folder"):
        study_windows(tmp_path / "b.zarr", tmp_path / "out")
    for path, model in (("a.zarr", "default"), ("c.zarr", None)):
        with pytest.raises(ValueError, match="does not fit into the map"):  # so the model was taken
            study_windows(tmp_path / path, tmp_path / "out", model=model, sizes=(1, 20))

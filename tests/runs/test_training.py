"""`magxr train`: from a label table to a model that classifies."""

import numpy as np
import pytest

from magxr.cli import main
from magxr.errors import MagxrWarning, ModelError, ParameterError, StoreError
from magxr.io.labels import write_labels
from magxr.io.store import open as open_store
from magxr.models.spec import card, load
from magxr.runs.training import train_from_labels
from magxr.steps.labels import label_windows
from magxr.steps.windows import windows
from magxr.synthetic.scenes import scene


@pytest.mark.network_model
def test_trains_from_a_label_table(tmp_path, capsys, monkeypatch):
    made = scene(14, (700, 700), kind="mixed", holes=False, tracks="full")
    made[["anomaly"]].to_zarr(tmp_path / "map.zarr", consolidated=False)
    cut = windows(made[["anomaly"]], stride=90)
    labels = label_windows(cut, mask=made["linear"], labeller="truth")
    write_labels(labels, tmp_path / "labels.csv")
    out = tmp_path / "model"
    command = [
        "train",
        str(tmp_path / "map.zarr"),
        "--labels",
        str(tmp_path / "labels.csv"),
        "--out",
        str(out),
    ]
    cache = str(tmp_path / "cache")
    command += ["--stride", "90", "--split", "random", "--epochs", "3", "--cache", cache]
    assert main(command) == 0
    assert "test accuracy" in capsys.readouterr().out
    assert load(out).window == 250
    with pytest.raises(StoreError, match="already there"):
        train_from_labels(tmp_path / "map.zarr", tmp_path / "labels.csv", out)

    def no_trunk(*_, **__):
        pytest.fail("the features are in the cache: the trunk has nothing to do")

    monkeypatch.setattr("magxr.models.worker.features", no_trunk)
    command[command.index(str(out))] = str(tmp_path / "folds")
    more = ["--folds", "3", "--members", "2", "--patience", "2", "--checkpoint", str(tmp_path / "state")]
    assert main([*command, *more]) == 0
    report = card(tmp_path / "folds")["training"]
    assert (report["members"], report["folds"], len(report["test_by_fold"])) == (6, 3, 3)
    assert report["test"]["windows"] == np.sum(labels.label.values >= 0)
    assert len(list((tmp_path / "state").iterdir())) == 6
    assert load(tmp_path / "folds").doubt_file().is_file()


def test_a_model_of_few_windows_is_saved_without_its_doubt_and_says_so(tmp_path):
    made = scene(14, (700, 700), kind="mixed", holes=False, tracks="full")
    made[["anomaly"]].to_zarr(tmp_path / "map.zarr", consolidated=False)
    labels = label_windows(windows(made[["anomaly"]], stride=150), mask=made["linear"], labeller="truth")
    write_labels(labels, tmp_path / "labels.csv")
    asked = {"stride": 150, "head": "aligned", "folds": 3, "split": "random"}
    with pytest.warns(
        MagxrWarning, match="will not tell how sure it is: .* blocks with .* windows are too few"
    ):
        made, _ = train_from_labels(
            tmp_path / "map.zarr", tmp_path / "labels.csv", tmp_path / "model", **asked
        )
    assert made.doubt_sha256 is None
    with pytest.raises(ModelError, match=r"cannot tell how sure it is: .*magxr train --folds"):
        made.doubt_file()


@pytest.mark.network_model
def test_trains_a_head_for_one_pass_and_runs_it(tmp_path, capsys):
    """From labels to `magxr run --mode dense`: the same windows, cut from the dense map of the region."""
    made = scene(14, (700, 700), kind="mixed", holes=False, tracks="full")
    made[["anomaly"]].to_zarr(tmp_path / "map.zarr", consolidated=False)
    labels = label_windows(windows(made[["anomaly"]], stride=90), mask=made["linear"], labeller="truth")
    write_labels(labels, tmp_path / "labels.csv")
    asked = {"stride": 90, "form": "dense", "split": "random", "epochs": 3}
    for more, match in (
        ({"form": "fast"}, r"form='fast'; a head is for 'windows' one by one, or 'dense'"),
        ({"head": "aligned"}, r"head='aligned' reads windows, it has no dense form"),
        ({"cache": tmp_path / "cache"}, r"cache= keeps features of windows"),
    ):
        with pytest.raises(ParameterError, match=match):
            train_from_labels(tmp_path / "map.zarr", tmp_path / "labels.csv", tmp_path / "x", **asked | more)
    spec, report = train_from_labels(
        tmp_path / "map.zarr", tmp_path / "labels.csv", tmp_path / "model", **asked
    )
    assert (spec.form, load(tmp_path / "model").form) == ("dense", "dense")
    assert report["test"]["windows"] > 0
    command = ["run", str(tmp_path / "map.zarr"), "--out", str(tmp_path / "out.zarr"), "--units", "nT"]
    command += [
        "--model",
        str(tmp_path / "model"),
        "--mode",
        "dense",
        "--check-spacing",
        "no",
        "--steps",
        "2",
    ]
    assert main(command) == 1
    assert "stride 10 does not fit the dense form" in capsys.readouterr().err
    assert main([*command, "--stride", "24"]) == 0
    found = open_store(tmp_path / "out.zarr")
    assert found.linear_probability.attrs["mode"] == "dense"
    assert int(found.linear_probability.notnull().sum()) == 19 * 19

"""The paper's experiment, small: what it leaves, that it goes on, what it refuses."""

import json

import numpy as np
import pandas as pd
import pytest

from magxr.cli import main
from magxr.errors import MagxrError, ModelError, ParameterError, StoreError
from magxr.runs.paper import study_paper
from magxr.studies.paper.settings import Settings
from tests.age_folder import write_places

SMALL = {
    "windows": 60,
    "unseen": 12,
    "epochs": 3,
    "seeds": 2,
    "shrink": 7,
    "heads": ["pooled"],
    "splits": ["random"],
    "trunk": "mobilenet",
    "weights": ["mobilenet=untrained"],
}


@pytest.fixture(scope="module")
def age(tmp_path_factory):
    return write_places(tmp_path_factory.mktemp("ages"))


@pytest.fixture(scope="module")
def done(age, tmp_path_factory):
    out = tmp_path_factory.mktemp("work") / "study"
    said = []
    return out, study_paper(age, out, say=said.append, ablations=False, **SMALL), said


def cells(out):
    return {p.name: p.stat().st_mtime_ns for p in (out / "cells").iterdir()}


def test_it_leaves_tables_a_page_and_a_picture(done):
    out, result, said = done
    assert {p.name for p in out.glob("paper.*")} == {
        f"paper.{e}" for e in ("md", "html", "csv", "json", "png")
    }
    table = pd.read_csv(result.table)
    assert table.name.tolist() == [
        "mobilenet (untrained), pooled head, not diffused",
        "mobilenet (untrained), pooled head, diffused (paper's rule)",
        "vgg16-hed, pooled head, diffused (paper's rule)",
        "mobilenet (untrained), pooled head, diffused (paper's rule)",
    ]
    assert table.paper.tolist()[:2] == [91.0, 98.6]
    assert ((table.blocks_low <= table.test) & (table.test <= table.blocks_high)).all()
    assert ((table.wilson_low < table.test) & (table.test < table.wilson_high)).all()
    assert (table.azores_windows > 0).all()
    assert table.shatsky_called_linear.between(0, 100).all()
    assert (out / "areas.png").stat().st_size > 10_000
    text = (out / "paper.md").read_text()
    assert "## The three models of Fig. 9" in text
    assert "## Backbones (Table S5)" in text
    assert "nan" not in text
    assert "Shrunk: cells are 7 times wider" in text
    page = (out / "paper.html").read_text()
    assert "default-src 'none'" in page
    assert "<script" not in page
    assert result.headline.count("split random") == 4
    assert any("replica, gridding" in line for line in said)
    assert not [p for p in out.rglob(".*") if p.is_file() and p.suffix == ".json"]


def test_the_answers_make_the_accuracy(done):
    out, result, _ = done
    table = pd.read_csv(result.table)
    trained = [json.loads(p.read_text()) for p in (out / "cells").iterdir()]
    trained = [t for t in trained if t["about"]["piece"] == "training" and t["about"]["diffusion"] == "off"]
    assert len(trained) == 2
    means = []
    for one in trained:
        answers = one["result"]["answers"]
        right = (np.array(answers["probability"]) >= 0.5) == (np.array(answers["label"]) == 1)
        assert len(right) == one["result"]["windows"]["test"] == 12
        means.append(right.mean())
    assert table.test[0] == pytest.approx(100 * np.mean(means))
    assert len({tuple(t["result"]["answers"]["window"]) for t in trained}) == 2  # seeds draw other tests


def test_a_finished_study_is_not_computed_again(done, age, monkeypatch):
    out, result, _ = done
    before, table = cells(out), result.table.read_text()

    def never(*_, **__):
        pytest.fail("trained again")

    monkeypatch.setattr("magxr.studies.paper.learn.train_on_features", never)
    monkeypatch.setattr("magxr.studies.paper.ground.dataset", never)
    again = study_paper(age, out, ablations=False, **SMALL)
    assert cells(out) == before
    assert again.table.read_text() == table


def test_an_interrupted_study_goes_on(done, age, tmp_path, monkeypatch):
    import shutil

    out = tmp_path / "study"
    shutil.copytree(done[0], out)
    names = sorted(cells(out))
    (out / "cells" / names[0]).unlink()
    (out / "cells" / names[1]).write_text("{ cut sho")
    made = []
    from magxr.studies.paper import learn

    def counted(*args, **kwargs):
        made.append(kwargs["head"])
        return train(*args, **kwargs)

    train = learn.train_on_features
    monkeypatch.setattr(learn, "train_on_features", counted)
    again = study_paper(age, out, ablations=False, **SMALL)
    assert made == ["pooled", "pooled"]
    assert again.table.read_text() == done[1].table.read_text()
    assert sorted(cells(out)) == names


def test_another_setting_is_another_piece(done, age, tmp_path):
    import shutil

    out = tmp_path / "study"
    shutil.copytree(done[0], out)
    before = cells(out)
    study_paper(age, out, ablations=False, **SMALL | {"epochs": 2, "weights": ["mobilenet=untrained"]})
    after = cells(out)
    assert before.items() <= after.items()
    assert len(after) == 2 * len(before)


def test_what_cannot_be_done_is_refused_and_leaves_nothing(age, tmp_path, capsys):
    out = tmp_path / "study"

    def refused(error, match, **changes):
        with pytest.raises(error, match=match):
            study_paper(**{"age": age, "out": out, **SMALL, **changes})
        assert not list(tmp_path.iterdir())

    refused(StoreError, "the folder of age grids .* does not exist", age=tmp_path / "nowhere")
    refused(ParameterError, "windows=7 must be a whole number of at least 30", windows=7)
    refused(ParameterError, "'alexnet' is no choice of models", models=["alexnet"])
    refused(ParameterError, r"heads=\['pooled', 'pooled'\] is no choice of heads", heads=["pooled"] * 2)
    refused(ParameterError, "'place' is no setting of this study", place="atlantis")
    refused(ParameterError, "weights 'vgg19' must be name=path", weights=["vgg19"])
    refused(ParameterError, "'mobilenet' needs 32; shrink by 7 at most", shrink=8)
    refused(ModelError, "unknown trunk 'vgg18'", weights=[*SMALL["weights"], "vgg18=untrained"])
    refused(ModelError, "comes without weights", trunk="vgg19")
    refused(StoreError, "in which 'study' would be made, does not exist", out=tmp_path / "no" / "study")
    assert main(["study", "paper", "--age", str(age), "--out", str(out), "--seeds", "0"]) == 1
    assert "seeds=0 must be a whole number of at least 1" in capsys.readouterr().err


def test_a_folder_of_something_else_is_not_touched(age, tmp_path):
    other = tmp_path / "thesis"
    other.mkdir()
    (other / "paper.md").write_text("mine")
    with pytest.raises(StoreError, match="is no folder of this study"):
        study_paper(age, other, **SMALL)
    (other / "study.json").write_text('["magxr-paper-study"]')
    with pytest.raises(StoreError, match="is no folder of this study"):
        study_paper(age, other, **SMALL)
    assert (other / "paper.md").read_text() == "mine"
    assert issubclass(StoreError, MagxrError)


def test_more_windows_than_there_are_is_told(age, tmp_path):
    with pytest.raises(ParameterError, match=r"windows=90000 is more than the \d+ that the areas give"):
        study_paper(age, tmp_path / "study", **SMALL | {"windows": 90000, "unseen": 0, "models": ["raw"]})


def test_the_defaults_are_the_papers():
    settings = Settings()
    assert (settings.windows, settings.epochs, settings.window, settings.stride) == (851, 25, 250, 50)
    assert settings.stages == ("off", "default", "paper", "tuned")

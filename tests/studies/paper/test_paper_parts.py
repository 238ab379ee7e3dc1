"""Parts of the paper's experiment: windows, diffusions, pooled features, scores, the ledger."""

import json

import numpy as np
import pytest

import magxr
from magxr.errors import ParameterError
from magxr.models import worker
from magxr.models.evaluate import wilson
from magxr.models.split import LEFT_OUT, TEST, TRAIN, VALIDATION
from magxr.runs.paper import study_paper
from magxr.studies.paper import ground
from magxr.studies.paper.diffusions import parameters
from magxr.studies.paper.ground import Ground, labels, surveyed
from magxr.studies.paper.learn import pooled
from magxr.studies.paper.ledger import key_of, open_ledger
from magxr.studies.paper.rows import Row, comparable, plan
from magxr.studies.paper.score import line, ties
from magxr.studies.paper.settings import Settings
from magxr.studies.paper.windows import training, unseen
from magxr.studies.tuning import tune
from magxr.synthetic.places import PLACES, TRAINING, place
from tests.age_folder import write_places


@pytest.fixture(scope="module")
def age(tmp_path_factory):
    return write_places(tmp_path_factory.mktemp("ages"))


@pytest.fixture(scope="module")
def areas(age, tmp_path_factory):
    ledger = open_ledger(tmp_path_factory.mktemp("work") / "study")
    settings = Settings(windows=300, shrink=7)
    where = [surveyed(place(name), 7) for name in TRAINING]
    return tuple(Ground(p, p.replica(age), settings, ledger) for p in where)


def test_windows_come_in_the_papers_proportions_and_are_labelled_by_its_rule(areas):
    chosen = training(areas, "clear")
    assert len(chosen) == 300
    assert int(np.sum(chosen.area == 0)) == round(300 * 277 / 851)
    linear, visible = chosen.table[:, 2], chosen.table[:, 3]
    assert ((linear[chosen.label == 1] >= 0.7) & (visible[chosen.label == 1] >= 0.7)).all()
    assert (linear[chosen.label == 0] <= 0.3).all()
    maps = areas[0].gridded()
    row, col = chosen.positions[0, 1:]
    size = areas[0].settings.window
    cells = maps["linear"][row : row + size, col : col + size]
    assert cells.mean() == pytest.approx(linear[0])
    values = chosen.values("off")
    np.testing.assert_array_equal(values[0], maps["denoised"][row : row + size, col : col + size])


def test_the_rise_has_the_papers_288_windows_however_shrunk(areas):
    assert abs(len(areas[0].table()) - 288) <= 20  # 50 cells are no multiple of 7
    assert PLACES["epr"].shape == (240, 264)


def test_a_blocked_split_shares_no_cell(areas):
    chosen = training(areas, "clear")
    codes, how = chosen.split("block", 0)
    where, size = chosen.positions, areas[0].settings.window
    for mine, other in ((TRAIN, TEST), (TRAIN, VALIDATION), (VALIDATION, TEST)):
        a, b = where[codes == mine], where[codes == other]
        far = np.abs(a[:, None, 1:] - b[None, :, 1:]).max(axis=2) >= size
        assert (far | (a[:, None, 0] != b[None, :, 0])).all()
    assert how == {"left_out": int(np.sum(codes == LEFT_OUT)), "leakage": 0.0}
    assert chosen.split("random", 0)[1]["leakage"] > 0.2


def test_a_rule_of_labels_is_one_of_two():
    table = np.array([[0, 0, 0.8, 0.9, 0], [0, 0, 0.8, 0.5, 0], [0, 0, 0.6, 0.9, 0], [0, 0, 0.2, 0.1, 0.0]])
    table = np.vstack([table, [0, 0, 0.9, 0.9, 0.3]])
    assert labels(table).tolist() == [1, -1, -1, 0, -1]
    assert labels(table, "majority").tolist() == [1, 1, 1, 0, -1]


def test_unseen_windows_hold_ambiguous_ones_but_no_holes(areas):
    found = unseen(areas[1])
    assert len(found) == areas[1].settings.unseen
    assert set(found.label) == {-1, 0, 1}
    assert (found.table[:, 4] <= 0.2).all()


def test_diffusions_follow_the_width_of_an_anomaly():
    epr, shatsky = PLACES["epr"], PLACES["shatsky"]
    assert parameters("off", epr, 0.445) is None
    assert parameters("default", epr, 0.445) == {"sigma": 1.0, "rho": 4.0, "steps": 20, "tau": 0.25}
    how = parameters("paper", epr, 0.5)
    assert how["rho"] == 20.0  # 10 km
    assert np.sqrt(2 * how["time"]) == pytest.approx(20.0)
    assert parameters("paper", shatsky, 0.5)["rho"] == 80.0
    with pytest.raises(ParameterError, match="unknown diffusion 'tuned'"):
        parameters("tuned", epr, 0.5)


def test_every_map_is_diffused_as_the_tuner_says_of_it_and_asked_once(areas, monkeypatch):
    asked = []

    def tuned(da, **how):
        asked.append((da, how))
        return tune(da, candidates={"one": {"steps": 2}}, made_up=1.0, **how)

    monkeypatch.setattr(ground, "tune", tuned)
    area = areas[0]
    found = area.tuned()
    (da, how), maps = asked[0], area.gridded()
    assert how == {"size": 35, "stride": 7, "variances": ()}
    np.testing.assert_array_equal(da.values, maps["denoised"])
    np.testing.assert_array_equal(da["filled"].values, maps["filled"])
    assert found["diffuse"] in (None, {"steps": 2})
    assert (found["diffuse"] is None) == ("No diffusion" in found["told"][0])
    assert area.tuned() == found
    assert len(asked) == 1
    want = maps["denoised"] if found["diffuse"] is None else magxr.diffuse(da, steps=2).values
    np.testing.assert_array_equal(area.diffused("tuned"), want)


def test_pooling_flat_features_is_pooling_in_the_network():
    windows = np.random.default_rng(0).normal(0, 50, (2, 40, 40)).astype("f4")
    flat = worker.features("mobilenet", windows, trunk_weights="untrained", kind="flat")
    want = worker.features("mobilenet", windows, trunk_weights="untrained", kind="pooled")
    np.testing.assert_allclose(pooled(flat, 1024), want, rtol=1e-3, atol=1e-4)


def result(right, count=20, probability=0.9):
    """Return a training that got the first ``right`` of ``count`` test windows, of which half are linear."""
    label = [1] * (count // 2) + [0] * (count - count // 2)
    good = np.arange(count) < right
    p = np.where(np.array(label) == 1, probability, 1 - probability)
    p = np.where(good, p, 1 - p)
    answers = {"window": list(range(count)), "label": label, "block": [i // 2 for i in range(count)]}
    return {
        "windows": {"train": 60, "test": count},
        "leakage": 0.25,
        "train": 1.0,
        "validation": 0.9,
        "test": right / count,
        "attempts": 1,
        "parameters": 7,
        "answers": {**answers, "probability": p.tolist()},
        "unseen": {},
    }


ROWS = {m: Row("fig9", m, d, "pooled", "vgg16-hed") for m, d in (("raw", "off"), ("diffused", "paper"))}


def test_a_line_is_the_mean_over_seeds_with_both_intervals():
    found = line(ROWS["raw"], "random", [result(20), result(16)])
    assert (found["test"], found["lowest"], found["highest"]) == (90.0, 80.0, 100.0)
    assert found["paper"] == 91.0
    np.testing.assert_allclose(
        [found["wilson_low"], found["wilson_high"]], 100 * np.array(wilson(18, 20)), rtol=1e-12
    )
    assert found["blocks_low"] < 90.0 < found["blocks_high"]
    assert found["leakage"] == 25.0
    failed = line(ROWS["raw"], "random", [{**result(20), "failed": "training collapsed"}])
    assert "test" not in failed
    assert failed["failed"] == 1


def test_ties_are_told_from_differences():
    same = {(ROWS["raw"], "block"): [result(18)], (ROWS["diffused"], "block"): [result(18)]}
    assert ties(same, list(ROWS.values()), "block").letters == ("a", "a")
    apart = {(ROWS["raw"], "block"): [result(2)], (ROWS["diffused"], "block"): [result(20)]}
    ranked = ties(apart, list(ROWS.values()), "block")
    assert ranked.names[0] == ROWS["diffused"].name
    assert ranked.letters == ("a", "b")
    other = {(ROWS["raw"], "block"): [result(18)], (ROWS["diffused"], "block"): [result(18, count=22)]}
    with pytest.raises(ParameterError, match="not tested on the same windows"):
        ties(other, list(ROWS.values()), "block")
    assert ties({(ROWS["raw"], "block"): [result(3)]}, list(ROWS.values()), "block") is None


def test_the_plan_names_every_row_once():
    everything = Settings(models=("cnn", "raw", "diffused"), weights={"resnet18": "untrained"})
    rows = plan(everything)
    assert len(set(rows)) == len(rows) == 1 + 4 + 6 + 4
    assert rows[0].name == "CNN, not diffused"
    assert "resnet18 (untrained), dense head, diffused (paper's rule)" in [r.name for r in rows]
    assert {r.labels for r in comparable(rows, "ablation")} == {"clear"}
    assert {r.diffusion for r in comparable(rows, "ablation")} == {"off", "default", "paper", "tuned"}
    assert [r.part for r in plan(Settings(ablations=False))] == ["fig9"] * 4


def test_a_ledger_makes_a_piece_once_and_mends_damage(tmp_path):
    ledger = open_ledger(tmp_path / "study")
    made = []

    def make():
        made.append(1)
        return {"value": (1, 2.5)}

    assert ledger.cell({"a": 1}, make) == {"value": [1, 2.5]}
    assert open_ledger(tmp_path / "study").cell({"a": 1}, make) == {"value": [1, 2.5]}
    assert len(made) == 1
    ledger.cell({"a": 2}, make)
    assert len(made) == 2
    path = tmp_path / "study" / "cells" / f"{key_of({'a': 1})}.json"
    path.write_text(path.read_text()[:-9])
    assert ledger.cell({"a": 1}, make) == {"value": [1, 2.5]}
    assert len(made) == 3
    assert json.loads(path.read_text())["about"] == {"a": 1}
    arrays = ledger.arrays({"b": 1}, lambda: {"x": np.arange(3)})
    np.testing.assert_array_equal(ledger.arrays({"b": 1}, lambda: {})["x"], arrays["x"])
    (tmp_path / "study" / "maps" / f"{key_of({'b': 1})}.npz").write_bytes(b"PK\x03\x04 no archive")
    assert ledger.arrays({"b": 1}, lambda: {"x": np.ones(1)})["x"].tolist() == [1.0]


def test_an_interrupted_piece_is_not_there(tmp_path):
    ledger = open_ledger(tmp_path / "study")

    def stopped():
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        ledger.cell({"a": 1}, stopped)
    with pytest.raises(KeyboardInterrupt):
        ledger.arrays({"a": 1}, stopped)
    assert sorted(p.name for p in ledger.folder.rglob("*") if p.is_file()) == ["study.json"]


def test_the_cnn_is_trained_and_tested_as_the_others(age, tmp_path):
    result = study_paper(
        age, tmp_path / "study", models=["cnn"], windows=60, unseen=8, epochs=1, seeds=1, shrink=7,
        splits=["random"], ablations=False,
    )  # fmt: skip
    assert result.headline.startswith("CNN, not diffused, split random: ")
    assert result.headline.endswith("(paper 78)")

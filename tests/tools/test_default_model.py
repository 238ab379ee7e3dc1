"""The script that makes the shipped model: labels, windows of a scene, head and card."""

import importlib.util
from pathlib import Path

import numpy as np
import pytest

from magxr.models import spec

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def script():
    where = importlib.util.spec_from_file_location("default_model", ROOT / "tools" / "default_model.py")
    module = importlib.util.module_from_spec(where)
    where.loader.exec_module(module)
    return module


def rows(script, **columns):
    size = max(np.size(v) for v in columns.values())
    table = np.zeros((size, len(script.COLUMNS)))
    for name, values in columns.items():
        table[:, script.COLUMNS.index(name)] = values
    return table


def test_labels_by_the_70_percent_rule_and_by_what_can_be_seen(script):
    table = rows(script, linear=[1.0, 0.7, 0.69, 0.31, 0.3, 0.0, 1.0], visible=[1, 0.7, 1, 1, 0, 0, 0.69])
    assert script.labels_of(table).tolist() == [1, 1, -1, -1, 0, 0, -1]
    assert script.labels_of(table, visible=0.5).tolist() == [1, 1, -1, -1, 0, 0, 1]


@pytest.mark.slow
def test_a_scene_gives_the_same_windows_again(script, tmp_path):
    seed, count = script._write_scene(tmp_path, 3)
    with np.load(tmp_path / "scene-3.npz", allow_pickle=False) as made:
        maps, table = made["maps"], made["table"]
    assert (seed, len(table)) == (3, count)
    assert maps.dtype == np.float32
    assert maps.shape[0] == 2
    assert min(maps.shape[1:]) >= script.SIDE - 5
    column = {name: table[:, i] for i, name in enumerate(script.COLUMNS)}
    assert count > 0
    assert column["missing"].max() <= script.MISSING
    for name in ("linear", "measured", "noise"):
        assert 0 <= column[name].min() <= column[name].max() <= 1
    assert set(column["row"] % script.STRIDE) == {0}
    again, same = script.window_rows(3)
    np.testing.assert_array_equal(again, maps)
    np.testing.assert_array_equal(same, table)


def test_head_and_card_from_features(script, tmp_path):
    rng = np.random.default_rng(0)
    size = 600
    linear = rng.integers(0, 2, size).astype(float)
    scene = np.repeat(np.arange(60), 10)
    table = rows(
        script,
        scene=np.where(scene < 40, scene, script.FIRST_TEST + scene),
        stage=np.arange(size) % 2,
        linear=linear,
        visible=1.0,
        measured=rng.random(size),
        noise=(linear == 0) & (scene % 4 == 0),
        spacing=0.72,
    )
    features = (rng.normal(size=(size, 1024)) + 0.3 * linear[:, None]).astype("f2")
    np.savez(tmp_path / "features-0.npz", features=features[:350], table=table[:350])
    np.savez(tmp_path / "features-1.npz", features=features[350:], table=table[350:])
    script.make_head(tmp_path, tmp_path / "default", epochs=5, weight_decay=0.0)
    made = spec.load(tmp_path / "default")
    assert (made.name, made.window, made.spacing) == ("default", 250, (0.36, 1.0))
    card = spec.card(tmp_path / "default")
    assert card["training"]["test"]["windows"] == 200
    assert card["training"]["train"]["windows"] + card["training"]["validation"]["windows"] == 400
    assert card["training"]["test"]["accuracy"] > 0.9
    low, high = card["training"]["test"]["balanced_interval_by_scene"]
    assert low <= card["training"]["test"]["balanced_accuracy"] <= high
    assert {"test, gridded", "test, diffused", "test, sparser"} <= set(card["evaluation"])
    text = (tmp_path / "default" / "card.md").read_text()
    assert "windows of noise with the spectrum of stripes" in text
    assert "## Limits" in text

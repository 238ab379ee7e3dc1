"""The scripts that make the shipped models: labels, windows of a scene, head and card."""

import numpy as np
import pytest

from magxr.models import spec


def rows(tw, **columns):
    size = max(np.size(v) for v in columns.values())
    table = np.zeros((size, len(tw.COLUMNS)))
    for name, values in columns.items():
        table[:, tw.COLUMNS.index(name)] = values
    return table


def test_labels_by_the_70_percent_rule_and_by_what_can_be_seen(tw):
    table = rows(tw, linear=[1.0, 0.7, 0.69, 0.31, 0.3, 0.0, 1.0], visible=[1, 0.7, 1, 1, 0, 0, 0.69])
    assert tw.labels_of(table).tolist() == [1, 1, -1, -1, 0, 0, -1]
    assert tw.labels_of(table, visible=0.5).tolist() == [1, 1, -1, -1, 0, 0, 1]


@pytest.mark.slow
def test_a_scene_gives_the_same_windows_again(script, tw, tmp_path):
    model = script("default_model")
    count = tw.quietly(model.write_windows, tmp_path, 3)
    made, table, features = tw.read(tmp_path, "maps", "table", "features")
    assert len(table) == len(features) == count > 0
    assert made.dtype == np.float32
    assert made.shape[0] == 2
    assert min(made.shape[1:]) >= model.SIDE - 5
    column = tw.columns(table)
    assert column["missing"].max() <= tw.MISSING
    for name in ("linear", "measured", "noise", "patchwork"):
        assert 0 <= column[name].min() <= column[name].max() <= 1
    assert set(column["row"] % tw.STRIDE) == {0}
    again, same = tw.scene_windows(3, model.SIDE)
    np.testing.assert_array_equal(again, made)
    np.testing.assert_array_equal(same, table)
    windows = tw.cut(made, table)
    assert windows.shape == (count, tw.WINDOW, tw.WINDOW)
    stage, row, col = table[-1, 1:4].astype(int)
    np.testing.assert_array_equal(windows[-1], made[stage, row : row + 250, col : col + 250])


@pytest.fixture
def work(tw, tmp_path):
    """Sixty scenes of ten windows, as the script keeps them, whose features tell the classes apart."""
    rng = np.random.default_rng(0)
    for number in range(60):
        linear = rng.integers(0, 2, 10).astype(float)
        seed = number if number < 40 else tw.FIRST_TEST + number
        table = rows(
            tw, scene=seed, stage=np.arange(10) % 2, linear=linear, visible=1.0, measured=rng.random(10),
            noise=(linear == 0) & (number % 4 == 0), spacing=0.72, texture=np.where(linear == 0, 6.0, -1.0),
        )  # fmt: skip
        features = (rng.normal(size=(10, 66)) + 0.8 * linear[:, None]).astype("f4")
        maps = rng.normal(size=(2, 250, 250)).astype("f4")
        tw.keep(tmp_path, seed, maps=maps, table=table, features=features)
        pooled = rng.normal(size=(10, 1024)) + 0.3 * linear[:, None]
        np.save(tmp_path / f"vgg16-scene-{seed}.npy", pooled.astype("f2"))
    return tmp_path


def test_the_default_model_from_features(script, work):
    script("default_model").make_model(work, work / "default", work / "pictures")
    made = spec.load(work / "default")
    assert (made.name, made.window, made.spacing, made.head) == ("default", 250, (0.36, 1.0), "radial")
    assert made.doubt_file().is_file()
    card = spec.card(work / "default")
    assert card["training"]["test"]["windows"] == 400  # each once, by heads that had not seen its scene
    assert card["evaluation"]["unseen"]["windows"] == 200
    assert card["evaluation"]["unseen"]["accuracy"] > 0.9
    low, high = card["training"]["test"]["balanced_interval_by_scene"]
    assert low <= card["training"]["test"]["balanced_accuracy"] <= high
    assert {"test, half measured", "unseen, half measured, diffused", "unseen, sparser"} <= set(
        card["evaluation"]
    )
    text = (work / "default" / "card.md").read_text()
    for part in ("windows of noise with the spectrum of stripes", "dykes", "stated coverage", "## Limits"):
        assert part in text
    assert {p.name for p in (work / "pictures").iterdir()} == {
        "default-roc.png", "default-reliability.png", "default-counts.png", "default-examples.png",
    }  # fmt: skip


def test_the_transfer_model_from_features(script, work):
    script("transfer_model").make_head(work, work / "transfer", weight_decay=0.0)
    made = spec.load(work / "transfer")
    assert (made.name, made.trunk, made.head) == ("transfer", "vgg16-hed", "pooled")
    assert spec.card(work / "transfer")["evaluation"]["unseen"]["accuracy"] > 0.9

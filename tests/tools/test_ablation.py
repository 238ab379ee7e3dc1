"""The script that says what each choice of the default model is worth: rows, folds, kept answers, table."""

from dataclasses import replace

import numpy as np
import pytest

from magxr.errors import StoreError
from magxr.kernels.alignment import NAMES, alignment
from magxr.models import split as splits

SCENES = 60


@pytest.fixture(scope="module")
def ablation(script):
    return script("ablation")


@pytest.fixture(scope="module")
def judge(script):
    return script("ablation_judge")


@pytest.fixture(scope="module")
def out(script, ablation, tmp_path_factory):
    """Scenes of ten windows whose stacks alone tell the classes apart, and one test scene nobody may read."""
    tw, folder = script("training_windows"), tmp_path_factory.mktemp("scenes")
    stacks = np.array([n in ablation.FAMILIES["stacks"] for n in NAMES])
    rng = np.random.default_rng(0)
    for seed in range(SCENES):
        linear = rng.integers(0, 2, 10).astype(float)
        known = {
            "scene": seed, "stage": np.arange(10) % 2, "linear": linear, "visible": 1.0,
            "measured": np.arange(10) % 3 / 2, "noise": (linear == 0) & (seed % 4 == 0),
            "spacing": 0.72 if seed % 2 else 0.5, "patchwork": seed % 5 == 0,
        }  # fmt: skip
        table = np.zeros((10, len(tw.COLUMNS)))
        for name, values in known.items():
            table[:, tw.COLUMNS.index(name)] = values
        features = rng.normal(size=(10, len(NAMES))) + 1.2 * linear[:, None] * stacks
        tw.keep(folder, seed, table=table, features=features.astype("f4"))
        if seed % 6 == 0:
            pooled = rng.normal(size=(10, 1024)) + linear[:, None]
            np.save(folder / f"vgg16-scene-{seed}.npy", pooled.astype("f2"))
    (folder / f"scene-{tw.FIRST_TEST}.npz").write_bytes(b"closed")
    return folder


@pytest.fixture(scope="module")
def data(judge, out, tmp_path_factory):
    return judge.read(out, tmp_path_factory.mktemp("kept"))


def balanced(data, answers):
    right = (answers >= 0.5) == (data.label == 1)
    return np.mean([right[data.label == c].mean() for c in (0, 1)])


def cheap(ablation):
    return [r for r in ablation.ROWS if r.number in (1, 2, 3, 4, 5, 6, 8, 10)]


def test_every_number_is_of_one_family_or_of_the_values_alone(ablation):
    families = [n for family in ablation.FAMILIES.values() for n in family]
    assert len(set(families)) == len(families)
    assert set(NAMES) - set(families) == {"spread over quartiles", "tails"}


def test_the_rows_run_and_make_a_table(ablation, judge, data):
    known = {r.name: r for r in ablation.ROWS}
    assert len(known) == len(ablation.ROWS)
    assert all(r.control in known for r in ablation.ROWS if r.control)
    rows = cheap(ablation)
    lines = judge.table(data, rows, known).splitlines()
    assert len(lines) == len(rows) + 2
    assert {line.count("|") for line in lines} == {11}
    assert len({line.split("|")[2] for line in lines[2:]}) == len(rows)
    first = [cell.strip() for cell in lines[2].split("|")]
    assert first[2:4] == [judge.SHIPPED, str(10 * SCENES)]
    assert first[7:9] == ["", ""]
    some = next(line for line in lines if "judged on patchworks" in line)
    assert f"| {10 * SCENES // 5} |" in some


def test_a_needed_family_costs_much_and_a_useless_one_nothing(ablation, judge, data):
    known = {r.name: r for r in ablation.ROWS}
    shipped = balanced(data, judge.kept(data, known[judge.SHIPPED]))
    assert shipped > 0.9
    assert balanced(data, judge.kept(data, known["without stacks"])) < 0.6
    assert balanced(data, judge.kept(data, known["the structure tensor alone"])) < 0.6
    assert balanced(data, judge.kept(data, known["without wave bands"])) > shipped - 0.03
    text = judge.table(data, [known["without stacks"], known["without wave bands"]], known).splitlines()
    assert "tie" not in text[2]
    assert text[3].count("tie") == 2


def test_what_may_not_be_learnt_from_changes_no_answer(judge, data):
    """Labels of windows outside the mask are turned over: nothing may come of it."""
    learn = data.scene % 2 == 0
    turned = replace(data, label=np.where(learn, data.label, 1 - data.label))
    np.testing.assert_array_equal(judge.unseen(data, learn=learn), judge.unseen(turned, learn=learn))
    assert not np.array_equal(judge.unseen(data), judge.unseen(turned))


def test_no_scene_is_tested_by_heads_that_learnt_from_it(data):
    for codes in data.codes:
        assert not set(data.scene[codes == splits.TEST]) & set(data.scene[codes != splits.TEST])
    assert ((data.codes == splits.TEST).sum(axis=0) == 1).all()


def test_as_many_windows_of_whole_scenes(ablation, data):
    drawn = ablation.of_scenes(data, 205)
    assert drawn.sum() == 200
    assert set(data.scene[drawn]).isdisjoint(data.scene[~drawn])
    assert (ablation.of_scenes(data, 100) <= drawn).all()


def test_answers_are_kept_and_those_to_other_windows_refused(ablation, judge, data, tmp_path):
    own = replace(data, keep=tmp_path)
    made = []

    def make(given):
        made.append(given)
        return np.full(given.label.size, 0.5, "f4")

    row = judge.Row(1, "0.72' once", make)
    np.testing.assert_array_equal(judge.kept(own, row), judge.kept(own, row))
    assert len(made) == 1
    with pytest.raises(StoreError, match="other windows"):
        judge.kept(replace(own, label=1 - own.label), row)


def test_vgg16_without_features_is_refused(script, data, tmp_path):
    moved = replace(data, files=tuple(tmp_path / f.name for f in data.files))
    with pytest.raises(StoreError, match="10 of 10 scenes have no features, vgg16-scene-0"):
        script("ablation_vgg").logistic(moved)


def test_components_know_nothing_of_other_windows(script):
    vgg = script("ablation_vgg")
    values = np.random.default_rng(0).normal(size=(80, 40)).astype("f4")
    values[:, 7] = 3.0
    learn = np.arange(80) < 50
    found = vgg.components(values, learn)
    assert found.shape == (80, vgg.COMPONENTS)
    values[60:] += 5.0
    np.testing.assert_array_equal(vgg.components(values, learn)[:60], found[:60])


def test_no_cut_holds_inside_only(ablation):
    rows = np.sin(np.arange(64) / 4.0)
    window = np.broadcast_to(rows, (1, 64, 64)).copy()
    window[0, 20:26, 20:26] = 50.0
    cut = alignment(window)
    with ablation.no_cut():
        assert np.abs(alignment(window) - cut).max() > 0.1
    np.testing.assert_array_equal(alignment(window), cut)


def test_a_tile_is_one_block(script, judge):
    tiles = script("ablation_tiles")
    both = np.hstack([tiles._block(k) for k in range(2)])
    assert both.shape == (judge.FOLDS, 2)
    assert ((both == splits.TEST).sum(axis=0) == 1).all()
    assert both[:, 0].tolist() != both[:, 1].tolist()


@pytest.mark.network_model
def test_a_channel_without_values_leaves_the_tuned_block_finite(script):
    """The standard deviation of a constant channel has no slope: a NaN there gave 0.5 for every window."""
    from magxr.models import engine
    from magxr.models.pooled_head import PooledHead

    vgg, keras = script("ablation_vgg"), engine.start()
    ones = np.ones(1024, "f4")
    model = vgg._with_head(keras, vgg._last_block(keras), PooledHead(0 * ones, ones, 0.01 * ones, 0.0))
    before = [w.copy() for w in model.get_weights()]
    model.train_on_batch(np.zeros((2, 15, 15, 512), "f4"), np.array([0.0, 1.0], "f4"))
    after = model.get_weights()
    assert all(np.isfinite(w).all() for w in after)
    assert any(not np.array_equal(a, b) for a, b in zip(after, before, strict=True))

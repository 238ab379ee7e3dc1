"""A model with a head for each form: written, read, checked by hash, refused where they do not fit."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from magxr.errors import ModelError
from magxr.models import card, spec, worker
from magxr.models.explanation import explain_window
from magxr.models.features import Features, InMemory, recipe
from magxr.models.folds import fold_codes
from magxr.models.second import add_dense
from magxr.models.train import Protocol, train_on_features
from magxr.models.trained import TrainedModel

REPORT = {"head": "pooled", "parameters": 1025, "protocol": {"epochs": 25}, "optimiser": "none"}


@pytest.fixture
def pair(random_head):
    window = TrainedModel(random_head, "vgg16-hed", None, 64, REPORT)
    return window, replace(window, form="dense", head=replace(random_head, bias=0.7))


def saved_both(pair, folder):
    card.save(pair[0], folder, spacing=(0.5, 1), trained_on="nothing")
    return add_dense(folder, pair[1])


def test_both_heads_are_written_and_read(pair, tmp_path):
    first = pair[0].save(tmp_path / "both", spacing=(0.5, 1), trained_on="nothing")
    made = add_dense(tmp_path / "both", pair[1])
    assert replace(made, dense_sha256=None) == first
    again = spec.load(tmp_path / "both")
    assert again == made
    path, sha256 = again.dense_head()
    assert (path.name, sha256) == ("dense.npz", made.dense_sha256)
    assert path.read_bytes() == pair[1].head.to_bytes()
    assert (again.form, again.normalisation) == ("windows", "minmax")
    text = (tmp_path / "both" / "card.md").read_text()
    assert "## Dense form" in text
    assert made.dense_sha256 in text
    assert spec.card(tmp_path / "both")["dense"]["head"] == "pooled"
    assets = json.loads((tmp_path / "both" / "mlm.json").read_text())["assets"]
    assert made.dense_sha256 in assets["dense"]["title"]
    assert (tmp_path / "both" / assets["dense"]["href"]).is_file()


def test_a_changed_or_missing_second_head_is_refused(pair, tmp_path):
    made = saved_both(pair, tmp_path / "both")
    path = made.dense_head()[0]
    content = path.read_bytes()
    path.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    with pytest.raises(ModelError, match="damaged or another file"):
        spec.load(tmp_path / "both")
    path.unlink()
    with pytest.raises(ModelError, match=r"no head for the dense form: .*dense.npz is missing; restore it"):
        spec.load(tmp_path / "both")


def test_heads_that_do_not_go_together(pair, tmp_path):
    with pytest.raises(ModelError, match=r"the second head is for 'windows', the first for 'windows'"):
        saved_both((pair[0], pair[0]), tmp_path / "x")
    with pytest.raises(ModelError, match=r"the heads have window 64 and 250"):
        add_dense(tmp_path / "x", replace(pair[1], window=250))
    assert not (tmp_path / "x" / "dense.npz").exists()


def test_a_head_for_the_dense_form_alone_reads_no_windows(pair, tmp_path):
    made = pair[1].save(tmp_path / "dense", spacing=(0.5, 1), trained_on="nothing")
    assert (made.form, made.normalisation, made.dense_sha256) == ("dense", "local", None)
    assert made.dense_head() == (Path(made.path), made.sha256)
    assert "for the dense form" in (tmp_path / "dense" / "card.md").read_text()
    with pytest.raises(
        ModelError, match=r"is for the dense form, not for windows; use classify\(mode='dense'\)"
    ):
        worker.predict(made, np.zeros((1, 64, 64), "f4"))
    with pytest.raises(ModelError, match="is for the dense form, not for windows"):
        explain_window(made, np.zeros((64, 64), "f4"))


def test_features_of_a_dense_map_make_a_head_for_it():
    rng = np.random.default_rng(0)
    label = np.arange(60) % 2
    values = (rng.normal(size=(60, 1024)) + 0.5 * label[:, None]).astype("f4")
    place = np.column_stack([np.zeros(60, int), np.arange(60)])
    codes = fold_codes(label, folds=3, groups=np.arange(60) // 2)
    for normalisation, form in (("minmax", "windows"), ("local", "dense")):
        made = replace(recipe(250), normalisation=normalisation)
        features = Features(made, [InMemory(values)], place, 1024, values.dtype)
        assert train_on_features(features, label, codes, Protocol(epochs=2)).form == form


def test_the_shipped_transfer_model_has_both():
    told = spec.load("transfer")
    assert told.dense_sha256 is not None
    assert told.dense_head()[0].parent.name == "transfer"
    assert spec.load("default").dense_sha256 is None

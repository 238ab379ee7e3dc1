"""Where the features of a training come from, as the model's card will say."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from magxr.errors import ModelError
from magxr.models.heads import FEATURES
from magxr.models.trained import NO_TRUNK

if TYPE_CHECKING:
    from pathlib import Path

    from magxr.models.features import Features


LOCAL = "local"
"""Normalisation of a dense map, `magxr.kernels.localscale`; windows have "minmax"."""


@dataclass(frozen=True, slots=True)
class Origin:
    """Trunk and windows that features were made of."""

    trunk: str
    trunk_weights: str | None
    window: int | None
    kind: str
    trunk_sha256: str | None = None
    """Of the trunk's weights; None where that is not known."""
    form: str = "windows"
    """"dense" for features of crops of a dense map."""


def origin(
    features: Features, head: str, *, trunk: str, trunk_weights: str | Path | None, window: int | None
) -> Origin:
    """Return where features come from: what they know of themselves, else what was asked for.

    Raises
    ------
    ModelError
        If they are others than the head, or the arguments, ask for.
    """
    weights = None if trunk_weights is None else str(trunk_weights)
    if head in ("cnn", "aligned"):
        trunk, weights = NO_TRUNK, None
    made = features.recipe
    if made is None or head == "cnn":
        return Origin(trunk, weights, window, FEATURES[head] or "pooled")
    asked = {"trunk": trunk, "window": window or made.window}
    differ = {k: (getattr(made, k), v) for k, v in asked.items() if getattr(made, k) != v}
    if weights is not None and weights != made.trunk_weights:
        differ["trunk_weights"] = (made.trunk_weights, weights)
    # a logistic model on a trunk takes features of any kind, dense layers the flattened map
    fits = {"dense": made.kind == "flat", "aligned": made.kind == "alignment"}
    if not fits.get(head, made.kind not in ("flat", "alignment")):
        differ["kind"] = (made.kind, FEATURES[head])
    if differ:
        told = ", ".join(f"{k} {a!r} instead of {b!r}" for k, (a, b) in differ.items())
        msg = f"the features are others than asked for: {told}; compute them with these arguments"
        raise ModelError(msg)
    form = "dense" if made.normalisation == LOCAL else "windows"
    return Origin(made.trunk, made.trunk_weights, made.window, made.kind, made.trunk_sha256, form)


def window_of(windows: Any, features: Features | None) -> int:
    """Return the side of the windows, or of those that features come from; refuse where that is not known."""
    if windows is not None:
        return int(windows.shape[-1])
    if features is None or features.recipe is None:
        msg = "the window size of these features is not known; take them from magxr.steps.features.features"
        raise ModelError(msg)
    return features.recipe.window

"""Kinds of features: what a head learns from, taken from a trunk's answer to a window or from the window."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from magxr.errors import ModelError
from magxr.kernels.alignment import alignment
from magxr.models import architectures

if TYPE_CHECKING:
    from collections.abc import Callable

    import numpy as np
    from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class Kind:
    """One entry of `KINDS` is all that a new kind needs."""

    name: str
    network: Callable[[Any, Any], Any] | None
    """From the keras module and a trunk to a model whose output has the shape (n, d); None: no trunk."""
    description: str
    version: int = 1
    """Part of every key in a cache: raise it when the same windows would give other numbers."""
    measured: Callable[[NDArray[np.floating[Any]]], NDArray[np.float32]] | None = None
    """Where there is no trunk: from windows in nT, NaN where missing, to features of shape (n, d)."""
    scaling: str = (
        "every window is scaled to 0..1 by its own extremes; missing cells take the window's median"
    )
    """What is done to a window first, in words, for the card."""


KINDS = {
    k.name: k
    for k in (
        Kind(
            "pooled",
            architectures.pooled_features,
            "mean, then standard deviation, of every channel of the last feature map",
        ),
        Kind(
            "flat",
            architectures.flat_features,
            "the last feature map, row by row, column by column, channel by channel (Flatten)",
        ),
        Kind(
            "alignment",
            None,
            "how parallel anomalies are at several scales (`magxr.kernels.alignment`); needs no trunk",
            version=2,
            measured=alignment,
            scaling="every window is centred on its median, divided by its interquartile range and cut at "
            "3 of them; missing cells are left out",
        ),
    )
}
"""Name -> kind."""


def kind_of(name: str) -> Kind:
    """Return the kind of that name.

    Raises
    ------
    ModelError
        If there is none; the message lists those there are.
    """
    if name not in KINDS:
        msg = f"unknown kind of features {name!r}; there are {sorted(KINDS)}"
        raise ModelError(msg)
    return KINDS[name]

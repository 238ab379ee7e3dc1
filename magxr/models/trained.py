"""A trained head and everything known about its training."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pathlib import Path

    import numpy as np
    from numpy.typing import NDArray

    from magxr.models.heads import Head

NO_TRUNK = "none"
"""Name of the trunk of a model that has none: a CNN, or a head on features measured without a network."""


@dataclass(frozen=True, slots=True, eq=False)
class TrainedModel:
    """A trained head, or an ensemble of them, and everything known about its training."""

    head: Head
    trunk: str
    trunk_weights: str | None
    window: int | None
    report: dict[str, Any] = field(repr=False)
    """Protocol, split, history, accuracies with intervals, leakage: plain numbers, goes into the card."""
    features: str = "pooled"
    """Kind of features the head takes, see `magxr.models.kinds`."""
    trunk_sha256: str | None = None
    """Of the trunk's weights that the features were computed with; None where that is not known."""
    form: str = "windows"
    """What the head is for, as in `magxr.models.spec.ModelSpec`: the features it learnt from say so."""
    out_of_fold: NDArray[np.float32] | None = field(default=None, repr=False)
    """Probability of "linear" of every window by heads that tested on it; NaN where none did."""

    def save(
        self,
        folder: str | Path,
        *,
        name: str | None = None,
        spacing: tuple[float, float],
        trained_on: str,
        limits: tuple[str, ...] = (),
        overwrite: bool = False,
    ) -> Any:
        """Write head and card into a folder and return its `ModelSpec`; see `magxr.models.card.save`."""
        from magxr.models import card

        return card.save(
            self,
            folder,
            name=name,
            spacing=spacing,
            trained_on=trained_on,
            limits=limits,
            overwrite=overwrite,
        )

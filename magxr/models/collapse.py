"""Whether training came to nothing: a loss that is no number, or one answer for every window."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

_CONSTANT = 1e-3
"""Range of probabilities over the training set below which a network has collapsed to a constant."""


def diverged(loss: float, learning_rate: float) -> str | None:
    """Say what is wrong with a loss that is no number."""
    if np.isfinite(loss):
        return None
    return f"the loss is not finite at learning_rate={learning_rate:g}, the steps are too long"


def collapsed(probability: NDArray[np.floating]) -> str | None:
    """Say what is wrong with a head that gives every training window the same answer, or no number."""
    if not np.isfinite(probability).all():
        return "the answers are not finite"
    if np.ptp(probability) < _CONSTANT:
        return f"every training window gets the same probability, {float(probability[0]):.3f}"
    return None

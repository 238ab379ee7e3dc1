"""What a model would say if a part of the window were missing: explains any model from outside."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    Logit = Callable[[NDArray[np.float32]], NDArray[np.float64]]

PARTS = 10
"""Parts to a side of the window."""


def occluded(window: NDArray[np.floating], logit: Logit, parts: int = PARTS) -> NDArray[np.float32]:
    """Return how much the logit falls when each part of a window is taken for missing.

    Parameters
    ----------
    window : ndarray of float, shape (size, size)
        Anomaly in nT; NaN as the model takes it.
    logit : callable
        From windows of shape (n, size, size) to their logits, shape (n,).
    parts : int
        To a side.

    Returns
    -------
    ndarray of float32, shape (size, size)
        The same over the cells of a part. Positive: the part speaks for linear.

    Notes
    -----
    Zeiler and Fergus (2014), "Visualizing and understanding convolutional networks", with missing cells in
    the place of a grey patch, so that no edge is drawn. The parts do not sum to the logit: what two parts
    say alike, either can be spared.
    """
    size = len(window)
    ends = np.rint(np.linspace(0, size, parts + 1)).astype(int)
    whole = float(logit(window[None].astype(np.float32))[0])
    found = np.zeros((size, size), np.float32)
    for top, bottom in itertools.pairwise(ends):
        holed = np.repeat(window[None].astype(np.float32), parts, axis=0)
        for n, (left, right) in enumerate(itertools.pairwise(ends)):
            holed[n, top:bottom, left:right] = np.nan
        fall = whole - logit(holed)
        for n, (left, right) in enumerate(itertools.pairwise(ends)):
            found[top:bottom, left:right] = fall[n]
    return found

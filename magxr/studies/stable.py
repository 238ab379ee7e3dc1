"""Whether a percentage has settled: its interval by blocks, and from which size on it stays."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from magxr.models.bootstrap import redrawn
from magxr.models.evaluate import wilson

if TYPE_CHECKING:
    from numpy.typing import NDArray

CONFIDENCE = 0.95
DRAWS = 2000


def share_linear(
    linear: NDArray[np.bool_], counted: NDArray[np.bool_], block: int, *, seed: int = 0
) -> tuple[float, float, float]:
    """Return how much of a lattice is linear, percent, with its 95 % interval by redrawing blocks.

    Parameters
    ----------
    linear : (rows, columns) bool
    counted : (rows, columns) bool
        Which places count.
    block : int
        Side of the blocks of places that are drawn together.
    seed : int
        Fixes the redraws.

    Returns
    -------
    percent, low, high : float
        NaN, 0 and 100 where nothing counts; 0 to 100 with fewer than two blocks. Where all places agree all
        redraws do too; the far end is then Wilson's for so many blocks.
    """
    if not counted.any():
        return float("nan"), 0.0, 100.0
    rows, columns = (np.arange(n) // block for n in linear.shape)
    code = rows[:, None] * (int(columns[-1]) + 1) + columns
    code = np.unique(code[counted], return_inverse=True)[1]
    whole = np.bincount(code)
    part = np.bincount(code, linear[counted], minlength=len(whole))
    share = float(part.sum() / whole.sum())
    if len(whole) < 2:
        return 100.0 * share, 0.0, 100.0
    if share in (0.0, 1.0):
        low, high = wilson(round(share * len(whole)), len(whole), CONFIDENCE)
        return 100.0 * share, 100.0 * low, 100.0 * high
    times = redrawn(len(whole), DRAWS, seed)
    over = (times @ part) / (times @ whole)
    low, high = np.quantile(over, [(1 - CONFIDENCE) / 2, (1 + CONFIDENCE) / 2])
    return 100.0 * share, 100.0 * float(low), 100.0 * float(high)


def stable_from(
    sizes: NDArray[np.float64],
    percent: NDArray[np.float64],
    trusted: NDArray[np.bool_],
    tolerance: float,
) -> float:
    """Return the smallest trusted size whose percentage that of every larger one stays near; NaN for none.

    Parameters
    ----------
    sizes : (n,) float
        Ascending.
    percent : (n,) float
        NaN where there is none.
    trusted : (n,) bool
        Which sizes count; a size needs at least one larger of them.
    tolerance : float
        Most that two percentages may differ.
    """
    usable = np.flatnonzero(trusted & np.isfinite(percent))
    for place, n in enumerate(usable[:-1]):
        # Percentages are quotients: a difference that is meant to be the tolerance may miss it by rounding.
        if np.all(np.abs(percent[usable[place + 1 :]] - percent[n]) <= tolerance + 1e-9):
            return float(sizes[n])
    return float("nan")

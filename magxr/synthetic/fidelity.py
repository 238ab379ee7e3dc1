"""How much of the true field a survey kept: where stripes exist but cannot be seen in the grid."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.floating[Any]]

_SPIKE = 1e3
"""Departures from the truth beyond this are spikes and not counted, nT."""


def fidelity(surveyed: Floats, clean: Floats, side: tuple[int, int]) -> NDArray[np.float32]:
    """Correlate a survey's grid with the true field in a moving box.

    Parameters
    ----------
    surveyed, clean : numpy.ndarray
        2-D, nT; NaN in the gaps of ``surveyed``.
    side : (int, int)
        Rows and columns of the box.

    Returns
    -------
    numpy.ndarray
        Same shape, float32, -1..1 : 1 all is seen, 0 nothing; NaN where less than a fifth of the box has
        data. Sparse tracks across narrow stripes leave about 0.3.
    """
    from scipy.ndimage import uniform_filter

    counted = np.abs(surveyed - clean) < _SPIKE
    share = uniform_filter(counted.astype(np.float64), side)

    def mean(values: Floats) -> Floats:
        inside = uniform_filter(np.where(counted, values, 0.0).astype(np.float64), side)
        result: Floats = np.divide(inside, share, out=np.zeros_like(inside), where=share > 0.2)
        return result

    seen, true = mean(surveyed), mean(clean)
    both = mean(surveyed * clean) - seen * true
    spread = (mean(surveyed**2) - seen**2) * (mean(clean**2) - true**2)
    known = (share > 0.2) & (spread > 0.0)
    return np.divide(both, np.sqrt(np.abs(spread)), out=np.full_like(both, np.nan), where=known).astype("f4")

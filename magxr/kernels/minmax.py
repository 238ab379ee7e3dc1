"""Scale every window to 0..1 by its own extremes, as the paper does before its networks."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

NO_INFORMATION = np.float32(0.5)
"""What every cell of a window without any contrast becomes."""

FLAT = 8 * float(np.finfo(np.float32).eps)
"""Contrast, relative to the largest absolute value, below which a window only holds rounding."""


def minmax(windows: NDArray[np.floating]) -> NDArray[np.float32]:
    """Scale each window to [0, 1] by its own minimum and maximum.

    Parameters
    ----------
    windows : ndarray of float, shape (n, rows, columns)
        Anomaly in nT (or any unit: the result does not depend on it). Cells that are not finite are
        missing; they are ignored by the extremes and take the median of their window's other cells.

    Returns
    -------
    ndarray of float32, shape (n, rows, columns)
        A new array, without NaN. Windows that are flat (their contrast is at the level of float32
        rounding) or hold no value at all are 0.5 throughout: no information.

    Notes
    -----
    ``(x - min) / (max - min)`` per window [1]_. The extremes are those of the measured cells alone,
    and the median lies between them, so filling never changes the scale.

    References
    ----------
    .. [1] Ghosh, J. et al. (2026), Sci. Rep. 16, 1185, section "Training and evaluating neural networks".
    """
    scaled = np.array(windows, dtype=np.float32, order="C", copy=True)
    missing = ~np.isfinite(scaled)
    for i in np.flatnonzero(missing.any(axis=(1, 2))):
        known = scaled[i][~missing[i]]
        scaled[i][missing[i]] = np.median(known) if known.size else 0.0
    low = scaled.min(axis=(1, 2), initial=np.inf).astype(np.float64)
    high = scaled.max(axis=(1, 2), initial=-np.inf).astype(np.float64)
    flat = high - low <= FLAT * np.maximum(np.abs(low), np.abs(high))
    span = np.where(flat, 1.0, high - low)
    scaled -= low.astype(np.float32)[:, None, None]
    scaled /= span.astype(np.float32)[:, None, None]
    np.clip(scaled, 0.0, 1.0, out=scaled)
    scaled[flat] = NO_INFORMATION
    return scaled

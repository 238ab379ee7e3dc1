"""What is known of a window when labels judge: how its stripes are oriented, or what a trunk sees."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from magxr.errors import ParameterError

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

ORIENTATION = "orientation"
COHERENT = 0.7
"""Coherence above which a cell counts as coherent, as in `magxr.studies.hallucination`."""


def extractor(features: Any, sigma: float, rho: float) -> Callable[[NDArray[Any]], NDArray[Any]]:
    """Return the function that turns windows (n, size, size) into features (n, d).

    Parameters
    ----------
    features : str or callable
        "orientation", the name of a trunk, or such a function itself.
    sigma, rho : float
        Of the structure tensor behind "orientation", cells.

    Raises
    ------
    ParameterError, ModelError
        If it is none of them, or the trunk's weights are not to be had.
    """
    if callable(features):
        return features  # type: ignore[no-any-return]
    if features == ORIENTATION:
        return lambda windows: np.stack([oriented(w, sigma, rho) for w in windows])
    if not isinstance(features, str):
        msg = f"features={features!r} must be 'orientation', the name of a trunk, or a function of windows"
        raise ParameterError(msg)
    from magxr.models.backbones import backbone

    backbone(features).weights_file(None)
    from magxr.models import worker

    return lambda windows: worker.features(features, windows)


def oriented(window: NDArray[Any], sigma: float, rho: float) -> NDArray[np.float64]:
    """Return seven numbers on the orientation in a window; no network.

    Parameters
    ----------
    window : ndarray, shape (size, size)
        Anomaly, nT, NaN in gaps.
    sigma, rho : float
        Of the structure tensor, cells.

    Returns
    -------
    ndarray, shape (7,)
        Of the coherence: mean, standard deviation, 10 %, 50 % and 90 % quantile, share above 0.7; and how far
        strikes agree, the length of their mean direction (doubled angles) weighed by coherence. All 0 to 1;
        zeros for a window without data or without any direction.
    """
    from magxr.kernels.structure import orientation

    coherence, strike = orientation(np.asarray(window, np.float32), sigma, rho).astype(np.float64)
    known = np.isfinite(coherence)
    if not known.any():
        return np.zeros(7)
    each = coherence[known]
    directed = np.isfinite(strike)
    weight, angle = coherence[directed], 2.0 * np.radians(strike[directed])
    whole = weight.sum()
    agree = np.hypot((weight * np.cos(angle)).sum(), (weight * np.sin(angle)).sum()) / whole if whole else 0.0
    return np.array(
        [each.mean(), each.std(), *np.quantile(each, (0.1, 0.5, 0.9)), (each > COHERENT).mean(), agree]
    )

"""What is known of a window when labels judge: how parallel its anomalies are, or what a trunk sees."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from magxr.errors import ParameterError
from magxr.kernels.alignment import SMALLEST, alignment
from magxr.models import worker
from magxr.models.backbones import BACKBONES, backbone
from magxr.steps.arguments import is_whole

if TYPE_CHECKING:
    from collections.abc import Callable

    import numpy as np
    from numpy.typing import NDArray

    Features = Callable[[NDArray[np.floating[Any]]], NDArray[np.floating[Any]]]
    """Windows (n, size, size) in nT -> features (n, d)."""

ALIGNMENT = "alignment"


def extractor(features: str | Features, size: int) -> Features:
    """Return the function that turns windows (n, size, size) into features (n, d).

    Parameters
    ----------
    features : str or callable
        "alignment", the name of a trunk, or such a function itself.
    size : int
        Side of a window, cells.

    Raises
    ------
    ParameterError, ModelError
        If it is none of them, windows are too small for "alignment", or a trunk's weights are missing.
    """
    if features == ALIGNMENT:
        if not is_whole(size, SMALLEST):
            fix = "take larger windows, the name of a trunk, or a function of windows"
            msg = f"size={size!r}: features='{ALIGNMENT}' needs windows of {SMALLEST} cells or more; {fix}"
            raise ParameterError(msg)
        return alignment
    if isinstance(features, str) and features in BACKBONES:
        backbone(features).weights_file(None)
        return lambda windows: worker.features(features, windows)
    if isinstance(features, str) or not callable(features):
        rule = f"must be '{ALIGNMENT}', the name of a trunk, or a function of windows"
        msg = f"features={features!r} {rule}; trunks are {', '.join(sorted(BACKBONES))}"
        raise ParameterError(msg)
    return features

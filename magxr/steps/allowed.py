"""Which arguments of a diffusion go together: refused before any work, with the rule and the fix."""

from __future__ import annotations

from typing import Any

import numpy as np

from magxr.errors import ParameterError
from magxr.steps.arguments import number
from magxr.steps.scheme import PIXELS_ONLY, SCHEMES


def check_scheme(scheme: Any, metric: str, barrier: Any) -> None:
    """Refuse a scheme that is not known, or knows neither the sphere nor barriers where these are asked."""
    if not isinstance(scheme, str) or scheme not in SCHEMES:
        msg = f"scheme={scheme!r} is not known; the schemes are: {', '.join(map(repr, SCHEMES))}"
        raise ParameterError(msg)
    if scheme in PIXELS_ONLY and (metric != "pixel" or barrier is not None):
        what = f"metric={metric!r}" if metric != "pixel" else "barrier"
        msg = f"scheme={scheme!r} knows the pixel grid only, without barriers; for {what} use 'cell' or 'fed'"
        raise ParameterError(msg)


def check_device(scheme: str, barrier: Any, truncate: tuple[float, float]) -> None:
    """Refuse what the kernels of a GPU do not know."""
    for what, asked in (
        (f"scheme={scheme!r}", scheme in PIXELS_ONLY),
        ("barrier", barrier is not None),
        (f"truncate={truncate}", truncate != (3.0, 3.0)),
    ):
        if asked:
            fix = "leave it out, or bring the blocks to the CPU with .map_blocks(cupy.asnumpy)"
            msg = f"{what} is for blocks on the CPU, but the anomaly lives on a GPU; {fix}"
            raise ParameterError(msg)


def truncation(truncate: Any) -> tuple[float, float]:
    """Return where the Gaussians of sigma and rho are cut."""
    pair = truncate if isinstance(truncate, (tuple, list)) else (truncate, truncate)
    if len(pair) != 2:
        msg = f"truncate={truncate!r} must be one number or two, for sigma and rho"
        raise ParameterError(msg)
    unit = "standard deviations"
    first, second = (number("truncate", value, least=1, most=10, unit=unit) for value in pair)
    return first, second


def check_halo(halo: Any) -> None:
    """Refuse a halo that is neither of the two names nor a number of cells."""
    if isinstance(halo, str) and halo in ("exact", "rule"):
        return
    if isinstance(halo, (int, np.integer)) and not isinstance(halo, bool) and halo >= 1:
        return
    msg = f"halo={halo!r} must be 'exact', 'rule' or a whole number of cells of at least 1"
    raise ParameterError(msg)

"""Check numbers given to steps: say what is wrong, what the rule is, before any work."""

from __future__ import annotations

import math
import operator
from typing import Any

import numpy as np

from magxr.errors import ParameterError


def is_number(value: Any) -> bool:
    """Tell whether a value is a finite real number, and not a truth value."""
    real = isinstance(value, (int, float, np.integer, np.floating)) and not isinstance(value, bool)
    return real and math.isfinite(value)


def number(
    name: str,
    value: Any,
    *,
    above: float | None = None,
    least: float | None = None,
    below: float | None = None,
    most: float | None = None,
    unit: str = "",
) -> float:
    """Return a finite number within its range, or say what the range is."""
    said, fits = [], is_number(value)
    for bound, words, outside in (
        (above, "greater than", operator.le),
        (least, "at least", operator.lt),
        (below, "less than", operator.ge),
        (most, "at most", operator.gt),
    ):
        if bound is not None:
            said.append(f"{words} {bound:g}")
            fits = fits and not outside(value, bound)
    if fits:
        return float(value)
    msg = f"{name}={value!r} must be a number {' and '.join(said)}" + (f", {unit}" if unit else "")
    raise ParameterError(msg)

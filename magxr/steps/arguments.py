"""Check numbers given to steps: say what is wrong, what the rule is, before any work."""

from __future__ import annotations

import math
import operator
from typing import Any

import numpy as np

from magxr.errors import ParameterError


def is_number(value: Any, *, infinite: bool = False) -> bool:
    """Tell whether a value is a real number, finite unless ``infinite`` is allowed, and not a truth value."""
    real = isinstance(value, (int, float, np.integer, np.floating)) and not isinstance(value, bool)
    return real and (math.isfinite(value) or (infinite and not math.isnan(value)))


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


def is_whole(value: Any, least: int) -> bool:
    """Tell whether a value is an integer (and not a truth value) of at least ``least``."""
    return isinstance(value, (int, np.integer)) and not isinstance(value, bool) and bool(value >= least)


def flag(name: str, value: Any) -> bool:
    """Return a truth value; text such as "no", which Python takes for true, is refused."""
    if isinstance(value, (bool, np.bool)):
        return bool(value)
    msg = f"{name}={value!r} must be True or False"
    raise ParameterError(msg)

"""Sums over many values in whole vectors: the same order of additions on every machine.

One running sum waits for the addition before it; a row of sums does not, and needs no licence to reorder.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numba import njit

from magxr.kernels.fir import STRICT

if TYPE_CHECKING:
    from numpy.typing import NDArray

LANES = 64
"""Sums that run beside each other; a constant of the compiled code."""


@njit(**STRICT)
def total(values: NDArray[Any], count: int, lanes: NDArray[Any]) -> float:
    """Return the sum of the first ``count`` values; ``lanes`` is work space of `LANES`."""
    lanes[:] = 0.0
    even = count // LANES * LANES
    for first in range(0, even, LANES):
        part = values[first:]
        for j in range(LANES):
            lanes[j] += part[j]
    for j in range(even, count):
        lanes[j - even] += values[j]
    whole: float = _joined(lanes)
    return whole


@njit(**STRICT)
def squares(values: NDArray[Any], count: int, level: float, lanes: NDArray[Any]) -> float:
    """Return the sum of squares of the first ``count`` values, less ``level`` each."""
    lanes[:] = 0.0
    even = count // LANES * LANES
    for first in range(0, even, LANES):
        part = values[first:]
        for j in range(LANES):
            off = part[j] - level
            lanes[j] += off * off
    for j in range(even, count):
        lanes[j - even] += (values[j] - level) ** 2
    whole: float = _joined(lanes)
    return whole


@njit(**STRICT)
def extremes(values: NDArray[Any], count: int, lanes: NDArray[Any]) -> tuple[float, float]:
    """Return the least and the greatest of the first ``count`` values, all of which are finite."""
    whole = count // LANES * LANES
    least = greatest = values[0]
    for up in (False, True):
        lanes[:] = values[0]
        for first in range(0, whole, LANES):
            part = values[first:]
            if up:
                for j in range(LANES):
                    lanes[j] = part[j] if part[j] > lanes[j] else lanes[j]
            else:
                for j in range(LANES):
                    lanes[j] = part[j] if part[j] < lanes[j] else lanes[j]
        for j in range(whole, count):
            lanes[0] = max(lanes[0], values[j]) if up else min(lanes[0], values[j])
        if up:
            greatest = lanes.max()
        else:
            least = lanes.min()
    return least, greatest


@njit(**STRICT)
def _joined(lanes: NDArray[Any]) -> float:
    whole = 0.0
    for j in range(LANES):
        whole += lanes[j]
    return whole


def make_lanes() -> NDArray[np.float64]:
    """Return work space for the sums."""
    return np.zeros(LANES)

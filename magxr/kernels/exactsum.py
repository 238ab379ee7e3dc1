"""Exact sums of floats: integers by exponent, which add up the same in any order.

A float64 is an integer of 53 bits times a power of two. The integers are added by exponent, cut in two so
that no partial sum leaves what int64 (and float64, inside `numpy.bincount`) holds exactly.
"""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING, Any

import numpy as np

from magxr.kernels.orderstats import slabs

if TYPE_CHECKING:
    from numpy.typing import NDArray

_LEAST = -1073
"""Exponent that `numpy.frexp` gives the smallest float64."""
_EXPONENTS = 1024 - _LEAST + 1
_MANTISSA = 53
_LOW = 26


def parts(block: NDArray[Any]) -> NDArray[np.int64]:
    """Add the finite cells of a 2-D block, by exponent.

    Returns
    -------
    ndarray of int64, shape (2, exponents)
        High and low bits of the sum of all integers with each exponent.
    """
    total = np.zeros((2, _EXPONENTS), dtype=np.int64)
    for slab in slabs(block):
        fraction, exponent = np.frexp(slab[np.isfinite(slab)].astype(np.float64))
        whole = np.ldexp(fraction, _MANTISSA).astype(np.int64)
        at = exponent - _LEAST
        for row, digits in enumerate((whole >> _LOW, whole & ((1 << _LOW) - 1))):
            total[row] += np.bincount(at, digits, minlength=_EXPONENTS).astype(np.int64)
    return total


def merge(blocks: list[NDArray[np.int64]]) -> NDArray[np.int64]:
    """Add the parts of blocks."""
    total: NDArray[np.int64] = np.sum(blocks, axis=0)
    return total


def mean(total: NDArray[np.int64], count: int) -> float:
    """Return the mean of ``count`` numbers with these parts, rounded once; NaN if there are none."""
    if count == 0:
        return float("nan")
    units = sum(
        ((int(high) << _LOW) + int(low)) << int(at) for at, (high, low) in enumerate(total.T) if high or low
    )
    return float(Fraction(units, count << (_MANTISSA - _LEAST)))

"""Quartiles of a window by selection: the numbers of ``numpy.percentile``, in a few passes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from numba import njit

from magxr.kernels.fir import STRICT

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

BINS = 2048
"""Bins that values are counted in first."""
_LEAST_SPAN, _MOST_SPAN = 1e-200, 1e200
"""Spans outside which bins cannot be told apart in float64; all values then lie in one."""


@njit(**STRICT)
def quartiles(
    values: NDArray[Any],
    count: int,
    low: float,
    high: float,
    bins: NDArray[np.int32],
    some: NDArray[Any],
    out: NDArray[Any],
) -> None:
    """Put the first, second and third quartile of the first ``count`` values into ``out``.

    Which bin a value falls into never decreases with the value, so the bins tell in which of them a rank
    lies, and only the values in it are looked at.

    Parameters
    ----------
    values : ndarray of float64, shape (count or more,)
        Finite.
    count : int
        At least 1.
    low, high : float
        Least and greatest value.
    bins, some : ndarray
        Work space: of `BINS` and of ``count`` values.
    out : ndarray of float64, shape (3,)
    """
    span = high - low
    scale = (BINS - 1) / span if _LEAST_SPAN < span < _MOST_SPAN else 0.0
    if scale > 0.0:
        bins[:] = 0
        for j in range(count):
            bins[int((values[j] - low) * scale)] += 1
    for quarter in range(3):
        place = (count - 1) * (0.25 * (quarter + 1))
        rank = int(place)
        share = place - rank
        one, other = _ranked(values, count, rank, low, scale, bins, some)
        # as numpy does: from the nearer end, so that the result never leaves the two
        step = other - one
        out[quarter] = one + step * share if share < 0.5 else other - step * (1.0 - share)


@njit(**STRICT)
def _ranked(
    values: NDArray[Any],
    count: int,
    rank: int,
    low: float,
    scale: float,
    bins: NDArray[np.int32],
    some: NDArray[Any],
) -> tuple[float, float]:
    """Return the values of ranks ``rank`` and the next, or twice the last."""
    following = min(rank + 1, count - 1)
    size = below = 0
    if scale > 0.0:
        first = seen = 0
        while seen + bins[first] <= rank:
            seen += bins[first]
            first += 1
        below, last = seen, first
        while seen + bins[last] <= following:
            seen += bins[last]
            last += 1
        for j in range(count):
            place = int((values[j] - low) * scale)
            some[size] = values[j]
            size += first <= place <= last
    else:
        size = count
        for j in range(count):
            some[j] = values[j]
    one = _select(some, size, rank - below)
    if following == rank:
        return one, one
    # what is not below lies behind it
    other = some[rank - below + 1]
    for j in range(rank - below + 2, size):
        other = min(other, some[j])
    return one, other


@njit(**STRICT)
def _select(some: NDArray[Any], size: int, rank: int) -> float:
    """Return the value of that rank, the smaller ones before it and the larger ones behind (Hoare)."""
    left, right = 0, size - 1
    while left < right:
        a, b, c = some[left], some[(left + right) // 2], some[right]
        pivot = max(min(a, b), min(max(a, b), c))
        i, j = left, right
        while i <= j:
            while some[i] < pivot:
                i += 1
            while pivot < some[j]:
                j -= 1
            if i <= j:
                some[i], some[j] = some[j], some[i]
                i += 1
                j -= 1
        if rank <= j:
            right = j
        elif rank >= i:
            left = i
        else:
            break
    chosen: float = some[rank]
    return chosen

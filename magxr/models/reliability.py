"""Reliability: whether four in five of the windows that were given 80 % are linear."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from magxr.errors import ParameterError
from magxr.models.evaluate import wilson
from magxr.models.scores import scored

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray


@dataclass(frozen=True, slots=True, eq=False)
class Reliability:
    """Predicted against observed shares, bin by bin."""

    probability: NDArray[np.float64]
    """Mean probability of the windows of every bin, ascending."""
    share: NDArray[np.float64]
    """Share of them that are linear."""
    low: NDArray[np.float64]
    high: NDArray[np.float64]
    """Wilson interval of that share; it counts windows as independent."""
    windows: NDArray[np.int64]
    """Number of windows of every bin."""
    error: float
    """Expected calibration error: mean of |share - probability|, bins weighed by their windows."""
    by_chance: float
    """What that error would be on average if every probability were true and windows were independent.

    It is not 0, since shares of few windows scatter: an error about as large says nothing against a model.
    """


def reliability(
    labels: ArrayLike, probability: ArrayLike, *, bins: int = 10, confidence: float = 0.95, seed: int = 0
) -> Reliability:
    """Return the reliability curve on bins of equal counts.

    Parameters
    ----------
    labels : array_like of int, shape (n,)
        1 linear, 0 nonlinear.
    probability : array_like of float, shape (n,)
        Probability of linear.
    bins : int
        Number of bins. Each holds about as many windows; windows of equal probability stay together, so
        there may be fewer bins.
    confidence : float
        Coverage of the intervals.
    seed : int
        Fixes the 200 draws behind ``by_chance``.

    Returns
    -------
    Reliability
        Without windows: empty arrays, and NaN for the errors.

    Notes
    -----
    Equal counts rather than equal widths, since most probabilities lie near 0 and 1: every point then rests
    on as many windows as the next [1]_.

    References
    ----------
    .. [1] Nixon, J. et al. (2019), "Measuring calibration in deep learning", CVPR Workshops.
    """
    truth, p = scored(labels, probability)
    code = bin_codes(p, bins)
    counts = np.bincount(code, minlength=1)
    if p.size == 0:
        nothing = np.empty(0)
        none = np.empty(0, np.int64)
        return Reliability(nothing, nothing, nothing, nothing, none, math.nan, math.nan)
    linear, mean = np.bincount(code, truth), np.bincount(code, p) / counts
    ends = np.array([wilson(int(k), int(n), confidence) for k, n in zip(linear, counts, strict=True)])
    drawn = np.random.default_rng(seed).random((200, p.size)) < p
    chance = [np.sum(np.abs(np.bincount(code, d) - mean * counts)) for d in drawn]
    return Reliability(
        mean, linear / counts, ends[:, 0], ends[:, 1], counts,
        float(np.sum(np.abs(linear - mean * counts)) / p.size), float(np.mean(chance) / p.size),
    )  # fmt: skip


def bin_codes(probability: NDArray[np.float64], bins: int) -> NDArray[np.int64]:
    """Return the bin of every window: bins of about equal counts, equal probabilities in one bin."""
    if not isinstance(bins, int | np.integer) or bins < 1:
        msg = f"bins={bins!r} must be a whole number of at least 1"
        raise ParameterError(msg)
    ordered, number = np.sort(probability), min(bins, probability.size)
    first = [round(k * ordered.size / number) for k in range(1, number)]
    cuts = np.unique(ordered[first])
    cuts = cuts[cuts > ordered[:1].max(initial=-np.inf)]  # else the lowest bin would be empty
    return np.searchsorted(cuts, probability, side="right").astype(np.int64)

"""Intervals by redrawing whole blocks: windows of one block stand or fall together."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Literal, NamedTuple, get_args

import numpy as np

from magxr.errors import ParameterError
from magxr.models.evaluate import wilson
from magxr.models.reliability import bin_codes
from magxr.models.scores import blocks, scored

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import ArrayLike, NDArray

    Measure = Callable[[NDArray[np.float64]], NDArray[np.float64]]
    """From how often each block was drawn, (draws, blocks), to the statistic of each draw."""

Statistic = Literal["accuracy", "balanced_accuracy", "auc", "ece"]


class Interval(NamedTuple):
    """A statistic and how far it can be trusted."""

    value: float
    low: float
    high: float
    blocks: int
    """Number of blocks that were redrawn."""
    used: int
    """Redraws that had an answer: where a draw holds one class only, some statistics have none."""


def interval(
    labels: ArrayLike,
    probability: ArrayLike,
    groups: ArrayLike,
    statistic: Statistic = "balanced_accuracy",
    *,
    threshold: float = 0.5,
    bins: int = 10,
    confidence: float = 0.95,
    draws: int = 2000,
    seed: int = 0,
) -> Interval:
    """Return a statistic with its interval, by redrawing whole blocks (block bootstrap).

    Parameters
    ----------
    labels : array_like of int, shape (n,)
        1 linear, 0 nonlinear.
    probability : array_like of float, shape (n,)
        Probability of linear.
    groups : array_like of int or str, shape (n,)
        Block, scene or region of every window.
    statistic : {"accuracy", "balanced_accuracy", "auc", "ece"}
        The last two: area under the ROC curve, and expected calibration error on ``bins`` bins.
    threshold : float
        Linear is called from here on; for the first two.
    bins : int
        Bins of equal counts, laid once on all windows; for the last.
    confidence : float
        Coverage, between 0 and 1.
    draws, seed : int
        Number of redraws, and the seed that fixes them.

    Returns
    -------
    Interval
        (NaN, 0, 1) without windows. Ends 0 and 1, nothing is known, where there are fewer than two blocks or
        no redraw has an answer.

    Raises
    ------
    ParameterError
        If arrays do not fit, the statistic is unknown or a number is out of range.

    Notes
    -----
    As many blocks as there are are drawn with replacement; the ends are quantiles of the statistic over the
    redraws [1]_. The calibration error is the exception: scatter raises it, and redraws scatter twice, so
    that its ends are ``2 value - quantile`` (the basic bootstrap), not below 0; and the low end is 0 where
    the error is no larger than in ``confidence`` of all draws in which every block's departures keep their
    size and take a random sign (wild bootstrap).

    With some ten blocks the interval is too narrow. Where not one window is wrong all redraws agree; the
    low end of an accuracy is then Wilson's for so many blocks, none of which had an error.

    References
    ----------
    .. [1] Davison, A. C. and Hinkley, D. V. (1997), Bootstrap Methods and their Application, 5.2 and 5.3.
    """
    check(statistic, confidence, draws)
    truth, p = scored(labels, probability)
    code, count = blocks(groups, truth.size)
    if count == 0:
        return Interval(math.nan, 0.0, 1.0, 0, 0)
    found = measure(statistic, truth, p, code, count, threshold=threshold, bins=bins)
    value = float(found(np.ones((1, count)))[0])
    over = found(redrawn(count, draws, seed))
    over = over[np.isfinite(over)]
    if count < 2 or over.size == 0:
        return Interval(value, 0.0, 1.0, count, int(over.size))
    low, high = np.quantile(over, [(1 - confidence) / 2, (1 + confidence) / 2])
    if statistic == "ece":
        low, high = max(0.0, 2 * value - high), max(value, 2 * value - low)
        if value <= np.quantile(_by_chance(truth, p, code, count, bins, draws, seed), confidence):
            low = 0.0
    elif value == 1.0 and statistic != "auc":
        low = wilson(count, count, confidence)[0]
    return Interval(value, float(low), float(high), count, int(over.size))


def check(statistic: str, confidence: float, draws: int) -> None:
    """Refuse a statistic that is unknown and numbers out of range."""
    if statistic not in get_args(Statistic):
        msg = f"statistic={statistic!r} is unknown; use one of {', '.join(map(repr, get_args(Statistic)))}"
        raise ParameterError(msg)
    if not 0 < confidence < 1:
        msg = f"confidence={confidence} must lie between 0 and 1, e.g. 0.95"
        raise ParameterError(msg)
    if not isinstance(draws, int | np.integer) or draws < 1:
        msg = f"draws={draws!r} must be a whole number of at least 1, e.g. 2000"
        raise ParameterError(msg)


def redrawn(count: int, draws: int, seed: int) -> NDArray[np.float64]:
    """Return how often each of ``count`` blocks comes in each redraw, shape (draws, count)."""
    drawn = np.random.default_rng(seed).integers(0, count, (draws, count))
    drawn += count * np.arange(draws)[:, None]
    times = np.bincount(drawn.ravel(), minlength=draws * count)
    return times.reshape(draws, count).astype(np.float64)


def measure(
    statistic: str,
    truth: NDArray[np.bool_],
    p: NDArray[np.float64],
    code: NDArray[np.int64],
    count: int,
    *,
    threshold: float,
    bins: int,
) -> Measure:
    """Return the statistic as a function of how often each block is drawn: no redraw looks at windows."""
    if statistic == "auc":
        return _area(truth, p, code, count)
    if statistic == "ece":
        off = _departures(truth, p, code, count, bins)
        size = np.bincount(code, minlength=count)
        return lambda times: np.abs(times @ off).sum(axis=1) / (times @ size)
    right = truth == (p >= threshold)
    table = np.zeros((count, 4))  # linear right and wrong, nonlinear right and wrong
    np.add.at(table, (code, 2 * (~truth) + (~right)), 1)
    if statistic == "accuracy":
        return lambda times: (times @ (table[:, 0] + table[:, 2])) / (times @ table.sum(axis=1))

    def balanced(times: NDArray[np.float64]) -> NDArray[np.float64]:
        drawn = times @ table
        return (_share(drawn[:, 0], drawn[:, 1]) + _share(drawn[:, 2], drawn[:, 3])) / 2

    return balanced


def _departures(
    truth: NDArray[np.bool_], p: NDArray[np.float64], code: NDArray[np.int64], count: int, bins: int
) -> NDArray[np.float64]:
    """Return linear windows less the sum of probabilities, by block and bin."""
    binned = bin_codes(p, bins)
    off = np.zeros((count, int(binned.max()) + 1))
    np.add.at(off, (code, binned), truth - p)
    return off


def _by_chance(
    truth: NDArray[np.bool_],
    p: NDArray[np.float64],
    code: NDArray[np.int64],
    count: int,
    bins: int,
    draws: int,
    seed: int,
) -> NDArray[np.float64]:
    """Calibration errors of a model whose blocks depart as far as these, now upwards, now downwards."""
    signs = np.random.default_rng(seed).choice([-1.0, 1.0], (draws, count))
    over: NDArray[np.float64] = np.abs(signs @ _departures(truth, p, code, count, bins)).sum(axis=1) / p.size
    return over


def _area(truth: NDArray[np.bool_], p: NDArray[np.float64], code: NDArray[np.int64], count: int) -> Measure:
    """Area under the ROC curve as a quadratic form: wins of block a's linear over block b's nonlinear."""
    wins = np.zeros((count, count))
    for b in range(count):
        against = np.sort(p[~truth & (code == b)])
        above = np.searchsorted(against, p[truth], side="left")
        equal = np.searchsorted(against, p[truth], side="right")
        wins[:, b] = np.bincount(code[truth], (above + equal) / 2, minlength=count)
    linear, nonlinear = (np.bincount(code[k], minlength=count).astype(float) for k in (truth, ~truth))

    def area(times: NDArray[np.float64]) -> NDArray[np.float64]:
        won = ((times @ wins) * times).sum(axis=1)
        pairs = (times @ linear) * (times @ nonlinear)
        return _share(won, pairs - won)

    return area


def _share(part: NDArray[np.float64], rest: NDArray[np.float64]) -> NDArray[np.float64]:
    whole = part + rest
    return np.divide(part, whole, out=np.full_like(part, np.nan), where=whole > 0)

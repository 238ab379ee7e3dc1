"""Several models on the same windows: which are better, and which cannot be told apart."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from magxr.errors import ParameterError
from magxr.models import bootstrap
from magxr.models.scores import blocks, scored

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import ArrayLike, NDArray

    from magxr.models.bootstrap import Interval, Statistic


@dataclass(frozen=True, slots=True, eq=False)
class Comparison:
    """Models from best to worst, with the intervals of their differences."""

    statistic: str
    names: tuple[str, ...]
    scores: tuple[Interval, ...]
    """Of each model by itself."""
    difference: NDArray[np.float64]
    """Statistic of the model of the row minus that of the column, shape (m, m)."""
    low: NDArray[np.float64]
    high: NDArray[np.float64]
    """Ends of the interval of each difference."""
    letters: tuple[str, ...]
    """Models that share a letter cannot be told apart; "a" holds the best."""
    confidence: float
    together: bool
    """Whether the intervals hold for all pairs at once."""

    @property
    def tied(self) -> NDArray[np.bool_]:
        """Whether the interval of the difference holds 0, shape (m, m)."""
        return (self.low <= 0) & (self.high >= 0)

    @property
    def rank(self) -> tuple[int, ...]:
        """One more than the number of models that are surely better: models that tie for the best have 1."""
        sign = -1 if self.statistic == "ece" else 1
        better = ~self.tied & (sign * self.difference < 0)
        return tuple(int(k) + 1 for k in better.sum(axis=1))

    def report(self) -> dict[str, Any]:
        """Return everything a card or a table needs, as plain data."""
        return {
            "statistic": self.statistic,
            "confidence": self.confidence,
            "together": self.together,
            "blocks": self.scores[0].blocks,
            "models": [
                {
                    "name": name,
                    "value": score.value,
                    "interval": [score.low, score.high],
                    "rank": rank,
                    "letters": letters,
                    "first_minus_this": [float(self.low[0, k]), float(self.high[0, k])],
                }
                for k, (name, score, rank, letters) in enumerate(
                    zip(self.names, self.scores, self.rank, self.letters, strict=True)
                )
            ],
        }

    def markdown(self) -> str:
        """Return the table as text: percent, intervals, ranks, and the letters of ties."""
        level, name = f"{100 * self.confidence:g} %", self.statistic.replace("_", " ")
        lines = [
            f"| model | {name}, % | {level} | first minus this, % | rank | ties |",
            "|---|---|---|---|---|---|",
        ]
        for k, (name, score) in enumerate(zip(self.names, self.scores, strict=True)):
            behind = f"{100 * self.low[0, k]:.1f} to {100 * self.high[0, k]:.1f}" if k else ""
            cells = (
                name, f"{100 * score.value:.1f}", f"{100 * score.low:.1f} to {100 * score.high:.1f}",
                behind, str(self.rank[k]), self.letters[k],
            )  # fmt: skip
            lines.append("| " + " | ".join(cells) + " |")
        return "\n".join(lines)


def compare(
    labels: ArrayLike,
    probabilities: Mapping[str, ArrayLike],
    groups: ArrayLike,
    statistic: Statistic = "balanced_accuracy",
    *,
    together: bool = True,
    threshold: float = 0.5,
    bins: int = 10,
    confidence: float = 0.95,
    draws: int = 2000,
    seed: int = 0,
) -> Comparison:
    """Compare models on the same windows, and say which differences are no more than chance.

    Parameters
    ----------
    labels : array_like of int, shape (n,)
        1 linear, 0 nonlinear.
    probabilities : mapping of str to array_like of float, shape (n,)
        Name of each model -> its probabilities, for the same windows in the same order.
    groups : array_like of int or str, shape (n,)
        Block, scene or region of every window.
    statistic, threshold, bins, confidence, draws, seed
        As for `magxr.models.bootstrap.interval`.
    together : bool
        True: the intervals of all differences hold at once, so that of many equal models hardly ever one
        looks better. False: each interval by itself.

    Returns
    -------
    Comparison
        Best first. Where nothing is known, as with fewer than two blocks, everything is tied.

    Raises
    ------
    ParameterError
        If there is no model, or arrays or numbers do not fit.

    Notes
    -----
    Each redraw of blocks is scored for all models, so that what makes a block easy or hard cancels in the
    difference (paired bootstrap). With ``together`` the interval is ``d +- q s``, ``s`` the standard
    deviation of the difference over the redraws and ``q`` the quantile of the largest ``|d* - mean d*| / s``
    of all pairs [1]_. Letters are the largest sets of models that are tied pair by pair [2]_: ties are not
    transitive, so a model may have several.

    References
    ----------
    .. [1] Davison, A. C. and Hinkley, D. V. (1997), Bootstrap Methods and their Application, 4.2.
    .. [2] Piepho, H.-P. (2004), J. Comput. Graph. Stat. 13, 456-466.
    """
    bootstrap.check(statistic, confidence, draws)
    if not probabilities:
        msg = "there are no models to compare; give {name: probabilities of the same windows}"
        raise ParameterError(msg)
    names = list(probabilities)
    truth = _same_windows(labels, probabilities)
    code, count = blocks(groups, truth.size)
    over = np.full((draws, len(names)), np.nan)
    times = bootstrap.redrawn(count, draws, seed) if count else None
    scores = []
    for k, name in enumerate(names):
        p = np.asarray(probabilities[name], np.float64)
        scores.append(
            bootstrap.interval(
                labels,
                p,
                groups,
                statistic,
                threshold=threshold,
                bins=bins,
                confidence=confidence,
                draws=draws,
                seed=seed,
            )
        )
        if times is not None and count > 1:
            found = bootstrap.measure(statistic, truth, p, code, count, threshold=threshold, bins=bins)
            over[:, k] = found(times)
    value = np.array([s.value for s in scores])
    order = np.argsort(value if statistic == "ece" else -value, kind="stable")
    value, over = value[order], over[:, order]
    low, high = _intervals(value, over[np.isfinite(over).all(axis=1)], confidence, together)
    return Comparison(
        statistic,
        tuple(names[k] for k in order),
        tuple(scores[k] for k in order),
        np.subtract.outer(value, value),
        low,
        high,
        letters((low <= 0) & (high >= 0)),
        confidence,
        together,
    )


def _same_windows(labels: ArrayLike, probabilities: Mapping[str, ArrayLike]) -> NDArray[np.bool_]:
    truth = np.empty(0, bool)
    for name, p in probabilities.items():
        try:
            truth, _ = scored(labels, p)
        except ParameterError as error:
            msg = f"model {name!r}: {error}"
            raise ParameterError(msg) from error
    return truth


def _intervals(
    value: NDArray[np.float64], over: NDArray[np.float64], confidence: float, together: bool
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the ends of the intervals of all differences; -1 and 1 where nothing is known."""
    shape = (value.size, value.size)
    if len(over) == 0:
        return np.full(shape, -1.0), np.full(shape, 1.0)
    drawn = over[:, :, None] - over[:, None, :]
    if not together:
        low, high = np.quantile(drawn, [(1 - confidence) / 2, (1 + confidence) / 2], axis=0)
        return low, high
    spread = drawn.std(axis=0)
    off = np.abs(drawn - drawn.mean(axis=0))
    # rounding alone is no spread: models that answer alike differ by nothing in every redraw
    sure = spread <= 1e-12
    worst = np.where(sure, 0.0, off / np.where(sure, 1.0, spread)).max(axis=(1, 2))
    half = np.quantile(worst, confidence) * spread
    difference = np.subtract.outer(value, value)
    return difference - half, difference + half


def letters(tied: NDArray[np.bool_]) -> tuple[str, ...]:
    """Return the letters of models: two share one if, and only if, they are tied.

    Parameters
    ----------
    tied : ndarray of bool, shape (m, m)
        Symmetric, True on the diagonal; best model first.
    """
    neighbours = [set(np.flatnonzero(row).tolist()) - {k} for k, row in enumerate(tied)]
    groups: list[list[int]] = []

    def grow(chosen: set[int], open_: set[int], closed: set[int]) -> None:
        # Bron and Kerbosch (1973): every largest set of models that are all tied, once
        if not open_ and not closed:
            groups.append(sorted(chosen))
            return
        pivot = max(open_ | closed, key=lambda k: len(neighbours[k] & open_))
        for k in sorted(open_ - neighbours[pivot]):
            grow(chosen | {k}, open_ & neighbours[k], closed & neighbours[k])
            open_ = open_ - {k}
            closed = closed | {k}

    grow(set(), set(range(len(tied))), set())
    groups.sort()
    return tuple(
        "".join(_letter(n) for n, group in enumerate(groups) if k in group) for k in range(len(tied))
    )


def _letter(number: int) -> str:
    """Return a to z, then a1 to z1 and so on."""
    turn, place = divmod(number, 26)
    return chr(ord("a") + place) + (str(turn) if turn else "")

"""How right a model is, and how sure one can be of that."""

from __future__ import annotations

import math
from dataclasses import dataclass
from statistics import NormalDist
from typing import TYPE_CHECKING, Any

import numpy as np

from magxr.errors import ParameterError

if TYPE_CHECKING:
    from numpy.typing import ArrayLike


def wilson(right: int, total: int, confidence: float = 0.95) -> tuple[float, float]:
    """Return the Wilson score interval of a share.

    Parameters
    ----------
    right, total : int
        ``right`` of ``total`` independent cases.
    confidence : float
        Coverage of the interval, between 0 and 1.

    Returns
    -------
    low, high : float
        (0, 1) where ``total`` is 0: nothing is known.

    Notes
    -----
    With ``z`` the normal quantile, ``p`` the share and ``n`` the total:
    ``(p + z^2/2n +- z sqrt(p(1-p)/n + z^2/4n^2)) / (1 + z^2/n)`` [1]_. It assumes independent cases;
    windows that overlap are not, and the true interval is wider.

    References
    ----------
    .. [1] Wilson, E. B. (1927), J. Am. Stat. Assoc. 22, 209-212.
    """
    if not 0 <= right <= total or not 0 < confidence < 1:
        msg = (
            f"right={right}, total={total}, confidence={confidence}: "
            "need 0 <= right <= total and 0 < confidence < 1"
        )
        raise ParameterError(msg)
    if total == 0:
        return 0.0, 1.0
    z = NormalDist().inv_cdf(0.5 + confidence / 2)
    share = right / total
    centre = share + z * z / (2 * total)
    half = z * math.sqrt(share * (1 - share) / total + z * z / (4 * total * total))
    scale = 1 + z * z / total
    low = (centre - half) / scale if right else 0.0
    high = (centre + half) / scale if right < total else 1.0
    return low, high


@dataclass(frozen=True, slots=True)
class Confusion:
    """Counts of right and wrong windows, by class."""

    linear_right: int
    linear_wrong: int
    """Linear windows called nonlinear."""
    nonlinear_right: int
    nonlinear_wrong: int
    """Nonlinear windows called linear."""

    @property
    def total(self) -> int:
        """Number of windows."""
        return self.linear_right + self.linear_wrong + self.nonlinear_right + self.nonlinear_wrong

    @property
    def right(self) -> int:
        """Number of windows called right."""
        return self.linear_right + self.nonlinear_right

    @property
    def accuracy(self) -> float:
        """Share of windows called right; NaN without windows."""
        return _share(self.right, self.total)

    @property
    def recall(self) -> tuple[float, float]:
        """Share called right among linear and among nonlinear windows; NaN for an absent class."""
        return (
            _share(self.linear_right, self.linear_right + self.linear_wrong),
            _share(self.nonlinear_right, self.nonlinear_right + self.nonlinear_wrong),
        )

    @property
    def balanced_accuracy(self) -> float:
        """Mean of the two recalls: 0.5 for a constant answer, whatever the shares of the classes."""
        return sum(self.recall) / 2

    def report(self, confidence: float = 0.95) -> dict[str, Any]:
        """Return counts, accuracy, balanced accuracy and Wilson intervals as plain numbers."""
        linear = self.linear_right + self.linear_wrong
        nonlinear = self.nonlinear_right + self.nonlinear_wrong
        return {
            "windows": self.total,
            "linear": linear,
            "nonlinear": nonlinear,
            "linear_right": self.linear_right,
            "nonlinear_right": self.nonlinear_right,
            "accuracy": self.accuracy,
            "accuracy_interval": wilson(self.right, self.total, confidence),
            "balanced_accuracy": self.balanced_accuracy,
            "linear_recall_interval": wilson(self.linear_right, linear, confidence),
            "nonlinear_recall_interval": wilson(self.nonlinear_right, nonlinear, confidence),
            "confidence": confidence,
        }


def confusion(labels: ArrayLike, probability: ArrayLike, threshold: float = 0.5) -> Confusion:
    """Count right and wrong windows: linear is called where ``probability >= threshold``.

    Parameters
    ----------
    labels : array_like of int, shape (n,)
        1 linear, 0 nonlinear.
    probability : array_like of float, shape (n,)
        Probability of linear.
    threshold : float
    """
    truth = np.asarray(labels) == 1
    called = np.asarray(probability) >= threshold
    if truth.shape != called.shape:
        msg = f"{truth.size} labels for {called.size} probabilities; there must be one each"
        raise ParameterError(msg)
    return Confusion(
        int(np.sum(truth & called)),
        int(np.sum(truth & ~called)),
        int(np.sum(~truth & ~called)),
        int(np.sum(~truth & called)),
    )


def area_under_curve(labels: ArrayLike, probability: ArrayLike) -> float:
    """Return the area under the ROC curve: the chance that a linear window scores above a nonlinear one.

    Ties count half. NaN where a class is absent.
    """
    from scipy.stats import rankdata

    truth = np.asarray(labels) == 1
    ranks = rankdata(np.asarray(probability))
    linear, nonlinear = int(truth.sum()), int((~truth).sum())
    if not linear or not nonlinear:
        return math.nan
    return float((ranks[truth].sum() - linear * (linear + 1) / 2) / (linear * nonlinear))


def block_interval(
    labels: ArrayLike,
    probability: ArrayLike,
    groups: ArrayLike,
    *,
    threshold: float = 0.5,
    confidence: float = 0.95,
    draws: int = 2000,
    seed: int = 0,
) -> tuple[float, float]:
    """Return the interval of the balanced accuracy by redrawing whole groups (block bootstrap).

    Windows of one scene or one block overlap, so they stand or fall together; drawing blocks instead of
    windows makes the interval as wide as that.

    Parameters
    ----------
    labels, probability
        As for `confusion`.
    groups : array_like of int, shape (n,)
        Block of every window.
    threshold, confidence : float
    draws, seed : int
        Number of redraws, and the seed that fixes them.

    See Also
    --------
    magxr.models.bootstrap.interval : The same with its value, and for other statistics.
    """
    from magxr.models import bootstrap

    found = bootstrap.interval(
        labels, probability, groups,
        threshold=threshold, confidence=confidence, draws=draws, seed=seed,
    )  # fmt: skip
    return found.low, found.high


def _share(part: int, whole: int) -> float:
    return part / whole if whole else math.nan

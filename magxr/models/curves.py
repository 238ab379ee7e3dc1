"""ROC and precision-recall curves: what a model could do at every threshold."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from magxr.models.scores import scored

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray


@dataclass(frozen=True, slots=True, eq=False)
class Curve:
    """Two shares against each other, a point for each threshold, strictest first."""

    x: NDArray[np.float64]
    y: NDArray[np.float64]
    threshold: NDArray[np.float64]
    """Linear is called where the probability is at least this; infinite at first: never."""
    area: float
    """Area under the curve; NaN where a class is absent."""


def roc(labels: ArrayLike, probability: ArrayLike) -> Curve:
    """Return the ROC curve: linear windows found against nonlinear windows called linear.

    Parameters
    ----------
    labels : array_like of int, shape (n,)
        1 linear, 0 nonlinear.
    probability : array_like of float, shape (n,)
        Probability of linear.

    Returns
    -------
    Curve
        ``x``: share of nonlinear windows called linear; ``y``: share of linear windows found (recall). From
        (0, 0) to (1, 1), one point for each different probability, so windows of equal probability make one
        slanted step. Shares of a class that is absent are NaN.

    Notes
    -----
    The area, by trapezoids, is `magxr.models.evaluate.area_under_curve`: the chance that a linear window
    scores above a nonlinear one, ties counting half [1]_.

    References
    ----------
    .. [1] Hanley, J. A. and McNeil, B. J. (1982), Radiology 143, 29-36.
    """
    found, wrong, threshold = _counts(labels, probability)
    x, y = _share(wrong), _share(found)
    area = float(np.sum(np.diff(x) * (y[1:] + y[:-1]) / 2)) if found[-1] and wrong[-1] else math.nan
    return Curve(x, y, threshold, area)


def precision_recall(labels: ArrayLike, probability: ArrayLike) -> Curve:
    """Return the precision-recall curve: how many of those called linear are, against how many are found.

    Parameters
    ----------
    labels, probability
        As for `roc`.

    Returns
    -------
    Curve
        ``x``: share of linear windows found (recall); ``y``: share of linear among those called linear
        (precision), 1 where none is called. The last point calls all: its precision is the share of linear
        windows, which is the level of a model that knows nothing. ``x`` is NaN without linear windows.

    Notes
    -----
    The area is the average precision, ``sum (recall_i - recall_(i-1)) precision_i``: steps, not straight
    lines, since precision does not go straight between two points [1]_. It depends on how many windows are
    linear; compare it on the same windows only.

    References
    ----------
    .. [1] Davis, J. and Goadrich, M. (2006), ICML 23, 233-240.
    """
    found, wrong, threshold = _counts(labels, probability)
    called = found + wrong
    recall, precision = _share(found), np.divide(found, called, out=np.ones_like(found), where=called > 0)
    area = float(np.sum(np.diff(recall) * precision[1:])) if found[-1] else math.nan
    return Curve(recall, precision, threshold, area)


def _counts(
    labels: ArrayLike, probability: ArrayLike
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Return linear and nonlinear windows at or above each different probability, from none on."""
    truth, p = scored(labels, probability)
    threshold, code = np.unique(-p, return_inverse=True)
    linear, nonlinear = (np.bincount(code[k], minlength=threshold.size) for k in (truth, ~truth))
    found, wrong = (np.concatenate([[0.0], np.cumsum(k, dtype=np.float64)]) for k in (linear, nonlinear))
    return found, wrong, np.concatenate([[np.inf], -threshold])


def _share(counts: NDArray[np.float64]) -> NDArray[np.float64]:
    return counts / counts[-1] if counts[-1] else np.full_like(counts, np.nan)

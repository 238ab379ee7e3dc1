"""Prediction sets with a stated coverage: linear, nonlinear, both, or neither."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from magxr.errors import ModelError, ParameterError
from magxr.models.scores import blocks, scored

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import ArrayLike, NDArray

NONLINEAR, LINEAR, BOTH, NEITHER, NO_ANSWER = 0, 1, 2, 3, -1
"""What `ConformalSets.sets` answers. Both: the model does not know. Neither: unlike either class."""
_NAMES = ("conformal_thresholds", "conformal_alpha", "conformal_counts")


@dataclass(frozen=True, slots=True)
class ConformalSets:
    """A class is in a window's set if the window is not stranger than most of that class were."""

    thresholds: tuple[float, float]
    """Largest 1 - probability of the class that is still in the set, for nonlinear and for linear."""
    alpha: float
    """Largest share of windows of either class whose set misses their class."""
    windows: tuple[int, int]
    """Calibration windows, nonlinear and linear."""
    blocks: tuple[int, int]
    """Blocks with windows of the class."""

    def sets(self, probability: ArrayLike) -> NDArray[np.int8]:
        """Return the set of every window.

        Parameters
        ----------
        probability : array_like of float, any shape
            Probability of linear; NaN: no answer.

        Returns
        -------
        ndarray of int8, same shape
            0 {nonlinear}, 1 {linear}, 2 both, 3 neither, -1 no answer.
        """
        p = np.asarray(probability, dtype=np.float64)
        with np.errstate(invalid="ignore"):
            nonlinear, linear = p <= self.thresholds[0], 1.0 - p <= self.thresholds[1]
        codes = np.select([linear & nonlinear, linear, nonlinear], [BOTH, LINEAR, NONLINEAR], NEITHER)
        return np.where(np.isnan(p), NO_ANSWER, codes).astype(np.int8)

    def report(self, labels: ArrayLike, probability: ArrayLike) -> dict[str, Any]:
        """Return the coverage of both classes and the shares of the four sets, on windows with labels.

        The windows must be others than those of the calibration. NaN for a class without windows.
        """
        truth, p = scored(labels, probability)
        found = self.sets(p)

        def share(of: NDArray[np.bool_]) -> float:
            return float(of.mean()) if of.size else float("nan")

        return {
            "stated_coverage": 1 - self.alpha,
            "linear_coverage": share(np.isin(found[truth], (LINEAR, BOTH))),
            "nonlinear_coverage": share(np.isin(found[~truth], (NONLINEAR, BOTH))),
            **{
                name: share(found == code)
                for name, code in (
                    ("linear_only", LINEAR), ("nonlinear_only", NONLINEAR), ("both", BOTH),
                    ("neither", NEITHER),
                )
            },
            "windows": int(truth.size),
        }  # fmt: skip

    def to_arrays(self) -> dict[str, NDArray[np.float32]]:
        """Return plain float32 arrays, to be kept in the file of a model."""
        content = (self.thresholds, self.alpha, (self.windows, self.blocks))
        return {name: np.asarray(part, np.float32) for name, part in zip(_NAMES, content, strict=True)}

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, NDArray[Any]]) -> ConformalSets:
        """Return what `to_arrays` kept.

        Raises
        ------
        ModelError
            If an array is missing, has another shape or dtype, or holds what no calibration gives.
        """
        thresholds, alpha, counts = (
            _array(arrays, name, shape) for name, shape in zip(_NAMES, ((2,), (), (2, 2)), strict=True)
        )
        good = (
            ((thresholds >= 0) & (thresholds <= 1)).all()
            and 0 < alpha < 1
            and ((counts >= 1) & (counts == np.rint(counts))).all()
        )
        if not good:
            msg = (
                f"thresholds {thresholds.tolist()}, alpha {float(alpha):g} and counts {counts.tolist()} are "
                "not those of a calibration; restore the file or train the model again"
            )
            raise ModelError(msg)
        (w0, w1), (b0, b1) = counts.astype(int).tolist()
        return cls((float(thresholds[0]), float(thresholds[1])), float(alpha), (w0, w1), (b0, b1))


def calibrate_sets(
    labels: ArrayLike, probability: ArrayLike, groups: ArrayLike | None = None, *, alpha: float = 0.1
) -> ConformalSets:
    """Find the thresholds with which at most ``alpha`` of either class is missed.

    Parameters
    ----------
    labels : array_like of int, shape (n,)
        1 linear, 0 nonlinear.
    probability : array_like of float, shape (n,)
        Probability of linear, from a model that did not see the window or its block: of held-out blocks, or
        of the folds of a cross-validation by blocks, put together.
    groups : array_like of int or str, shape (n,), optional
        Block, scene or region of every window. Without it every window counts as a block, which is right
        for windows that are independent only.
    alpha : float
        Share of each class that may be missed, between 0 and 1.

    Returns
    -------
    ConformalSets

    Raises
    ------
    ParameterError
        If arrays do not fit, alpha is out of range, or a class has fewer than ``1/alpha - 1`` blocks: the
        set would always hold both.

    Notes
    -----
    Split-conformal sets, class by class (Mondrian) [1]_: with scores ``s = 1 - p(class)`` of the class's
    windows, the threshold is the smallest ``q`` at which the weights of scores up to ``q`` come to
    ``1 - alpha``. Windows of a block are not independent, so each of the ``K`` blocks weighs ``1/(K + 1)``,
    shared among its windows, and the rest, for the block to come, lies at infinity [2]_. With one window a
    block that is the usual quantile, ``ceil((n + 1)(1 - alpha))`` of n.

    If a new block is to the calibration blocks as these are among themselves, a window of it has its class
    in its set with probability ``1 - alpha`` at least, on average over calibrations and blocks. On folds
    the models differ a little from the one that is used in the end, and the statement holds nearly. On a
    map unlike the calibration's it says nothing; see `magxr.models.novelty`.

    References
    ----------
    .. [1] Vovk, V., Gammerman, A. and Shafer, G. (2005), Algorithmic Learning in a Random World, 4.5.
    .. [2] Lee, Y., Barber, R. F. and Willett, R. (2023), "Distribution-free inference with hierarchical
       data", arXiv:2306.06342.
    """
    if not 0 < alpha < 1:
        msg = f"alpha={alpha} is the share that may be missed; it must lie between 0 and 1, e.g. 0.1"
        raise ParameterError(msg)
    truth, p = scored(labels, probability)
    code, _ = blocks(np.arange(truth.size) if groups is None else groups, truth.size)
    thresholds, windows, held = [], [], []
    for name, chosen, strange in (("nonlinear", ~truth, p), ("linear", truth, 1.0 - p)):
        counts = np.bincount(code[chosen], minlength=1)
        number = int(np.sum(counts > 0))
        if (number + 1) * alpha < 1 - 1e-9:
            least = int(np.ceil(1 / alpha - 1 - 1e-9))
            msg = (
                f"{number} blocks with {name} windows are too few for alpha={alpha:g}: there must be at "
                f"least {least}; give more blocks or a larger alpha"
            )
            raise ParameterError(msg)
        weight = 1.0 / ((number + 1) * counts[code[chosen]])
        thresholds.append(_quantile(strange[chosen], weight, 1 - alpha))
        windows.append(int(chosen.sum()))
        held.append(number)
    return ConformalSets(
        (thresholds[0], thresholds[1]), float(np.float32(alpha)), (windows[0], windows[1]), (held[0], held[1])
    )


def _quantile(score: NDArray[np.float64], weight: NDArray[np.float64], level: float) -> float:
    """Return the smallest score up to which the weights come to ``level``, rounded up to float32."""
    order = np.argsort(score)
    place = int(np.searchsorted(np.cumsum(weight[order]), level - 1e-9))
    exact = float(score[order][min(place, score.size - 1)])
    kept = np.float32(exact)
    return float(kept if kept >= exact else np.nextafter(kept, np.float32(np.inf)))


def _array(arrays: Mapping[str, NDArray[Any]], name: str, shape: tuple[int, ...]) -> NDArray[Any]:
    array = arrays.get(name)
    if array is None or array.dtype.kind != "f" or array.shape != shape or not np.isfinite(array).all():
        found = "missing" if array is None else f"{array.dtype} of shape {array.shape}"
        msg = f"array {name!r} is {found}; it must be finite floats of shape {shape}: restore the file"
        raise ModelError(msg)
    return array

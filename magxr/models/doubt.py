"""How sure an answer is: kept beside a model's head, for those who ask."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from magxr.models import archive
from magxr.models.agreement import agreement
from magxr.models.conformal import ConformalSets, calibrate_sets
from magxr.models.novelty import Novelty, fit_novelty

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import ArrayLike, NDArray

ANSWERS = ("probability", "spread", "set", "novelty")
"""What `Doubt.answers` returns of every window, in order."""


@dataclass(frozen=True, slots=True, eq=False)
class Doubt:
    """Prediction sets and the distance from the training, both found on blocks that no head had seen."""

    sets: ConformalSets
    novelty: Novelty

    def answers(self, members: NDArray[np.floating], features: NDArray[np.floating]) -> NDArray[np.float32]:
        """Return what there is to say of windows.

        Parameters
        ----------
        members : ndarray of float, shape (k, n)
            Probability of linear by each member of the ensemble.
        features : ndarray of float, shape (n, d)
            What the members were given.

        Returns
        -------
        ndarray of float32, shape (4, n)
            As in `ANSWERS`: mean probability; its standard deviation over the members; the code of the
            prediction set (`ConformalSets.sets`); and the distance from the training windows, 1 where
            windows become new.
        """
        said = agreement(members)
        mean = said.mean.astype(np.float32)
        far = self.novelty.distance(features) / np.float32(self.novelty.threshold)
        return np.stack([mean, said.spread.astype(np.float32), self.sets.sets(mean).astype(np.float32), far])

    def to_bytes(self) -> bytes:
        """Return the bytes of an ``.npz`` file: the same doubt gives the same bytes."""
        return archive.pack({**self.sets.to_arrays(), **self.novelty.to_arrays()})


def from_folds(
    labels: ArrayLike,
    out_of_fold: ArrayLike,
    features: NDArray[np.floating],
    groups: ArrayLike | None = None,
    *,
    alpha: float = 0.1,
) -> Doubt:
    """Learn doubt from a cross-validation.

    Parameters
    ----------
    labels : array_like of int, shape (n,)
        1 linear, 0 nonlinear.
    out_of_fold : array_like of float, shape (n,)
        Of `magxr.models.trained.TrainedModel`: by heads that had not seen the window, NaN where there are
        none.
    features : ndarray of float, shape (n, d)
        What the heads learnt from.
    groups : array_like of int or str, shape (n,), optional
        Block, scene or region of every window.
    alpha : float
        Share of each class that a prediction set may miss.

    Raises
    ------
    ParameterError
        If there are too few windows or blocks, see `magxr.models.conformal.calibrate_sets` and
        `magxr.models.novelty.fit_novelty`.
    """
    told = np.isfinite(np.asarray(out_of_fold))
    truth, p, known = np.asarray(labels)[told], np.asarray(out_of_fold)[told], features[told]
    blocks = None if groups is None else np.asarray(groups)[told]
    sets = calibrate_sets(truth, p, blocks, alpha=alpha)
    return Doubt(sets, fit_novelty(known, blocks))


def read(path: Path) -> Doubt:
    """Read doubt from its file; objects are refused, so no code can run.

    Raises
    ------
    ModelError
        If the file is missing, is not such an archive, or its arrays do not fit.
    """
    arrays = archive.unpack(path)
    return Doubt(ConformalSets.from_arrays(arrays), Novelty.from_arrays(arrays))

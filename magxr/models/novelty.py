"""Windows unlike those of the training, told by how far their features lie from them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from magxr.errors import ModelError, ParameterError
from magxr.models.scores import blocks
from magxr.models.spread import spread

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import ArrayLike, NDArray

_KNEE = 0.03
"""Size, relative to a feature's root mean square, from which it counts by its logarithm."""
_FARTHEST = 6.0
"""Standard deviations beyond which a feature counts no more: one that was nearly constant in the training,
and hence has next to none, would make up every distance, and the threshold, by itself."""
_NAMES = (
    "novelty_unit",
    "novelty_mean",
    "novelty_scale",
    "novelty_axes",
    "novelty_variance",
    "novelty_threshold",
)


@dataclass(frozen=True, slots=True, eq=False)
class Novelty:
    """A Gaussian of few directions around the features of the training, and the distance that is too far."""

    unit: NDArray[np.float32]
    """What every feature is multiplied with before its inverse hyperbolic sine is taken, shape (d,)."""
    mean: NDArray[np.float32]
    """Of every such feature over the training windows, shape (d,)."""
    scale: NDArray[np.float32]
    """One over its standard deviation, shape (d,); 0 for a constant feature, which is left out."""
    axes: NDArray[np.float32]
    """Directions of largest variance of the standardised features, shape (k, d)."""
    variance: NDArray[np.float32]
    """Variance along them, then the mean variance of every other direction, shape (k + 1,)."""
    threshold: float
    """Distance above which a window is new."""
    quantile: float
    """Share of held-out training windows that lie below it."""

    @property
    def nbytes(self) -> int:
        """Bytes of the arrays."""
        return sum(a.nbytes for a in self.to_arrays().values())

    def distance(self, features: NDArray[np.floating]) -> NDArray[np.float32]:
        """Return the Mahalanobis distance of windows, divided by the root of the number of features.

        Parameters
        ----------
        features : ndarray of float, shape (n, d)

        Returns
        -------
        ndarray of float32, shape (n,)
            About 1 for a window like those of the training; NaN where a feature is not finite.
        """
        given = np.asarray(features, dtype=np.float64)
        if given.ndim != 2 or given.shape[1] != self.unit.size:
            msg = f"features have the shape {given.shape}; the model's are (n, {self.unit.size})"
            raise ParameterError(msg)
        given = np.where(np.isfinite(given), given, np.nan)
        z = (np.arcsinh(given * self.unit) - self.mean) * self.scale
        z = np.clip(z, -_FARTHEST, _FARTHEST)
        along = z @ self.axes.T.astype(np.float64)
        rest = np.maximum((z**2).sum(axis=1) - (along**2).sum(axis=1), 0.0)
        squared = (along**2 / self.variance[:-1]).sum(axis=1) + rest / self.variance[-1]
        return np.asarray(np.sqrt(squared / np.count_nonzero(self.scale)), np.float32)

    def is_new(self, features: NDArray[np.floating]) -> NDArray[np.bool_]:
        """Tell which windows lie too far from the training, or have features that are not finite."""
        return ~(self.distance(features) <= self.threshold)

    def to_arrays(self) -> dict[str, NDArray[np.float32]]:
        """Return plain float32 arrays, to be kept in the file of a model."""
        content = (
            self.unit,
            self.mean,
            self.scale,
            self.axes,
            self.variance,
            (self.threshold, self.quantile),
        )
        return {name: np.asarray(part, np.float32) for name, part in zip(_NAMES, content, strict=True)}

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, NDArray[Any]]) -> Novelty:
        """Return what `to_arrays` kept.

        Raises
        ------
        ModelError
            If an array is missing, shapes do not fit, or a value is none that `fit_novelty` gives.
        """
        found = [np.asarray(arrays.get(name, np.empty(0, object))) for name in _NAMES]
        unit, mean, scale, axes, variance, ends = found
        fits = (
            all(a.dtype.kind == "f" for a in found)
            and unit.ndim == 1
            and mean.shape == scale.shape == unit.shape
            and axes.ndim == 2
            and axes.shape[1] == mean.size
            and variance.shape == (len(axes) + 1,)
            and ends.shape == (2,)
        )
        if not fits or not all(np.isfinite(a).all() for a in found):
            shown = {n: f"{a.dtype} {a.shape}" for n, a in zip(_NAMES, found, strict=True)}
            msg = (
                f"these arrays are no novelty model: {shown}; they must be finite floats of shapes (d,), "
                "(d,), (d,), (k, d), (k + 1,) and (2,): restore the file or train the model again"
            )
            raise ModelError(msg)
        if (
            (variance <= 0).any()
            or (scale < 0).any()
            or not scale.any()
            or ends[0] <= 0
            or not 0 < ends[1] < 1
        ):
            what = "a variance, scale, threshold or quantile"
            msg = f"{what} of the novelty model is out of range; restore the file or train the model again"
            raise ModelError(msg)
        return cls(unit, mean, scale, axes, variance, float(ends[0]), float(ends[1]))


def fit_novelty(
    features: NDArray[np.floating],
    groups: ArrayLike | None = None,
    *,
    components: int = 8,
    quantile: float = 0.99,
    folds: int = 5,
    seed: int = 0,
) -> Novelty:
    """Learn where the training's features lie, and how far a window like them may be.

    Parameters
    ----------
    features : ndarray of float, shape (n, d)
        Of the training windows of both classes.
    groups : array_like of int or str, shape (n,), optional
        Block or scene of every window; whole blocks are held out together. Without it single windows are,
        which makes the threshold too small where windows overlap.
    components : int
        Directions kept. The file grows by 4 d bytes with each.
    quantile : float
        Share of held-out training windows that count as known; one in a hundred is called new.
    folds : int
        Parts that are held out in turn to set the threshold.
    seed : int
        Fixes the parts.

    Returns
    -------
    Novelty

    Raises
    ------
    ParameterError
        If arrays do not fit, hold values that are not finite, or numbers are out of range.

    Notes
    -----
    Features of relu layers are never below 0 and spread over powers of ten, so that a few large ones would
    make up every distance. They count by their logarithm, nearly: ``arcsinh(f / (0.03 rms))``, which does
    for features of either sign. Then they are standardised; of their covariance the ``components`` largest
    directions are kept, and all others take their mean variance (probabilistic principal components [1]_):
    a covariance that is shrunk as far as n windows with d features ask for. The threshold is the quantile
    of distances of held-out blocks, each from a fit without its fold. No feature counts farther than 6
    standard deviations.

    A distance says that a window is unlike the training, not that its answer is wrong; and what the
    features do not show it does not see [2]_.

    References
    ----------
    .. [1] Tipping, M. E. and Bishop, C. M. (1999), J. R. Stat. Soc. B 61, 611-622.
    .. [2] Lee, K. et al. (2018), "A simple unified framework for detecting out-of-distribution samples",
       NeurIPS 31.
    """
    values = np.asarray(features, dtype=np.float64)
    if values.ndim != 2 or not np.isfinite(values).all():
        msg = f"features must be finite numbers of shape (n, d), got {values.shape}; compute them again"
        raise ParameterError(msg)
    code, count = blocks(np.arange(len(values)) if groups is None else groups, len(values))
    if not 0 < quantile < 1:
        msg = f"quantile={quantile} is the share that counts as known; it must lie between 0 and 1"
        raise ParameterError(msg)
    if not 2 <= folds <= count:
        msg = f"folds={folds} must be at least 2 and at most the number of blocks, {count}"
        raise ParameterError(msg)
    fold = np.random.default_rng(seed).permutation(count)[code] % folds
    most = min(values.shape[1], min(int(np.sum(fold != k)) for k in range(folds)) - 1) - 1
    if not 0 <= components <= most:
        msg = (
            f"components={components} must lie between 0 and {most} for features of shape {values.shape} "
            f"in {folds} folds"
        )
        raise ParameterError(msg)
    distances = np.empty(len(values))
    for k in range(folds):
        held = fold == k
        distances[held] = _fit(values[~held], components, 1.0, quantile).distance(values[held])
    return _fit(values, components, float(np.quantile(distances, quantile)), quantile)


def _fit(values: NDArray[np.float64], components: int, threshold: float, quantile: float) -> Novelty:
    size = np.sqrt((values**2).mean(axis=0))
    unit = np.divide(1.0 / _KNEE, size, out=np.zeros_like(size), where=size > 0).astype(np.float32)
    values = np.arcsinh(values * unit)
    mean, deviation = spread(values)
    scale = (1.0 / deviation).astype(np.float32)  # infinite for a constant feature, hence 0
    known = int(np.count_nonzero(scale))
    z = (values - mean) * scale
    total = float((z**2).sum()) / len(values)
    kept, axes = _largest(z, components)
    if known <= components or total - kept.sum() <= 1e-9 * max(total, 1e-30):
        msg = (
            f"the features vary along {components} directions at most ({known} of {scale.size} are not "
            "constant); take fewer components or more windows"
        )
        raise ParameterError(msg)
    rest = (total - kept.sum()) / (known - components)
    variance = np.append(kept, rest).astype(np.float32)
    return Novelty(
        unit, mean, scale, axes.astype(np.float32), variance, float(np.float32(threshold)),
        float(np.float32(quantile)),
    )  # fmt: skip


def _largest(z: NDArray[np.float64], count: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the largest eigenvalues of the covariance, descending, and their directions, (count, d)."""
    from scipy.linalg import eigh

    if count == 0:
        return np.empty(0), np.empty((0, z.shape[1]))
    wide = z.shape[1] > len(z)
    gram = (z @ z.T if wide else z.T @ z) / len(z)  # whichever is smaller: they share their eigenvalues
    top = [len(gram) - count, len(gram) - 1]
    values, vectors = eigh(gram, subset_by_index=top)
    axes = vectors.T @ z if wide else vectors.T
    axes = axes[::-1] / np.linalg.norm(axes[::-1], axis=1, keepdims=True)
    # a direction has no sign of its own: the largest part is made positive, so that bytes are the same
    axes *= np.sign(axes[np.arange(count), np.abs(axes).argmax(axis=1)])[:, None]
    return np.maximum(values[::-1], 0.0), axes

"""The radial head: how near a window lies to windows of the training, each of which speaks for a class."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from magxr.errors import ModelError
from magxr.models import archive
from magxr.models.pooled_head import sigmoid
from magxr.models.spread import standardised

if TYPE_CHECKING:
    from numpy.typing import NDArray

ARRAYS = ("mean", "scale", "weights", "landmarks", "narrowness", "heights", "bias")


@dataclass(frozen=True, slots=True, eq=False)
class RadialHead:
    """A plane, and a bump over every landmark: ``weights . z + heights . exp(-narrowness |z - l|^2) + bias``.

    That is the logit; ``z`` are the standardised features, ``(f - mean) / scale``. Far from all landmarks the
    plane answers.
    """

    kind: ClassVar[str] = "radial"

    mean: NDArray[np.float32]
    """Mean of every feature over the training windows, shape (d,)."""
    scale: NDArray[np.float32]
    """Standard deviation of every feature over the training windows; infinite for a constant feature."""
    weights: NDArray[np.float32]
    """Of the plane, one per standardised feature, shape (d,)."""
    landmarks: NDArray[np.float32]
    """Standardised features of some of the training windows, shape (k, d)."""
    narrowness: float
    """One over twice the squared width of a bump."""
    heights: NDArray[np.float32]
    """Of the bumps, shape (k,): positive for linear."""
    bias: float

    @property
    def length(self) -> int:
        """Number of features it takes."""
        return self.mean.size

    @property
    def parameters(self) -> int:
        """Number of trained parameters."""
        return self.heights.size + self.weights.size + 1

    def probability(self, features: NDArray[np.floating]) -> NDArray[np.float32]:
        """Return the probability of "linear" for features of shape (n, d)."""
        z = self.standardise(features)
        near = closeness(z, self.landmarks, self.narrowness)
        # row by row: a matrix product would round a window's answer by what came with it
        plane, bumps = z * self.weights.astype(np.float64), near * self.heights.astype(np.float64)
        logit = plane.sum(axis=1) + bumps.sum(axis=1) + self.bias
        return sigmoid(logit).astype("f4")

    def standardise(self, features: NDArray[np.floating]) -> NDArray[np.float64]:
        """Return features with zero mean and unit variance over the training windows."""
        return standardised(features, self.mean, self.scale)

    def arrays(self) -> dict[str, NDArray[np.float32]]:
        """Return what the head's file holds, by name."""
        return {name: np.asarray(getattr(self, name), np.float32) for name in ARRAYS}

    def to_bytes(self) -> bytes:
        """Return the head as the bytes of an ``.npz`` file: the same head gives the same bytes."""
        return archive.pack(self.arrays())


def closeness(
    z: NDArray[np.floating], landmarks: NDArray[np.floating], narrowness: float
) -> NDArray[np.float64]:
    """Return ``exp(-narrowness |z - l|^2)`` of every window and landmark, shape (n, k)."""
    from scipy.spatial.distance import cdist

    squared = cdist(z, landmarks.astype(np.float64), "sqeuclidean")
    return np.asarray(np.exp(-narrowness * squared), np.float64)


def from_arrays(arrays: archive.Arrays, where: str) -> RadialHead:
    """Return the head that arrays make, each checked; ``where`` begins the message of an error."""
    if set(ARRAYS) != set(arrays):
        msg = f"{where} is not a radial head: it has {sorted(arrays)}, expected {sorted(ARRAYS)}"
        raise ModelError(msg)
    width, many = arrays["mean"].shape, arrays["heights"].shape
    shapes = {"mean": width, "scale": width, "weights": width, "landmarks": (*many, *width), "heights": many}
    for name in ARRAYS:
        array, wanted = arrays[name], shapes.get(name, ())
        if array.dtype.kind != "f" or array.shape != wanted or len(width) != 1 or len(many) != 1:
            msg = f"{where}: array {name!r} is {array.dtype} of {array.shape}, expected floats of {wanted}"
            raise ModelError(msg)
        finite = array > 0 if name in ("scale", "narrowness") else np.isfinite(array)
        if not finite.all():
            msg = f"{where}: array {name!r} has values no trained head has (NaN, infinite, not positive)"
            raise ModelError(msg)
    return RadialHead(
        arrays["mean"], arrays["scale"], arrays["weights"], arrays["landmarks"],
        float(arrays["narrowness"]), arrays["heights"], float(arrays["bias"]),
    )  # fmt: skip

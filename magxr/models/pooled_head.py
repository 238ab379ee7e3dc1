"""The pooled head: a logistic model on the mean and standard deviation of the trunk's features."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from magxr.errors import ModelError
from magxr.models import archive
from magxr.models.spread import standardised

if TYPE_CHECKING:
    from numpy.typing import NDArray

ARRAYS = ("mean", "scale", "weights", "bias")


@dataclass(frozen=True, slots=True, eq=False)
class PooledHead:
    """Standardise, weigh, sum, squash: ``p = 1 / (1 + exp(-(weights . (f - mean) / scale + bias)))``."""

    kind: ClassVar[str] = "pooled"

    mean: NDArray[np.float32]
    """Mean of every feature over the training windows, shape (d,)."""
    scale: NDArray[np.float32]
    """Standard deviation of every feature over the training windows; infinite for a constant feature."""
    weights: NDArray[np.float32]
    """One weight per standardised feature, shape (d,)."""
    bias: float

    @property
    def length(self) -> int:
        """Number of features it takes."""
        return self.weights.size

    @property
    def parameters(self) -> int:
        """Number of trained parameters."""
        return self.weights.size + 1

    def probability(self, features: NDArray[np.floating]) -> NDArray[np.float32]:
        """Return the probability of "linear" for features of shape (n, d)."""
        return sigmoid(self.standardise(features) @ self.weights.astype(np.float64) + self.bias).astype("f4")

    def standardise(self, features: NDArray[np.floating]) -> NDArray[np.float64]:
        """Return features with zero mean and unit variance over the training windows."""
        return standardised(features, self.mean, self.scale)

    def arrays(self) -> dict[str, NDArray[np.float32]]:
        """Return what the head's file holds, by name."""
        return {name: np.asarray(getattr(self, name), np.float32) for name in ARRAYS}

    def to_bytes(self) -> bytes:
        """Return the head as the bytes of an ``.npz`` file: the same head gives the same bytes."""
        return archive.pack(self.arrays())


def from_arrays(arrays: archive.Arrays, where: str) -> PooledHead:
    """Return the head that arrays make, each checked; ``where`` begins the message of an error."""
    missing = sorted(set(ARRAYS) - set(arrays))
    if missing:
        msg = f"{where} is not a pooled head: it has {sorted(arrays)} and lacks {missing}"
        raise ModelError(msg)
    width = arrays["weights"].shape
    for name, wanted in (("mean", width), ("scale", width), ("weights", width), ("bias", ())):
        array = arrays[name]
        if array.dtype.kind != "f" or array.shape != wanted or len(width) != 1:
            found = f"array {name!r} is {array.dtype} of shape {array.shape}"
            msg = f"{where}: {found}, expected floats of {wanted}"
            raise ModelError(msg)
        finite = np.isfinite(array) if name != "scale" else array > 0
        if not finite.all():
            msg = f"{where}: array {name!r} has values no trained head has (NaN, infinite, not positive)"
            raise ModelError(msg)
    return PooledHead(arrays["mean"], arrays["scale"], arrays["weights"], float(arrays["bias"]))


def sigmoid(x: NDArray[np.float64]) -> NDArray[np.float64]:
    """Logistic function without overflow."""
    return 0.5 * (1.0 + np.tanh(0.5 * x))

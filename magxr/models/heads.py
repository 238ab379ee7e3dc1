"""The pooled head: a logistic model on the mean and standard deviation of the trunk's features."""

from __future__ import annotations

import io
import zipfile
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from magxr.errors import ModelError

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

_ARRAYS = ("mean", "scale", "weights", "bias")
_WEAKEST = 1e-6
"""Spread, relative to a feature's size, below which the feature is constant and left out."""


@dataclass(frozen=True, slots=True, eq=False)
class PooledHead:
    """Standardise, weigh, sum, squash: ``p = 1 / (1 + exp(-(weights . (f - mean) / scale + bias)))``."""

    mean: NDArray[np.float32]
    """Mean of every feature over the training windows, shape (d,)."""
    scale: NDArray[np.float32]
    """Standard deviation of every feature over the training windows; infinite for a constant feature."""
    weights: NDArray[np.float32]
    """One weight per standardised feature, shape (d,)."""
    bias: float

    @property
    def parameters(self) -> int:
        """Number of trained parameters."""
        return self.weights.size + 1

    def probability(self, features: NDArray[np.floating]) -> NDArray[np.float32]:
        """Return the probability of "linear" for features of shape (n, d)."""
        return sigmoid(self.standardise(features) @ self.weights.astype(np.float64) + self.bias).astype("f4")

    def standardise(self, features: NDArray[np.floating]) -> NDArray[np.float64]:
        """Return features with zero mean and unit variance over the training windows."""
        shifted = np.asarray(features, dtype=np.float64) - self.mean
        return np.asarray(shifted / self.scale, dtype=np.float64)

    def to_bytes(self) -> bytes:
        """Return the head as the bytes of an ``.npz`` file: the same head gives the same bytes."""
        stream = io.BytesIO()
        with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
            for name in _ARRAYS:
                part = io.BytesIO()
                np.lib.format.write_array(
                    part, np.asarray(getattr(self, name), np.float32), allow_pickle=False
                )
                archive.writestr(zipfile.ZipInfo(f"{name}.npy", (1980, 1, 1, 0, 0, 0)), part.getvalue())
        return stream.getvalue()


def spread(features: NDArray[np.floating]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Return mean and standard deviation of every feature; the deviation is infinite where it is nothing."""
    values = np.asarray(features, dtype=np.float64)
    mean, scale = values.mean(axis=0), values.std(axis=0)
    scale[scale <= _WEAKEST * np.maximum(np.abs(mean), _WEAKEST)] = np.inf
    return mean.astype(np.float32), scale.astype(np.float32)


def sigmoid(x: NDArray[np.float64]) -> NDArray[np.float64]:
    """Logistic function without overflow."""
    return 0.5 * (1.0 + np.tanh(0.5 * x))


def read_head(path: Path) -> PooledHead:
    """Read a head from its ``.npz`` file; objects are refused, so no code can run.

    Raises
    ------
    ModelError
        If the file is missing, is not such an archive, holds Python objects, or arrays do not fit.
    """
    if not path.is_file():
        msg = f"the weights file {path} does not exist; restore it or train the model again"
        raise ModelError(msg)
    try:
        with np.load(path, allow_pickle=False) as archive:
            missing = sorted(set(_ARRAYS) - set(archive.files))
            if missing:
                msg = f"{path} is not a pooled head: it has {sorted(archive.files)} and lacks {missing}"
                raise ModelError(msg)
            arrays = {name: archive[name] for name in _ARRAYS}
    except (ValueError, OSError, EOFError, zipfile.BadZipFile, AttributeError) as error:
        if isinstance(error, ModelError):
            raise
        msg = f"{path} cannot be read as a pooled head ({error}); it must be an .npz of plain float arrays"
        raise ModelError(msg) from error
    width = arrays["weights"].shape
    for name, wanted in (("mean", width), ("scale", width), ("weights", width), ("bias", ())):
        array = arrays[name]
        if array.dtype.kind != "f" or array.shape != wanted or len(width) != 1:
            msg = (
                f"{path}: array {name!r} is {array.dtype} of shape {array.shape}, expected floats of {wanted}"
            )
            raise ModelError(msg)
        finite = np.isfinite(array) if name != "scale" else array > 0
        if not finite.all():
            msg = f"{path}: array {name!r} has values no trained head has (NaN, infinite, not positive)"
            raise ModelError(msg)
    return PooledHead(arrays["mean"], arrays["scale"], arrays["weights"], float(arrays["bias"]))

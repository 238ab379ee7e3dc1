"""The paper's head: dense layers on the flattened feature map, the last one a sigmoid."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from magxr.errors import ModelError
from magxr.models import archive
from magxr.models.pooled_head import sigmoid

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from magxr.models.archive import Layers

WIDTHS = (100, 100, 10)
"""Units of the hidden layers: with one output and VGG's 25,088 values at 250 px, 2,520,021 parameters."""
_ROWS = 512
"""Windows taken at once: their features as float32 stay at some tens of MB."""


@dataclass(frozen=True, slots=True, eq=False)
class DenseHead:
    """Dense layers, each but the last followed by ``max(0, x)``; the last gives one logit."""

    kind: ClassVar[str] = "dense"

    layers: Layers
    """Kernel (values in, values out) and bias (values out) of every layer; float32."""

    @property
    def length(self) -> int:
        """Number of features it takes."""
        return int(self.layers[0][0].shape[0])

    @property
    def parameters(self) -> int:
        """Number of trained parameters."""
        return sum(kernel.size + bias.size for kernel, bias in self.layers)

    def probability(self, features: NDArray[np.floating]) -> NDArray[np.float32]:
        """Return the probability of "linear" for features of shape (n, d)."""
        logits = [self._logits(features[i : i + _ROWS]) for i in range(0, len(features), _ROWS)]
        return sigmoid(np.concatenate([np.empty(0), *logits])).astype("f4")

    def _logits(self, features: NDArray[np.floating]) -> NDArray[np.float64]:
        x = np.asarray(features, dtype=np.float32)
        for kernel, bias in self.layers[:-1]:
            x = np.maximum(x @ kernel + bias, np.float32(0))
        kernel, bias = self.layers[-1]
        return np.asarray((x @ kernel + bias)[:, 0], dtype=np.float64)

    def arrays(self) -> dict[str, NDArray[np.float32]]:
        """Return what the head's file holds, by name."""
        return archive.named(self.layers)

    def to_bytes(self) -> bytes:
        """Return the head as the bytes of an ``.npz`` file: the same head gives the same bytes."""
        return archive.pack(self.arrays())


def from_arrays(arrays: archive.Arrays, where: str) -> DenseHead:
    """Return the head that arrays make, each checked; ``where`` begins the message of an error."""
    layers = archive.layers_of(arrays, where)
    if any(kernel.ndim != 2 for kernel, _ in layers) or layers[-1][0].shape[1] != 1:
        shapes = [kernel.shape for kernel, _ in layers]
        msg = f"{where} is not a dense head: its kernels are {shapes}, the last must give one value"
        raise ModelError(msg)
    return DenseHead(layers)

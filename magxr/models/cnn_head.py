"""A whole CNN as a head: its weights as plain arrays; it takes windows instead of features."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from magxr.errors import ModelError
from magxr.models import archive

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from magxr.models.archive import Layers


@dataclass(frozen=True, slots=True, eq=False)
class CnnHead:
    """Weights of `magxr.models.architectures.cnn`, layer by layer."""

    kind: ClassVar[str] = "cnn"

    layers: Layers
    """Kernel and bias of every layer with weights, from the window to the answer; float32."""

    @property
    def outputs(self) -> int:
        """1, a sigmoid, or 2, the probabilities of nonlinear and linear."""
        return int(self.layers[-1][0].shape[1])

    @property
    def parameters(self) -> int:
        """Number of trained parameters."""
        return sum(kernel.size + bias.size for kernel, bias in self.layers)

    def put_into(self, model: Any) -> None:
        """Give a Keras model of the same architecture these weights.

        Raises
        ------
        ModelError
            If the model's layers have other shapes, as at another window size.
        """
        placed = [layer for layer in model.layers if layer.weights]
        shapes = [[tuple(w.shape) for w in layer.weights] for layer in placed]
        own = [[kernel.shape, bias.shape] for kernel, bias in self.layers]
        if shapes != own:
            differ = next((p for p in zip(own, shapes, strict=False) if p[0] != p[1]), (own[-1], shapes[-1]))
            msg = f"weights of {differ[0]} do not fit a network of {differ[1]}: windows of another size"
            raise ModelError(msg)
        for layer, pair in zip(placed, self.layers, strict=True):
            layer.set_weights(list(pair))

    def arrays(self) -> dict[str, NDArray[np.float32]]:
        """Return what the head's file holds, by name."""
        return archive.named(self.layers)

    def to_bytes(self) -> bytes:
        """Return the head as the bytes of an ``.npz`` file: the same head gives the same bytes."""
        return archive.pack(self.arrays())


def from_arrays(arrays: archive.Arrays, where: str) -> CnnHead:
    """Return the weights that arrays make, each checked; ``where`` begins the message of an error."""
    layers = archive.layers_of(arrays, where)
    if layers[0][0].ndim != 4 or layers[-1][0].ndim != 2 or layers[-1][0].shape[1] not in (1, 2):
        shapes = [kernel.shape for kernel, _ in layers]
        msg = f"{where} is not a CNN: its kernels have the shapes {shapes}"
        raise ModelError(msg)
    return CnnHead(layers)

"""Weights by torchvision's names, from safetensors or torch files, in the layout of Keras."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from magxr.errors import ModelError
from magxr.models.weightfiles import found
from magxr.models.weightfiles.safetensors import SafeTensors
from magxr.models.weightfiles.torch_file import TorchFile

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    import numpy as np
    from numpy.typing import NDArray

    from magxr.models.trunks.sketch import Layer, Tensor
    from magxr.models.weightfiles.kinds import Kind

_SUFFIX = {
    "kernel": "weight", "bias": "bias", "gamma": "weight", "beta": "bias", "mean": "running_mean",
    "variance": "running_var",
}  # fmt: skip
_TO_KERAS = {"convolution": (2, 3, 1, 0), "depthwise": (2, 3, 0, 1)}
"""Torch keeps kernels as (channels out, channels in, rows, columns), depthwise ones with 1 channel in."""


class _Source(Protocol):
    def names(self) -> list[str]: ...

    def read(self, name: str, shape: tuple[int, ...]) -> NDArray: ...


def read(path: Path, layers: Sequence[Layer], kind: Kind) -> dict[str, tuple[NDArray[np.float32], ...]]:
    """Read all tensors of layers.

    Parameters
    ----------
    path : Path
        Safetensors or torch file with torchvision's names.
    layers : sequence of Layer
        What must be there.
    kind : str
        Which of the two; see `magxr.models.weightfiles.kinds`.

    Returns
    -------
    dict
        Layer name -> its tensors, float32, in the order and layout that Keras keeps them.

    Raises
    ------
    ModelError
        If the file cannot be read, or a tensor is missing, cut short, of another shape or not finite.
    """
    source: _Source
    source = SafeTensors(path) if kind == "safetensors" else TorchFile(path, zipped=kind == "torch archive")
    held = set(source.names())
    return {layer.name: tuple(_tensor(source, held, layer, t) for t in layer.tensors) for layer in layers}


def _tensor(source: _Source, held: set[str], layer: Layer, tensor: Tensor) -> NDArray[np.float32]:
    if not layer.torch:
        msg = f"layer {layer.name} has no counterpart in files of torchvision; give a Keras file (.h5)"
        raise ModelError(msg)
    name = f"{layer.torch}.{_SUFFIX[tensor.part]}"
    shape, turn = tensor.shape, None
    if len(shape) == 4:
        turn = _TO_KERAS[layer.kind]
        shape = tuple(shape[turn.index(axis)] for axis in range(4))
    if name not in held:
        raise found.missing(name, shape)
    values = source.read(name, shape)
    return found.checked(name, values if turn is None else values.transpose(turn))

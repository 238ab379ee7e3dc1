"""Random weights that are the same everywhere: a trunk that has learnt nothing, to compare with and to test.

They are no file. A path ``untrained:NAME`` stands for them, so that a model with such a trunk travels, is
hashed and is checked as any other.
"""

from __future__ import annotations

import hashlib
import math
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from magxr.models.trunks.table import FORMS

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from magxr.models.trunks.sketch import Op, Sketch, Tensor

WORD = "untrained"
"""What to give as ``trunk_weights``."""
SEED = 20260
"""Fixes the weights; another number would be other weights under the same name."""


def path(trunk: str) -> Path:
    """Return the path that stands for the random weights of a trunk; there is no such file."""
    return Path(f"{WORD}:{trunk}")


def trunk_of(given: Path) -> str | None:
    """Return the trunk whose random weights a path stands for, None for the path of a file."""
    word, colon, trunk = str(given).partition(":")
    return trunk if word == WORD and colon and trunk in FORMS else None


def tensors(trunk: str) -> dict[str, tuple[NDArray[np.float32], ...]]:
    """Return the random weights of a trunk.

    Parameters
    ----------
    trunk : str
        Name of the trunk; its first form is filled.

    Returns
    -------
    dict
        Layer name -> its tensors, float32. Kernels are uniform within ``sqrt(3 g / n)`` for ``n`` values read
        a result, with ``g = 2`` before a rectifier and 1 elsewhere (He et al., ICCV 2015), so that signals
        keep their size from layer to layer; biases are 0. Norms change nothing, but for the last of each
        branch of a residual network: it divides by the root of the number of branches, or their sum would
        grow with depth.

    Notes
    -----
    Numbers come from the raw 64-bit words of PCG64, whose stream numpy guarantees, not from its
    distributions, which may change with numpy.
    """
    sketch = FORMS[trunk][0].sketch
    rectified = _rectified(sketch)
    adds = [op for op in sketch.ops if op.kind == "add"]
    branches = {op.inputs[1] for op in adds}
    made = {}
    for number, op in enumerate(sketch.ops, 1):
        if op.layer is not None:
            gamma = 1 / math.sqrt(len(adds)) if number in branches else 1.0
            gain = 2.0 if number in rectified else 1.0
            made[op.name] = tuple(_values(trunk, op, t, gain, gamma) for t in op.layer.tensors)
    return made


def _rectified(sketch: Sketch) -> set[int]:
    """Return the operations whose result goes to a rectifier, at once or through a norm."""
    found = {n for n, op in enumerate(sketch.ops, 1) if op.relu}
    for op in sketch.ops:
        if op.kind == "relu":
            before = op.inputs[0]
            found.add(before)
            if sketch.ops[before - 1].kind == "norm":
                found.add(sketch.ops[before - 1].inputs[0])
    return found


def _values(trunk: str, op: Op, tensor: Tensor, gain: float, gamma: float) -> NDArray[np.float32]:
    if tensor.part != "kernel":
        value = {"gamma": gamma, "variance": 1.0}.get(tensor.part, 0.0)
        return np.full(tensor.shape, value, np.float32)
    named = hashlib.sha256(f"{SEED}/{trunk}/{op.name}".encode()).digest()
    words = np.random.PCG64(int.from_bytes(named[:16], "little")).random_raw(math.prod(tensor.shape))
    read = math.prod(tensor.shape[:2] if op.kind == "depthwise" else tensor.shape[:3])
    limit = np.float32(math.sqrt(3 * gain / read))
    unit = (words >> np.uint64(40)).astype(np.float32) * np.float32(2**-23) - np.float32(1)  # in [-1, 1)
    return np.reshape(unit * limit, tensor.shape)


@lru_cache(maxsize=16)
def sha256(trunk: str) -> str:
    """Return the SHA-256 of a trunk's random weights: of names, shapes and little-endian float32 values."""
    found = hashlib.sha256()
    shapes = {layer.name: layer.tensors for layer in FORMS[trunk][0].layers}
    for layer, values in tensors(trunk).items():
        for tensor, value in zip(shapes[layer], values, strict=True):
            found.update(f"{layer}/{tensor.part} {tensor.shape}\n".encode())
            found.update(np.ascontiguousarray(value, "<f4").tobytes())
    return found.hexdigest()

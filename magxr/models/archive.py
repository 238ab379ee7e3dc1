"""The file of a head: plain float arrays by name in an ``.npz``, no pickles, the same head the same bytes."""

from __future__ import annotations

import io
import zipfile
import zlib
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np

from magxr.errors import ModelError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from numpy.typing import NDArray

    Arrays = Mapping[str, NDArray[np.float32]]
    Layers = tuple[tuple[NDArray[np.float32], NDArray[np.float32]], ...]

_WORTH_PACKING = 2**20
"""Bytes from which arrays are stored as they are: large weights hardly get smaller and take seconds."""
_SMALL = 2**24
"""Bytes that any archive may hold unpacked."""
_MOST_PACKED = 20
"""Times its own bytes that a larger one may hold."""
_BROKEN = (ValueError, OSError, EOFError, RuntimeError, MemoryError, zipfile.BadZipFile, zlib.error)
"""What numpy and zipfile raise for files that are none of theirs, encrypted, damaged or cut short."""
_EPOCH = (1980, 1, 1, 0, 0, 0)
"""Date of every entry, the earliest of the format: the time of day would make equal heads differ."""


def pack(arrays: Arrays) -> bytes:
    """Return arrays as the bytes of an ``.npz`` file, as float32 and in the order given."""
    stream = io.BytesIO()
    size = sum(np.asarray(a).size for a in arrays.values()) * 4
    how = zipfile.ZIP_DEFLATED if size < _WORTH_PACKING else zipfile.ZIP_STORED
    with zipfile.ZipFile(stream, "w", how) as archive:
        for name, array in arrays.items():
            entry = zipfile.ZipInfo(f"{name}.npy", _EPOCH)
            entry.compress_type = how
            part = io.BytesIO()
            np.lib.format.write_array(part, np.asarray(array, np.float32), allow_pickle=False)
            archive.writestr(entry, part.getvalue())
    return stream.getvalue()


def unpack(path: Path) -> dict[str, NDArray[np.float32]]:
    """Read all arrays of a head's file; Python objects are refused, so no code can run.

    Raises
    ------
    ModelError
        If the file is missing, damaged, or holds anything but float arrays.
    """
    if not path.is_file():
        msg = f"the weights file {path} does not exist; restore it or train the model again"
        raise ModelError(msg)
    try:
        _check_size(path)
        with np.load(path, allow_pickle=False) as archive:
            arrays = {name: archive[name] for name in archive.files}
    except _BROKEN as error:
        if isinstance(error, ModelError):
            raise
        msg = f"{path} cannot be read as a head ({error}); it must be an .npz of plain float arrays"
        raise ModelError(msg) from error
    for name, array in arrays.items():
        if not isinstance(array, np.ndarray) or array.dtype.kind != "f":
            what = f"{array.dtype} of shape {array.shape}" if isinstance(array, np.ndarray) else "no array"
            msg = f"{path}: array {name!r} is {what}, expected floats"
            raise ModelError(msg)
    return arrays


def _check_size(path: Path) -> None:
    """Refuse an archive that would fill the memory: heads hardly get smaller when they are packed."""
    with zipfile.ZipFile(path) as archive:
        size = sum(entry.file_size for entry in archive.infolist())
    most = max(_SMALL, _MOST_PACKED * path.stat().st_size)
    if size > most:
        msg = f"{path} is refused: its {path.stat().st_size} bytes claim to hold {size}, more than {most}"
        raise ModelError(msg)


def layers_of(arrays: Arrays, where: str) -> Layers:
    """Return kernels and biases of layers stored as ``kernel0, bias0, kernel1, ...``, each checked.

    Raises
    ------
    ModelError
        If one is missing, does not fit its kernel, follows no layer of its width, or is not finite.
    """
    count = sum(name.startswith("kernel") for name in arrays)
    wanted = {f"{part}{i}" for i in range(count) for part in ("kernel", "bias")}
    if not count or wanted != set(arrays):
        expected = sorted(wanted) or ["bias0", "kernel0"]
        msg = f"{where} holds {sorted(arrays)}, which are no layers; expected {expected}"
        raise ModelError(msg)
    layers = []
    for i in range(count):
        kernel, bias = arrays[f"kernel{i}"], arrays[f"bias{i}"]
        if kernel.ndim not in (2, 4) or bias.shape != kernel.shape[-1:]:
            msg = f"{where}: kernel{i} of {kernel.shape} and bias{i} of {bias.shape} make no layer"
            raise ModelError(msg)
        if not (np.isfinite(kernel).all() and np.isfinite(bias).all()):
            msg = f"{where}: layer {i} has values no trained head has (NaN or infinite)"
            raise ModelError(msg)
        layers.append((np.asarray(kernel, np.float32), np.asarray(bias, np.float32)))
    for i, ((before, _), (after, _)) in enumerate(pairwise(layers)):
        if before.ndim == after.ndim and before.shape[-1] != after.shape[-2]:
            widths = f"gives {before.shape[-1]} values, layer {i + 1} takes {after.shape[-2]}"
            msg = f"{where}: layer {i} {widths}"
            raise ModelError(msg)
    return tuple(layers)


def named(layers: Layers) -> dict[str, NDArray[np.float32]]:
    """Return layers as the arrays that `layers_of` reads."""
    parts = ("kernel", "bias")
    return {f"{p}{i}": a for i, pair in enumerate(layers) for p, a in zip(parts, pair, strict=True)}

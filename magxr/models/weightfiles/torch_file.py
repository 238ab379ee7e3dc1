"""Tensors by name from a torch file (``.pth``, ``.pt``, ``.bin``), read without running its pickle.

Since torch 1.6 such a file is a zip archive: ``data.pkl`` says which tensors there are, and members ``data/0``,
``data/1`` and so on hold their numbers. Older ones are five pickles in a row and the numbers behind them.
"""

from __future__ import annotations

import io
import math
import zipfile
from typing import IO, TYPE_CHECKING, Any

import numpy as np

from magxr.errors import ModelError
from magxr.models.weightfiles import found, pickled
from magxr.models.weightfiles.safetensors import from_bfloat16

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

_LARGEST_TABLE = 10**7
"""Bytes of a ``data.pkl``; those of the largest trunk have under 200,000."""
_NESTED = ("state_dict", "model")
"""Keys under which training scripts keep the table of tensors."""
_PREFIX = "module."
"""What torch puts before names of networks trained on several GPUs."""


class TorchFile:
    """An open torch file: shapes at once, values when asked for."""

    def __init__(self, path: Path, *, archive: bool) -> None:
        self._path = path
        self._archive = archive
        self._places: dict[str, tuple[int, int]] = {}
        table = self._read_archive() if archive else self._read_stream()
        for key in _NESTED:
            if isinstance(table, dict) and isinstance(table.get(key), dict):
                table = table[key]
        if not isinstance(table, dict) or not any(isinstance(v, pickled.Stored) for v in table.values()):
            msg = (
                f"{path} holds no table of tensors (a state_dict); save one with torch.save(net.state_dict())"
            )
            raise ModelError(msg)
        self._tensors = {
            str(k).removeprefix(_PREFIX): v for k, v in table.items() if isinstance(v, pickled.Stored)
        }

    def names(self) -> list[str]:
        """Return the names of all tensors."""
        return list(self._tensors)

    def read(self, name: str, shape: tuple[int, ...]) -> NDArray[Any]:
        """Return a tensor, which must have this shape."""
        tensor = self._tensors[name]
        found.check_shape(name, tensor.shape, shape)
        storage = tensor.storage
        code = "<u2" if storage.code == "bf16" else storage.code
        size = np.dtype(code).itemsize
        if len(tensor.strides) != len(shape) or min((0, tensor.offset, *tensor.strides)) < 0:
            msg = f"tensor {name} of shape {shape} has the strides {tensor.strides}, which do not fit"
            raise ModelError(msg)
        last = tensor.offset + sum((n - 1) * s for n, s in zip(shape, tensor.strides, strict=True))
        if math.prod(shape) and last >= storage.length:
            raise found.cut_short(name, shape, f"it ends at number {last} of {storage.length}")
        try:
            raw = self._numbers(storage.key, storage.length * size)
        except (KeyError, OSError, EOFError, zipfile.BadZipFile, NotImplementedError) as error:
            raise found.cut_short(name, shape, error) from error
        if len(raw) != storage.length * size:
            raise found.cut_short(name, shape, f"{len(raw)} bytes of {storage.length * size}")
        flat = np.frombuffer(raw, code)[tensor.offset :]
        values = np.lib.stride_tricks.as_strided(
            flat, shape, [s * size for s in tensor.strides], writeable=False
        )
        return from_bfloat16(values) if storage.code == "bf16" else values

    def _read_archive(self) -> Any:
        with zipfile.ZipFile(self._path) as archive:
            inside = next(n for n in archive.namelist() if n.split("/")[-1] == "data.pkl")
            self._folder = inside.removesuffix("data.pkl")
            if archive.getinfo(inside).file_size > _LARGEST_TABLE:
                msg = f"{self._path} is refused: its data.pkl is over {_LARGEST_TABLE} bytes long"
                raise ModelError(msg)
            order = f"{self._folder}byteorder"
            if order in archive.namelist() and archive.read(order) != b"little":
                msg = f"{self._path} holds big-endian numbers; save it again on a little-endian machine"
                raise ModelError(msg)
            try:
                content = archive.read(inside)
            except (zipfile.BadZipFile, EOFError, NotImplementedError) as error:
                msg = f"{self._path}: data.pkl cannot be unpacked ({error}); the file is truncated or damaged"
                raise ModelError(msg) from error
        return pickled.read(io.BytesIO(content), str(self._path))

    def _read_stream(self) -> Any:
        what = str(self._path)
        with self._path.open("rb") as stream:
            _, _, system = (pickled.read(stream, what) for _ in range(3))
            if not isinstance(system, dict) or system.get("little_endian") is not True:
                msg = f"{what} holds big-endian numbers; save it again on a little-endian machine"
                raise ModelError(msg)
            table = pickled.read(stream, what)
            keys = pickled.read(stream, what)
            self._find_numbers(stream, table, keys)
        return table

    def _find_numbers(self, stream: IO[bytes], table: Any, keys: Any) -> None:
        """Note where each storage begins: they follow in the order of their keys, each after its length."""
        sizes = {s.key: np.dtype(s.code.replace("bf16", "<u2")).itemsize for s in _storages(table)}
        end = self._path.stat().st_size
        for key in keys:
            count = int.from_bytes(stream.read(8), "little")
            start, length = stream.tell(), count * sizes.get(str(key), 0)
            self._places[str(key)] = (start, min(length, end - start))
            stream.seek(start + length)

    def _numbers(self, key: str, length: int) -> bytes:
        if not self._archive:
            start, held = self._places[key]
            with self._path.open("rb") as stream:
                stream.seek(start)
                return stream.read(min(held, length))
        with zipfile.ZipFile(self._path) as archive:
            member = archive.getinfo(f"{self._folder}data/{key}")
            if member.file_size != length:
                return b"" if member.file_size > length else archive.read(member)
            return archive.read(member)


def _storages(table: Any) -> list[pickled.Storage]:
    if isinstance(table, pickled.Stored):
        return [table.storage]
    return [s for v in table.values() for s in _storages(v)] if isinstance(table, dict) else []

"""Tensors by name from a torch file (``.pth``, ``.pt``, ``.bin``), read without running its pickle.

Since torch 1.6 such a file is a zip archive: ``data.pkl`` says which tensors there are, and members
``data/0``, ``data/1`` and so on hold their numbers. Older ones are five pickles in a row and the numbers
behind them.
"""

from __future__ import annotations

import io
import math
from typing import IO, TYPE_CHECKING, Any

import numpy as np

from magxr.errors import ModelError
from magxr.models.weightfiles import archive, found, pickled
from magxr.models.weightfiles.safetensors import from_bfloat16

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

_LARGEST_TABLE = 10**7
"""Bytes of a ``data.pkl``; those of the largest trunk have under 200,000."""
_LARGEST = 2**31
"""Bytes of one storage."""
_NESTED = ("state_dict", "model")
"""Keys under which training scripts keep the table of tensors."""
_PREFIX = "module."
"""What torch puts before names of networks trained on several GPUs."""


class TorchFile:
    """An open torch file: shapes at once, values when asked for."""

    def __init__(self, path: Path, *, zipped: bool) -> None:
        self._path = path
        self._zipped = zipped
        self._places: dict[str, tuple[int, int]] = {}
        table = self._read_archive() if zipped else self._read_stream()
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
        if not 0 <= storage.length * size <= _LARGEST:
            msg = f"tensor {name} lies in {storage.length} numbers, over the {_LARGEST} bytes of any trunk"
            raise ModelError(msg)
        if math.prod(shape) and last >= storage.length:
            raise found.cut_short(name, shape, f"it ends at number {last} of {storage.length}")
        try:
            raw = self._numbers(storage.key, storage.length * size)
        except (KeyError, ModelError) as error:
            raise found.cut_short(name, shape, error) from error
        if len(raw) != storage.length * size:
            raise found.cut_short(name, shape, f"{len(raw)} bytes of {storage.length * size}")
        flat = np.frombuffer(raw, code)[tensor.offset :]
        values = np.lib.stride_tricks.as_strided(
            flat, shape, [s * size for s in tensor.strides], writeable=False
        )
        return from_bfloat16(values) if storage.code == "bf16" else values

    def _read_archive(self) -> Any:
        held = archive.names(self._path)
        inside = next(n for n in held if n.split("/")[-1] == "data.pkl")
        self._folder = inside.removesuffix("data.pkl")
        order = f"{self._folder}byteorder"
        if order in held and archive.member(self._path, order, 64) != b"little":
            raise self._big_endian()
        return pickled.read(io.BytesIO(archive.member(self._path, inside, _LARGEST_TABLE)), str(self._path))

    def _big_endian(self) -> ModelError:
        return ModelError(f"{self._path} holds big-endian numbers; save it on a little-endian machine")

    def _read_stream(self) -> Any:
        what = str(self._path)
        with self._path.open("rb") as stream:
            _, _, system = (pickled.read(stream, what) for _ in range(3))
            if not isinstance(system, dict) or system.get("little_endian") is not True:
                raise self._big_endian()
            table = pickled.read(stream, what)
            keys = pickled.read(stream, what)
            self._find_numbers(stream, table, keys)
        return table

    def _find_numbers(self, stream: IO[bytes], table: Any, keys: Any) -> None:
        """Note where each storage begins: they follow in the order of their keys, each after its length."""
        sizes = {s.key: np.dtype(s.code.replace("bf16", "<u2")).itemsize for s in _storages(table)}
        end = self._path.stat().st_size
        for key in keys if isinstance(keys, list) else ():
            count = int.from_bytes(stream.read(8), "little")
            start = stream.tell()
            held = min(count * sizes.get(str(key), 0), end - start)
            self._places[str(key)] = (start, held)
            stream.seek(start + held)

    def _numbers(self, key: str, length: int) -> bytes:
        if not self._zipped:
            start, held = self._places[key]
            with self._path.open("rb") as stream:
                stream.seek(start)
                return stream.read(min(held, length))
        return archive.member(self._path, f"{self._folder}data/{key}", length)


def _storages(table: Any) -> list[pickled.Storage]:
    """Return the storages of all tensors in a table and the tables in it, which may hold each other."""
    storages, waiting, seen = [], [table], set()
    while waiting:
        value = waiting.pop()
        if isinstance(value, pickled.Stored):
            storages.append(value.storage)
        elif isinstance(value, dict) and id(value) not in seen:
            seen.add(id(value))
            waiting.extend(value.values())
    return storages

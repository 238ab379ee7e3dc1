"""Tensors by name from a safetensors file: the length of a header, the header in JSON, the values.

https://huggingface.co/docs/safetensors describes the format.
"""

from __future__ import annotations

import json
import math
from typing import TYPE_CHECKING, Any

import numpy as np

from magxr.errors import ModelError
from magxr.models.weightfiles import found

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

_LARGEST_HEADER = 10**8
"""Bytes, as the format's own library has it."""
_TYPES = {"F64": "<f8", "F32": "<f4", "F16": "<f2", "BF16": "<u2"}


class SafeTensors:
    """An open safetensors file: shapes at once, values when asked for."""

    def __init__(self, path: Path) -> None:
        self._path = path
        size = path.stat().st_size
        with path.open("rb") as stream:
            length = int.from_bytes(stream.read(8), "little")
            if not 0 < length <= min(_LARGEST_HEADER, size - 8):
                msg = f"{path} is no whole safetensors file: its header claims {length} bytes of {size}"
                raise ModelError(msg)
            try:
                header = json.loads(stream.read(length))
            except (ValueError, RecursionError) as error:
                msg = f"{path}: the header of the safetensors file is not readable JSON ({error})"
                raise ModelError(msg) from error
        if not isinstance(header, dict):
            msg = f"{path}: the header of the safetensors file is no table of tensors"
            raise ModelError(msg)
        self._first = 8 + length
        self._held = size - self._first
        self._entries = {k: v for k, v in header.items() if k != "__metadata__"}

    def names(self) -> list[str]:
        """Return the names of all tensors."""
        return list(self._entries)

    def read(self, name: str, shape: tuple[int, ...]) -> NDArray[Any]:
        """Return a tensor, which must have this shape."""
        try:
            entry = self._entries[name]
            stored, code = tuple(map(int, entry["shape"])), _TYPES.get(entry["dtype"])
            start, stop = map(int, entry["data_offsets"])
        except (TypeError, KeyError, ValueError) as error:
            msg = f"{self._path}: the header describes tensor {name} wrongly ({error!r})"
            raise ModelError(msg) from error
        if code is None:
            msg = f"tensor {name} has the type {entry['dtype']!r}; magxr reads {', '.join(_TYPES)}"
            raise ModelError(msg)
        found.check_shape(name, stored, shape)
        if not 0 <= start <= stop <= self._held:
            why = f"bytes {start} to {stop} of {self._held}"
            raise found.cut_short(name, shape, why)
        if stop - start != math.prod(shape) * np.dtype(code).itemsize:
            kind = entry["dtype"]
            msg = f"tensor {name} of shape {shape} and type {kind} cannot be {stop - start} bytes long"
            raise ModelError(msg)
        with self._path.open("rb") as stream:
            stream.seek(self._first + start)
            values = np.frombuffer(stream.read(stop - start), code).reshape(shape)
        return from_bfloat16(values) if entry["dtype"] == "BF16" else values


def from_bfloat16(values: NDArray[np.uint16]) -> NDArray[np.float32]:
    """Return numbers stored as the upper half of float32."""
    return (values.astype(np.uint32) << 16).view(np.float32)

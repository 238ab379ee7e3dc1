"""The state of a training, kept after every epoch, so that an interrupted one goes on."""

from __future__ import annotations

import hashlib
import json
import os
import uuid
import zipfile
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from magxr.errors import ModelError, StoreError
from magxr.io.places import here

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    Arrays = dict[str, NDArray[Any]]

_ABOUT = "about"


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """One file of a folder: plain arrays and a line of JSON, no pickles."""

    path: Path
    fingerprint: str
    """Of everything the training depends on; a file of another training is refused."""

    def save(self, about: dict[str, Any], arrays: Arrays) -> None:
        """Write the state of one epoch in place of the one before: an interruption leaves either whole."""
        text = json.dumps({"fingerprint": self.fingerprint, **about})
        growing = self.path.with_name(f".{self.path.name}-{uuid.uuid4().hex[:8]}")
        try:
            with growing.open("wb") as stream:
                np.savez(
                    stream, allow_pickle=False, **{_ABOUT: np.frombuffer(text.encode(), np.uint8), **arrays}
                )
                stream.flush()
                os.fsync(stream.fileno())
            growing.replace(self.path)
        finally:
            growing.unlink(missing_ok=True)

    def load(self) -> tuple[dict[str, Any], Arrays] | None:
        """Return what was saved last; None if nothing was.

        Raises
        ------
        ModelError
            If the file is of another training, or no checkpoint.
        """
        if not self.path.is_file():
            return None
        try:
            with np.load(self.path, allow_pickle=False) as archive:
                arrays = {k: archive[k] for k in archive.files}
            about = json.loads(arrays.pop(_ABOUT).tobytes())
        except (ValueError, OSError, EOFError, KeyError, zipfile.BadZipFile) as error:
            msg = f"the checkpoint {self.path} cannot be read ({error}); remove it to train from the start"
            raise ModelError(msg) from error
        if not isinstance(about, dict) or about.pop("fingerprint", None) != self.fingerprint:
            msg = (
                f"the checkpoint {self.path} is of another training (other windows, labels, split, head or "
                "protocol); remove it, or give another folder for checkpoint="
            )
            raise ModelError(msg)
        return about, arrays


def checkpoint_in(folder: str | Path | None, name: str, about: Any) -> Checkpoint | None:
    """Return the checkpoint of that name in a folder, which is made; None where there is no folder."""
    if folder is None:
        return None
    path = here(folder, "a checkpoint")
    if path.exists() and not path.is_dir():
        msg = f"checkpoint={str(folder)!r} is a file; give a folder"
        raise StoreError(msg)
    if not path.parent.is_dir():
        msg = f"the folder {str(path.parent)!r} for {path.name!r} does not exist; make it first"
        raise StoreError(msg)
    path.mkdir(exist_ok=True)
    text = json.dumps(about, sort_keys=True, default=str)
    return Checkpoint(path / f"{name}.npz", hashlib.sha256(text.encode()).hexdigest())


def fingerprint(*arrays: NDArray[Any]) -> str:
    """Return the SHA-256 of arrays, their shapes and dtypes."""
    own = hashlib.sha256()
    for array in arrays:
        own.update(f"{array.dtype} {array.shape}".encode())
        own.update(np.ascontiguousarray(array).tobytes())
    return own.hexdigest()

"""A study's folder: every finished piece under the hash of all that it depends on, so that work can resume.

A piece is a JSON file in ``cells/``, or arrays (``.npz``, no pickles) in ``maps/``. It is written under a
hidden name and renamed when it is whole: what is there is finished, what was interrupted is not there. A
changed parameter is another hash, and so another file.
"""

from __future__ import annotations

import hashlib
import json
import logging
import uuid
import zlib
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any
from zipfile import BadZipFile

import numpy as np

from magxr.errors import StoreError
from magxr.io.places import here

if TYPE_CHECKING:
    import os
    from collections.abc import Callable, Mapping

    from numpy.typing import NDArray

    Arrays = dict[str, NDArray[Any]]

_log = logging.getLogger("magxr.study")

FORMAT = "magxr-paper-study"
MARKER = "study.json"
VERSION = 1
"""Part of every key: raise it when the same settings would give other numbers."""


def key_of(about: Mapping[str, Any]) -> str:
    """Return the SHA-256 of plain data, hexadecimal."""
    text = json.dumps({"version": VERSION, **about}, sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()


@dataclass(slots=True)
class Ledger:
    """The finished pieces of a study."""

    folder: Path
    made: int = 0
    """Pieces made by this run."""
    found: int = 0
    """Pieces that were there."""

    def cell(self, about: Mapping[str, Any], make: Callable[[], dict[str, Any]]) -> dict[str, Any]:
        """Return a piece of plain data, from the folder or made now."""
        path = self.folder / "cells" / f"{key_of(about)}.json"
        kept = self._kept(path)
        if kept is not None:
            self.found += 1
            return kept
        result = make()
        text = json.dumps({"about": about, "result": result}, indent=1, default=str)
        self._write(path, lambda part: part.write_text(text + "\n", encoding="utf-8"))
        self.made += 1
        # what a later run will read, not what was handed in: both runs see the same numbers
        read: dict[str, Any] = json.loads(text)["result"]
        return read

    def arrays(self, about: Mapping[str, Any], make: Callable[[], Arrays]) -> Arrays:
        """Return named arrays, from the folder or made now."""
        path = self.folder / "maps" / f"{key_of(about)}.npz"
        if path.is_file():
            try:
                with np.load(path, allow_pickle=False) as kept:
                    found = {name: kept[name] for name in kept.files}
            except (OSError, ValueError, KeyError, EOFError, BadZipFile, zlib.error) as error:
                _log.warning("%s is damaged (%s) and made again", path, error)
            else:
                self.found += 1
                return found
        result = make()

        def put(part: Path) -> None:
            with part.open("wb") as stream:
                np.savez(stream, **result)  # type: ignore[arg-type]  # arrays, though a name might be a flag

        self._write(path, put)
        self.made += 1
        return result

    def _kept(self, path: Path) -> dict[str, Any] | None:
        if not path.is_file():
            return None
        try:
            kept: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))["result"]
        except (ValueError, KeyError, TypeError) as error:
            _log.warning("%s is damaged (%s) and made again", path, error)
            return None
        return kept

    def _write(self, path: Path, put: Callable[[Path], Any]) -> None:
        path.parent.mkdir(exist_ok=True)
        part = path.with_name(f".{uuid.uuid4().hex[:8]}-{path.name}")
        try:
            put(part)
            part.replace(path)
        finally:
            part.unlink(missing_ok=True)

    def publish(self, files: Mapping[str, bytes]) -> None:
        """Write the study's results, each whole."""
        for name, content in files.items():
            path = self.folder / name
            self._write(path, partial(Path.write_bytes, data=content))


def open_ledger(out: str | os.PathLike[str]) -> Ledger:
    """Return the ledger of a study's folder, made if there is none.

    Raises
    ------
    StoreError
        If the folder holds something else, or cannot be made.
    """
    folder = here(out, "what a study leaves")
    marker = folder / MARKER
    if folder.exists():
        try:
            told = json.loads(marker.read_text(encoding="utf-8")) if folder.is_dir() else None
        except (OSError, ValueError):
            told = None
        if not isinstance(told, dict) or told.get("format") != FORMAT:
            msg = (
                f"{str(out)!r} is already there and is no folder of this study; choose another one, or one "
                f"that `magxr study paper` wrote, to go on"
            )
            raise StoreError(msg)
        return Ledger(folder)
    if not folder.parent.is_dir():
        msg = f"the folder {str(folder.parent)!r}, in which {folder.name!r} would be made, does not exist"
        raise StoreError(msg)
    try:
        folder.mkdir()
    except OSError as error:
        msg = f"cannot make {str(out)!r} ({error.strerror}); choose a folder that you may write to"
        raise StoreError(msg) from error
    marker.write_text(json.dumps({"format": FORMAT, "version": VERSION}) + "\n", encoding="utf-8")
    return Ledger(folder)

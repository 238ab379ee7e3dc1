"""What a run has finished: one signed entry a block, in a folder that a run that was stopped leaves behind.

::

    chile.zarr.unfinished/
      run.json          what the run is: parameters, grid, model, versions; written first
      lock              held by the process that works on it
      statistics/       global statistics, one file a stage
      ledger/STAGE/     one file a block: what it was made from, checksum of what was written
      *.zarr            the stores that grow

Every file is written under another name first and then renamed, so it is there whole or not at all.
"""

from __future__ import annotations

import json
import os
import socket
import uuid
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from magxr.errors import StoreError
from magxr.kernels.lowrank import Basis, Scale

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

FORMAT = "magxr-ledger-1"
SUFFIX = ".unfinished"
_TUPLES = {t.__name__: t for t in (Basis, Scale)}
"""Statistics that are no plain arrays."""


@dataclass(frozen=True, slots=True)
class Ledger:
    """The folder of one run."""

    folder: Path

    def start(self, about: Mapping[str, Any]) -> None:
        """Write down what the run is."""
        _write(self.folder / "run.json", {"format": FORMAT, **about})

    def about(self) -> dict[str, Any]:
        """Return what the run is.

        Raises
        ------
        StoreError
            If the folder is none of a run, or its file is damaged.
        """
        path = self.folder / "run.json"
        if not path.is_file():
            fix = "move it away; nothing in it was touched"
            msg = f"{str(self.folder)!r} is in the way and not what a run leaves (it has no run.json); {fix}"
            raise StoreError(msg)
        found = _read(path)
        if found.pop("format", None) != FORMAT:
            fix = "finish it with the magxr that began it, or remove the folder to start anew"
            msg = f"{path} is of another format than {FORMAT!r}; {fix}"
            raise StoreError(msg)
        return found

    def check(self, about: Mapping[str, Any]) -> None:
        """Refuse to go on with another run than the one that was begun.

        Raises
        ------
        StoreError
            Naming the first thing that differs.
        """
        begun = self.about()
        for name in sorted(set(begun) | set(about)):
            was, now = begun.get(name), json.loads(json.dumps(about.get(name), default=str))
            if was != now:
                fix = "ask for the same, choose another output, or remove the folder to start anew"
                msg = (
                    f"the unfinished run in {self.folder.name!r} is another one: its {name} is "
                    f"{_shown(was)}, asked for now is {_shown(now)}; {fix}"
                )
                raise StoreError(msg)

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Keep others out while the block runs; a process that dies lets go by itself.

        Raises
        ------
        StoreError
            If another run holds it.
        """
        import fcntl

        with (self.folder / "lock").open("a+", encoding="utf-8") as held:
            try:
                fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError as error:
                held.seek(0)
                who = held.read().strip() or "another process"
                fix = "wait for it to end, or choose another output"
                msg = f"a run is at work in {str(self.folder)!r} ({who}); {fix}"
                raise StoreError(msg) from error
            held.seek(0)
            held.truncate()
            held.write(f"process {os.getpid()} on {socket.gethostname()}")
            held.flush()
            yield

    def entry(self, stage: str, number: tuple[int, ...]) -> dict[str, Any] | None:
        """Return the entry of a block, None if it was not signed."""
        path = self._entry(stage, number)
        return _read(path) if path.is_file() else None

    def sign(self, stage: str, number: tuple[int, ...], entry: Mapping[str, Any]) -> None:
        """Write down that a block is done."""
        _write(self._entry(stage, number), entry)

    def forget(self, stage: str, number: tuple[int, ...]) -> None:
        """Have a block made again."""
        self._entry(stage, number).unlink(missing_ok=True)

    def signed(self, stage: str) -> int:
        """Return the number of blocks of a stage that are done."""
        folder = self.folder / "ledger" / stage
        return len(list(folder.glob("*.json"))) if folder.is_dir() else 0

    def keep(self, stage: str, values: Mapping[str, Any]) -> None:
        """Write down the statistics of a stage: arrays, numbers, and the tuples of the low-rank step."""
        flat: dict[str, Any] = {}
        for role, value in values.items():
            if type(value).__name__ in _TUPLES:
                for name, part in zip(value._fields, value, strict=True):
                    flat[f"{role}/{type(value).__name__}/{name}"] = part
            else:
                flat[role] = value
        path = self.folder / "statistics" / f"{stage}.npz"
        path.parent.mkdir(exist_ok=True)
        growing = path.with_name(f".{path.name}-{uuid.uuid4().hex[:8]}")
        with growing.open("wb") as file:
            np.savez(file, **flat)
            file.flush()
            os.fsync(file.fileno())
        growing.replace(path)

    def kept(self, stage: str) -> dict[str, Any] | None:
        """Return the statistics of a stage, None if they are still to be made.

        Raises
        ------
        StoreError
            If the file is damaged.
        """
        path = self.folder / "statistics" / f"{stage}.npz"
        if not path.is_file():
            return None
        try:
            with np.load(path, allow_pickle=False) as file:
                flat = dict(file)
        except (OSError, ValueError, EOFError) as error:
            raise StoreError(_damaged(path, error)) from error
        values: dict[str, Any] = {}
        parts: dict[tuple[str, str], dict[str, Any]] = {}
        for name, array in flat.items():
            role, *rest = name.split("/")
            if rest:
                parts.setdefault((role, rest[0]), {})[rest[1]] = array if array.ndim else array.item()
            else:
                values[role] = array
        return values | {role: _TUPLES[kind](**fields) for (role, kind), fields in parts.items()}

    def _entry(self, stage: str, number: tuple[int, ...]) -> Path:
        return self.folder / "ledger" / stage / f"{'-'.join(map(str, number))}.json"


def _write(path: Path, content: Mapping[str, Any]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    growing = path.with_name(f".{path.name}-{uuid.uuid4().hex[:8]}")
    with growing.open("w", encoding="utf-8") as file:
        json.dump(content, file, indent=1, default=str)
        file.flush()
        os.fsync(file.fileno())
    growing.replace(path)


def _read(path: Path) -> dict[str, Any]:
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise StoreError(_damaged(path, error)) from error
    if not isinstance(found, dict):
        raise StoreError(_damaged(path, "not an object"))
    return found


def _damaged(path: Path, error: object) -> str:
    fix = "remove this file to have made anew what it stands for"
    if path.name == "run.json":
        fix = "restore it, or remove the folder to start anew"
    return f"{path} is damaged ({error}); {fix}"


def _shown(value: Any) -> str:
    text = json.dumps(value)
    return text if len(text) < 60 else f"{text[:57]}..."

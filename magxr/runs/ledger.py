"""What a run has finished: one signed entry a block, in a folder that a run that was stopped leaves behind.

::

    chile.zarr.unfinished/
      run.json          what the run is: parameters, grid, model, versions; written first
      lock              held by the process that works on it
      statistics/       global statistics, one file a stage
      finished.json     pictures and page are made too: all that is left is to give everything its place
      ledger/STAGE/     one file a block: what it was made from, checksum of what was written
      *.zarr            the stores that grow

Every file is written under another name first and then renamed, so it is there whole or not at all; at a URL
it is sent in one request, which makes it whole too.
"""

from __future__ import annotations

import io
import json
import os
import uuid
from contextlib import contextmanager
from dataclasses import dataclass
from typing import IO, TYPE_CHECKING, Any

import numpy as np

from magxr.errors import StoreError
from magxr.io import places
from magxr.io.reach import reaching
from magxr.kernels.lowrank import Basis, Scale
from magxr.runs.lock import LOCK, locked, unwritable

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from contextlib import AbstractContextManager
    from pathlib import Path

FORMAT = "magxr-ledger-1"
SUFFIX = ".unfinished"
_TUPLES = {t.__name__: t for t in (Basis, Scale)}
"""Statistics that are no plain arrays."""


@dataclass(frozen=True, slots=True)
class Ledger:
    """The folder of one run."""

    folder: Path

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

    def there(self) -> bool:
        """Tell whether a run was begun here; one that was killed before it said what it is was not."""
        if not self.folder.exists():
            return False
        return not self.folder.is_dir() or any(not _of_nothing(p.name) for p in self.folder.iterdir())

    @contextmanager
    def claimed(self, about: Mapping[str, Any]) -> Iterator[None]:
        """Begin a run here, or go on with the one that was begun, and keep others out while the block runs.

        Raises
        ------
        StoreError
            If the folder cannot be made, another run is at work in it, or it is of another run.
        """
        try:
            places.make_folder(self.folder)
        except OSError as error:
            raise StoreError(unwritable(self.folder.parent, error)) from error
        with self.locked():
            if self.there():
                self.check(about)
            else:
                try:
                    _write(self.folder / "run.json", {"format": FORMAT, **about})
                except OSError as error:
                    places.tidy(self.folder)
                    raise StoreError(unwritable(self.folder.parent, error)) from error
            places.make_folder(self.folder / "ledger")
            yield

    def locked(self) -> AbstractContextManager[None]:
        """Keep others out while the block runs (`magxr.runs.lock.locked`)."""
        return locked(self.folder)

    def finish(self, what: Mapping[str, Any]) -> None:
        """Write down that all is made, and what the run has to say."""
        _write(self.folder / "finished.json", what)

    def finished(self) -> dict[str, Any] | None:
        """Return what `finish` wrote down, None if something is still to be made."""
        return _found(self.folder / "finished.json")

    def entry(self, stage: str, number: tuple[int, ...]) -> dict[str, Any] | None:
        """Return the entry of a block, None if it was not signed."""
        return _found(self._entry(stage, number))

    def sign(self, stage: str, number: tuple[int, ...], entry: Mapping[str, Any]) -> None:
        """Write down that a block is done."""
        _write(self._entry(stage, number), entry)

    def unsign(self, stage: str, number: tuple[int, ...]) -> None:
        """Have a block made again."""
        self._entry(stage, number).unlink(missing_ok=True)

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
        with _growing(path) as file:
            np.savez(file, **flat)

    def forget(self) -> None:
        """Have the statistics made anew, and with them the by-products that go into the stores."""
        places.remove(self.folder / "statistics")

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
            with np.load(io.BytesIO(places.content(path)), allow_pickle=False) as file:
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


def of_output(out: Path) -> Ledger:
    """Return the ledger of the run that makes a store, begun or not."""
    return Ledger(out.with_name(out.name + SUFFIX))


def _write(path: Path, content: Mapping[str, Any]) -> None:
    with _growing(path) as file:
        file.write(json.dumps(content, indent=1, default=str).encode())


@contextmanager
def _growing(path: Path) -> Iterator[IO[bytes]]:
    """Open a file that gets its name when it is whole and on the disk."""
    if places.is_url(path):
        content = io.BytesIO()
        yield content
        places.put(path, content.getvalue())
        return
    path.parent.mkdir(exist_ok=True)  # not its parents: a worker that outlives its run must not bring it back
    growing = path.with_name(f".{path.name}-{uuid.uuid4().hex[:8]}")
    try:
        with growing.open("wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        growing.replace(path)
    except BaseException:
        growing.unlink(missing_ok=True)
        raise


def _found(path: Path) -> dict[str, Any] | None:
    """Return what a file says, None if there is none."""
    try:
        return _read(path)
    except StoreError as error:
        if isinstance(error.__cause__, FileNotFoundError | NotADirectoryError):
            return None
        raise


def _read(path: Path) -> dict[str, Any]:
    try:
        with reaching(path):
            content = places.content(path)
        found = json.loads(content)
    except StoreError:
        raise
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


def _of_nothing(name: str) -> bool:
    """Tell whether a file says nothing of a run: what one that was killed at once leaves."""
    return name == LOCK or name.startswith(".run.json-")

"""Where a run leaves its results: nothing under their names before all is there, nothing else ever."""

from __future__ import annotations

import tempfile
import uuid
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from magxr.errors import StoreError
from magxr.io import places, store
from magxr.io.moving import complete, move, replace
from magxr.io.reach import there
from magxr.runs.ledger import of_output
from magxr.runs.present import PICTURES

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from magxr.runs.config import RunConfig

MAPS = "maps"
"""Group of the output store that holds the gridded maps; the predictions are in its root."""


@dataclass(frozen=True)
class RunResult:
    """What a run left behind."""

    store: Path
    """Zarr store: predictions on window centres in its root, the gridded maps in the group "maps"."""
    report: Path
    """Self-contained HTML page."""
    pictures: tuple[Path, ...]
    """PNG maps."""
    headline: str
    """One sentence: percent linear, share without an answer."""
    seconds: dict[str, float] = field(default_factory=dict)
    """Wall time by stage."""
    blocks: dict[str, Tally] = field(default_factory=dict)
    """What became of the blocks of every stage, in a run by blocks."""


@dataclass
class Tally:
    """Blocks of one stage."""

    blocks: int = 0
    made: int = 0
    """Made now, and not by an earlier run that was stopped."""
    empty: int = 0
    """Without a single value."""
    seconds: float = 0.0
    """Spent in making them, summed over workers: reading, computing, writing, signing."""
    statistics: float = 0.0
    """Seconds spent before them on what all blocks share: quartiles, bases, extremes."""

    def add(self, entry: Mapping[str, Any]) -> None:
        """Count one entry of the ledger."""
        self.blocks += 1
        self.made += entry["made"]
        self.empty += entry["empty"]
        self.seconds += entry["seconds"] if entry["made"] else 0.0


OLD = "replaced"
"""Name, among what is ready, of the store that gives way to the new one."""


def check_target(config: RunConfig) -> None:
    """Refuse an output that cannot be made, or would replace something unasked.

    Raises
    ------
    StoreError
        If the name does not end in .zarr, its folder does not exist, or something is already there.
    """
    target = config.out
    if target.suffix != ".zarr":
        plain = target.stem.strip(".").removesuffix(".zarr").removesuffix("zarr")
        msg = f"the output {str(target)!r} must end in .zarr, e.g. {plain or 'result'}.zarr"
        raise StoreError(msg)
    begun = of_output(target)
    if config.resume and there(begun.folder) and begun.finished() is not None:
        return  # of the run that is to be resumed: it was stopped while it gave everything its place
    store.place(target, config.overwrite)
    beside = [p for p in _companions(target) if p.exists()]
    if beside and not config.overwrite:
        fix = "remove it, choose another name, or pass overwrite=True (--overwrite)"
        msg = f"{str(beside[0])!r}, which a run leaves beside {target.name}, is already there; {fix}"
        raise StoreError(msg)


def _companions(target: Path) -> list[Path]:
    stem = target.stem
    names = [f"{stem}.html", *(f"{stem}-{picture}.png" for picture in PICTURES)]
    return [target.with_name(name) for name in names]


@contextmanager
def working_folder(target: Path) -> Iterator[Path]:
    """Make a hidden folder beside the target, on its disk or in its bucket, and remove it whatever happens.

    Raises
    ------
    StoreError
        If it cannot be made there.
    """
    work = target.with_name(f".{target.name}.run-{uuid.uuid4().hex[:8]}")
    try:
        places.make_folder(work)
    except OSError as error:
        fix = "choose a folder that you may write to"
        msg = f"cannot write into {str(target.parent)!r} ({error.strerror}); {fix}"
        raise StoreError(msg) from error
    try:
        yield work
    finally:
        places.tidy(work)


@contextmanager
def drawn_in(folder: Path) -> Iterator[Path]:
    """Yield a folder of this machine to draw in; where ``folder`` is none, what was drawn is sent there."""
    if not places.is_url(folder):
        yield folder
        return
    with tempfile.TemporaryDirectory(prefix="magxr-") as desk:
        yield Path(desk)
        for file in sorted(Path(desk).iterdir()):
            places.files(folder).put_file(str(file), places.key(folder / file.name))


def publish(ready: Path, made: Path, maps: Path, target: Path) -> None:
    """Give everything its place; the store last, so that its name means that the run is complete.

    What is interrupted here puts back the store that was to be replaced.

    Parameters
    ----------
    ready : Path
        Folder of what goes beside the store: pictures and page.
    made, maps : Path
        The store, and the one that becomes its group.
    target : Path
        Its name.
    """
    old = ready / OLD
    try:
        for file in places.listed(ready):
            if file.name != OLD:
                replace(file, target.parent / file.name)
        if complete(target):
            move(target, old)
        move(made, target, {MAPS: maps})
    except BaseException:
        if complete(old) and not complete(target):
            move(old, target)
        raise

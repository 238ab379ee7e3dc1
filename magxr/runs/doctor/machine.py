"""The machine: cores, memory, the disk of the output, and where compiled kernels are kept."""

from __future__ import annotations

import os
import shutil
import stat
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from magxr.errors import ParameterError, StoreError
from magxr.io import store
from magxr.runs import memory
from magxr.runs.crew import workers_here
from magxr.runs.doctor.finding import Finding, from_error

if TYPE_CHECKING:
    from collections.abc import Iterator

_QUOTA = Path("/sys/fs/cgroup/cpu.max")
_BLOCK = (1024, 1024)
"""Cells of a block as runs make them where they are told nothing."""
_LITTLE = 2**30
"""Bytes of free disk below which it is worth a note."""


def cores() -> Iterator[Finding]:
    """Tell how many cores this process may use, and how many blocks a run would have in work."""
    count = os.cpu_count() or 1
    allowed = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else count
    quota = _quota()
    seen = f"{allowed} of {count}" + ("" if quota is None else f", of which cgroup gives {quota:g}")
    workers = workers_here()
    usable = min(allowed, max(1, round(quota)) if quota else allowed)
    seen += f"; {workers} blocks in work at a time"
    if workers > usable:
        fix = f"export DASK_NUM_WORKERS={usable}"
        yield Finding("cores", "note", f"{seen}, more than there are cores for", fix)
    else:
        yield Finding("cores", "ok", seen)


def _quota() -> float | None:
    """Return how many cores a cgroup of version 2 gives, or None where it does not limit them."""
    try:
        share, period = _QUOTA.read_text(encoding="ascii").split()
        return int(share) / int(period)
    except (OSError, ValueError):
        return None


def room() -> Iterator[Finding]:
    """Tell how much memory there is, and whether blocks as runs make them fit."""
    workers = workers_here()
    there, takes = memory.available(), memory.needed(_BLOCK[0] * _BLOCK[1], workers)
    seen = f"{_gib(there)}, of which a run in blocks of 1024 x 1024 cells takes about {_gib(takes)}"
    try:
        memory.check(_BLOCK, workers, 1)
    except ParameterError as error:
        yield Finding("memory", "note", seen, str(error).rpartition("; ")[2])
    else:
        yield Finding("memory", "ok", seen)


def disk(out: str) -> Iterator[Finding]:
    """Tell whether an output could be written, and how much room there is for it."""
    try:
        target = store.place(out, overwrite=True)
    except StoreError as error:
        yield from_error("output", error)
        return
    if not isinstance(target, Path):
        yield Finding("output", "ok", f"{out} can be written to")
        return
    folder = target.parent
    try:
        with tempfile.NamedTemporaryFile(dir=folder, prefix=".magxr-doctor-"):
            pass
    except OSError as error:
        fix = "choose a folder that you may write to"
        yield Finding("output", "problem", f"{folder} cannot be written to ({error.strerror})", fix)
        return
    free = shutil.disk_usage(folder).free
    seen = f"{folder.resolve()} has {_gib(free)} free"
    if target.exists():
        yield Finding(
            "output", "note", f"{seen}; {target.name} is there already", "add --overwrite to the run"
        )
    elif free < _LITTLE:
        yield Finding("output", "note", seen, "see `magxr estimate` for what a run will leave")
    else:
        yield Finding("output", "ok", seen)


def kernels() -> Iterator[Finding]:
    """Tell where compiled kernels are kept: without such a place every process compiles for half a minute."""
    from magxr import kernels as package

    own = os.environ.get("NUMBA_CACHE_DIR")
    inside = Path(str(package.__file__)).with_name("__pycache__")
    home = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "numba"
    for place in [Path(own)] if own else [inside, home]:
        if not _writable(place):
            continue
        if _of_others(place):
            seen = f"compiled kernels are kept in {place}, where others can put theirs, which would be run"
            yield Finding(
                "kernels", "problem", seen, f"chmod go-w {place}, or choose another NUMBA_CACHE_DIR"
            )
        else:
            yield Finding("kernels", "ok", f"compiled once, kept in {place}")
        return
    tried = own or f"{inside} nor {home}"
    seen = f"compiled kernels cannot be kept: {'no' if own else 'neither'} {tried} can be written to"
    yield Finding("kernels", "problem", seen, "export NUMBA_CACHE_DIR=FOLDER that you may write to")


def _writable(folder: Path) -> bool:
    while not folder.exists() and folder != folder.parent:
        folder = folder.parent
    try:
        with tempfile.TemporaryFile(dir=folder):
            return True
    except OSError:
        return False


def _of_others(folder: Path) -> bool:
    """Tell whether anybody may write there, or it belongs to somebody whose code is not run anyway."""
    if not folder.exists():
        return False
    state = folder.stat()
    trusted = (0, os.getuid(), Path(__file__).stat().st_uid)  # the system, this user, who installed magxr
    return bool(state.st_mode & stat.S_IWOTH) or state.st_uid not in trusted


def _gib(size: int) -> str:
    return f"{size / 2**30:.3g} GiB"

"""One run at a time in a folder."""

from __future__ import annotations

import errno
import os
import socket
from contextlib import contextmanager
from typing import TYPE_CHECKING

from magxr.errors import StoreError
from magxr.io.places import is_url
from magxr.io.reach import why
from magxr.runs import beat

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

LOCK = "lock"
"""Name of the file that is held; it says by whom."""
FULL = (errno.ENOSPC, errno.EDQUOT)
"""Numbers of the errors of a disk on which there is no room."""


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Keep others out of a folder while the block runs; a process that dies lets go by itself.

    At a URL others find out that it is dead (`magxr.runs.beat`).

    Raises
    ------
    StoreError
        If another run holds it, or it cannot be held.
    """
    if is_url(folder):
        with beat.held(folder / LOCK):
            yield
        return
    import fcntl

    try:
        held = (folder / LOCK).open("a+", encoding="utf-8")
    except OSError as error:
        raise StoreError(unwritable(folder, error)) from error
    with held:
        try:
            fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            held.seek(0)
            who = held.read().strip() or "another process"
            fix = "wait for it to end, or choose another output"
            msg = f"a run is at work in {str(folder)!r} ({who}); {fix}"
            raise StoreError(msg) from error
        except OSError as error:
            fix = "choose an output on a disk that has locks"
            msg = f"cannot keep other runs out of {str(folder)!r} ({error.strerror}); {fix}"
            raise StoreError(msg) from error
        held.seek(0)
        held.truncate()
        held.write(f"process {os.getpid()} on {socket.gethostname()}")
        held.flush()
        yield


def unwritable(folder: Path, error: OSError) -> str:
    """Return what to say of a folder in which nothing can be made."""
    if is_url(folder):
        return why(folder, error)
    fix = "make room on its disk" if error.errno in FULL else "choose a folder that you may write to"
    return f"cannot write into {str(folder)!r} ({error.strerror}); {fix}"

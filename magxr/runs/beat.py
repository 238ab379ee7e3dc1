"""One run at a time at a URL, where no file can be locked: a file that its holder changes again and again.

It is made so that only one can make it. Who finds it there watches it for some beats: if it changes, its
holder is at work; if it does not, the holder is dead, and whoever watched takes it over. Nobody's clock is
compared with another's. A holder that slept meanwhile finds the name of another in it and stops.
"""

from __future__ import annotations

import json
import logging
import os
import socket
import threading
import time
import uuid
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from magxr.errors import StoreError
from magxr.io import places
from magxr.io.reach import reaching
from magxr.runs import interrupt

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

log = logging.getLogger("magxr.lock")

SECONDS = 5.0
"""Between two beats."""
PATIENCE = 6
"""Beats without a change after which a holder is dead; one that only waits for a slow network is not."""


@contextmanager
def held(path: Path) -> Iterator[None]:
    """Hold a file at a URL while the block runs.

    Parameters
    ----------
    path : Path
        The file; nobody else needs its folder to be there.

    Raises
    ------
    StoreError
        If another run holds it, or it cannot be written.
    """
    mine = _Mine(path)
    with reaching(path):
        mine.take()
    stop = threading.Event()
    heart = threading.Thread(target=mine.beat, args=(stop,), name="magxr-lock", daemon=True)
    heart.start()
    try:
        with interrupt.asking(mine.check):
            yield
    finally:
        stop.set()
        heart.join()
        mine.let_go()


class _Mine:
    """The file as one run sees it."""

    def __init__(self, path: Path) -> None:
        self.path, self.beats, self.lost = path, 0, ""
        self.token = uuid.uuid4().hex
        self.who = f"process {os.getpid()} on {socket.gethostname()}"

    def take(self) -> None:
        """Make the file, or take over that of a holder that is dead."""
        for _ in range(10):
            try:
                places.files(self.path).pipe_file(places.key(self.path), self._content(), mode="create")
            except FileExistsError:
                pass
            else:
                return
            seen = self._read()
            if seen is None:
                continue  # let go of in this moment
            if seen["token"] == self.token:
                return  # what was sent again after its answer was lost
            if not self._dead(seen):
                continue
            log.warning("%s is not at work any more: taking %s over", seen["who"], self.path)
            self._write()
            time.sleep(_between(seen))  # long enough for another that takes it over in the same moment
            now = self._read()
            if now is not None and now["token"] != self.token:
                self._refuse(now)
            return
        self._refuse({"who": "others that come and go"})

    def _dead(self, seen: dict[str, Any]) -> bool:
        """Watch for some beats; False if the file went away, an error if it changed."""
        wait = _between(seen)
        log.warning(
            "%s: waiting %.3g s to see whether %s is at work", self.path, PATIENCE * wait, seen["who"]
        )
        for _ in range(PATIENCE):
            time.sleep(wait)
            now = self._read()
            if now is None:
                return False
            if now != seen:
                self._refuse(now)
        return True

    def _refuse(self, now: dict[str, Any]) -> None:
        fix = "wait for it to end, or choose another output"
        msg = f"a run is at work in {str(self.path.parent)!r} ({now['who']}); {fix}"
        raise StoreError(msg)

    def beat(self, stop: threading.Event) -> None:
        """Change the file until told to stop, or until it is another's."""
        while not stop.wait(SECONDS):
            try:
                now = self._read()
                if now is None or now["token"] != self.token:
                    self.lost = now["who"] if now else "somebody who removed the lock"
                    return
                self._write()
            except Exception as error:  # no network: a later beat may come through, or find the file lost
                log.info("%s: a beat failed (%s)", self.path, type(error).__name__)

    def check(self) -> None:
        """Raise an error if the file has been lost."""
        if self.lost:
            fix = "it goes on from what is done; this one may end"
            msg = f"the run in {str(self.path.parent)!r} was taken over by {self.lost}; {fix}"
            raise StoreError(msg)

    def let_go(self) -> None:
        """Remove the file, unless it is another's."""
        try:
            now = self._read()
            if now is not None and now["token"] == self.token:
                self.path.unlink(missing_ok=True)
        except Exception as error:  # it looks dead soon enough
            log.info("%s could not be removed (%s)", self.path, type(error).__name__)

    def _content(self) -> bytes:
        told = {"token": self.token, "who": self.who, "beats": self.beats, "every": SECONDS}
        return json.dumps(told).encode()

    def _write(self) -> None:
        self.beats += 1
        places.put(self.path, self._content())

    def _read(self) -> dict[str, Any] | None:
        try:
            content = places.content(self.path)
        except FileNotFoundError:
            return None
        try:
            told = dict(json.loads(content))
        except (ValueError, TypeError):
            told = {}
        return {"token": "", "who": "another process", "every": SECONDS} | told


def _between(seen: dict[str, Any]) -> float:
    """Return the seconds between two looks at another's file: at least one of its beats."""
    every = seen["every"]
    return max(SECONDS, float(every)) if isinstance(every, int | float) else SECONDS

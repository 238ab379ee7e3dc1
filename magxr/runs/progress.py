"""One progress line for a computation, whatever scheduler runs it."""

from __future__ import annotations

import sys
import threading
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, TextIO

from magxr.clusters.line import Line

if TYPE_CHECKING:
    from collections.abc import Iterator

WRITTEN = "store-map"
"""Prefix of the tasks by which Dask writes one chunk to a store: what the line counts."""


class Meter:
    """Counts finished chunks and windows, and draws one line on a terminal (or a few in a log)."""

    def __init__(self, what: str, windows: int = 0, stream: TextIO | None = None) -> None:
        self.what = what
        self.chunks = 0
        self.windows = windows
        self.done = 0
        self.began = time.perf_counter()
        self._line = Line(stream or sys.stderr)
        self._drawn = 0.0
        self._lock = threading.Lock()

    def update(self, done: int, chunks: int) -> None:
        """Set the number of finished and of all chunks and redraw, at most a few times a second."""
        with self._lock:
            self.done, self.chunks = done, chunks
            now = time.perf_counter()
            if now - self._drawn > (0.2 if self._line.live else 15.0):
                self._drawn = now
                self._line.write(self.line())

    def line(self) -> str:
        """Return the line: chunks done, windows a second, time left."""
        spent = time.perf_counter() - self.began
        share = self.done / self.chunks if self.chunks else 0.0
        filled = round(24 * share)
        parts = [f"{self.what:<10} {'█' * filled}{'·' * (24 - filled)} {self.done}/{self.chunks} chunks"]
        if self.windows and spent > 0:
            parts.append(f"{self.windows * share / spent:.1f} windows/s")
        left = spent / share - spent if share > 0 else float("nan")
        parts.append(
            f"{_clock(left)} left" if self.done < self.chunks or not self.chunks else f"{_clock(spent)}"
        )
        return "  ".join(parts)

    def close(self) -> None:
        """Draw the final state and end the line."""
        self._line.write(self.line(), end=True)

    def leave(self) -> None:
        """End the line as it is, so that what is said of the failure starts on its own."""
        self._line.leave()


def _clock(seconds: float) -> str:
    if seconds != seconds:  # NaN: nothing finished yet
        return "--:--"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{rest:02d}" if hours else f"{minutes}:{rest:02d}"


@contextmanager
def watch(meter: Meter, client: Any = None) -> Iterator[None]:
    """Count the chunks written while the block runs.

    Local schedulers report each task; a distributed scheduler (``client``) is asked a few times a second.
    """
    try:
        with _local(meter) if client is None else _remote(meter, client):
            yield
    except BaseException:
        meter.leave()
        raise
    meter.close()


@contextmanager
def _local(meter: Meter) -> Iterator[None]:
    from dask.callbacks import Callback

    chunks = done = 0

    def starting(dsk: Any, _state: Any) -> None:
        nonlocal chunks
        chunks += sum(_writes(key) for key in dsk)
        meter.update(done, chunks)

    def finished(key: Any, *_: Any) -> None:
        nonlocal done
        if _writes(key):
            done += 1
            meter.update(done, chunks)

    with Callback(start_state=starting, posttask=finished):
        yield


def _writes(key: Any) -> bool:
    return str(key[0] if isinstance(key, tuple) else key).startswith(WRITTEN)


@contextmanager
def _remote(meter: Meter, client: Any) -> Iterator[None]:
    stop = threading.Event()
    before = client.run_on_scheduler(_written)

    def poll() -> None:
        while not stop.wait(0.2):
            now = client.run_on_scheduler(_written)
            done, chunks = now[0] - before[0], now[1] - before[1]
            # The scheduler forgets a group once all of it is done: what was seen last still holds.
            if chunks >= meter.chunks:
                meter.update(done, chunks)

    asking = threading.Thread(target=poll, daemon=True)
    asking.start()
    try:
        yield
        meter.update(meter.chunks, meter.chunks)
    finally:
        stop.set()
        asking.join()


def _written(dask_scheduler: Any = None) -> tuple[int, int]:
    states = [g.states for name, g in dask_scheduler.task_groups.items() if _writes(str(name))]
    # "memory", "released" and "forgotten" all mean that the task ran.
    done = sum(s["memory"] + s["forgotten"] for s in states)
    return done, sum(sum(s.values()) for s in states)

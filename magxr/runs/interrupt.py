"""Ctrl-C and the end of wall time, neither of which is lost, and other reasons to stop between blocks."""

from __future__ import annotations

import signal
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING, NoReturn

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from types import FrameType

_asked: list[int] = []
"""Numbers of the signals that asked this process to stop."""
_asking: list[Callable[[], None]] = []
"""Raise an error if there is another reason to stop."""


@contextmanager
def listening() -> Iterator[list[int]]:
    """Raise KeyboardInterrupt at SIGINT, and at the SIGTERM that batch systems send, while the block runs.

    Yields
    ------
    list of int
        Numbers of the signals that came. An interrupt can be lost: Python drops what is raised while it
        collects garbage, and clients of a cluster may turn it into a failure of their own.
    """
    if threading.current_thread() is not threading.main_thread():  # no other may set handlers
        yield []
        return
    _asked.clear()
    heard = [n for n in (signal.SIGINT, signal.SIGTERM) if signal.getsignal(n) is not signal.SIG_IGN]
    before = {number: signal.signal(number, _stop) for number in heard}
    try:
        yield _asked
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
        _asked.clear()  # whoever listened has heard; what this process does next was not asked to stop


def _stop(number: int, _: FrameType | None) -> NoReturn:
    _asked.append(number)
    raise KeyboardInterrupt


@contextmanager
def asking(why: Callable[[], None]) -> Iterator[None]:
    """Have `check` call ``why`` too while the block runs."""
    _asking.append(why)
    try:
        yield
    finally:
        _asking.remove(why)


def check() -> None:
    """Raise the interrupt that was lost, if one was, or what `asking` raises; called between blocks."""
    if _asked:
        raise KeyboardInterrupt
    for why in _asking:
        why()

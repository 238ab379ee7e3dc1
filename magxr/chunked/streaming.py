"""Whether a graph is computed as a whole, streaming through memory, or one block at a time.

Computed as a whole, the tasks of `magxr.chunked.halo` take turns and sources are read more than once, so
that few chunks wait in memory. Both tie a block to others: a block computed by itself would pull in all that
had their turn before it. Inside `one_by_one` graphs are built without; results are the same bits.
"""

from __future__ import annotations

from contextlib import contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

_streaming = ContextVar("magxr_streaming", default=True)


def streaming() -> bool:
    """Tell whether graphs are built to be computed as a whole."""
    return _streaming.get()


@contextmanager
def one_by_one() -> Iterator[None]:
    """Build graphs of which single blocks are computed, each from what it needs and nothing else."""
    before = _streaming.set(False)
    try:
        yield
    finally:
        _streaming.reset(before)

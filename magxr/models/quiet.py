"""Keep what TensorFlow says while it starts off the terminal, and nothing else."""

from __future__ import annotations

import os
import re
import sys
import tempfile
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

_NOISE = re.compile(rb"[IW]\d{4} [\d:.]+ +\d+ \S+:\d+\]|WARNING: All log messages before absl::InitializeLog")
"""A line of information or warning of Google's logging; errors (E) and fatal ones (F) are shown."""


@contextmanager
def starting_quietly() -> Iterator[None]:
    """Hold back standard error inside the block, then pass it on without the lines that match `_NOISE`.

    The libraries write to the file descriptor itself before their own switch, ``TF_CPP_MIN_LOG_LEVEL``,
    takes effect, and would cut the progress line in two. Whatever else is written meanwhile, by Python
    or by another thread, comes out when the block ends, also when it ends with an exception.
    """
    sys.stderr.flush()
    try:
        terminal = os.dup(2)
    except OSError:  # a process without standard error has nothing to keep clean
        yield
        return
    with tempfile.TemporaryFile() as held:
        os.dup2(held.fileno(), 2)
        try:
            yield
        finally:
            sys.stderr.flush()
            os.dup2(terminal, 2)
            os.close(terminal)
            held.seek(0)
            kept = b"".join(line for line in held if not _NOISE.match(line))
            if kept:
                os.write(2, kept)

"""A line that tells how far something is: drawn over on a terminal, one after the other in a log."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from typing import TextIO

ERASED = "\r\x1b[2K"
"""Has a terminal begin its line anew."""


class Line:
    """Where progress is written; ``stream`` None is nowhere."""

    def __init__(self, stream: TextIO | None) -> None:
        self._stream = stream
        self.live = stream is not None and stream.isatty()

    def write(self, text: str, *, end: bool = False) -> None:
        """Write the line; on a terminal in the place of what it said before, until it is ended."""
        if self.live:
            self._send(ERASED + text + ("\n" if end else ""))
        else:
            self._send(text + "\n")

    def leave(self) -> None:
        """End the line as it is, so that what is said next starts on its own."""
        if self.live:
            self._send("\n")

    def erase(self) -> None:
        """Take the line away; a log keeps what was written."""
        if self.live:
            self._send(ERASED)

    def _send(self, text: str) -> None:
        if self._stream is not None:
            self._stream.write(text)
            self._stream.flush()

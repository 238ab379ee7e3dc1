"""Members of a zip archive as bytes: bounded in size, never written to disk, one error for all that fails."""

from __future__ import annotations

import struct
import zipfile
import zlib
from typing import TYPE_CHECKING

from magxr.errors import ModelError

if TYPE_CHECKING:
    from pathlib import Path

# zipfile raises RuntimeError for encrypted members, NotImplementedError for unknown compression, and
# ValueError or struct.error for directories that do not fit
_BROKEN = (zipfile.BadZipFile, OSError, EOFError, RuntimeError, ValueError, struct.error, zlib.error)


def names(path: Path) -> list[str]:
    """Return the names of all members.

    Raises
    ------
    ModelError
        If it cannot be read, or a name points out of the archive.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            found = archive.namelist()
    except _BROKEN as error:
        msg = f"{path} begins as a zip archive but cannot be read ({error}); it is truncated, copy it again"
        raise ModelError(msg) from error
    foreign = [n for n in found if n.startswith(("/", "\\")) or ".." in n.replace("\\", "/").split("/")]
    if foreign:
        msg = f"{path} is refused: its member {foreign[0]!r} points out of the archive"
        raise ModelError(msg)
    return found


def member(path: Path, name: str, largest: int) -> bytes:
    """Return a member, which must have ``largest`` bytes at most.

    Raises
    ------
    ModelError
        If there is no such member, it claims or has more bytes, or it is damaged.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            size = archive.getinfo(name).file_size
            if size > largest:
                msg = f"{path} is refused: its member {name!r} claims {size} bytes, more than {largest}"
                raise ModelError(msg)
            with archive.open(name) as stream:
                return stream.read(largest)
    except KeyError as error:
        msg = f"{path} has no member {name!r}; it is truncated or damaged"
        raise ModelError(msg) from error
    except _BROKEN as error:
        if isinstance(error, ModelError):
            raise
        msg = f"the member {name!r} of {path} cannot be unpacked ({error}); it is truncated or damaged"
        raise ModelError(msg) from error

"""What the arrays of a Zarr store are packed with: refused where unpacking could run code.

Format 2 names its codecs in ``.zarray``, and one of those that zarr finds by name is a pickle. Older versions
of numcodecs load it as soon as coordinates are read, which is when a store is opened, and so run whatever the
file says; new ones ask first. Format 3 knows no such codec.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from magxr.errors import StoreError
from magxr.io import places

if TYPE_CHECKING:
    from pathlib import Path

_LARGEST = 10**7


def check_codecs(store: Path) -> None:
    """Refuse a Zarr store of format 2 with arrays that are pickles.

    Parameters
    ----------
    store : pathlib.Path
        Folder or URL of a group; its own arrays are looked at. One of format 3 is read as that, whatever else
        lies in it.

    Raises
    ------
    StoreError
        Naming the array.
    """
    if (store / "zarr.json").is_file():
        return
    for folder in places.listed(store):
        path = folder / ".zarray"
        try:
            told = json.loads(places.start(path, _LARGEST))
        except (OSError, ValueError, RecursionError):
            continue  # zarr will say what is wrong with it
        if "pickle" in _names(told):
            fix = "write the store again from where it came, without object arrays"
            msg = f"{store} is refused: its array {path.parent.name!r} is a pickle, which can run code; {fix}"
            raise StoreError(msg)


def _names(told: Any) -> set[str]:
    """Return the codecs of an array, in small letters."""
    if not isinstance(told, dict):
        return set()
    filters = told.get("filters")
    codecs = [told.get("compressor"), *(filters if isinstance(filters, list) else [])]
    return {str(c.get("id")).lower() for c in codecs if isinstance(c, dict)}

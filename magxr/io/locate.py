"""Where the file of a region lies on this machine, or how to get it.

It is looked up in this order: the argument ``path`` of `magxr.open_region`, the environment variable
``MAGXR_REGION_<NAME>``, the catalog's own folder, the folders named by ``MAGXR_DATA`` and
``MAGXR_TEST_DATA``. Nothing is downloaded unasked.
"""

from __future__ import annotations

import os
import shutil
import uuid
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from magxr.errors import StoreError
from magxr.io.places import place
from magxr.io.vetting import SYNTHETIC

if TYPE_CHECKING:
    from magxr.io.region import Region

DATA_FOLDERS = ("MAGXR_DATA", "MAGXR_TEST_DATA")
"""Environment variables that name folders of grids."""


def found(entry: Region, folder: Path) -> Region:
    """Return the region with the file on this machine, if one of the places has it."""
    if entry.address == SYNTHETIC:
        return entry
    own = os.environ.get(entry.variable_name)
    if own:
        return replace(entry, where=place(own))
    inside = [f for f in (folder / n for n in entry.files) if f.resolve().is_relative_to(folder.resolve())]
    given = [
        Path(os.environ[v]).expanduser() / n for v in DATA_FOLDERS if os.environ.get(v) for n in entry.files
    ]
    for file in (*inside, *given):
        if file.exists():
            return replace(entry, where=file)
    return entry


def located(entry: Region, download: bool) -> Path:
    """Return the file of a region, fetched if that is asked for.

    Raises
    ------
    StoreError
        If it is not here, or cannot be fetched; the message says how to get it.
    """
    if entry.where is not None:
        return entry.where
    https = entry.address.startswith("https://")
    if download and https:
        return _downloaded(entry)
    data = os.environ.get(DATA_FOLDERS[0])
    put = f"the folder named by {DATA_FOLDERS[0]} ({data or 'not set'})"
    ways = [
        f"open_region({entry.name!r}, path='/path/to/file')",
        f"export {entry.variable_name}=/path/to/file",
        f"put it as {' or '.join(entry.files)} into {put}",
    ]
    if https:
        ways.append(
            f"open_region({entry.name!r}, download=True), which fetches {entry.address} into that folder"
        )
    how = (
        f"Where it comes from: {entry.how} ({entry.source})" if entry.how else f"It comes from {entry.source}"
    )
    msg = f"the region {entry.name!r} is not on this machine. {how}. Then one of: " + "; or ".join(ways)
    raise StoreError(msg)


def _downloaded(entry: Region) -> Path:
    """Fetch over https into the data folder; nothing is left under the file's name unless it came whole."""
    from urllib.request import urlopen

    data = os.environ.get(DATA_FOLDERS[0])
    if not data or not Path(data).expanduser().is_dir():
        fix = f"set {DATA_FOLDERS[0]} to a folder that exists"
        msg = f"download=True has nowhere to put {entry.files[0]} ({DATA_FOLDERS[0]} is {data!r}); {fix}"
        raise StoreError(msg)
    target = Path(data).expanduser() / entry.files[0]
    growing = target.with_name(f".{target.name}.fetching-{uuid.uuid4().hex[:8]}")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with urlopen(entry.address) as source, growing.open("wb") as sink:  # noqa: S310 - vetted: https only
            if not source.geturl().startswith("https://"):
                msg = f"{entry.address} leads on to {source.geturl()}, which is not https; fetch it yourself"
                raise StoreError(msg)
            expected = source.headers.get("Content-Length")
            shutil.copyfileobj(source, sink, 1 << 20)
        if expected is not None and growing.stat().st_size != int(expected):
            msg = f"{entry.address} broke off after {growing.stat().st_size} of {expected} bytes; try again"
            raise StoreError(msg)
        growing.rename(target)
    except OSError as err:
        if isinstance(err, StoreError):
            raise
        msg = (
            f"cannot fetch {entry.address} ({err}); fetch it yourself and give path= or {entry.variable_name}"
        )
        raise StoreError(msg) from err
    finally:
        growing.unlink(missing_ok=True)
    return target

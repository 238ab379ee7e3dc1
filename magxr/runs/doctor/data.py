"""Data: the regions of the catalog that are here, and a store that is asked for."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from magxr.errors import MagxrError, MissingExtraError
from magxr.io import store
from magxr.io.catalog import open_region
from magxr.io.catalog import regions as listed
from magxr.io.locate import DATA_FOLDERS
from magxr.runs.doctor.finding import Finding, from_error

if TYPE_CHECKING:
    from collections.abc import Iterator

    from magxr.io.region import Region
    from magxr.runs.doctor.finding import State


def regions() -> Iterator[Finding]:
    """Tell which regions of the catalog are here, and open each; no value is read."""
    for variable in DATA_FOLDERS:
        folder = os.environ.get(variable)
        if folder and not Path(folder).expanduser().is_dir():
            fix = f"make it, or set {variable} to a folder that is there"
            yield Finding("data", "problem", f"{variable}={folder} is no folder", fix)
    entries = listed()
    broken = [f for f in map(_opened, entries) if f is not None]
    bad = {f.subject for f in broken}
    here = [e.name for e in entries if e.available and f"region {e.name}" not in bad]
    away = len(entries) - len(here) - len(broken)
    seen = f"here: {', '.join(here)}" + (f"; {away} others are not" if away else "")
    yield Finding("regions", "ok", seen, "`magxr regions` tells how to get them" if away else "")
    yield from broken


def _opened(region: Region) -> Finding | None:
    """Return what is wrong with the file of a region, if it has one."""
    if region.where is None:
        return None
    try:
        open_region(region.name).close()
    except MagxrError as error:
        state: State = "note" if isinstance(error, MissingExtraError) else "problem"
        return from_error(f"region {region.name}", error, state)
    return None


def reached(path: str) -> Iterator[Finding]:
    """Tell whether a Zarr store, of a run or another, can be opened from here."""
    try:
        with store.open(path, chunks=None) as ds:
            what = ", ".join(map(str, ds.data_vars)) or "no variables at its root"
            sizes = " x ".join(f"{n} {d}" for d, n in ds.sizes.items())
    except MagxrError as error:
        yield from_error("store", error)
    else:
        yield Finding("store", "ok", f"{path}: {what}" + (f" ({sizes})" if sizes else ""))

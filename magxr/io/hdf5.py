"""Whether a NetCDF-4 file is one file: HDF5 can take numbers from any other that its reader may open."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from magxr.errors import MissingExtraError, StoreError

if TYPE_CHECKING:
    from pathlib import Path


def check_whole(path: Path, source: Any = None) -> None:
    """Refuse an HDF5 file with links to other files, or numbers that lie in other files.

    Parameters
    ----------
    path : pathlib.Path
        What it is called.
    source : binary file, optional
        Where it is read from, if it is at a URL.

    Raises
    ------
    StoreError
        Naming what lies elsewhere.
    """
    try:
        import h5py
    except ImportError as error:
        package = "h5py"
        raise MissingExtraError(package, "files", "reading NetCDF-4") from error

    def elsewhere(name: bytes, told: Any) -> str | None:
        if told.type == h5py.h5l.TYPE_EXTERNAL:
            return name.decode(errors="replace")
        held = file.get(name) if told.type == h5py.h5l.TYPE_HARD else None
        if isinstance(held, h5py.Dataset) and (held.external or held.is_virtual):
            return name.decode(errors="replace")
        return None

    with h5py.File(path if source is None else source, "r") as file:
        found = file.id.links.visit(elsewhere, info=True)
    if found is not None:
        fix = "copy it into one file, e.g. h5repack, ncks or xarray's to_netcdf"
        msg = f"{path} is refused: {found!r} in it lies in another file, and a grid is one file; {fix}"
        raise StoreError(msg)

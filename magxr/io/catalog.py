"""Open a named region from an intake catalog. The only module that imports intake.

A catalog says what a region is and where it comes from; `magxr.io.locate` finds its file on this machine.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from magxr.errors import MissingExtraError, StoreError, meant
from magxr.geogrid import find_variable
from magxr.io import vetting
from magxr.io.anomaly import check_asserted
from magxr.io.chunking import plan
from magxr.io.crop import checked, crop
from magxr.io.locate import found, located
from magxr.io.places import here
from magxr.io.read import open_anomaly
from magxr.io.region import Region

if TYPE_CHECKING:
    import os
    from collections.abc import Sequence

    import xarray as xr

    from magxr.io.chunking import Chunks


def open_region(
    name: str,
    *,
    path: str | os.PathLike[str] | None = None,
    catalog: str | os.PathLike[str] | None = None,
    bounds: Sequence[float] | None = None,
    variable: str | None = None,
    units: str | None = None,
    crs: str | None = None,
    chunks: Chunks = "auto",
    download: bool = False,
) -> xr.Dataset:
    """Open a region of a catalog lazily.

    Parameters
    ----------
    name : str
        Name of the region; `regions` lists them.
    path : str or path-like, optional
        Your own file of that region, in any format that `magxr.open_anomaly` reads.
    catalog : str or path-like, optional
        An intake 2 catalog; by default the one that comes with magxr.
    bounds : four float, optional
        West, south, east, north in degrees: read this part only. Default: the entry's own, if it has any.
    variable, units, crs, chunks
        As in `magxr.open_anomaly`; ``units`` and ``crs`` default to what the entry says of its data.
    download : bool, optional
        Fetch a file that is not here from the entry's https address into the folder ``MAGXR_DATA``.

    Returns
    -------
    xarray.Dataset
        ``anomaly`` (latitude, longitude; nT), lazy, with title, source, doi, licence and citation in attrs.

    Raises
    ------
    StoreError
        If the catalog has no such region, or its file is not here; the message says how to get it.
    GridError
        If the file is not a grid of longitude and latitude in nT.
    """
    entry = _region(name, catalog)
    check_asserted(units, crs)
    if path is None and entry.address == vetting.SYNTHETIC:
        ds = _demo(chunks)
        find_variable(ds, variable)
    else:
        where = path if path is not None else located(entry, download)
        ds = open_anomaly(
            where,
            variable=variable,
            units=units or entry.units or None,
            crs=crs or entry.crs or None,
            chunks=chunks,
        )
    box = bounds if bounds is not None else entry.bounds
    if box is not None:
        ds = crop(ds, box, chunks=chunks)
    told = {"title": entry.title, "source": entry.source, "doi": entry.doi}
    told |= {"licence": entry.licence, "citation": entry.citation, "region": entry.name}
    told["working_spacing"] = entry.working_spacing
    return ds.assign_attrs({k: v for k, v in told.items() if v})


def _demo(chunks: Chunks) -> xr.Dataset:
    """Return the synthetic region; it is computed in any chunks, so there is no need to rechunk it."""
    from magxr.synthetic.seafloor import demo_region

    ds = demo_region()
    if chunks == "auto":
        return ds
    if chunks is None:
        return ds.load()
    rows, columns = plan(ds["anomaly"].sizes, {}, chunks).values()
    return demo_region(chunks=(rows, columns))


def regions(catalog: str | os.PathLike[str] | None = None) -> list[Region]:
    """List the regions of a catalog, with where each comes from and whether it is here.

    Parameters
    ----------
    catalog : str or path-like, optional
        An intake 2 catalog; by default the one that comes with magxr.

    Returns
    -------
    list of Region
        In the order of the file.

    Raises
    ------
    StoreError
        If the catalog cannot be read or is refused.
    """
    file = here(catalog, "a catalog") if catalog is not None else catalogs_folder() / "regions.yaml"
    content = vetting.load(file)
    cat = _intake(content)
    return [_described(name, file.parent, cat) for name in content["data"]]


def catalogs_folder() -> Path:
    """Return the folder of the catalogs: inside the installed package, or beside it in a checkout."""
    package = Path(__file__).resolve().parents[1]
    for folder in (package / "_catalogs", package.parent / "catalogs"):
        if (folder / "regions.yaml").is_file():
            return folder
    msg = f"magxr's catalogs are neither in {package / '_catalogs'} nor beside the package; reinstall magxr"
    raise StoreError(msg)


def _intake(content: dict[str, Any]) -> Any:
    try:
        from intake.readers.entry import Catalog
    except ImportError as err:
        package = "intake"
        raise MissingExtraError(package, "catalog", "opening a region of a catalog") from err
    return Catalog.from_dict(content)


def _region(name: str, catalog: str | os.PathLike[str] | None) -> Region:
    known = regions(catalog)
    for entry in known:
        if entry.name == name:
            return entry
    names = [entry.name for entry in known]
    msg = f"there is no region {name!r} in the catalog{meant(name, names)}; it has {names}"
    raise StoreError(msg)


def _described(name: str, folder: Path, cat: Any) -> Region:
    data = cat[name]
    data = data.kwargs["data"] if "data" in getattr(data, "kwargs", {}) else data
    told = dict(data.metadata)
    url = str(data.url)
    files = [str(f) for f in told.get("files", [])] or ([url] if ":" not in url else [url.rsplit("/", 1)[-1]])
    for file in files:
        vetting.check_address(folder, name, file)
    box = told.get("bounds")
    entry = Region(
        name=name,
        bounds=None if box is None else checked(box),
        address=url,
        files=tuple(files),
        where=None,
        **{
            key: str(told.get(key, ""))
            for key in (
                "title",
                "source",
                "doi",
                "licence",
                "citation",
                "spacing",
                "working_spacing",
                "units",
                "crs",
                "how",
            )
        },
    )
    return found(entry, folder)

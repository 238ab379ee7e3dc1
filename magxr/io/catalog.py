"""Open a named region from an intake catalog. The only module that imports intake.

A catalog says what a region is and where it comes from. Where its file lies on this machine is looked up
here, in this order: the argument ``path``, the environment variable ``MAGXR_REGION_<NAME>``, the catalog's
own folder, the folders named by ``MAGXR_DATA`` and ``MAGXR_TEST_DATA``. Nothing is downloaded unasked.
"""

from __future__ import annotations

import difflib
import os
import shutil
import uuid
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from magxr.errors import MissingExtraError, StoreError
from magxr.geogrid import find_variable
from magxr.io import vetting
from magxr.io.anomaly import check_asserted
from magxr.io.chunking import plan
from magxr.io.crop import checked, crop
from magxr.io.read import open_anomaly

if TYPE_CHECKING:
    from collections.abc import Sequence

    import xarray as xr

    from magxr.io.chunking import Chunks

DATA_FOLDERS = ("MAGXR_DATA", "MAGXR_TEST_DATA")
"""Environment variables that name folders of grids."""


@dataclass(frozen=True, slots=True)
class Region:
    """One entry of a catalog."""

    name: str
    """What `open_region` is called with."""
    title: str
    """One line on what it is."""
    source: str
    """Web page of the original data; empty for synthetic ones."""
    doi: str
    """DOI of the data, or of the paper that describes them where the data have none."""
    licence: str
    """As stated at the source; says so where none is stated."""
    citation: str
    """What to cite."""
    spacing: str
    """Grid spacing as published."""
    working_spacing: str
    """Spacing to respace to before windows are cut: the paper's, where it states one; empty to keep it."""
    units: str
    """Units as published, asserted where a file does not state them."""
    crs: str
    """CRS as published, asserted where a file does not state it; empty where files do."""
    bounds: tuple[float, float, float, float] | None
    """Default crop: west, south, east, north, degrees."""
    address: str
    """What the catalog's entry points at."""
    files: tuple[str, ...]
    """Names under which the file is looked for in the data folders."""
    where: Path | None
    """The file on this machine, if it was found."""
    how: str
    """How to get it."""

    @property
    def available(self) -> bool:
        """Whether it can be opened now."""
        return self.address == vetting.SYNTHETIC or (self.where is not None and self.where.exists())

    @property
    def variable_name(self) -> str:
        """Environment variable that points at a local file of this region."""
        return "MAGXR_REGION_" + self.name.upper().replace("-", "_")


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
        where = path if path is not None else _located(entry, download)
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
    file = Path(catalog).expanduser() if catalog is not None else catalogs_folder() / "regions.yaml"
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
    close = difflib.get_close_matches(str(name), names, 1)
    hint = f" (did you mean {close[0]!r}?)" if close else ""
    msg = f"there is no region {name!r} in the catalog{hint}; it has {names}"
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
    return _found(entry, folder)


def _found(entry: Region, folder: Path) -> Region:
    if entry.address == vetting.SYNTHETIC:
        return entry
    own = os.environ.get(entry.variable_name)
    if own:
        return replace(entry, where=Path(own).expanduser())
    inside = [f for f in (folder / n for n in entry.files) if f.resolve().is_relative_to(folder.resolve())]
    given = [
        Path(os.environ[v]).expanduser() / n for v in DATA_FOLDERS if os.environ.get(v) for n in entry.files
    ]
    for file in (*inside, *given):
        if file.exists():
            return replace(entry, where=file)
    return entry


def _located(entry: Region, download: bool) -> Path:
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

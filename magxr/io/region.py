"""A region: what a catalog says of a grid, and where its file lies on this machine."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from magxr.io.vetting import SYNTHETIC

if TYPE_CHECKING:
    from pathlib import Path


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
        return self.address == SYNTHETIC or (self.where is not None and self.where.exists())

    @property
    def variable_name(self) -> str:
        """Environment variable that points at a local file of this region."""
        return "MAGXR_REGION_" + self.name.upper().replace("-", "_")

"""Age of the sea floor, its depth and its sediment, from the grids of a folder: what a replica is made from.

Two files a place, as pyBacktrack 1.5 bundles them: ``NAME_age_topo_6m.nc`` with ``age`` (Myr) and
``topography`` (m, negative under water) and ``NAME_sedthick_5m.nc`` with ``sediment_thickness`` (m), both on
``lat`` and ``lon`` in degrees; NaN where there is no oceanic crust, or no sediment known.

References
----------
Seton, M. et al. (2020). A global data set of present-day oceanic crustal age and seafloor spreading
parameters. Geochem. Geophys. Geosyst. 21, doi:10.1029/2020GC009214.
Amante, C. and B. W. Eakins (2009). ETOPO1. NOAA Technical Memorandum NESDIS NGDC-24.
Straume, E. O. et al. (2019). GlobSed. Geochem. Geophys. Geosyst. 20, doi:10.1029/2018GC008115.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from magxr.errors import GridError, StoreError

if TYPE_CHECKING:
    import xarray as xr
    from numpy.typing import NDArray

    Floats = NDArray[np.floating[Any]]

AGE_FILE = "{name}_age_topo_6m.nc"
SEDIMENT_FILE = "{name}_sedthick_5m.nc"
_MOST = 50_000_000
"""Cells of an age grid; more would be the globe at half an arcminute, and is refused before it is read."""


@dataclass(frozen=True, slots=True, eq=False)
class AgeGrid:
    """Age and depth of the crust on nodes, south in row 0 and west in column 0."""

    latitude: Floats
    """Of the rows, degrees north, evenly spaced."""
    longitude: Floats
    """Of the columns, degrees east, evenly spaced."""
    age: Floats
    """Myr; NaN where there is no oceanic crust."""
    basement: Floats
    """From sea level down to the top of the crust, under water and sediment, km; negative on land."""

    @property
    def digest(self) -> str:
        """SHA-256 of everything, for the keys of caches."""
        found = hashlib.sha256()
        for array in (self.latitude, self.longitude, self.age, self.basement):
            found.update(np.ascontiguousarray(array, np.float64).tobytes())
        return found.hexdigest()


def read(folder: str | Path, name: str) -> AgeGrid:
    """Read the age grid of a place.

    Parameters
    ----------
    folder : str or Path
        Holds the two files.
    name : str
        First part of their names, e.g. "epr".

    Returns
    -------
    AgeGrid
        On the nodes of the age grid; sediment is interpolated to them, 0 where none is known.

    Raises
    ------
    StoreError
        If the folder or a file does not exist, or is no NetCDF file.
    GridError
        If a variable is missing, or a grid is not regular or holds impossible ages.
    """
    ages = _open(folder, AGE_FILE.format(name=name), ("age", "topography"))
    below = _open(folder, SEDIMENT_FILE.format(name=name), ("sediment_thickness",))
    latitude, longitude = _axis(ages, "lat"), _axis(ages, "lon")
    _axis(below, "lat"), _axis(below, "lon")
    age = ages["age"].transpose("lat", "lon").values.astype(np.float64)
    known = age[np.isfinite(age)]
    if known.size == 0 or known.min() < 0.0 or known.max() > 400.0:
        span = "no age at all" if known.size == 0 else f"ages from {known.min():g} to {known.max():g}"
        msg = f"{AGE_FILE.format(name=name)} holds {span}; sea floor is 0 to 400 Myr old, NaN where absent"
        raise GridError(msg)
    relief = ages["topography"].transpose("lat", "lon").values.astype(np.float64)
    sediment = below["sediment_thickness"].fillna(0.0)
    sediment = sediment.interp(lat=latitude, lon=longitude, kwargs={"fill_value": 0.0})
    cover = sediment.transpose("lat", "lon").values
    return AgeGrid(latitude, longitude, age, (cover - np.nan_to_num(relief)) / 1e3)


def _open(folder: str | Path, file: str, names: tuple[str, ...]) -> xr.Dataset:
    import xarray as xr

    place = Path(folder).expanduser()
    if not place.is_dir():
        msg = f"the folder of age grids {str(folder)!r} does not exist; give the one that holds {file}"
        raise StoreError(msg)
    path = place / file
    if not path.is_file():
        msg = f"{str(folder)!r} holds no {file}; put the age grid of that place there"
        raise StoreError(msg)
    try:
        with xr.open_dataset(path) as opened:
            absent = [n for n in names if n not in opened or set(opened[n].dims) != {"lat", "lon"}]
            if absent:
                has = sorted(str(v) for v in opened.data_vars)
                msg = f"{file} holds no {absent[0]!r} on lat and lon, only {has}; take an age grid"
                raise GridError(msg)
            if max(opened[n].size for n in names) > _MOST:
                msg = f"{file} has {opened[names[0]].size} cells; cut it to the place (at most {_MOST})"
                raise GridError(msg)
            return opened[list(names)].load().sortby(["lat", "lon"])
    except (OSError, ValueError) as error:
        if isinstance(error, GridError):
            raise
        msg = f"{path} cannot be read as NetCDF ({error}); fetch it again"
        raise StoreError(msg) from error


def _axis(ds: xr.Dataset, name: str) -> Floats:
    values = ds[name].values.astype(np.float64)
    steps = np.diff(values)
    if values.size < 4 or not np.allclose(steps, steps.mean(), rtol=1e-3) or steps.min() <= 0.0:
        msg = f"{name} of an age grid is not evenly spaced, or has fewer than 4 nodes; respace the grid"
        raise GridError(msg)
    return values

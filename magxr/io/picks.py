"""Published picks of magnetic anomalies: points where somebody identified a chron on a ship track."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from magxr.errors import StoreError

if TYPE_CHECKING:
    from numpy.typing import NDArray


def picks(path: str | Path) -> NDArray[np.float64]:
    """Read picks from a file in the OGR/GMT format, or from every such file in a folder and below it.

    Parameters
    ----------
    path : str or Path
        A ``.gmt`` file, or a folder of them as the Global Seafloor Fabric and Magnetic Lineation database
        [1]_ has it.

    Returns
    -------
    ndarray of float64, shape (n, 2)
        Longitude (-180 to 180) and latitude, degrees.

    Raises
    ------
    StoreError
        If there is no such file, or a line is neither a comment nor begins with two numbers.

    References
    ----------
    .. [1] Seton, M. et al. (2014), Community infrastructure and repository for marine magnetic
       identifications, Geochem. Geophys. Geosyst. 15, 1629-1641, doi:10.1002/2013GC005176.
    """
    place = Path(path)
    files = sorted(place.rglob("*.gmt")) if place.is_dir() else [place]
    if not files or not all(file.is_file() for file in files):
        msg = f"{place} is neither a .gmt file of picks nor a folder with some; check the path"
        raise StoreError(msg)
    found = [point for file in files for point in _points(file)]
    points = np.array(found, dtype=np.float64).reshape(-1, 2)
    points[:, 0] = (points[:, 0] + 180.0) % 360.0 - 180.0
    return points


def _points(file: Path) -> list[tuple[float, float]]:
    found = []
    for number, line in enumerate(file.read_text(encoding="utf-8", errors="replace").splitlines(), 1):
        fields: list[Any] = line.split()
        if not fields or fields[0][0] in "#>":
            continue
        try:
            longitude, latitude = float(fields[0]), float(fields[1])
        except (ValueError, IndexError):
            msg = f"{file}, line {number}: {line[:60]!r} does not begin with a longitude and a latitude"
            raise StoreError(msg) from None
        found.append((longitude, latitude))
    return found

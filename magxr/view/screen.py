"""Bring a labelled map to screen size: few enough cells to draw, read block by block."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from magxr.chunked.coarsen import coarsen
from magxr.labelled import canonical

if TYPE_CHECKING:
    import xarray as xr
    from numpy.typing import NDArray

    from magxr.geogrid import Grid

CELLS = 1500
"""Most cells along a side of a drawn map."""


@dataclass(frozen=True)
class Picture:
    """A map ready to be drawn, in memory."""

    values: NDArray[Any]
    """South in row 0, west in column 0."""
    extent: tuple[float, float, float, float]
    """West, east, south, north edge of ``values``, degrees (what imshow takes)."""
    frame: tuple[float, float, float, float]
    """West, east, south, north edge of the grid itself, degrees."""

    @property
    def middle(self) -> float:
        """Middle latitude, degrees."""
        return 0.5 * (self.frame[2] + self.frame[3])

    @property
    def aspect(self) -> float:
        """Length of a degree of latitude over one of longitude, at the middle latitude."""
        return float(1.0 / max(np.cos(np.radians(self.middle)), 0.05))

    def sampled(self, other: Picture, fill: float) -> NDArray[Any]:
        """Return these values at the cell centres of ``other``; ``fill`` outside."""
        rows, cols = other.values.shape
        west, east, south, north = other.extent
        lon = west + (np.arange(cols) + 0.5) * (east - west) / cols
        lat = south + (np.arange(rows) + 0.5) * (north - south) / rows
        w, e, s, n = self.extent
        j = np.floor((lon - w) / (e - w) * self.values.shape[1]).astype(int)
        i = np.floor((lat - s) / (n - s) * self.values.shape[0]).astype(int)
        inside_j = (lon >= w) & (lon < self.frame[1])
        inside_i = (lat >= s) & (lat < self.frame[3])
        out = np.full((rows, cols), fill, dtype=np.result_type(self.values, type(fill)))
        out[np.ix_(inside_i, inside_j)] = self.values[np.ix_(i[inside_i], j[inside_j])]
        return out


def pictures(
    *arrays: xr.DataArray, how: Literal["mean", "nearest"] = "mean", cells: int = CELLS
) -> list[Picture]:
    """Shrink maps to at most ``cells`` per side and compute them, in one pass over shared sources.

    Parameters
    ----------
    *arrays : xarray.DataArray
        Maps on latitude and longitude, any dtype, any order, numpy- or Dask-backed.
    how : {"mean", "nearest"}
        "mean" averages boxes (NaN left out); "nearest" takes one cell of each box, for classes and angles.
    cells : int
        Most cells along a side.
    """
    from dask.base import compute

    small, places = [], []
    for da in arrays:
        values, grid = _plain(da)
        k = max(1, -(-max(grid.shape) // cells))
        small.append(coarsen(values, k) if how == "mean" else values[k // 2 :: k, k // 2 :: k])
        places.append((grid, k))
    computed = compute(*small)
    return [_picture(np.asarray(v), grid, k, how) for v, (grid, k) in zip(computed, places, strict=True)]


def _plain(da: xr.DataArray) -> tuple[Any, Grid]:
    """Take any map (int8 classes and probabilities too) through the one door for grids."""
    bare = da.astype(np.float32)
    bare.attrs = {k: v for k, v in da.attrs.items() if k in ("registration", "node_offset", "crs")}
    values, grid, _ = canonical(bare)
    return values, grid


def _picture(values: NDArray[Any], grid: Grid, k: int, how: str) -> Picture:
    (south, west), (dlat, dlon) = grid.origin, grid.spacing
    south, west = south - dlat / 2, west - dlon / 2
    rows, cols = values.shape
    frame = (west, west + grid.shape[1] * dlon, south, south + grid.shape[0] * dlat)
    # A last box that is cut off is drawn whole and clipped by the frame; slicing may leave it out.
    extent = (west, west + cols * k * dlon, south, south + rows * k * dlat)
    if how == "nearest":
        frame = (frame[0], min(frame[1], extent[1]), frame[2], min(frame[3], extent[3]))
    return Picture(values, extent, frame)

"""The part of a map that is looked at, and how wide its stripes are in cells."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from magxr.geogrid import describe
from magxr.steps.wavelength import wavelength

if TYPE_CHECKING:
    import xarray as xr


class Stripes(NamedTuple):
    """How wide the stripes of a map are, over its windows."""

    cells: float
    """Median dominant wavelength across strike, cells of the pixel grid; NaN where no window has one."""
    km: tuple[float, float, float]
    """First quartile, median and third quartile, km."""
    uncertainty: float
    """Median of the windows' own standard deviations, km."""
    answered: int
    """Windows with a wavelength."""
    windows: int
    """Windows in all."""


def stripes(found: xr.Dataset, da: xr.DataArray) -> Stripes:
    """Sum up the wavelengths of a map's windows.

    Parameters
    ----------
    found : xarray.Dataset
        From `magxr.wavelength`, in memory.
    da : xarray.DataArray
        The map, for the size of its cells.

    Notes
    -----
    Cells need not be squares: stripes of wavelength W (km) and strike s have W / hypot(w cos s, h sin s)
    cells on the pixel grid, with w and h the width and height of a cell in km at the window's latitude.
    """
    km = found["wavelength"].astype(np.float64)
    known = np.isfinite(km.values)
    if not known.any():
        nothing = float("nan")
        return Stripes(nothing, (nothing, nothing, nothing), nothing, 0, km.size)
    about = describe(da)[0]
    height, widths = (np.asarray(v, np.float64) / 1e3 for v in about.cell_metres())
    lat = km[about.lat]
    width = lat.copy(
        data=np.interp(lat.values, about.latitude, np.broadcast_to(widths, about.latitude.shape))
    )
    strike = np.radians(found["strike"].astype(np.float64))
    cells = km / np.hypot(width * np.cos(strike), float(height) * np.sin(strike))
    first, middle, third = np.quantile(km.values[known], (0.25, 0.5, 0.75))
    unsure = float(found["wavelength_uncertainty"].median())
    return Stripes(
        float(cells.median()), (float(first), float(middle), float(third)), unsure, int(known.sum()), km.size
    )


def best_part(da: xr.DataArray, *, size: int, stride: int, side: int) -> tuple[xr.DataArray, xr.Dataset]:
    """Return the part of a map with most windows of stripes, and the wavelengths of its windows.

    Parameters
    ----------
    da : xarray.DataArray
        Anomaly, nT; numpy or Dask. Of a lazy map the windows are computed, chunk by chunk, and only the part
        is kept in memory.
    size, stride : int
        Of the windows, cells; see `magxr.wavelength`.
    side : int
        Longest side of the part, cells.

    Returns
    -------
    part : xarray.DataArray
        In memory.
    found : xarray.Dataset
        `magxr.wavelength` of its windows, in memory.
    """
    found = wavelength(da, size=size, stride=stride)
    if max(da.shape) <= side:
        return da.compute(), found.compute()
    known = np.isfinite(found["wavelength"].transpose(*da.dims).values)
    starts, inside = [], []
    for dim in da.dims:
        length = da.sizes[dim]
        places = np.abs(da[dim].values[:, None] - found[dim].values).argmin(axis=0)
        first = np.unique([*range(0, max(1, length - side + 1), stride), max(0, length - side)])
        starts.append(first)
        reach = size // 2  # of a window on either side of its centre
        inside.append((places >= first[:, None] + reach) & (places < first[:, None] + side - reach))
    counts = inside[0].astype(int) @ known.astype(int) @ inside[1].T.astype(int)
    best = np.unravel_index(int(np.argmax(counts)), counts.shape)
    spans = {d: slice(int(s[n]), int(s[n]) + side) for d, s, n in zip(da.dims, starts, best, strict=True)}
    part = da.isel(spans).compute()
    return part, wavelength(part, size=size, stride=stride).compute()

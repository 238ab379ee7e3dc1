"""The same map on cells of another size, so that a window of as many cells covers other ground; lazy."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from magxr.chunked.coarsen import coarsen
from magxr.chunked.plan import fitting
from magxr.labelled import canonical
from magxr.steps.cells import filled
from magxr.steps.gridding import grid as regrid

if TYPE_CHECKING:
    import xarray as xr

    from magxr.geogrid import Grid

_HALO = 42
"""Cells that the splines look beyond a chunk."""
_CHUNK = 1024
"""Side of a chunk of the new cells, about."""


class Respaced(NamedTuple):
    """A map on new cells, south and west first."""

    values: Any
    """Anomaly, nT; Dask, float32; NaN where missing."""
    lost: Any
    """Whether a cell is missing or was interpolated over a gap; Dask, bool."""
    grid: Grid


def respaced(da: xr.DataArray, spacing: float) -> Respaced:
    """Put an anomaly on cells of ``spacing`` degrees, both ways.

    Parameters
    ----------
    da : xarray.DataArray
        Anomaly, nT; a coordinate ``filled`` counts. Does not go round the globe.
    spacing : float
        Degrees.

    Notes
    -----
    Finer cells are `magxr.grid`'s splines. Coarser ones are the mean over each new cell, taken from splines
    at a whole part of its side, no coarser than the map's own cells, so that what is narrower than two of
    them is averaged away and does not alias; such a cell is lost where more than half of it is.
    """
    values, old, _ = canonical(da)
    own = min(old.spacing)
    parts = 1 if spacing <= own * (1 + 1e-9) else math.ceil(spacing / own - 1e-9)
    fine = spacing / parts
    like = max(2 * _HALO, round(_CHUNK * fine / own))
    chunks = {d: fitting(n, _HALO, like) for d, n in zip(da.dims, da.shape, strict=True)}
    found = regrid(da.chunk(chunks), spacing=f"{fine!r} deg", max_gap=0)
    values, new, _ = canonical(found)
    flags: Any = filled(found)  # always there: the gridding step attaches it
    lost = ~np.isfinite(values) | (flags > 0)
    if parts == 1:
        return Respaced(values.astype(np.float32), lost, new)
    rows, columns = (n // parts for n in new.shape)
    whole = (slice(rows * parts), slice(columns * parts))
    values, gone, lost = values[whole], ~np.isfinite(values[whole]), lost[whole]
    mean = coarsen(values, parts)
    mean = np.where(coarsen(gone.astype(np.float32), parts) > 0.5, np.float32(np.nan), mean)
    lost = coarsen(lost.astype(np.float32), parts) > 0.5
    first = tuple(o + 0.5 * (parts - 1) * s for o, s in zip(new.origin, new.spacing, strict=True))
    steps = (new.spacing[0] * parts, new.spacing[1] * parts)
    return Respaced(
        mean, lost, replace(new, shape=(rows, columns), origin=(first[0], first[1]), spacing=steps)
    )

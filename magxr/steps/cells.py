"""Companions of an anomaly: arrays on the same cells, brought into the same canonical order."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr

from magxr.chunked.plan import is_chunked, rechunk
from magxr.errors import GridError
from magxr.geogrid import describe
from magxr.labelled import canonical

if TYPE_CHECKING:
    from magxr.geogrid import Grid

Values = Any
"""A 2-D numpy or Dask array."""


def filled(da: xr.DataArray) -> Values | None:
    """Return the coordinate ``filled`` (1 where the gridding step interpolated) in canonical order."""
    if "filled" not in da.coords or set(da["filled"].dims) != set(da.dims):
        return None
    return beside(da, da.coords["filled"].transpose(*da.dims).data)


def beside(da: xr.DataArray, values: Values) -> Values:
    """Bring an array laid out like ``da.data`` into the canonical order of ``da``, as float32."""
    bare = da.drop_vars([k for k in da.coords if k not in da.dims])
    return canonical(bare.copy(data=values.astype(np.float32)))[0]


def matched(da: xr.DataArray, other: Any, what: str) -> Values:
    """Bring ``other`` (DataArray on the cells of ``da``, or a bare array of its shape) into canonical order.

    Raises
    ------
    GridError
        If ``other`` does not cover the cells of ``da``.
    """
    if isinstance(other, xr.DataArray):
        grid, _ = describe(da)
        lat, lon = da[grid.lat].values, da[grid.lon].values
        if set(other.dims) != set(da.dims):
            msg = f"{what} has dimensions {tuple(map(str, other.dims))}, not {tuple(map(str, da.dims))}"
            raise GridError(msg)
        at = {grid.lat: _places(other, grid, grid.lat, lat, what)}
        at[grid.lon] = _places(other, grid, grid.lon, lon, what)
        plain = all(np.array_equal(v, np.arange(other.sizes[k])) for k, v in at.items())
        other = (other if plain else other.isel(at)).transpose(*da.dims).data
    else:
        other = other if hasattr(other, "dtype") else np.asarray(other)
    if other.shape != da.shape:
        msg = f"{what} has shape {other.shape}, the map {da.shape}; give it on the cells of the map"
        raise GridError(msg)
    return beside(da, other)


def _places(other: xr.DataArray, grid: Grid, dim: str, wanted: np.ndarray, what: str) -> Any:
    """Find the cells of ``other`` that stand at ``wanted``, whatever its direction and longitude range."""
    step = grid.spacing[0] if dim == grid.lat else grid.spacing[1]
    have = np.asarray(other[dim].values, dtype=np.float64)
    want = np.asarray(wanted, dtype=np.float64)
    # Half a cell of slack, so that rounding never sends one longitude to both ends of the turn.
    start = want.min() - step / 2
    at, target = (((x - start) % 360.0 if dim == grid.lon else x - start) for x in (have, want))
    order = np.argsort(at, kind="stable")
    next_up = np.minimum(np.searchsorted(at[order], target), len(have) - 1)
    next_down = np.maximum(next_up - 1, 0)
    nearer = np.abs(at[order][next_down] - target) < np.abs(at[order][next_up] - target)
    near = order[np.where(nearer, next_down, next_up)]
    off = np.abs(at[near] - target)
    if off.max() > 0.02 * step:
        n = int(np.flatnonzero(off > 0.02 * step)[0])
        msg = (
            f"{what} has no cell at {dim} {float(wanted[n]):g} (its nearest is {float(have[near[n]]):g}); "
            "give it on the cells of the map, e.g. with .interp_like or .reindex_like"
        )
        raise GridError(msg)
    return near


def chunked_like(values: Values, other: Values, what: str) -> Values:
    """Chunk a companion array as the map is."""
    if not is_chunked(values):
        return np.asarray(other)
    if is_chunked(other):
        return rechunk(other, values.chunks, why=f"{what} must be chunked like the map")
    import dask.array

    return dask.array.from_array(other, chunks=values.chunks)

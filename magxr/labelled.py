"""Take a labelled grid apart into a canonical plain array, and put results back the way they came.

Steps never touch labels themselves: they hand `apply`, `derive` or `on_grid` a function of
``(values, grid)``, where ``values`` is a numpy or Dask array with south in row 0 and west in column 0.
That is what makes a flipped, transposed or rolled input give the flipped, transposed or rolled result,
bit for bit.

What is known only after computing (fences, a rank, counts) cannot live in attrs without computing, so
it travels as small lazy coordinates beside the variable.
"""

from __future__ import annotations

import json
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
import xarray as xr

from magxr._version import __version__
from magxr.chunked.plan import fitting, is_chunked, rechunk
from magxr.errors import ChunkError, GridError
from magxr.geogrid import Grid, Layout, describe, find_variable

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Iterator, Mapping

    Values = Any
    """A 2-D numpy or Dask array."""

Labelled = TypeVar("Labelled", xr.Dataset, xr.DataArray)
Extras = dict[str, tuple[tuple[str, ...], Any, dict[str, Any]]]
"""Lazy by-products: name -> (dims, values, attrs)."""


def anomaly(obj: xr.Dataset | xr.DataArray, variable: Hashable | None = None) -> xr.DataArray:
    """Return the anomaly of a Dataset (or the DataArray itself)."""
    if isinstance(obj, xr.DataArray):
        return obj
    if not isinstance(obj, xr.Dataset):
        raise GridError(_no_labels(obj))
    return obj[find_variable(obj, variable)]


def check_labelled(obj: object) -> None:
    """Refuse what is neither a Dataset nor a DataArray."""
    if not isinstance(obj, (xr.Dataset, xr.DataArray)):
        raise GridError(_no_labels(obj))


def _no_labels(obj: object) -> str:
    fix = "wrap it in xarray.DataArray with latitude and longitude as coordinates"
    if isinstance(obj, str) or hasattr(obj, "__fspath__"):
        fix = f"open a file with magxr.open_anomaly({str(obj)!r}), a region with magxr.open_region"
    return f"expected an xarray Dataset or DataArray, got {type(obj).__name__}; {fix}"


@contextmanager
def own_names(grid: Grid) -> Iterator[None]:
    """Let errors about chunks speak of the grid's own dimensions."""
    try:
        yield
    except ChunkError as error:
        raise error.named(str(grid.lat), str(grid.lon)) from error


def canonical(da: xr.DataArray) -> tuple[Values, Grid, Layout]:
    """Return the values south to north and west to east, with the grid and the input's layout."""
    grid, layout = describe(da)
    return oriented(da.data, layout), grid, layout


def oriented(values: Values, layout: Layout) -> Values:
    """Turn an array laid out like the input into canonical form; `laid_out` turns it back."""
    if layout.transposed:
        values = values.T
    if layout.descending:
        values = values[::-1]
    if layout.reversed_columns:
        values = values[:, ::-1]
    if layout.rolled:
        values = np.concatenate([values[:, layout.rolled :], values[:, : layout.rolled]], axis=1)
    if layout.repeated:
        values = values[:, :-1]
    return _without_slivers(values) if layout.rolled or layout.repeated else values


def apply(
    obj: Labelled,
    work: Callable[[Values, Grid], Values | tuple[Values, Extras]],
    *,
    step: str,
    parameters: Mapping[str, Any],
    variable: Hashable | None = None,
) -> Labelled:
    """Replace the anomaly by ``work(values, grid)`` on the same cells.

    Parameters
    ----------
    obj : xarray.Dataset or xarray.DataArray
        Anomaly in nT on latitude and longitude; other variables of a Dataset pass through.
    work : callable
        Takes the canonical array and its grid; returns an array of the same shape, alone or with
        `Extras` that become coordinates of the result. Extras with dims of their own need a Dataset to
        live in; a DataArray has no place for them and goes without.
    step, parameters
        Written to ``attrs["history"]``.
    variable : hashable, optional
        Name of the anomaly in a Dataset, where units do not tell.

    Returns
    -------
    Same type as ``obj``, with coordinates, direction, attrs and CRS kept.
    """
    da = anomaly(obj, variable)
    values, grid, layout = canonical(da)
    with own_names(grid):
        result = work(values, grid)
    new, extras = result if isinstance(result, tuple) else (result, {})
    out = da.copy(data=laid_out(new, layout))
    out.encoding = {}
    out.attrs = signed(da.attrs, step, parameters)
    made = {k: xr.Variable(*v) for k, v in extras.items()}
    own = {k: v for k, v in made.items() if set(v.dims) <= set(out.dims)}
    out = out.assign_coords(own)
    if isinstance(obj, xr.DataArray):
        return out
    others = {k: v for k, v in made.items() if k not in own}
    return obj.drop_vars([k for k in made if k in obj]).assign({da.name: out}).assign_coords(others)


def derive(
    obj: xr.Dataset | xr.DataArray,
    work: Callable[[Values, Grid], Mapping[str, Values]],
    *,
    attrs: Mapping[str, Mapping[str, Any]],
    step: str,
    parameters: Mapping[str, Any],
    variable: Hashable | None = None,
) -> xr.Dataset:
    """Return a Dataset of new variables on the cells of the anomaly, one per entry of ``attrs``."""
    da = anomaly(obj, variable)
    values, grid, layout = canonical(da)
    with own_names(grid):
        fields = work(values, grid)
    history = {k: v for k, v in da.attrs.items() if k == "history"}
    bare = da.drop_attrs(deep=False)
    made = {}
    for name, own in attrs.items():
        made[name] = bare.copy(data=laid_out(fields[name], layout)).rename(name)
        made[name].attrs = {**own, **signed(history, step, parameters)}
        made[name].encoding = {}
    return xr.Dataset(made)


def on_grid(
    da: xr.DataArray,
    layout: Layout,
    grid: Grid,
    fields: Mapping[str, tuple[Values, Mapping[str, Any]]],
    *,
    step: str,
    parameters: Mapping[str, Any],
) -> xr.Dataset:
    """Label arrays on another grid than the input's, in the input's dim order and directions.

    ``fields`` maps a name to (canonical array, attrs). Scalar coordinates of ``da`` (the CRS, by-products
    of earlier steps) are kept. Longitude stays ascending and without a repeated column.
    """
    new = Layout(layout.transposed, layout.descending, layout.reversed_columns)
    lat, lon = grid.latitude, grid.longitude
    coords: dict[Hashable, Any] = {
        k: v for k, v in da.coords.items() if not {grid.lat, grid.lon} & set(v.dims)
    }
    coords[grid.lat] = (grid.lat, lat[::-1] if layout.descending else lat, da[grid.lat].attrs)
    coords[grid.lon] = (grid.lon, lon[::-1] if layout.reversed_columns else lon, da[grid.lon].attrs)
    dims = (grid.lon, grid.lat) if layout.transposed else (grid.lat, grid.lon)
    history = {k: v for k, v in da.attrs.items() if k == "history"}
    made = {
        name: (dims, laid_out(values, new), {**own, **signed(history | dict(own), step, parameters)})
        for name, (values, own) in fields.items()
    }
    return xr.Dataset(made, coords=coords)


def signed(attrs: Mapping[Any, Any], step: str, parameters: Mapping[str, Any]) -> dict[Any, Any]:
    """Return attrs with one more line of ``history``: what was done, with which parameters and version.

    The line holds no time of day, so that the same run gives the same bytes.
    """
    arguments = ", ".join(f"{k}={json.dumps(v, default=str)}" for k, v in parameters.items() if v is not None)
    line = f"magxr {__version__}: {step}({arguments})"
    past = str(attrs.get("history", "")).rstrip("\n")
    return {**attrs, "history": f"{past}\n{line}" if past else line}


def laid_out(values: Values, layout: Layout) -> Values:
    """Turn a canonical array into the input's layout: the inverse of `oriented`."""
    if layout.repeated:
        values = np.concatenate([values, values[:, :1]], axis=1)
    if layout.rolled:
        split = values.shape[1] - layout.rolled
        values = np.concatenate([values[:, split:], values[:, :split]], axis=1)
    if layout.rolled or layout.repeated:
        values = _without_slivers(values)
    if layout.reversed_columns:
        values = values[:, ::-1]
    if layout.descending:
        values = values[::-1]
    return values.T if layout.transposed else values


def _without_slivers(values: Values) -> Values:
    """Even out the narrow chunks that turning a globe cuts at its seam: no halo would fit into them."""
    if not is_chunked(values):
        return values
    columns = fitting(values.shape[1], 1, max(values.chunks[1]))
    return rechunk(values, (values.chunks[0], columns), why="the seam of the globe cuts chunks")

"""Step 3 of the paper: fill what is missing and put the anomaly on the cells that the windows need."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr

from magxr import labelled
from magxr.chunked import gaps, respace
from magxr.chunked.fold import on_chunks, reread
from magxr.chunked.plan import is_chunked, rechunk
from magxr.chunked.quantiles import check_block, check_some
from magxr.errors import MagxrWarning, ParameterError
from magxr.steps.arguments import is_number
from magxr.steps.points import grid_points
from magxr.steps.respacing import both_ways, new_grid, warn_if_coarser, written
from magxr.steps.spacing import SpacingAdvice, degrees, suggest_spacing

if TYPE_CHECKING:
    from collections.abc import Hashable

    from numpy.typing import NDArray

    from magxr.geogrid import Grid, Layout

__all__ = ["SpacingAdvice", "grid", "grid_points", "suggest_spacing"]

NARROWEST = 0.1
"""Cells are not taken for narrower than this share of their width at the equator (84 degrees of latitude)."""
FLAG = {
    "long_name": "value was interpolated over a gap",
    "flag_values": np.array([0, 1], dtype=np.int8),
    "flag_meanings": "from_data interpolated_over_a_gap",
}


def grid(
    obj: labelled.Labelled,
    *,
    spacing: str | tuple[str, str] | SpacingAdvice | None = None,
    max_gap: int | str = 32,
    variable: Hashable | None = None,
) -> labelled.Labelled:
    r"""Fill gaps by minimum curvature and respace by bicubic splines.

    Parameters
    ----------
    obj : xarray.Dataset or xarray.DataArray
        Anomaly in nT on latitude and longitude, float32 or float64; NaN (or infinite) where missing.
    spacing : str, (str, str) or SpacingAdvice, optional
        Distance of the new cells: ``"0.72 arcmin"``, ``"0.05 deg"`` or ``"1.5 km"`` (measured along the
        meridian; the same angle is taken east-west), or one each for latitude and longitude. None keeps the
        cells and only fills gaps. Finer cells add pixels, not information: what the data did not resolve
        stays unresolved. Coarser cells alias what is narrower than two of them (there is no smoothing, as in
        GMT's grdsample), and a warning says so.
    max_gap : int or str
        Widest gap to fill, in cells of the input or as a length (``"60 km"``); 0 fills nothing. A hole into
        which a disc of more than this diameter fits, with its centre on the map, stays NaN: strips of missing
        cells up to ``max_gap`` wide are filled, along the edge of the map up to half of it.
    variable : hashable, optional
        Name of the anomaly in a Dataset, where units do not tell.

    Returns
    -------
    Same type as ``obj``
        With a coordinate ``filled`` on the same cells (int8): 1 where the value was interpolated over a gap,
        also in an earlier call, 0 where it comes from data (and where it is missing). With ``spacing``, the
        new cells start at the outer edge of the southern and western cells (pixel registration) or at the
        first nodes (gridline) and end where the last one fits; variables and coordinates on the old cells are
        left out, with a warning for variables. Latitude and longitude keep their direction, attrs and CRS;
        the registration is written to attrs. Dask-backed input gives Dask-backed output, lazily, with
        chunks over the same ground.

    Raises
    ------
    GridError
        If ``obj`` is no grid in nT, or is in memory and has no data at all. When computed: if it holds fill
        values.
    ParameterError
        If ``spacing`` or ``max_gap`` cannot be read, leave fewer than 2 x 2 cells, or, on a grid that goes
        round the globe, do not divide 360 degrees.
    ChunkError
        If chunks are smaller than the halo: ``2 * max_gap + 42`` cells for gaps (a patch and its fades, the
        gap, and twice the radius of the disc), 42 for splines.

    Warns
    -----
    MagxrWarning
        If the new cells are coarser than the old, or variables on the old cells are left out.

    Notes
    -----
    Gaps are filled with the surface :math:`u` that minimises :math:`\iint u_{xx}^2 + 2 u_{xy}^2 + u_{yy}^2`
    on the ground (cells are narrower than high away from the equator; GMT's ``surface`` takes them as
    square unless told) and takes the values of the data around them, the solution that ``surface -T0``
    approaches by iteration. It is solved directly, in patches of 32 cells that see ``max_gap`` cells around
    them: a gap that lies within is exact; a network of longer ones (between ship tracks) differs from the
    solution over the whole map by about 1 % of what interpolation leaves uncertain there.

    The surface goes on with the slopes at the shores of a gap, so it can exceed the values around it: cells
    that `magxr.remove_outliers` took out come back lower, but may lie outside of the fences again. In two
    real EMAG2v3 tiles (within 200 nT, outliers taken out) the values over gaps of up to 32 cells reached
    237 nT, of up to 50 cells 304 nT: hence the default of ``max_gap``.

    Respacing evaluates the natural bicubic spline: the same as `scipy.interpolate.CubicSpline` with
    ``bc_type="natural"`` along both axes, and, some cells inside the map, as every other cubic spline of
    scipy. New cells beyond the outermost old centres are extrapolated by up to half a cell. A new cell is NaN
    where the nearest old cell is; holes do not spread. The result does not depend on chunks in any bit.

    Dask-backed input is read three times, twice for the values and once for the flags, so that it never has
    to stay in memory.

    References
    ----------
    Ghosh et al. (2026), Sci. Rep. 16, 1185: Methods, step 3. Briggs (1974), Geophysics 39, 39-48.
    Smith and Wessel (1990), Geophysics 55, 293-305. Unser (1999), IEEE Signal Proc. Mag. 16(6), 22-38.
    """
    da = labelled.anomaly(obj, variable)
    values, old, layout = labelled.canonical(da)
    steps = both_ways(spacing)
    gap = _cells(max_gap, old)
    new, axes = new_grid(old, steps) if steps else (old, None)
    check_some(values, da.name)
    values = on_chunks(values, _vetted, name="grid-vetted")

    parameters = {"spacing": None if spacing is None else written(spacing), "max_gap": max_gap}
    with labelled.own_names(old):
        whole = _filled_in(values, old, gap)
        known, filled = _known_and_filled(values, whole, old, gap)
    flag = _flagged(da, known, filled, layout)
    if axes is None:
        out = labelled.apply(obj, lambda _, __: whole, step="grid", parameters=parameters, variable=variable)
        return out.assign_coords(filled=(da.dims, labelled.laid_out(flag, layout), FLAG))
    warn_if_coarser(old, new)
    _warn_of_lost(obj, da, old)
    with labelled.own_names(old):
        result = respace.respace(whole, axes, wrap=old.wraps)
        # A new cell has a value where the nearest old cell has one, and no flag is set where it has none.
        marks = respace.resample(flag, axes, wrap=old.wraps)
    return _on_new_cells(obj, da, layout, new, result, marks, parameters)


def _vetted(block: NDArray[Any]) -> NDArray[Any]:
    check_block(block, infinite=True)
    return block


def _filled_in(values: Any, old: Grid, gap: int) -> Any:
    if gap == 0:
        return values
    height, width = old.cell_metres()
    aspect = (height / np.maximum(width, NARROWEST * width.max())) ** 2
    return gaps.fill_gaps(values, aspect=aspect, max_gap=gap, wrap=old.wraps, column0=old.column0)


def _known_and_filled(values: Any, whole: Any, old: Grid, gap: int) -> tuple[Any, Any]:
    """Tell which cells have data and which were filled.

    On chunks the flags are found from the sources anew, without solving for the values. Made from the filled
    blocks they would be results that are near at hand, and Dask makes those first: all over the grid, with
    the filled blocks kept in memory for the steps that follow.
    """
    if not is_chunked(values):
        known = np.isfinite(values)
        return known, ~known & np.isfinite(whole)
    again = reread(values, "flags")
    known = np.isfinite(again)
    if gap == 0:
        return known, known & False
    return known, gaps.fillable(again, max_gap=gap, wrap=old.wraps, column0=old.column0)


def _flagged(da: xr.DataArray, known: Any, filled: Any, layout: Layout) -> Any:
    """Return int8 flags of the cells that were interpolated, now or (coordinate ``filled``) before."""
    flags = filled
    if "filled" in da.coords and set(da["filled"].dims) == set(da.dims):
        before = labelled.oriented(da["filled"].transpose(*da.dims).data, layout)
        if is_chunked(before) and is_chunked(known):
            before = rechunk(before, known.chunks, why="the flags of filled cells follow the anomaly")
        flags = filled | (known & (before != 0))
    return flags.astype(np.int8)


def _on_new_cells(
    obj: labelled.Labelled,
    da: xr.DataArray,
    layout: Layout,
    new: Grid,
    result: Any,
    marks: Any,
    parameters: dict[str, Any],
) -> labelled.Labelled:
    name = "anomaly" if da.name is None else str(da.name)
    attrs = {k: v for k, v in da.attrs.items() if k != "actual_range"} | {"registration": new.registration}
    fields = {name: (result, attrs), "filled": (marks, FLAG)}
    made = labelled.on_grid(da, layout, new, fields, step="grid", parameters=parameters)
    made = made.set_coords("filled")
    made["filled"].attrs = dict(FLAG)
    for axis in (new.lat, new.lon):
        made[axis].attrs.pop("actual_range", None)
    for coord in made.coords.values():
        coord.attrs.pop("GeoTransform", None)  # of the old cells
    if isinstance(obj, xr.DataArray):
        return made[name].rename(da.name)
    kept = {k: v.variable for k, v in obj.data_vars.items() if not {new.lat, new.lon} & set(v.dims)}
    return made.assign(kept).assign_attrs(obj.attrs)


def _cells(max_gap: Any, old: Grid) -> int:
    """Return the widest gap to fill in cells."""
    if isinstance(max_gap, str):
        try:
            float(max_gap)
        except ValueError:
            return int(degrees(max_gap, "max_gap") / old.spacing[0] + 1e-9)
        fix = "give whole cells as a number, e.g. max_gap=32, or a length such as '60 km'"
        msg = f"max_gap={max_gap!r} is text without a unit; {fix}"
        raise ParameterError(msg)
    if not is_number(max_gap) or not float(max_gap).is_integer() or max_gap < 0:
        msg = f"max_gap={max_gap!r} must be a whole number of cells, 0 or more, or a length such as '60 km'"
        raise ParameterError(msg)
    return int(max_gap)


def _warn_of_lost(obj: xr.Dataset | xr.DataArray, da: xr.DataArray, old: Grid) -> None:
    if isinstance(obj, xr.Dataset):
        lost = sorted(
            str(k) for k, v in obj.data_vars.items() if k != da.name and {old.lat, old.lon} & set(v.dims)
        )
        if lost:
            msg = f"the variables {lost} lie on the old cells and are left out; grid each with variable=..."
            warnings.warn(msg, MagxrWarning, stacklevel=3)

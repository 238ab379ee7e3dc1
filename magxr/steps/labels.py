"""Step 7: label windows from drawn zones, a known truth, or a table."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import xarray as xr

from magxr.chunked.blocks import map_regions
from magxr.errors import GridError, ParameterError
from magxr.geogrid import Grid, describe
from magxr.io.labels import check_threshold, label_table, labelled_by, read_labels
from magxr.io.labeltext import BOUNDS
from magxr.io.polygons import Polygon
from magxr.io.polygons import polygons as areas
from magxr.kernels.polygons import inside
from magxr.kernels.windows import box_counts, real_cells
from magxr.steps.cells import matched
from magxr.steps.cutting import jobs_of

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from magxr.chunked.blocks import Reach

Values = Any
"""A 2-D numpy or Dask array."""

_WINDOWS_A_TASK = 4096
_KINDS: dict[Any, int] = {"linear": 1, "nonlinear": 0, 1: 1, 0: 0, "1": 1, "0": 0}


def label_windows(
    windows: xr.Dataset,
    *,
    polygons: Any = None,
    mask: xr.DataArray | None = None,
    table: str | Path | xr.Dataset | None = None,
    elsewhere: Literal[0, 1] | None = None,
    threshold: float = 0.7,
    labeller: str = "",
) -> xr.Dataset:
    """Label windows as linear (1), nonlinear (0) or ambiguous (-1).

    Give exactly one of ``polygons``, ``mask`` and ``table``.

    Parameters
    ----------
    windows : xarray.Dataset
        From `magxr.windows`, or a selection of it.
    polygons : optional
        Drawn linear and nonlinear zones: a mapping ``{"linear": polygons, "nonlinear": polygons}``, or
        GeoJSON (also a path of it) whose features have the property ``label`` ("linear" or 1, "nonlinear"
        or 0). Polygons are GeoJSON, shapely, or sequences of these.
    mask : xarray.DataArray, optional
        The truth on the cells of the map: bool, or 1 linear, 0 nonlinear, anything else (NaN, -1) unknown.
    table : path or Dataset, optional
        Labels given by people, see `magxr.io.labels.read_labels`.
    elsewhere : {0, 1}, optional
        With polygons: what cells outside all of them are; default unknown, which counts towards neither.
    threshold : float
        Share of a window's cells that makes it linear or nonlinear, over 0.5.
    labeller : str
        Who says so; for polygons and masks.

    Returns
    -------
    xarray.Dataset
        Along ``window``: ``label`` (int8), ``linear_percent``, ``nonlinear_percent`` (float64, of the
        window's cells that lie in the map), ``labeller``; coordinates ``window`` and bounds. From a table:
        the windows it names, in the order of ``windows``. Lazy if ``mask`` is. The windows to train on are
        ``windows.sel(window=labels.window[labels.label >= 0])``.

    Raises
    ------
    ParameterError
        If labels lie outside the region, contradict each other, or belong to other windows.
    GridError
        If ``windows`` is none, or the mask does not cover its map.

    References
    ----------
    Ghosh et al. (2026), "Creating labeled training images": 1 if at least 70 % of the anomalies are linear,
    0 if at least 70 % are nonlinear, ambiguous windows are left out.
    """
    check_threshold(threshold)
    given = [k for k, v in {"polygons": polygons, "mask": mask, "table": table}.items() if v is not None]
    if len(given) != 1:
        msg = f"give one of polygons, mask and table; got {' and '.join(given) if given else 'none'}"
        raise ParameterError(msg)
    grid = _grid_of(windows)
    if table is not None:
        return _from_table(windows, table, threshold)
    truth = _drawn(grid, polygons, elsewhere) if mask is None else _known(grid, mask)
    percents = _percents(truth, grid, windows)
    return label_table(
        window=windows["window"].values,
        **{k: windows[k].values for k in BOUNDS},
        label=labelled_by(percents[0], percents[1], threshold),
        linear_percent=percents[0],
        nonlinear_percent=percents[1],
        labeller=[labeller] * windows.sizes["window"],
    )


def _grid_of(windows: xr.Dataset) -> Grid:
    needed = ("grid_shape", "grid_origin", "grid_spacing", "grid_wraps", "size", "stride")
    lacking = [k for k in needed if k not in windows.attrs]
    lacking += [k for k in (*BOUNDS, "start_row", "start_column") if k not in windows.coords]
    if lacking:
        msg = f"these are no windows of a map (they lack {lacking}); cut them with magxr.windows(...)"
        raise GridError(msg)
    shape, origin, spacing = (windows.attrs[f"grid_{k}"] for k in ("shape", "origin", "spacing"))
    return Grid(
        lat="latitude",
        lon="longitude",
        shape=(int(shape[0]), int(shape[1])),
        origin=(float(origin[0]), float(origin[1])),
        spacing=(float(spacing[0]), float(spacing[1])),
        wraps=bool(windows.attrs["grid_wraps"]),
    )


def _drawn(grid: Grid, zones: Any, elsewhere: int | None) -> NDArray[np.float32]:
    """Paint zones on the cells: 1, 0, or NaN."""
    if elsewhere not in (None, 0, 1):
        msg = f"elsewhere is {elsewhere!r}; use 1 (linear), 0 (nonlinear) or None (unknown)"
        raise ParameterError(msg)
    painted = np.zeros((2, *grid.shape), dtype=bool)
    for label, polygon in _sorted_out(zones):
        cells = inside(polygon.rings, grid.latitude, grid.longitude)
        if not cells.any():
            lon, lat = polygon.rings[0][0]
            msg = (
                f"a zone around latitude {lat:g}, longitude {lon:g} holds no cell of the region "
                f"({_extent(grid)}); remove it or label the region it lies in"
            )
            raise ParameterError(msg)
        painted[label] |= cells
    both = painted.all(axis=0)
    if both.any():
        i, j = np.argwhere(both)[0]
        msg = (
            f"linear and nonlinear zones overlap in {int(both.sum())} cells, e.g. at latitude "
            f"{grid.latitude[i]:g}, longitude {grid.longitude[j]:g}; redraw them so that they do not"
        )
        raise ParameterError(msg)
    outside = np.float32(np.nan if elsewhere is None else elsewhere)
    return np.where(painted[1], np.float32(1), np.where(painted[0], np.float32(0), outside))


def _sorted_out(zones: Any) -> list[tuple[int, Polygon]]:
    if isinstance(zones, Mapping) and "type" not in zones:
        odd = [k for k in zones if k not in _KINDS]
        if odd:
            msg = f"zones are named {odd}; name them 'linear' and 'nonlinear'"
            raise ParameterError(msg)
        return [(_KINDS[k], p) for k, drawn in zones.items() for p in areas(drawn)]
    found = []
    for polygon in areas(zones):
        told = polygon.properties.get("label")
        if told not in _KINDS:
            msg = f"a zone has the label {told!r}; set its property 'label' to 'linear' or 'nonlinear'"
            raise ParameterError(msg)
        found.append((_KINDS[told], polygon))
    return found


def _extent(grid: Grid) -> str:
    lat, lon = grid.latitude, grid.longitude
    return f"latitude {lat[0]:g} to {lat[-1]:g}, longitude {lon[0]:g} to {lon[-1]:g}"


def _known(grid: Grid, mask: xr.DataArray) -> Values:
    """Bring a truth mask onto the map's cells in canonical order."""
    if not isinstance(mask, xr.DataArray):
        msg = f"mask is a {type(mask).__name__}; give a DataArray with latitude and longitude"
        raise GridError(msg)
    bare = mask.drop_attrs(deep=False).astype(np.float32)
    own, _ = describe(bare)
    cells = xr.DataArray(
        np.broadcast_to(np.float32(0), grid.shape),
        {own.lat: (own.lat, grid.latitude, mask[own.lat].attrs)}
        | {own.lon: (own.lon, grid.longitude, mask[own.lon].attrs)},
        (own.lat, own.lon),
    )
    return matched(cells, bare, "mask")


def _percents(truth: Values, grid: Grid, windows: xr.Dataset) -> Values:
    """Return (2, windows): percent of linear and of nonlinear cells."""
    size = int(windows.attrs["size"])
    rows, row = np.unique(windows["start_row"].values, return_inverse=True)
    columns, column = np.unique(windows["start_column"].values, return_inverse=True)
    jobs, chunks = jobs_of(grid, size, rows, columns, _WINDOWS_A_TASK)
    both = map_regions(
        _counted,
        [truth],
        {(0, *n): job for n, job in jobs.items()},
        chunks=((2,), chunks),
        dtype=np.float64,
        step="labels",
        size=size,
    )
    order = row * len(columns) + column
    return both if np.array_equal(order, np.arange(both.shape[1])) else both[:, order]


def _counted(
    truth: NDArray[np.float32],
    *,
    rows: NDArray[np.int64],
    columns: NDArray[np.int64],
    span: tuple[Reach, Reach],
    chosen: slice,
    size: int,
) -> NDArray[np.float64]:
    real = (span[0].real, span[1].real)
    cells = real_cells(real, size, rows, columns)
    marked = (kind & np.logical_and.outer(*real) for kind in (truth == 1, truth == 0))
    return np.stack([(100 * box_counts(m, size, rows, columns) / cells).ravel()[chosen] for m in marked])


def _from_table(windows: xr.Dataset, table: str | Path | xr.Dataset, threshold: float) -> xr.Dataset:
    labels = table if isinstance(table, xr.Dataset) else read_labels(table, threshold=threshold)
    known = windows["window"].values
    foreign = np.setdiff1d(labels["window"].values, known)
    if len(foreign):
        msg = (
            f"the table labels {len(foreign)} windows outside the region (first: {foreign[0]}; the region "
            f"has {known.min()} to {known.max()}); cut windows of the size and stride that were labelled"
        )
        raise ParameterError(msg)
    ours = windows.sel(window=labels["window"].values)
    half = [0.5 * float(s) for s in windows.attrs["grid_spacing"]]
    for name in BOUNDS:
        apart = labels[name].values - ours[name].values
        if name in ("west", "east"):
            apart = (apart + 180.0) % 360.0 - 180.0
        off = np.abs(apart) > half[0 if name in ("south", "north") else 1]
        if off.any():
            n = int(np.flatnonzero(off)[0])
            msg = (
                f"the table puts window {int(labels['window'][n])} at {name} {float(labels[name][n]):g}, the "
                f"region has it at {float(ours[name][n]):g}; they are other windows: use the size, stride, "
                "spacing and region that were labelled"
            )
            raise ParameterError(msg)
    named = np.isin(known, labels["window"].values)
    return labels.sel(window=known[named])

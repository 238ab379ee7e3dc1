"""A look at one window: what in it speaks for linear and what against, in the eyes of a model."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from magxr.chunked.quantiles import check_block
from magxr.errors import GridError, ModelError, ParameterError
from magxr.labelled import anomaly, canonical, on_grid, oriented
from magxr.models.explanation import check_method, default_method, explain_window
from magxr.steps.arguments import is_number
from magxr.steps.cells import filled
from magxr.steps.cutting import check_window
from magxr.steps.predictor import predictor_of, verify_spacing

if TYPE_CHECKING:
    from collections.abc import Hashable
    from pathlib import Path

    import xarray as xr
    from numpy.typing import NDArray

    from magxr.geogrid import Grid, Layout
    from magxr.models.explanation import Explanation, Method


_NAMES = {
    "additive": ("contribution", "contribution to the logit of linear"),
    "gradcam": ("gradcam", "Grad-CAM of linear"),
    "occlusion": ("occlusion", "fall of the logit of linear without this part"),
}
"""Method -> name and long name of its map."""


def explain(
    obj: xr.Dataset | xr.DataArray,
    lat: float,
    lon: float,
    *,
    model: str | Path | Any = "default",
    method: Method | None = None,
    check_spacing: bool | Literal["warn"] = True,
    variable: Hashable | None = None,
) -> xr.DataArray:
    """Show where in a window a model's answer comes from.

    Parameters
    ----------
    obj : xarray.Dataset or xarray.DataArray
        Anomaly, nT, on latitude and longitude; numpy or Dask.
    lat, lon : float
        Middle of the window, degrees; the window whose middle lies nearest is taken. The places of
        `magxr.classify` are such middles.
    model : str, path or model
        As for `magxr.classify`: a name, a folder, a loaded specification, or an object that has ``window``,
        ``batch``, ``predict`` and ``explain(window, method)``.
    method : {"additive", "gradcam", "occlusion"}, optional
        "additive": contributions to the logit, an exact sum, for one logistic head on a trunk. "gradcam":
        the classic Grad-CAM map of such a head, 0 and above, which shows only what speaks for linear and does
        not see the deviations of features. "occlusion": how much the logit falls when each of 10 x 10 parts
        of the window is taken for missing, for any model. By default "additive" where it can be had.
    check_spacing : bool or "warn"
        As for `magxr.classify`.
    variable : hashable, optional
        Name of the anomaly in a Dataset, where units do not tell.

    Returns
    -------
    xarray.DataArray
        ``contribution`` (or ``gradcam``, or ``occlusion``), float32, on the cells of the window, in the
        input's dim order and directions. Positive speaks for linear, negative against. Attributes: ``logit``, ``probability`` (of
        linear), ``elsewhere`` (part of the logit without a place), ``model``, ``sha256``, ``method``,
        ``window`` (cells), ``latitude`` and ``longitude`` of its middle, and ``missing_share``.

    Raises
    ------
    ParameterError
        If the point lies outside of the map or too near its edge for a window, or an argument is unknown.
    GridError
        If the map is smaller than a window, or the window holds no data or fill values.
    ModelError
        If the model expects another spacing, or cannot be explained.

    Notes
    -----
    Calling this computes: the window, and the network on it once. It answers windows that `magxr.classify`
    leaves without an answer for their missing cells; ``missing_share`` says how many there are.

    The head is linear in the means and standard deviations of the trunk's features, and these are sums over
    the cells of the feature map. So the logit is a sum too, ``elsewhere`` plus the contributions of all
    cells, to rounding. ``elsewhere`` is the logit of a window that has the features of the average training
    window; contributions count from there. A cell of the feature map (32 pixels with VGG) is shared out
    bilinearly over its pixels. It sees far beyond these, all of the window to some degree: read the map by
    quarters of a window, not by stripes.

    References
    ----------
    Zhou, B. et al. (2016), "Learning deep features for discriminative localization", CVPR, for the means;
    the deviations are taken apart in the same way here.
    """
    if method is not None:
        check_method(method)
    da = anomaly(obj, variable)
    values, grid, layout = canonical(da)
    predictor = predictor_of(model, None)
    size = int(predictor.window)
    check_window(grid, size, 1)
    verify_spacing(grid, predictor, check_spacing)
    row, column = _start(grid, size, lat, lon)
    if method is None:
        spec = getattr(predictor, "spec", None)
        method = "additive" if spec is None else default_method(spec)
    explained, share = _explained(predictor, method, [values, filled(da)], (row, column), size)
    name, what = _NAMES[method]
    origin = (grid.origin[0] + row * grid.spacing[0], grid.origin[1] + column * grid.spacing[1])
    window = replace(grid, shape=(size, size), origin=origin, wraps=False)
    attrs = {
        "long_name": what,
        "units": "1",
        "probability": explained.probability,
        "logit": explained.logit,
        "elsewhere": explained.elsewhere,
        "method": method,
        "model": str(getattr(predictor, "name", None) or type(predictor).__name__),
        "sha256": str(getattr(predictor, "sha256", "")),
        "window": size,
        "latitude": origin[0] + (size - 1) / 2 * grid.spacing[0],
        "longitude": origin[1] + (size - 1) / 2 * grid.spacing[1],
        "missing_share": share,
        "registration": grid.registration,
    }
    told = {"lat": lat, "lon": lon, "model": attrs["model"], "method": method}
    made = on_grid(da, layout, window, {name: (explained.cells, attrs)}, step="explain", parameters=told)[
        name
    ]
    return _on_own_coordinates(made, da, grid, layout, row, column)


def _explained(
    predictor: Any, method: Method, arrays: list[Any], start: tuple[int, int], size: int
) -> tuple[Explanation, float]:
    """Read the window, ask the model, and return its explanation and the share of missing cells."""
    values, mask = (None if a is None else _cut(a, *start, size) for a in arrays)
    window = np.asarray(values)
    check_block(window, infinite=True)
    missing = ~np.isfinite(window)
    if missing.all():
        msg = "the window holds no data: every cell is missing; choose another place"
        raise GridError(msg)
    clean = np.where(missing, np.nan, window).astype(np.float32)
    share = float((missing if mask is None else missing | (np.asarray(mask) > 0)).mean())
    if hasattr(predictor, "explain"):
        return predictor.explain(clean, method), share
    if not hasattr(predictor, "spec"):
        fix = "use a model of the package, or give it explain(window, method)"
        msg = f"a {type(predictor).__name__} only answers, it cannot be explained; {fix}"
        raise ModelError(msg)
    return explain_window(predictor.spec, clean, method), share


def _start(grid: Grid, size: int, lat: Any, lon: Any) -> tuple[int, int]:
    """Return first row and column of the window whose middle lies nearest to a point, or refuse it."""
    for name, value in (("lat", lat), ("lon", lon)):
        if not is_number(value) or not math.isfinite(value):
            msg = f"{name} is {value!r}; it must be a number of degrees"
            raise ParameterError(msg)
    turned = float(lon) + 360.0 * math.ceil((grid.origin[1] - grid.spacing[1] / 2 - lon) / 360.0)
    if not grid.wraps:  # beside a regional map, count from whichever side is nearer
        beyond = turned - (grid.origin[1] + (grid.shape[1] - 1) * grid.spacing[1])
        if beyond > grid.origin[1] - (turned - 360.0):
            turned -= 360.0
    at = [
        math.floor((value - origin) / spacing - (size - 1) / 2 + 0.5 + 1e-6)
        for value, origin, spacing in zip((lat, turned), grid.origin, grid.spacing, strict=True)
    ]
    last = [n - size for n in grid.shape]
    near = [min(max(k, 0), most) for k, most in zip(at, last, strict=True)]
    if grid.wraps:
        at[1] = near[1] = at[1] % grid.shape[1]
    if at != near:
        middle = [
            o + (k + (size - 1) / 2) * s for o, k, s in zip(grid.origin, near, grid.spacing, strict=True)
        ]
        msg = (
            f"the window of {size} x {size} cells around lat={lat:g}, lon={lon:g} does not fit into the map; "
            f"the nearest place where one does is lat={middle[0]:.6g}, lon={middle[1]:.6g}"
        )
        raise ParameterError(msg)
    return at[0], at[1]


def _cut(values: Any, row: int, column: int, size: int) -> NDArray[Any]:
    """Return the cells of a window in memory, going round the globe if need be."""
    rows = values[row : row + size]
    beyond = column + size - values.shape[1]
    parts = [rows[:, column : column + size]] + ([rows[:, :beyond]] if beyond > 0 else [])
    return np.concatenate([np.asarray(p) for p in parts], axis=1)


def _on_own_coordinates(
    made: xr.DataArray, da: xr.DataArray, grid: Grid, layout: Layout, row: int, column: int
) -> xr.DataArray:
    """Give the window the very coordinates of the map, so that xarray aligns the two."""
    size = made.sizes[grid.lat]
    flat = replace(layout, transposed=False, descending=False)
    lat = da[grid.lat].values[:: -1 if layout.descending else 1][row : row + size]
    lon = oriented(da[grid.lon].values[None, :], flat)[0]
    lon = np.take(lon, np.arange(column, column + size), mode="wrap")
    if (np.diff(lon) <= 0).any():  # over the seam of a globe: longitudes run on instead of jumping
        lon = made[grid.lon].values[:: -1 if layout.reversed_columns else 1]
    own = {
        grid.lat: lat[::-1] if layout.descending else lat,
        grid.lon: lon[::-1] if layout.reversed_columns else lon,
    }
    return made.assign_coords({k: (k, v, da[k].attrs) for k, v in own.items()})

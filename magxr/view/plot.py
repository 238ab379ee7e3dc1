"""`plot`: one map of whatever the object holds."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

import xarray as xr

from magxr.errors import GridError, ParameterError
from magxr.geogrid import NT_UNITS
from magxr.labelled import anomaly as anomaly_of
from magxr.labelled import check_labelled
from magxr.steps.arguments import is_number, is_whole
from magxr.view import layers, maps
from magxr.view.figures import is_residual
from magxr.view.screen import CELLS, pictures

if TYPE_CHECKING:
    from collections.abc import Hashable

    from magxr.view.screen import Picture

    Labelled = xr.Dataset | xr.DataArray

WHAT = (
    "linear",
    "calibrated_probability",
    "linear_probability",
    "missing_share",
    "wavelength",
    "strike",
    "coherence",
    "anomaly",
    "residual",
)
"""What can be drawn, the most interpreted first: the order in which a Dataset is searched."""

_TITLES = {
    "anomaly": "Magnetic anomaly",
    "residual": "Removed by denoising",
    "strike": "Strike of the anomalies",
    "coherence": "Coherence",
    "wavelength": "Dominant wavelength across strike",
    "missing_share": "Missing or interpolated cells",
    "linear_probability": "Probability of linear anomalies",
    "calibrated_probability": "Calibrated probability of linear anomalies",
    "linear": "Linear and nonlinear anomalies",
}


def plot(
    obj: Labelled,
    *,
    what: str | None = None,
    anomaly: Labelled | None = None,
    ax: Any = None,
    variable: Hashable | None = None,
    limit: float | None = None,
    title: str | None = None,
    subtitle: str = "",
    cells: int = CELLS,
) -> Any:
    """Draw one map, by what the object holds.

    Parameters
    ----------
    obj : xarray.Dataset or xarray.DataArray
        A map on latitude and longitude, numpy- or Dask-backed: an anomaly in nT, or a result of
        `structure`, `wavelength`, `classify`, `calibrate` or ``denoise(residual=True)``.
    what : str, optional
        "anomaly", "residual", "strike", "coherence", "wavelength", "missing_share", "linear_probability",
        "calibrated_probability" or "linear". Default: what a DataArray is by its name or units; in a
        Dataset the most interpreted one.
    anomaly : xarray.Dataset or xarray.DataArray, optional
        For "linear": the anomaly to draw under the shaded classes, nT, on its own, finer grid. Default: the
        anomaly in the same Dataset, if there is one.
    ax : matplotlib.axes.Axes, optional
        Where to draw. Default: a new figure that belongs to no window; get it with ``ax.figure``.
    variable : hashable, optional
        Name of the anomaly in a Dataset, where units do not tell.
    limit : float, optional
        End of the colour bar of an anomaly or residual, nT. Default: the 99 % quantile of its absolute
        values, rounded up to two digits.
    title, subtitle : str, optional
        Default title: what is drawn; for "linear" also the share of linear among the answered cells.
    cells : int
        Most cells drawn along a side. Larger maps are averaged over boxes (classes and strike: sampled),
        block by block.

    Returns
    -------
    matplotlib.axes.Axes
        Save with ``ax.figure.savefig("map.png")``.

    Raises
    ------
    ParameterError
        If ``what`` is not one of the above or not in the object, or ``limit`` or ``cells`` is not positive.
    GridError
        If the object is not a latitude/longitude map, or holds nothing that can be drawn.
    MissingExtraError
        If matplotlib is not installed.

    Notes
    -----
    Calling this computes: beside `magxr.explain` it is the one step that does. Nothing global is touched,
    neither pyplot nor rcParams, so it is safe in threads and without a display.

    Examples
    --------
    >>> import magxr
    >>> from magxr.testing import wavy_sea_floor
    >>> magxr.plot(wavy_sea_floor()).get_title(loc="left")
    'Magnetic anomaly'
    """
    if not is_whole(cells, 2):
        msg = f"cells must be an integer of at least 2, got {cells!r}"
        raise ParameterError(msg)
    check_labelled(obj)
    if anomaly is not None:
        check_labelled(anomaly)
    if limit is not None and not (is_number(limit) and limit > 0):
        msg = f"limit must be above 0 nT (the colour bar runs from -limit to limit), got {limit!r}"
        raise ParameterError(msg)
    if ax is not None and not hasattr(ax, "imshow"):
        msg = f"ax must be matplotlib axes, e.g. figure.add_subplot(), got {ax!r}"
        raise ParameterError(msg)
    if anomaly is None and isinstance(obj, xr.Dataset) and what in (None, "linear") and "linear" in obj:
        anomaly = _anomaly_beside(obj, variable)
    kind = _kind(obj, what, variable)
    da = _pick(obj, kind, variable)
    # Everything that hangs on the same lazy result is computed in one go, the network's answers above all.
    if kind == "linear":
        da = da.compute()
    beside = (
        [obj["coherence"]] if kind == "strike" and isinstance(obj, xr.Dataset) and "coherence" in obj else []
    )
    how: Literal["mean", "nearest"] = "nearest" if kind in ("strike", "linear") else "mean"
    picture, *more = pictures(da, *beside, how=how, cells=cells)
    under = pictures(anomaly_of(anomaly, variable), cells=cells)[0] if anomaly is not None else None
    if ax is None:
        ax = _new_axes(under if kind == "linear" and under is not None else picture)

    if kind in ("anomaly", "residual"):
        layers.anomaly(ax, picture, limit=limit)
    elif kind == "strike":
        layers.strike(ax, picture, more[0].values if more else None)
    elif kind == "coherence":
        layers.fraction(ax, picture, "coherence")
    elif kind == "wavelength":
        layers.length(ax, picture, "wavelength, km")
    elif kind == "missing_share":
        layers.fraction(ax, picture, "share of a window’s cells")
    elif kind == "linear":
        layers.linear(ax, picture, under, limit=limit)
        subtitle = subtitle or layers.shares(da)
    else:
        layers.probability(ax, picture, _bar_label(kind))
    maps.heading(ax, _TITLES[kind] if title is None else title, subtitle)
    return ax


def _new_axes(picture: Picture) -> Any:
    width = 6.0
    figure = maps.blank_figure(width + 1.5, maps.fitting_height(picture, width) + 0.9)
    return figure.add_subplot()


def _kind(obj: Labelled, what: str | None, variable: Hashable | None) -> str:
    if what is not None and what not in WHAT:
        msg = f"what={what!r} is not something that can be drawn; choose one of {sorted(WHAT)}"
        raise ParameterError(msg)
    if what is not None:
        return what
    if isinstance(obj, xr.DataArray):
        if obj.name in WHAT:
            return str(obj.name)
        if is_residual(obj.name):
            return "residual"
        if _in_nt(obj):
            return "anomaly"
        msg = (
            f"cannot tell what {obj.name!r} (units {obj.attrs.get('units', 'none')!r}) is; "
            f"name it with what=, one of {sorted(WHAT)}"
        )
        raise GridError(msg)
    if variable is not None:
        return str(variable) if variable in WHAT else "anomaly"
    found = (k for k in WHAT[: WHAT.index("anomaly")] if k in obj.data_vars and obj[k].ndim == 2)
    return next(found, "anomaly")


def _pick(obj: Labelled, kind: str, variable: Hashable | None) -> xr.DataArray:
    if isinstance(obj, xr.DataArray):
        return obj
    if kind == "anomaly":
        if variable is None and "anomaly" in obj.data_vars and _in_nt(obj["anomaly"]):
            return obj["anomaly"]
        return anomaly_of(obj.drop_vars([n for n in obj.data_vars if is_residual(n)]), variable)
    if kind == "residual":
        kind = next((str(n) for n in obj.data_vars if is_residual(n)), kind)
    if kind in obj.data_vars:
        return obj[kind]
    msg = f"no variable {kind!r} to draw; the dataset has {sorted(map(str, obj.data_vars))}"
    raise ParameterError(msg)


def _anomaly_beside(ds: xr.Dataset, variable: Hashable | None) -> xr.DataArray | None:
    if variable is not None:
        return anomaly_of(ds, variable)
    found = {n: v for n, v in ds.data_vars.items() if v.ndim == 2 and _in_nt(v) and not is_residual(n)}
    return found.get("anomaly") if len(found) != 1 else next(iter(found.values()))


def _in_nt(da: xr.DataArray) -> bool:
    return str(da.attrs.get("units", "")).strip().lower() in NT_UNITS


def _bar_label(kind: str) -> str:
    return "probability of “linear”" + (", after the vote" if kind == "calibrated_probability" else "")

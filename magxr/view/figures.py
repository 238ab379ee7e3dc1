"""Figures of several maps, after the paper's Figs 7, 10 and 11."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from magxr.errors import ParameterError
from magxr.labelled import anomaly as anomaly_of
from magxr.view import layers, maps
from magxr.view.screen import CELLS, pictures

if TYPE_CHECKING:
    from collections.abc import Hashable

    import xarray as xr

    from magxr.view.screen import Picture

    Labelled = xr.Dataset | xr.DataArray


def cleaning_figure(
    raw: Labelled,
    gridded: Labelled,
    denoised: Labelled,
    removed: Labelled,
    *,
    variable: Hashable | None = None,
    cells: int = CELLS,
) -> Any:
    """Draw what cleaning does (Fig. 7): raw, without outliers and gridded, denoised, removed by denoising.

    Parameters
    ----------
    raw, gridded, denoised, removed : xarray.Dataset or xarray.DataArray
        Anomalies in nT of one region, each on its own grid. ``removed`` is the residual of `denoise`.
    variable : hashable, optional
        Name of the anomaly in Datasets, where units do not tell.
    cells : int
        Most cells drawn along a side of a map.

    Returns
    -------
    matplotlib.figure.Figure
        The raw map on its own limits, so that what the outliers hide shows; the next two on shared ones.
    """
    of = [anomaly_of(o, variable) for o in (raw, gridded, denoised)]
    of.append(
        removed["residual"]
        if "residual" in getattr(removed, "data_vars", ())
        else anomaly_of(removed, variable)
    )
    drawn = pictures(*of, cells=cells)
    axes = _panels(drawn)
    raw_limit = max(maps.symmetric_limit(drawn[0].values, 1.0), 1.0)
    shared = maps.symmetric_limit(drawn[1].values)
    limits = (raw_limit, shared, shared, None)
    titles = ("Raw", "Outliers removed, gridded", "Denoised", "Removed by denoising")
    for letter, ax, picture, limit, title in zip("abcd", axes, drawn, limits, titles, strict=True):
        layers.anomaly(ax, picture, limit=limit)
        maps.heading(ax, f"{letter}  {title}")
    return axes[0].figure


def prediction_figure(
    anomaly: Labelled,
    result: xr.Dataset,
    *,
    title: str = "Linear and nonlinear anomalies",
    variable: Hashable | None = None,
    limit: float | None = None,
    cells: int = CELLS,
) -> Any:
    """Draw what was found (Figs 10a, 11a), beside the probabilities it rests on.

    Parameters
    ----------
    anomaly : xarray.Dataset or xarray.DataArray
        Anomaly, nT; shown with a dark shade over nonlinear areas and hatching where there is no answer.
    result : xarray.Dataset
        Result of `calibrate`, on window centres: ``linear_probability``, ``calibrated_probability``,
        ``linear``.
    title : str
        Of the first map.
    variable, limit, cells
        As in `magxr.plot`.

    Returns
    -------
    matplotlib.figure.Figure

    Raises
    ------
    ParameterError
        If a variable of ``result`` is missing.
    """
    wanted = ("linear_probability", "calibrated_probability")
    missing = [n for n in (*wanted, "linear") if n not in result]
    if missing:
        msg = f"the result lacks {missing} (it has {sorted(map(str, result.data_vars))}); run calibrate first"
        raise ParameterError(msg)
    under = pictures(anomaly_of(anomaly, variable), cells=cells)[0]
    classes = pictures(result["linear"], how="nearest", cells=cells)[0]
    probabilities = pictures(*(result[n] for n in wanted), cells=cells)
    axes = _panels([under, under, under])
    layers.linear(axes[0], classes, under, limit=limit)
    maps.heading(axes[0], f"a  {title}", layers.shares(result["linear"]))
    for letter, ax, picture, name in zip(
        "bc", axes[1:], probabilities, ("As predicted", "After the vote"), strict=True
    ):
        layers.probability(ax, picture, "probability of “linear”", within=under)
        maps.heading(ax, f"{letter}  {name}")
    return axes[0].figure


def _panels(drawn: list[Picture]) -> list[Any]:
    """Tall maps stand in one row, wide ones in two columns or, very wide, one above the other."""
    west, east, south, north = drawn[0].frame
    height_over_width = (north - south) * drawn[0].aspect / (east - west)
    count = len(drawn)
    columns = count if height_over_width > 1.1 else 2 if height_over_width > 0.45 and count != 3 else 1
    if count == 3 and height_over_width > 0.6:
        columns = 3
    rows = -(-count // columns)
    width = {1: 6.5, 2: 4.6}.get(columns, 3.6)
    height = maps.fitting_height(drawn[0], width)
    figure = maps.blank_figure(columns * (width + 1.25), rows * (height + 0.95))
    return list(figure.subplots(rows, columns, squeeze=False).ravel())

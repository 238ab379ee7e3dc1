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


def is_residual(name: Hashable) -> bool:
    """Tell whether a variable is what `denoise` removed, by its name ("anomaly_residual", say)."""
    return str(name).endswith("residual")


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
        Anomalies in nT of one region, each on its own grid. ``removed`` is what ``denoise(residual=True)``
        returns, or the residual alone.
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
    residual = next((n for n in getattr(removed, "data_vars", ()) if is_residual(n)), variable)
    of.append(anomaly_of(removed, residual))
    drawn = pictures(*of, cells=cells)
    axes = _four_panels(drawn)
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
    result = result[[*wanted, "linear"]].compute()  # once: each of them hangs on the network
    under = pictures(anomaly_of(anomaly, variable), cells=cells)[0]
    classes = pictures(result["linear"], how="nearest", cells=cells)[0]
    probabilities = pictures(*(result[n] for n in wanted), cells=cells)
    axes = _one_and_two_panels(under)
    layers.linear(axes[0], classes, under, limit=limit)
    maps.heading(axes[0], f"a  {title}", layers.shares(result["linear"]))
    for letter, ax, picture, name in zip(
        "bc", axes[1:], probabilities, ("As predicted", "After the vote"), strict=True
    ):
        layers.probability(ax, picture, "probability of “linear”", within=under)
        maps.heading(ax, f"{letter}  {name}")
    return axes[0].figure


def _four_panels(drawn: list[Picture]) -> list[Any]:
    """Two by two; very wide maps stand one above the other."""
    columns = 1 if _height_over_width(drawn[0]) < 0.3 else 2
    width = 9.0 / columns - 0.3
    height = maps.fitting_height(drawn[0], width)
    figure = maps.blank_figure(columns * (width + 1.2), 4 // columns * (height + 0.7))
    return list(figure.subplots(4 // columns, columns, squeeze=False).ravel())


def _one_and_two_panels(picture: Picture) -> list[Any]:
    """One large map, with two small ones beside it if it is tall, below it if it is wide."""
    if _height_over_width(picture) > 0.8:
        height = maps.fitting_height(picture, 5.4)
        figure = maps.blank_figure(10.4, height + 1.1)
        axes = figure.subplot_mosaic([["a", "b"], ["a", "c"]], width_ratios=[1.9, 1.0])
    else:
        height = maps.fitting_height(picture, 9.0)
        figure = maps.blank_figure(10.4, 1.45 * height + 1.9)
        axes = figure.subplot_mosaic([["a", "a"], ["b", "c"]], height_ratios=[2.2, 1.0])
    return [axes[letter] for letter in "abc"]


def _height_over_width(picture: Picture) -> float:
    west, east, south, north = picture.frame
    return (north - south) * picture.aspect / (east - west)

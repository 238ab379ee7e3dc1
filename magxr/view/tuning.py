"""The figure of a tuning: what each candidate gains, and what it makes up."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from magxr.errors import ParameterError
from magxr.view import maps
from magxr.view.palette import FAINT, INK, QUIET

if TYPE_CHECKING:
    import xarray as xr

GAIN, NOISE, MAP = "#2f5fa8", "#c4622d", "#1d7a5c"
LOWEST = -50.0
"""Gains below are not drawn to scale, %."""
_SPREAD = 0.14
"""Distance of noise and map from the middle of their line."""


def tuning_figure(table: xr.Dataset) -> Any:
    """Draw gains with their intervals, and coherent shares before and after, one line for each candidate.

    Parameters
    ----------
    table : xarray.Dataset
        On ``candidate``: ``gain``, ``gain_low``, ``gain_high``, ``noise_before``, ``noise_after``,
        ``noise_low``, ``noise_high``, ``map_before`` and ``map_after`` (all shares), as `magxr.tune` finds
        them; ``attrs["made_up_limit"]``.

    Returns
    -------
    matplotlib.figure.Figure

    Raises
    ------
    ParameterError
        If nothing was tried.
    """
    names = [str(n) for n in table["candidate"].values]
    if not names:
        msg = "the table holds no candidate, so there is nothing to draw: the map has no stripes to tune by"
        raise ParameterError(msg)
    figure = maps.blank_figure(9.0, 1.4 + 0.34 * len(names))
    left, right = figure.subplots(1, 2, sharey=True)
    line = np.arange(len(names))
    share = {k: 100.0 * table[k].values for k in table.data_vars if table[k].dtype.kind == "f"}
    _bars(left, line, share["gain"], share["gain_low"], share["gain_high"], GAIN, "")
    left.axvline(0.0, color=INK, linewidth=0.7)
    _lost(left, line, share["gain"])
    for field, colour, beside in (("noise", NOISE, -_SPREAD), ("map", MAP, _SPREAD)):
        before, after = share[f"{field}_before"], share[f"{field}_after"]
        right.hlines(line + beside, before, after, color=colour, linewidth=1.2, alpha=0.6)
        right.plot(before, line + beside, "o", color=colour, markerfacecolor="none", markersize=4)
        if field == "noise":
            _bars(
                right,
                line + beside,
                after,
                share["noise_low"],
                share["noise_high"],
                colour,
                "noise, diffused",
            )
        else:
            right.plot(after, line + beside, "o", color=colour, markersize=4, label="map, diffused")
    limit = 100.0 * float(table.attrs["made_up_limit"])
    right.axvline(limit, color=NOISE, linewidth=0.7, linestyle=":", label="most that noise may show")
    right.plot([], [], "o", color=QUIET, markerfacecolor="none", markersize=4, label="before diffusion")
    right.set_xlim(left=min(0.0, right.get_xlim()[0]))
    left.set_yticks(line, names)
    left.invert_yaxis()
    _dressed(left, "a  Gain over no diffusion", "%, with 95 % interval by blocks")
    _dressed(right, "b  Coherent share of the area", "%, coherence above 0.7")
    right.tick_params(left=False)
    figure.legend(frameon=False, fontsize=maps.SMALL, labelcolor=QUIET, loc="outside lower center", ncols=4)
    return figure


def _bars(ax: Any, line: Any, mean: Any, low: Any, high: Any, colour: str, label: str) -> None:
    """Draw means with intervals; redrawn ends may lie a hair inside the mean."""
    ends = np.maximum(0.0, np.stack([mean - low, high - mean]))
    ax.errorbar(
        mean,
        line,
        xerr=ends,
        fmt="o",
        color=colour,
        markersize=4,
        elinewidth=1.0,
        capsize=2,
        label=label or None,
    )


def _lost(ax: Any, line: Any, gain: Any) -> None:
    """Cut the axis where nothing is won any more, and write the losses beyond it."""
    if gain.min() >= LOWEST:
        return
    ax.set_xlim(LOWEST, max(2.0, 1.1 * ax.get_xlim()[1]))
    for at, value in zip(line, gain, strict=True):
        if value < LOWEST:
            ax.plot(LOWEST, at, "<", color=GAIN, markersize=5, clip_on=False)
            ax.annotate(
                f"{value:.0f} %",
                (LOWEST, at),
                (7, 0),
                textcoords="offset points",
                va="center",
                fontsize=maps.SMALL,
                color=QUIET,
            )


def _dressed(ax: Any, title: str, unit: str) -> None:
    ax.set_title(title, loc="left", fontsize=maps.TEXT + 1, fontweight="bold", color=INK)
    ax.set_xlabel(unit, fontsize=maps.TEXT, color=QUIET)
    ax.tick_params(labelsize=maps.SMALL, labelcolor=QUIET, color=FAINT, length=3, width=0.6)
    ax.grid(axis="x", color=FAINT, linewidth=0.4, alpha=0.6)
    for side, spine in ax.spines.items():
        spine.set(linewidth=0.6, color=FAINT, visible=side in ("left", "bottom"))

"""Figure of window sizes (Fig. 12): percent linear against size, and the windows that the stripes suggest."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from magxr.view import layers, maps
from magxr.view.axes import COLOURS, diagram
from magxr.view.palette import INK, QUIET
from magxr.view.screen import pictures

if TYPE_CHECKING:
    import xarray as xr

_UNTRUSTED = "#f0f0ee"
"""Behind sizes that the model was not trained for."""


def window_sizes_figure(table: xr.Dataset, answers: xr.Dataset) -> Any:
    """Draw percent linear against the size of the window, and a map of the window that the stripes suggest.

    Parameters
    ----------
    table, answers : xarray.Dataset
        As `magxr.studies.window_sizes` returns them.

    Returns
    -------
    matplotlib.figure.Figure
        Left: percent linear with its interval, full marks where the model was trained for the spacing,
        hollow ones on grey elsewhere; dotted the share without an answer; lines at the stable and the
        suggested size.
        Right: side of a window that holds the wanted number of wavelengths, at every place.
    """
    told = table.attrs
    local = told["waves"] * answers["wavelength"] * (table["size"][0] / table["width"][0])
    local.attrs = {"registration": "pixel"}
    mapped = min(local.shape) >= 2 and bool(local.notnull().any())
    figure = maps.blank_figure(10.4 if mapped else 6.4, 4.3)
    drawn = figure.subplots(
        1, 2 if mapped else 1, width_ratios=[1.5, 1.0] if mapped else [1.0], squeeze=False
    )
    _curve(drawn[0][0], table)
    if mapped:
        right = drawn[0][1]
        layers.length(right, pictures(local)[0], "degrees")
        maps.heading(right, "b  What the stripes suggest", f"window that holds {told['waves']:g} wavelengths")
    figure.legend(
        *drawn[0][0].get_legend_handles_labels(),
        frameon=False, fontsize=maps.SMALL, labelcolor=INK, loc="outside lower left", ncols=5,
    )  # fmt: skip
    return figure


def _curve(ax: Any, table: xr.Dataset) -> None:
    size, told = table["size"].values, table.attrs
    percent, trained = table["percent_linear"].values, table["trained"].values
    diagram(
        ax,
        "a  Linear",
        f"{told['compared']} places answered at all sizes, 95 % intervals",
        x="side of the window, degrees",
        y="%",
    )
    ax.set_xlim(0.0, 1.05 * float(size[-1]))
    ax.set_ylim(-4.0, 104.0)
    for low, high in _outside(size, trained, ax.get_xlim()):
        ax.axvspan(low, high, color=_UNTRUSTED, linewidth=0, zorder=0)
    ends = np.maximum(0.0, [percent - table["low"].values, table["high"].values - percent])
    ax.errorbar(
        size, percent, yerr=ends, color=COLOURS[0], linewidth=1.2, elinewidth=0.9, capsize=2, zorder=3
    )
    for of, face, label in ((trained, COLOURS[0], "linear"), (~trained, "white", "linear, not trained for")):
        if of.any():
            ax.plot(
                size[of], percent[of], "o", color=COLOURS[0], markerfacecolor=face, markersize=5, zorder=4,
                label=label,
            )  # fmt: skip
    ax.plot(size, 100.0 * table["no_answer_share"].values, ":", color=QUIET, linewidth=1.2, label="no answer")
    lines = (("stable_size", "--", INK, "smallest stable"), ("suggested_size", "-.", COLOURS[1], "suggested"))
    for name, style, colour, label in lines:
        if np.isfinite(told[name]) and told[name] <= ax.get_xlim()[1]:
            ax.axvline(told[name], color=colour, linestyle=style, linewidth=1.1, zorder=2,
                       label=f"{label}: {told[name]:.2g}°")  # fmt: skip


def _outside(size: Any, trained: Any, limits: tuple[float, float]) -> list[tuple[float, float]]:
    """Return the stretches of the axis that the model was not trained for, up to half way between sizes."""
    if not trained.any():
        return [limits]
    inside = np.flatnonzero(trained)
    first, last = int(inside[0]), int(inside[-1])
    found = []
    if first > 0:
        found.append((limits[0], 0.5 * float(size[first - 1] + size[first])))
    if last < len(size) - 1:
        found.append((0.5 * float(size[last] + size[last + 1]), limits[1]))
    return found

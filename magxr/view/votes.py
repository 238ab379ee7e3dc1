"""Figures of the two studies of the vote: how many neighbours, and which cut-offs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from magxr.view import layers, maps
from magxr.view.axes import COLOURS, MARKS, diagram, keys
from magxr.view.palette import FAINT, INK, PAPER, QUIET, colormap
from magxr.view.screen import pictures

if TYPE_CHECKING:
    import xarray as xr

_ACROSS = 4
"""Small maps in a row."""
_PANEL = 2.6
"""Width of a small map, inches."""
_CELLS = 500
"""Most cells along a side of a small map."""


def neighbours_figure(table: xr.Dataset, linear: xr.DataArray, *, cells: int = _CELLS) -> Any:
    """Draw the classes for every number of neighbours, and below what the number changes.

    Parameters
    ----------
    table : xarray.Dataset
        On ``neighbours``, as `magxr.studies.neighbours` counts it.
    linear : xarray.DataArray
        Classes on ``neighbours``, latitude and longitude: 1 linear, 0 nonlinear, -1 no answer.
    cells : int
        Most cells drawn along a side of a map.

    Returns
    -------
    matplotlib.figure.Figure
        Small maps, four in a row, with the share that is linear above each; below them percent linear, and
        the shares of the answers that changed class and that are still uncertain.
    """
    numbers = [int(n) for n in table["neighbours"].values]
    drawn = pictures(*(linear.sel(neighbours=n, drop=True) for n in numbers), how="nearest", cells=cells)
    across = min(_ACROSS, len(numbers))
    rows = -(-len(numbers) // across)
    height = maps.fitting_height(drawn[0], _PANEL)
    figure = maps.blank_figure(max(across * (_PANEL + 0.3) + 0.6, 7.5), rows * (height + 0.55) + 3.4)
    above, below = figure.subfigures(2, 1, height_ratios=[rows * (height + 0.55) + 0.3, 3.1])
    for part in (above, below):
        part.set_facecolor("none")
    axes = list(above.subplots(rows, across, squeeze=False).ravel())
    for number, (n, picture, ax) in enumerate(zip(numbers, drawn, axes, strict=False)):
        layers.linear(ax, picture, None, key=number == across * (rows - 1))
        share = float(table["percent_linear_cells"].sel(neighbours=n))
        maps.heading(ax, f"{n} x {n}", f"linear: {share:.1f} % of the answers")
    for row in range(rows):
        maps.outer_labels(axes[row * across : (row + 1) * across])
    for ax in axes[len(numbers) :]:
        ax.set_axis_off()
    left, right = below.subplots(1, 2)
    told = table.attrs
    diagram(left, "Linear", x="neighbours, side of the square", y="%")
    _line(left, table, "percent_linear_cells", 0, "of the answers", 1.0)
    _line(left, table, "percent_linear_area", 1, "of their area", 1.0)
    diagram(right, "Answers", x="neighbours, side of the square", y="%")
    answered = max(told["answered_cells"], 1)
    _line(right, table, "uncertain_share", 0, "still uncertain", 100.0)
    _line(right, table, "changed_cells", 1, "class changed", 100.0 / answered)
    for ax in (left, right):
        ax.set_xticks(numbers)
        ax.margins(y=0.15)
        keys(ax, "best")
    right.set_ylim(bottom=0.0)
    return figure


def _line(ax: Any, table: xr.Dataset, name: str, number: int, label: str, factor: float) -> None:
    ax.plot(
        table["neighbours"].values,
        factor * table[name].values,
        color=COLOURS[number],
        marker=MARKS[number],
        markersize=4,
        linewidth=1.2,
        label=label,
    )


def cutoffs_figure(found: Any) -> Any:
    """Draw two sections of the table of cut-offs: by keep and majority, and by cut and majority.

    Parameters
    ----------
    found : magxr.studies.limits.Cutoffs
        Its ``section`` gives the tables, its ``table.attrs`` the values that they go through.

    Returns
    -------
    matplotlib.figure.Figure
        Left percent linear, right the share of the answers still uncertain, each with its value written in;
        framed is the cell where the sections meet (the paper's values, where these were asked for).
    """
    told = found.table.attrs
    sizes = found.table.sizes
    wide = max(6.8, 2 * (0.62 * max(sizes["keep"], sizes["cut"]) + 1.9))
    figure = maps.blank_figure(wide, 2 * (0.42 * sizes["majority"] + 1.5))
    axes = figure.subplots(2, 2)
    fixed = (f"cut {told['cut']:g}", f"keep {told['keep']}")
    for row, (along, rest) in enumerate(zip(("keep", "cut"), fixed, strict=True)):
        section = found.section("majority", along).transpose("majority", along)
        for ax, name, factor, title, colours in (
            (axes[row][0], "percent_linear_cells", 1.0, "Linear, %", "probability"),
            (axes[row][1], "uncertain_share", 100.0, "Still uncertain, %", "coherence"),
        ):
            letter = "abcd"[2 * row + (ax is axes[row][1])]
            _table(ax, factor * section[name].values, colours)
            maps.heading(ax, f"{letter}  {title}", f"at {rest}, {told['neighbours']} neighbours")
            _ticks(ax, section, along)
            _framed(ax, section, along, told)
    return figure


def _table(ax: Any, values: np.ndarray[Any, Any], colours: str) -> None:
    """Draw a table as coloured cells from 0 to 100 with their values."""
    image = ax.imshow(values, cmap=colormap(colours), vmin=0.0, vmax=100.0, origin="lower", aspect="auto")
    for (i, j), value in np.ndenumerate(values):
        dark = float(np.dot(image.to_rgba(value)[:3], (0.30, 0.59, 0.11))) < 0.5
        text = "-" if np.isnan(value) else f"{value:.1f}"
        ax.text(j, i, text, ha="center", va="center", fontsize=maps.SMALL, color=PAPER if dark else INK)


def _ticks(ax: Any, section: xr.Dataset, along: str) -> None:
    names = [v if isinstance(v, str) else f"{v:g}" for v in section[along].values.tolist()]
    ax.set_xticks(range(len(names)), [n.replace("-", "–") for n in names])
    ax.set_yticks(range(section.sizes["majority"]), [f"{100 * m:g} %" for m in section["majority"].values])
    ax.set_xlabel({"keep": "uncertain between (keep)", "cut": "linear above (cut)"}[along],
                  fontsize=maps.TEXT, color=QUIET)  # fmt: skip
    ax.set_ylabel("majority", fontsize=maps.TEXT, color=QUIET)
    ax.tick_params(labelsize=maps.SMALL, labelcolor=QUIET, length=0)
    for spine in ax.spines.values():
        spine.set(linewidth=0.6, color=FAINT)


def _framed(ax: Any, section: xr.Dataset, along: str, told: Any) -> None:
    """Put a frame around the cell where the sections meet."""
    from matplotlib.patches import Rectangle

    j = section[along].values.tolist().index(told[along])
    i = section["majority"].values.tolist().index(told["majority"])
    ax.add_patch(Rectangle((j - 0.5, i - 0.5), 1, 1, fill=False, edgecolor=INK, linewidth=1.8, zorder=5,
                           clip_on=False))  # fmt: skip

"""Picture and page of the paper's experiment made again: learning curves as in Fig. 9, and the tables."""

from __future__ import annotations

import base64
from html import escape
from importlib.resources import files
from typing import TYPE_CHECKING, Any

import numpy as np

from magxr._version import __version__
from magxr.view import layers, maps
from magxr.view.page import POLICY
from magxr.view.palette import FAINT, INK, QUIET
from magxr.view.screen import pictures

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import xarray as xr

_COLOURS = {"train": "#2f5fa8", "validation": "#c4622d"}
_WIDE, _HIGH = 3.4, 3.0
"""Of a panel, inches."""
_CELLS = 500
"""Most cells along a side of a drawn area."""


def curves(
    panels: Mapping[str, Sequence[Sequence[Mapping[str, float]]]],
    tests: Mapping[str, float],
    paper: Mapping[str, tuple[float, float, float]],
) -> Any:
    """Draw accuracy against epochs, a panel for each model, as Fig. 9 of the paper.

    Parameters
    ----------
    panels : mapping
        Title -> for every seed the history: one mapping an epoch with ``accuracy`` and ``val_accuracy``.
    tests : mapping
        Title -> mean accuracy of the test set, percent.
    paper : mapping
        Title -> the paper's accuracies of training, validation and test set, percent; dashed.

    Returns
    -------
    matplotlib.figure.Figure
        Lines are means over seeds, bands their range.
    """
    across = 2 if len(panels) in (2, 4) else min(3, max(1, len(panels)))
    down = -(-len(panels) // across)
    figure = maps.blank_figure(_WIDE * across, _HIGH * down)
    axes = figure.subplots(down, across, squeeze=False, sharey=True)
    floor = 50.0
    for number, (title, seeds) in enumerate(panels.items()):
        ax = axes[number // across][number % across]
        for key, name in (("accuracy", "train"), ("val_accuracy", "validation")):
            values = 100.0 * np.array([[epoch[key] for epoch in history] for history in seeds])
            epochs = np.arange(1, values.shape[1] + 1)
            floor = min(floor, float(values.min()))
            ax.fill_between(epochs, values.min(0), values.max(0), color=_COLOURS[name], alpha=0.2, lw=0)
            ax.plot(epochs, values.mean(0), color=_COLOURS[name], label=name, lw=1.6)
        ax.axhline(tests[title], color=INK, lw=1.2, label="test")
        for value, colour in zip(paper.get(title, ()), (*_COLOURS.values(), INK), strict=False):
            ax.axhline(value, color=colour, lw=1.0, ls=(0, (4, 3)))
        ax.set_title(title, fontsize=8.5, color=INK, loc="left")
        ax.grid(color=FAINT, lw=0.6)
        ax.tick_params(labelsize=8, colors=QUIET)
        ax.spines[["top", "right"]].set_visible(False)
        if number % across == 0:
            ax.set_ylabel("accuracy, %", fontsize=8.5, color=INK)
        if number // across == down - 1:
            ax.set_xlabel("epoch", fontsize=8.5, color=INK)
    for ax in axes.ravel()[len(panels) :]:
        ax.set_visible(False)
    axes[0][0].set_ylim(floor - 2.0, 101.0)
    axes[0][0].legend(fontsize=8, frameon=False, loc="lower right")
    figure.supxlabel("dashed: the paper's final accuracies", fontsize=7.5, color=QUIET)
    return figure


def areas(maps_of: Sequence[tuple[str, Mapping[str, xr.DataArray]]]) -> Any:
    """Draw each area of the study: the map after step 4, after step 5, and where the truth is linear.

    Parameters
    ----------
    maps_of : sequence of (str, mapping)
        Title of the area; ``denoised`` and ``diffused`` (nT) and ``linear`` (1, 0) on latitude and longitude.

    Returns
    -------
    matplotlib.figure.Figure
        A row for each area, one colour scale in each.
    """
    names = ("denoised", "diffused", "linear")
    drawn = [pictures(*(of[k] for k in names), cells=_CELLS) for _, of in maps_of]
    heights = [maps.fitting_height(found[0], _WIDE - 0.4) + 0.55 for found in drawn]
    figure = maps.blank_figure(_WIDE * len(names), sum(heights))
    axes = figure.subplots(len(drawn), len(names), squeeze=False, height_ratios=heights)
    for row, (title, _), found in zip(axes, maps_of, drawn, strict=True):
        limit = maps.symmetric_limit(found[0].values)
        for ax, picture in zip(row[:2], found, strict=False):
            layers.anomaly(ax, picture, limit=limit, bar=False)
        layers.fraction(row[2], found[2], "linear", bar=False)
        maps.heading(row[0], title, f"colours to {limit:.0f} nT")
        maps.heading(row[1], "Diffused")
        maps.heading(row[2], "Truth: linear")
        for ax in row[1:]:
            ax.tick_params(labelleft=False)
    return figure


def page(title: str, parts: Sequence[Any], figures: Mapping[str, bytes]) -> str:
    """Return the account as one self-contained page; every text is escaped.

    Parameters
    ----------
    title : str
        Of the page.
    parts : sequence of Part
        With ``title``, ``before``, ``head``, ``rows`` and ``after``; see `magxr.studies.paper.tell`.
    figures : mapping
        Caption -> picture, PNG.
    """
    body = [f'<header>\n<p class="kicker">magxr study</p>\n<h1>{escape(title)}</h1>\n</header>']
    body += [_part(part) for part in parts]
    body += [_figure(caption, png) for caption, png in figures.items()]
    css = files("magxr.view").joinpath("page.css").read_text(encoding="utf-8")
    return (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{POLICY}">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{escape(title)}</title>\n<style>\n{css}</style>\n</head>\n<body>\n"
        + "\n".join(body)
        + f"\n<footer>Made by magxr {escape(__version__)}, after Ghosh, Thoram, Sun and Sager (2026), "
        "Scientific Reports 16, 1185.</footer>\n</body>\n</html>\n"
    )


def _figure(caption: str, png: bytes) -> str:
    picture = base64.b64encode(png).decode("ascii")
    image = f'<img alt="{escape(caption)}" src="data:image/png;base64,{picture}">'
    return f"<figure>\n{image}\n<figcaption>{escape(caption)}</figcaption>\n</figure>"


def _part(part: Any) -> str:
    inside = [f"<p>{escape(text)}</p>" for text in part.before]
    if part.head:
        head = "".join(f"<th>{escape(h)}</th>" for h in part.head)
        cells = ("".join(f"<td>{escape(c)}</td>" for c in row) for row in part.rows)
        rows = "\n".join(f"<tr>{c}</tr>" for c in cells)
        table = f"<table>\n<thead><tr>{head}</tr></thead>\n<tbody>\n{rows}\n</tbody></table>"
        inside.append(f'<div class="wide">{table}</div>')
    inside += [f"<p>{escape(text)}</p>" for text in part.after]
    return f"<section>\n<h2>{escape(part.title)}</h2>\n" + "\n".join(inside) + "\n</section>"

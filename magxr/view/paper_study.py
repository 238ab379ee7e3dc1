"""Picture and page of the paper's experiment made again: learning curves as in Fig. 9, and the tables."""

from __future__ import annotations

import base64
from html import escape
from importlib.resources import files
from typing import TYPE_CHECKING, Any

import numpy as np

from magxr._version import __version__
from magxr.view.page import POLICY
from magxr.view.palette import FAINT, INK, QUIET

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

_COLOURS = {"train": "#2f5fa8", "validation": "#c4622d"}
_WIDE, _HIGH = 3.4, 3.0
"""Of a panel, inches."""


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
    from matplotlib.figure import Figure

    across = 2 if len(panels) in (2, 4) else min(3, max(1, len(panels)))
    down = -(-len(panels) // across)
    figure = Figure(figsize=(_WIDE * across, _HIGH * down), layout="constrained", dpi=150)
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


def page(title: str, parts: Sequence[Any], png: bytes) -> str:
    """Return the account as one self-contained page; every text is escaped.

    Parameters
    ----------
    title : str
        Of the page.
    parts : sequence of Part
        With ``title``, ``before``, ``head``, ``rows`` and ``after``; see `magxr.studies.paper.tell`.
    png : bytes
        The picture.
    """
    body = [f'<header>\n<p class="kicker">magxr study</p>\n<h1>{escape(title)}</h1>\n</header>']
    body += [_part(part) for part in parts]
    picture = base64.b64encode(png).decode("ascii")
    body.append(
        "<section>\n<h2>Learning curves</h2>\n<figure>\n"
        f'<img alt="Learning curves" src="data:image/png;base64,{picture}">\n'
        "<figcaption>Means over seeds, bands their range; dashed the paper's final accuracies.</figcaption>\n"
        "</figure>\n</section>"
    )
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

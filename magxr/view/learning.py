"""Figures of training and of how right a model is: learning curves, ROC, reliability, counts."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from magxr.errors import ParameterError
from magxr.models.evaluate import wilson
from magxr.view import maps
from magxr.view.axes import COLOURS, MARKS, diagram, keys, lettered, unit_square
from magxr.view.palette import FAINT, INK, LINEAR, NONLINEAR, PAPER, QUIET

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from magxr.models.curves import Curve
    from magxr.models.evaluate import Confusion
    from magxr.models.reliability import Reliability

_PANEL = 2.9
"""Side of a panel, inches."""


def learning_figure(histories: Mapping[str, Sequence[Mapping[str, float]]]) -> Any:
    """Draw accuracy and loss by epoch, training and validation, models side by side (Fig. 9).

    Parameters
    ----------
    histories : mapping of str to sequence of mapping
        Name of each model -> its epochs: ``accuracy``, ``loss`` and, if there was a validation set,
        ``val_accuracy``, ``val_loss``; ``report["history"]`` of a `magxr.models.train.TrainedModel`.

    Returns
    -------
    matplotlib.figure.Figure
        Accuracies above, losses below, each row on one scale.
    """
    _some(histories, "histories")
    for name, epochs in histories.items():
        if not epochs or not all({"accuracy", "loss"} <= set(e) for e in epochs):
            msg = f"the history of {name!r} must be epochs, each with accuracy and loss; got {epochs!r:.80}"
            raise ParameterError(msg)
    figure = maps.blank_figure(len(histories) * _PANEL + 0.6, 2 * 2.3 + 0.4)
    axes = figure.subplots(2, len(histories), squeeze=False, sharey="row", sharex="col")
    for column, (title, name) in enumerate(lettered(histories)):
        epochs = histories[name]
        last = ", ".join(
            f"{label} {100 * epochs[-1][key]:.1f} %"
            for key, label in (("accuracy", "training"), ("val_accuracy", "validation"))
            if key in epochs[-1]
        )
        for row, (key, label) in enumerate((("accuracy", "accuracy, %"), ("loss", "loss"))):
            ax = axes[row][column]
            first = column == 0
            diagram(ax, title if row == 0 else "", last if row == 0 else "", y=label if first else "")
            _by_epoch(ax, epochs, key, 100.0 if key == "accuracy" else 1.0)
            ax.tick_params(labelleft=first)
        axes[1][column].set_xlabel("epoch", fontsize=maps.TEXT, color=QUIET)
    axes[1][0].set_ylim(bottom=0)
    keys(axes[0][0], "lower right")
    return figure


def _by_epoch(ax: Any, epochs: Sequence[Mapping[str, float]], key: str, times: float) -> None:
    from matplotlib.ticker import MaxNLocator

    ax.xaxis.set_major_locator(MaxNLocator(5, integer=True))
    for colour, mark, name, label in (
        (COLOURS[0], MARKS[0], key, "training"),
        (COLOURS[1], MARKS[1], f"val_{key}", "validation"),
    ):
        values = [times * e.get(name, np.nan) for e in epochs]
        if np.isfinite(values).any():
            numbers = np.arange(1, len(epochs) + 1)
            ax.plot(numbers, values, color=colour, marker=mark, markersize=2.5, linewidth=1.2, label=label)


def roc_figure(curves: Mapping[str, tuple[Curve, Curve]]) -> Any:
    """Draw ROC and precision-recall curves of one or several models, on the same windows.

    Parameters
    ----------
    curves : mapping of str to (Curve, Curve)
        Name of each model -> what `magxr.models.curves.roc` and `magxr.models.curves.precision_recall`
        return.

    Returns
    -------
    matplotlib.figure.Figure
        Two panels; dashed, a model that knows nothing.
    """
    _some(curves, "curves")
    figure = maps.blank_figure(2 * 3.9 + 0.6, 4.3)
    left, right = figure.subplots(1, 2)
    diagram(left, "a  ROC", x="nonlinear windows called linear", y="linear windows found")
    diagram(right, "b  Precision and recall", x="linear windows found", y="linear, of those called so")
    left.plot([0, 1], [0, 1], color=FAINT, linewidth=1, linestyle="--")
    for k, (name, (roc, recall)) in enumerate(curves.items()):
        style = {"color": COLOURS[k % len(COLOURS)], "linewidth": 1.5, "linestyle": _dashes(k)}
        left.plot(roc.x, roc.y, label=f"{name}: {roc.area:.3f}", **style)
        right.plot(recall.x, recall.y, drawstyle="steps-pre", label=f"{name}: {recall.area:.3f}", **style)
        if k == 0:
            right.axhline(recall.y[-1], color=FAINT, linewidth=1, linestyle="--")
    for ax, where in ((left, "lower right"), (right, "lower left")):
        unit_square(ax)
        keys(ax, where)
        ax.get_legend().set_title("area", prop={"size": maps.SMALL})
        ax.get_legend().get_title().set_color(QUIET)
    return figure


def _dashes(number: int) -> Any:
    """Return a line style that tells models apart without colour."""
    return ("-", (0, (5, 1.5)), (0, (2, 1.2)), (0, (6, 1.5, 1.5, 1.5)))[number % 4]


def reliability_figure(curves: Mapping[str, Reliability]) -> Any:
    """Draw how often windows of a given probability are linear, with Wilson intervals.

    Parameters
    ----------
    curves : mapping of str to Reliability
        Name of each model -> what `magxr.models.reliability.reliability` returns.

    Returns
    -------
    matplotlib.figure.Figure
        One panel for each model; on the diagonal probabilities are true.
    """
    _some(curves, "curves")
    figure = maps.blank_figure(len(curves) * (_PANEL + 0.2) + 0.6, _PANEL + 0.9)
    axes = figure.subplots(1, len(curves), squeeze=False)[0]
    for number, (ax, (title, name)) in enumerate(zip(axes, lettered(curves), strict=True)):
        found = curves[name]
        told = f"error {100 * found.error:.1f} %; by chance {100 * found.by_chance:.1f} %"
        diagram(ax, title, told, x="probability of “linear”", y="share linear" if number == 0 else "")
        ax.plot([0, 1], [0, 1], color=FAINT, linewidth=1, linestyle="--")
        ax.errorbar(
            found.probability,
            found.share,
            yerr=np.stack([found.share - found.low, found.high - found.share]).clip(min=0),
            color=COLOURS[0],
            marker=MARKS[0],
            markersize=4,
            linewidth=1.2,
            elinewidth=0.9,
            capsize=2,
        )
        unit_square(ax)
    return figure


def confusion_figure(counts: Mapping[str, Confusion]) -> Any:
    """Draw counts of right and wrong windows by class, with the share of the class and its interval.

    Parameters
    ----------
    counts : mapping of str to Confusion
        Name of each model -> what `magxr.models.evaluate.confusion` returns.

    Returns
    -------
    matplotlib.figure.Figure
        One square for each model: what windows are down the side, what they were called across.
    """
    _some(counts, "counts")
    figure = maps.blank_figure(len(counts) * (_PANEL + 0.2) + 0.6, _PANEL + 0.9)
    axes = figure.subplots(1, len(counts), squeeze=False)[0]
    for ax, (title, name) in zip(axes, lettered(counts), strict=True):
        found = counts[name]
        accuracy = "no windows" if found.total == 0 else f"{100 * found.accuracy:.1f} % right"
        diagram(ax, title, f"{accuracy} of {found.total}", x="called", y="in truth" if ax is axes[0] else "")
        cells = (
            (found.linear_right, found.linear_wrong),
            (found.nonlinear_wrong, found.nonlinear_right),
        )
        for row, pair in enumerate(cells):
            for column, count in enumerate(pair):
                _cell(ax, row, column, count, sum(pair))
        ax.set(xlim=(-0.5, 1.5), ylim=(1.5, -0.5), aspect="equal")
        ax.set_xticks([0, 1], ["linear", "nonlinear"])
        ax.set_yticks([0, 1], ["linear", "nonlinear"], rotation=90, va="center")
        ax.grid(visible=False)
        ax.tick_params(length=0)
        ax.spines[:].set_visible(False)
    return figure


def _cell(ax: Any, row: int, column: int, count: int, of: int) -> None:
    """Draw one count: the more of its class, the fuller the colour of what it was called."""
    from matplotlib.colors import to_rgb
    from matplotlib.patches import Rectangle

    share = count / of if of else 0.0
    full = np.array(to_rgb((LINEAR, NONLINEAR)[column]))
    colour = 1.0 - (0.06 + 0.84 * share) * (1.0 - full)
    ax.add_patch(Rectangle((column - 0.48, row - 0.48), 0.96, 0.96, facecolor=colour, linewidth=0))
    ink = PAPER if colour @ (0.2126, 0.7152, 0.0722) < 0.55 else INK
    ax.text(
        column, row - 0.08, f"{count}", ha="center", va="center", fontsize=13, fontweight="bold", color=ink
    )
    if of:
        low, high = wilson(count, of)
        told = f"{100 * share:.1f} %\n{100 * low:.0f} to {100 * high:.0f} %"
        ax.text(column, row + 0.2, told, ha="center", va="center", fontsize=maps.SMALL, color=ink)


def _some(given: Mapping[str, Any], what: str) -> None:
    if not given:
        msg = f"there are no {what} to draw; give at least one, by the name of its model"
        raise ParameterError(msg)

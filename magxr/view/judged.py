"""Figures of what a model did: windows it got right and wrong, and models compared with each other."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from magxr.errors import ParameterError
from magxr.models.scores import scored
from magxr.view import maps
from magxr.view.axes import COLOURS, diagram
from magxr.view.palette import INK, LINEAR, MISSING, NONLINEAR, QUIET, colormap

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    from magxr.models.compare import Comparison


def examples_figure(
    windows: NDArray[np.floating],
    labels: ArrayLike,
    probability: ArrayLike,
    *,
    each: int = 5,
    threshold: float = 0.5,
    seed: int = 0,
) -> Any:
    """Draw windows by class, called right and called wrong, with their probability of linear.

    Parameters
    ----------
    windows : ndarray of float, shape (n, size, size)
        Anomaly, nT, south in row 0; NaN is drawn grey.
    labels : array_like of int, shape (n,)
        1 linear, 0 nonlinear.
    probability : array_like of float, shape (n,)
        Probability of linear.
    each : int
        Most windows of each of the four kinds.
    threshold : float
        Linear is called from here on.
    seed : int
        Fixes which windows are drawn: any, not the best ones; ascending in probability.

    Returns
    -------
    matplotlib.figure.Figure
        Four rows. Every window is centred on 0 and has limits of its own, written below it, as the network
        too scales every window by itself.
    """
    truth, p = scored(labels, probability)
    if len(windows) != truth.size or windows.ndim != 3:
        msg = (
            f"windows of shape {windows.shape} for {truth.size} labels; there must be one (row, column) each"
        )
        raise ParameterError(msg)
    if not isinstance(each, int | np.integer) or each < 1:
        msg = f"each={each!r} must be a whole number of windows, at least 1"
        raise ParameterError(msg)
    rng = np.random.default_rng(seed)
    figure = maps.blank_figure(1.45 * each + 0.3, 4 * 1.8)
    axes = figure.subplots(4, each, squeeze=False)
    kinds = [(t, c) for t in (True, False) for c in (t, not t)]
    for letter, row, (is_linear, called) in zip("abcd", axes, kinds, strict=True):
        of = np.flatnonzero((truth == is_linear) & ((p >= threshold) == called))
        chosen = of[np.sort(rng.permutation(of.size)[:each])]
        chosen = chosen[np.argsort(p[chosen], kind="stable")]
        for ax, number in zip(row, chosen, strict=False):
            _window(ax, windows[number], float(p[number]), LINEAR if called else NONLINEAR)
        for ax in row[chosen.size :]:
            ax.set_axis_off()
        names = ["linear" if k else "nonlinear" for k in (is_linear, called)]
        # room for a line above the row, which itself runs on over the next windows
        row[0].set_title(" ", fontsize=maps.TEXT + 1)
        line = row[0].annotate(
            f"{letter}  {names[0].capitalize()}, called {names[1]}: {of.size}",
            xy=(0, 1), xytext=(0, 5), xycoords="axes fraction", textcoords="offset points",
            fontsize=maps.TEXT + 1, fontweight="bold", color=INK,
        )  # fmt: skip
        line.set_in_layout(False)
    return figure


def _window(ax: Any, values: NDArray[np.floating], probability: float, colour: str) -> None:
    limit = maps.symmetric_limit(values)
    ax.imshow(
        values, origin="lower", cmap=colormap("anomaly"), vmin=-limit, vmax=limit, interpolation="nearest"
    )
    ax.set_facecolor(MISSING)
    ax.set(xticks=[], yticks=[])
    ax.spines[:].set(linewidth=1.6, color=colour)
    ax.set_xlabel(f"{probability:.2f}   ±{limit:g} nT", fontsize=maps.SMALL, color=QUIET, labelpad=3)


def comparison_figure(found: Comparison, *, title: str = "") -> Any:
    """Draw models from best to worst with intervals, and how far each is behind the first.

    Parameters
    ----------
    found : Comparison
        What `magxr.models.compare.compare` returns.
    title : str
        Default: the name of the statistic.

    Returns
    -------
    matplotlib.figure.Figure
        Left: each model by itself, its rank before its name, its letters beside; models that share a letter
        cannot be told apart. Right: first model minus this one, windows paired; full marks where the
        interval does not hold 0.
    """
    count = len(found.names)
    names = {"auc": "area under the ROC curve", "ece": "expected calibration error"}
    name = names.get(found.statistic, found.statistic.replace("_", " "))
    figure = maps.blank_figure(8.8, 0.34 * count + 1.5)
    left, right = figure.subplots(1, 2, sharey=True, width_ratios=[1.25, 1.0])
    level = f"{100 * found.confidence:g} % intervals over {found.scores[0].blocks} blocks"
    diagram(left, f"a  {title or name.capitalize()}", level, x=f"{name}, %")
    pairs = "of all pairs at once" if found.together else "pair by pair"
    diagram(right, "b  First minus this", f"intervals {pairs}", x="difference, % points")
    right.axvline(0, color=QUIET, linewidth=0.8)
    for k in range(count):
        score, colour = found.scores[k], COLOURS[0]
        tied = bool(found.tied[0, k])
        _bar(left, k, score.value, (score.low, score.high), colour, full=True)
        left.annotate(
            found.letters[k], xy=(1, k), xytext=(4, 0), xycoords=("axes fraction", "data"),
            textcoords="offset points", va="center", fontsize=maps.TEXT, color=INK,
        )  # fmt: skip
        if k:
            ends = (found.low[0, k], found.high[0, k])
            _bar(right, k, found.difference[0, k], ends, COLOURS[4] if tied else COLOURS[1], full=not tied)
    left.set_yticks(
        range(count), [f"{r}  {n}" for r, n in zip(found.rank, found.names, strict=True)], color=INK
    )
    left.set_ylim(count - 0.4, -0.6)
    right.tick_params(labelleft=False, left=False)
    for ax in (left, right):
        ax.grid(visible=False, axis="y")
    return figure


def _bar(ax: Any, place: int, value: float, ends: tuple[float, float], colour: str, *, full: bool) -> None:
    ax.plot([100 * e for e in ends], [place, place], color=colour, linewidth=1.4, solid_capstyle="butt")
    ax.plot(
        100 * value,
        place,
        marker="o",
        markersize=5,
        color=colour,
        markerfacecolor=colour if full else "white",
    )

"""Figures of studies: what diffusion draws into noise, and what it brings back in gaps."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from magxr.view import layers, maps
from magxr.view.palette import FAINT, INK, QUIET
from magxr.view.screen import CELLS, pictures

if TYPE_CHECKING:
    import xarray as xr

COLOURS = ("#8a9097", "#c4622d", "#2f5fa8", "#1d7a5c", "#6b3d8f")
"""Of the lines, variant by variant: grey for what others are compared with."""
MARKS = ("o", "s", "D", "^", "v")
_PANEL = 2.5
"""Width of a small map, inches."""


def hallucination_figure(shares: xr.Dataset, example: xr.Dataset, *, cells: int = CELLS) -> Any:
    """Draw a map and noise with its spectrum, before and after diffusion, above their coherence.

    Parameters
    ----------
    shares : xarray.Dataset
        On ``stage`` and ``seed``: what `magxr.studies.hallucination` measured; told over the maps.
    example : xarray.Dataset
        On ``stage``: ``noise``, ``map`` (nT), ``noise_coherence``, ``map_coherence``.
    cells : int
        Most cells drawn along a side of a map.

    Returns
    -------
    matplotlib.figure.Figure
        Four columns: the map, the map diffused, noise, noise diffused. One colour bar for all anomalies.
    """
    columns = [(field, stage) for field in ("map", "noise") for stage in ("before", "after")]
    of = [example[field].sel(stage=stage, drop=True) for field, stage in columns]
    coherence = [example[f"{field}_coherence"].sel(stage=stage, drop=True) for field, stage in columns]
    drawn = pictures(*of, *coherence, cells=cells)
    axes = _panels(drawn[0], 2, 4)
    limit = max(maps.symmetric_limit(p.values) for p in drawn[:4])
    titles = {
        ("map", "before"): "Map",
        ("map", "after"): "Map, diffused",
        ("noise", "before"): "Noise, same spectrum",
        ("noise", "after"): "Noise, diffused",
    }
    threshold = shares.attrs["coherent"]
    for number, (field, stage) in enumerate(columns):
        last = number == 3
        layers.anomaly(axes[0][number], drawn[number], limit=limit, bar=last)
        maps.heading(axes[0][number], f"{'abcd'[number]}  {titles[field, stage]}")
        lower = axes[1][number]
        layers.fraction(lower, drawn[4 + number], "coherence", bar=last)
        maps.heading(lower, "", _told(shares, field, stage, threshold))
    for row in axes:
        maps.outer_labels(row)
    return axes[0][0].figure


def _told(shares: xr.Dataset, field: str, stage: str, threshold: float) -> str:
    """Say the share above the threshold: of the map, or of the mean over seeds."""
    if field == "map":
        share = float(shares["map_coherent_share"].sel(stage=stage))
    else:
        share = float(shares["coherent_share"].sel(stage=stage).mean("seed"))
    return f"coherence > {threshold:g}: {100 * share:.1f} % of the area"


def gaps_figure(scores: xr.Dataset, example: xr.Dataset, *, cells: int = CELLS) -> Any:
    """Draw truth, tracks and fillings of one scene, and below how scores fall as gaps widen.

    Parameters
    ----------
    scores : xarray.Dataset
        What `magxr.studies.gap_closing` measured: ``correlation_interval``, ``correlation_gain_interval`` and
        ``rms_interval`` on ``width``, ``variant`` and ``estimate``.
    example : xarray.Dataset
        Maps, nT: ``truth``, ``holed``, ``filled`` on ``variant``; ``attrs["width"]``, cells.
    cells : int
        Most cells drawn along a side of a map.

    Returns
    -------
    matplotlib.figure.Figure
        Maps on one colour bar; below them correlation, gain over the first variant, and rms against width.
    """
    variants = [str(v) for v in example["variant"].values]
    of = [
        example["truth"],
        example["holed"],
        *(example["filled"].sel(variant=v, drop=True) for v in variants),
    ]
    drawn = pictures(*of, cells=cells)
    figure, upper, lower = _maps_over_curves(drawn[0], len(drawn))
    limit = maps.symmetric_limit(drawn[0].values)
    titles = ["Truth", f"Tracks, {example.attrs['width']} cells apart", *(_broken(v) for v in variants)]
    for number, (ax, picture, title) in enumerate(zip(upper, drawn, titles, strict=True)):
        layers.anomaly(ax, picture, limit=limit, bar=number == len(drawn) - 1)
        maps.heading(ax, f"{chr(97 + number)}  {title}")
    maps.outer_labels(upper)
    unhidden = [str(v) for v in scores["variant"].values if str(v) not in variants]
    _curves(lower[0], scores["correlation_interval"], [*variants, *unhidden], "correlation in gaps")
    _curves(
        lower[1], scores["correlation_gain_interval"], variants, f"gain in correlation over {variants[0]}"
    )
    _curves(lower[2], scores["rms_interval"], [*variants, *unhidden], "rms departure in gaps, nT")
    lower[0].set_ylim(top=1.0 + 0.02 * (1.0 - lower[0].get_ylim()[0]))
    lower[0].legend(frameon=False, fontsize=maps.SMALL, labelcolor=QUIET, loc="lower left")
    return figure


def _broken(name: str) -> str:
    """Break a variant's name where it would run into its neighbour's."""
    capital = name[:1].upper() + name[1:]
    return capital.replace(", ", ",\n     ") if len(name) > 22 else capital


def _curves(ax: Any, values: xr.DataArray, variants: list[str], label: str) -> None:
    """Draw mean and interval over gap width, one line for each variant, side by side where they meet."""
    width = values["width"].values.astype(float)
    for number, name in enumerate(variants):
        mean, low, high = (values.sel(variant=name, estimate=e).values for e in ("mean", "low", "high"))
        beside = width * 1.02 ** (number - 0.5 * (len(variants) - 1))
        colour = COLOURS[number % len(COLOURS)]
        ax.errorbar(
            beside,
            mean,
            yerr=np.stack([mean - low, high - mean]),
            color=colour,
            marker=MARKS[number % len(MARKS)],
            markersize=4,
            linewidth=1.2,
            elinewidth=0.9,
            capsize=2,
            label=name,
        )
    ax.set_xscale("log", base=2)
    ax.set_xticks(width, [f"{w:g}" for w in width])
    ax.minorticks_off()
    ax.set_xlabel("gap, cells", fontsize=maps.TEXT, color=QUIET)
    ax.set_title(label, loc="left", fontsize=maps.TEXT + 1, fontweight="bold", color=INK)
    ax.tick_params(labelsize=maps.SMALL, labelcolor=QUIET, color=FAINT, length=3, width=0.6)
    ax.grid(axis="y", color=FAINT, linewidth=0.4, alpha=0.6)
    for side, spine in ax.spines.items():
        spine.set(linewidth=0.6, color=FAINT, visible=side in ("left", "bottom"))


def _panels(picture: Any, rows: int, columns: int) -> Any:
    height = maps.fitting_height(picture, _PANEL)
    figure = maps.blank_figure(columns * (_PANEL + 0.2) + 1.2, rows * (height + 0.45))
    return figure.subplots(rows, columns, squeeze=False)


def _maps_over_curves(picture: Any, count: int) -> tuple[Any, list[Any], list[Any]]:
    height = maps.fitting_height(picture, _PANEL)
    figure = maps.blank_figure(count * (_PANEL + 0.2) + 1.2, height + 3.7)
    above, below = figure.subfigures(2, 1, height_ratios=[height + 0.8, 2.9])
    for part in (above, below):
        part.set_facecolor("none")
    return figure, list(above.subplots(1, count)), list(below.subplots(1, 3))

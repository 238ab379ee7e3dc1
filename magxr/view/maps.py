"""Draw one map on one Axes: degrees on the frame, a colour bar, a scale bar, a title; no pyplot."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from magxr.errors import MissingExtraError
from magxr.geogrid import EARTH_RADIUS
from magxr.view.palette import FAINT, INK, MISSING, PAPER, QUIET

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from magxr.view.screen import Picture

_ONE_SCALE = 60.0
"""Degrees of latitude beyond which one bar cannot stand for the whole map."""
SMALL, TEXT, TITLE = 7.5, 8.5, 11.0
"""Font sizes, points."""


def blank_figure(width: float, height: float) -> Any:
    """Return a figure of ``width`` x ``height`` inches that belongs to no window and no global state."""
    try:
        from matplotlib.figure import Figure
        from matplotlib.layout_engine import ConstrainedLayoutEngine
    except ImportError as error:
        raise MissingExtraError(package="matplotlib", extra="plot", purpose="drawing a map") from error

    layout = ConstrainedLayoutEngine(w_pad=0.12, h_pad=0.12, wspace=0.04, hspace=0.06)
    return Figure(figsize=(width, height), dpi=150, facecolor=PAPER, layout=layout)


def fitting_height(picture: Picture, width: float) -> float:
    """Return the height that a map ``width`` inches wide takes, within what fits on a page."""
    west, east, south, north = picture.frame
    return float(np.clip(width * (north - south) * picture.aspect / (east - west), 0.3 * width, 1.5 * width))


def draw(ax: Any, picture: Picture, **image: Any) -> Any:
    """Draw the picture as an image and set up the frame; return the image."""
    drawn = ax.imshow(
        picture.values,
        origin="lower",
        extent=picture.extent,
        interpolation=image.pop("interpolation", "nearest"),
        **image,
    )
    frame(ax, picture)
    return drawn


def frame(ax: Any, picture: Picture) -> None:
    """Set up degrees with their hemisphere, true proportions at the middle latitude, grey for no data."""
    from matplotlib.ticker import FuncFormatter, MultipleLocator

    west, east, south, north = picture.frame
    ax.set_xlim(west, east)
    ax.set_ylim(south, north)
    ax.set_aspect(picture.aspect)
    ax.set_facecolor(MISSING)
    wide, high = east - west, north - south
    longest = max(wide / picture.aspect, high)
    sides = ((ax.xaxis, wide, wide / picture.aspect, "EW"), (ax.yaxis, high, high, "NS"))
    for axis, span, length, letters in sides:
        step = degree_step(span, max(2.0, 5.0 * length / longest))
        axis.set_major_locator(MultipleLocator(step))
        axis.set_major_formatter(FuncFormatter(lambda v, _, s=step, two=letters: degrees(v, s, two)))
    ax.tick_params(labelsize=SMALL, labelcolor=QUIET, color=FAINT, length=3, width=0.6)
    for spine in ax.spines.values():
        spine.set(linewidth=0.6, color=FAINT)


def degree_step(span: float, count: float = 5.0) -> float:
    """Return a round tick step, degrees, for about ``count`` ticks over ``span`` degrees."""
    steps = (1 / 60, 2 / 60, 5 / 60, 10 / 60, 15 / 60, 0.5, 1, 2, 5, 10, 15, 30, 60)
    return min(steps, key=lambda s: abs(math.log(span / s / count)))


def degrees(value: float, step: float, letters: str) -> str:
    """Write a coordinate: 30°S, 12.5°W, 30°15′S; longitudes past 180 come back on the other side."""
    if letters == "EW":
        value = (value + 180.0) % 360.0 - 180.0
    minutes = round(abs(value) * 60)
    whole, rest = divmod(minutes, 60)
    text = f"{whole}°{rest:02d}′" if step < 0.5 else f"{minutes / 60:g}°"
    if minutes == 0 or (letters == "EW" and minutes == 180 * 60):
        return text
    return text + letters[0 if value > 0 else 1]


def outer_labels(row: Any) -> None:
    """Write latitudes at the first map of a row only, and few longitudes: the maps are small."""
    from matplotlib.ticker import FuncFormatter, MultipleLocator

    for ax in row[1:]:
        ax.tick_params(labelleft=False)
    for ax in row:
        west, east = ax.get_xlim()
        step = degree_step(east - west, 2.5)
        ax.xaxis.set_major_locator(MultipleLocator(step))
        ax.xaxis.set_major_formatter(FuncFormatter(lambda v, _, s=step: degrees(v, s, "EW")))


def heading(ax: Any, title: str, subtitle: str = "") -> None:
    """Write a title, left aligned, with a quiet line under it."""
    ax.set_title(title, loc="left", fontsize=TITLE, fontweight="bold", color=INK, pad=20 if subtitle else 7)
    if subtitle:
        ax.annotate(
            subtitle,
            xy=(0, 1),
            xytext=(0, 7),
            xycoords="axes fraction",
            textcoords="offset points",
            fontsize=TEXT,
            color=QUIET,
        )


def colour_bar(ax: Any, image: Any, label: str, ticks: Sequence[float] | None = None, **more: Any) -> Any:
    """Put a thin colour bar at the right, exactly as high as the map."""
    side = ax.inset_axes((1.025, 0.0, 0.03, 1.0))
    bar = ax.figure.colorbar(image, cax=side, ticks=ticks, **more)
    bar.outline.set(linewidth=0.6, edgecolor=FAINT)
    side.tick_params(labelsize=SMALL, labelcolor=QUIET, color=FAINT, length=3, width=0.6)
    upright = {"rotation": 0, "labelpad": 9} if len(label) < 4 else {}
    bar.set_label(label, fontsize=TEXT, color=QUIET, **upright)
    return bar


def scale_bar(ax: Any, picture: Picture) -> None:
    """Draw a bar of a round number of kilometres, true at the middle latitude; none on very high maps."""
    from matplotlib.patheffects import withStroke

    west, east, south, north = picture.frame
    if north - south > _ONE_SCALE:
        return
    km = math.radians(1.0) * EARTH_RADIUS / 1000.0 / picture.aspect
    length = round_below(0.25 * (east - west) * km)
    wide = length / km / (east - west)
    halo = [withStroke(linewidth=4.5, foreground=PAPER)]
    ends = [0.03, 0.03 + wide]
    style = {"path_effects": halo, "zorder": 6}
    ax.plot(ends, [0.03] * 2, transform=ax.transAxes, color=INK, linewidth=2, solid_capstyle="butt", **style)
    ax.annotate(
        f"{length:g} km",
        xy=(0.03, 0.03),
        xytext=(0, 4),
        xycoords="axes fraction",
        textcoords="offset points",
        fontsize=SMALL,
        fontweight="bold",
        color=INK,
        **style,
    )


def round_below(value: float) -> float:
    """Return the largest of 1, 2, 5 times a power of ten that is not above ``value``."""
    power = 10.0 ** math.floor(math.log10(value))
    return float(max(m * power for m in (1, 2, 5) if m * power <= value * (1 + 1e-9)))


def symmetric_limit(values: NDArray[Any], share: float = 0.99) -> float:
    """Return the limit of a map centred on 0: the ``share`` quantile of its absolute values, rounded."""
    known = np.abs(values[np.isfinite(values)])
    top = float(np.quantile(known, share)) if known.size else 0.0
    if top == 0.0:
        return 1.0
    power = 10.0 ** (math.floor(math.log10(top)) - 1)
    return float(math.ceil(top / power - 1e-9) * power)

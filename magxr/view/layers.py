"""What each quantity looks like on a map: its colours, limits, bar and shading."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from magxr.steps.percent import percent_linear
from magxr.view.maps import SMALL, colour_bar, draw, frame, scale_bar, symmetric_limit
from magxr.view.palette import FAINT, INK, LINEAR, MISSING, NONLINEAR, PAPER, QUIET, colormap

if TYPE_CHECKING:
    import xarray as xr
    from numpy.typing import NDArray

    from magxr.view.screen import Picture

SHADE = (0.07, 0.08, 0.11, 0.55)
"""Laid over nonlinear areas."""
VEIL = (0.90, 0.90, 0.895, 0.82)
"""Laid over areas without an answer."""


def anomaly(ax: Any, picture: Picture, *, limit: float | None = None, bar: bool = True) -> float:
    """Draw nT on a map centred on 0; return the limit used."""
    from matplotlib.colors import Normalize

    limit = symmetric_limit(picture.values) if limit is None else float(limit)
    image = draw(ax, picture, cmap=colormap("anomaly"), norm=Normalize(-limit, limit))
    if bar:
        over = bool(np.any(np.abs(picture.values[np.isfinite(picture.values)]) > limit))
        colour_bar(ax, image, "nT", extend="both" if over else "neither", extendfrac=0.03)
    scale_bar(ax, picture)
    return limit


def strike(ax: Any, picture: Picture, coherence: NDArray[Any] | None) -> None:
    """Draw degrees from north on a colour circle, pale where coherence is low."""
    from matplotlib.colors import Normalize

    opacity = None if coherence is None else np.nan_to_num(np.clip(coherence, 0.0, 1.0)).astype(float)
    image = draw(
        ax, picture, cmap=colormap("strike"), norm=Normalize(0.0, 180.0), alpha=opacity, interpolation="none"
    )
    _grey_where(ax, picture, np.isnan(picture.values))
    if coherence is not None:
        ax.set_facecolor(PAPER)  # what shows through where coherence is low; missing cells are grey
    from matplotlib.cm import ScalarMappable

    plain = ScalarMappable(image.norm, image.cmap)
    label = "strike, degrees from north" + ("; pale: low coherence" if coherence is not None else "")
    bar = colour_bar(ax, plain, label, ticks=[0, 45, 90, 135, 180])
    bar.ax.set_yticklabels(["0 N–S", "45 NE–SW", "90 E–W", "135 SE–NW", "180 N–S"])
    scale_bar(ax, picture)


def fraction(ax: Any, picture: Picture, label: str, *, bar: bool = True) -> None:
    """Draw a coherence or a share, 0 to 1, from pale to dark."""
    from matplotlib.colors import Normalize

    image = draw(ax, picture, cmap=colormap("coherence"), norm=Normalize(0.0, 1.0))
    if bar:
        colour_bar(ax, image, label, ticks=[0, 0.25, 0.5, 0.75, 1])
    scale_bar(ax, picture)


def length(ax: Any, picture: Picture, label: str) -> None:
    """Draw a length from pale to dark, between the longest and the shortest there are."""
    from matplotlib.colors import Normalize

    found = picture.values[np.isfinite(picture.values)]
    low, high = (float(found.min()), float(found.max())) if found.size else (0.0, 1.0)
    # One length alone still needs two ends.
    norm = Normalize(low, high if high > low else 1.01 * low + 1e-9)
    image = draw(ax, picture, cmap=colormap("coherence"), norm=norm, interpolation="nearest")
    colour_bar(ax, image, label)
    scale_bar(ax, picture)


def probability(
    ax: Any,
    picture: Picture,
    label: str,
    *,
    keep: tuple[float, float] = (0.3, 0.7),
    within: Picture | None = None,
) -> None:
    """Draw a probability 0 to 1; lines on the bar mark where a prediction is kept as it is.

    ``within`` frames the map like another, larger one, which has the scale bar.
    """
    from matplotlib.colors import Normalize

    image = draw(ax, picture, cmap=colormap("probability"), norm=Normalize(0.0, 1.0))
    bar = colour_bar(ax, image, label, ticks=[0, keep[0], 0.5, keep[1], 1])
    for mark in keep:
        bar.ax.axhline(mark, color=INK, linewidth=0.9)
    if within is None:
        scale_bar(ax, picture)
    else:
        frame(ax, within)


def linear(
    ax: Any,
    picture: Picture,
    under: Picture | None,
    *,
    limit: float | None = None,
    bar: bool = True,
    key: bool = True,
) -> None:
    """Draw the classes: over an anomaly by shade, alone in two colours. Without an answer: hatched.

    ``key`` says what is what below the map.
    """
    from matplotlib.colors import BoundaryNorm, ListedColormap
    from matplotlib.patches import Patch
    from matplotlib.transforms import ScaledTranslation

    if under is not None:
        anomaly(ax, under, limit=limit, bar=bar)
        classes = picture.sampled(under, -1)
        shade = np.zeros((*classes.shape, 4))
        shade[classes == 0] = SHADE
        shade[classes == -1] = VEIL
        ax.imshow(shade, origin="lower", extent=under.extent, interpolation="nearest", zorder=2)
        _outline(ax, under, classes == 0)
        keys = [Patch(facecolor=PAPER, edgecolor=FAINT), Patch(facecolor=(*SHADE[:3], 0.65), edgecolor=FAINT)]
        frame(ax, under)
    else:
        under, classes = picture, picture.values
        cmap = ListedColormap([MISSING, NONLINEAR, LINEAR])
        draw(ax, picture, cmap=cmap, norm=BoundaryNorm([-1.5, -0.5, 0.5, 1.5], 3))
        scale_bar(ax, picture)
        keys = [Patch(facecolor=LINEAR), Patch(facecolor=NONLINEAR)]
    _hatch(ax, under, classes == -1)
    keys.append(Patch(facecolor=MISSING, edgecolor=FAINT, hatch="//////"))
    if not key:
        return
    ax.legend(
        keys,
        ["linear", "nonlinear", "no answer"],
        loc="upper left",
        bbox_to_anchor=(0.0, 0.0),
        bbox_transform=ax.transAxes + ScaledTranslation(0.0, -20 / 72, ax.figure.dpi_scale_trans),
        ncols=3,
        frameon=False,
        fontsize=SMALL + 0.5,
        labelcolor=QUIET,
        handlelength=1.6,
        borderaxespad=0.0,
        columnspacing=1.6,
    )


def shares(linear: xr.DataArray) -> str:
    """Say how much of a map of classes is linear, by cells and by area, and how much has no answer.

    Counted on all cells of the map, however few are drawn.
    """
    unanswered = float((linear == -1).mean())
    if unanswered == 1.0:
        return "no answer anywhere"
    cells, area = (float(percent_linear(linear, weights=w)) for w in ("cells", "area"))
    text = f"linear: {cells:.1f} % of the answered cells, {area:.1f} % of their area"
    return text + (f"; no answer: {100 * unanswered:.1f} %" if unanswered else "")


def _grey_where(ax: Any, picture: Picture, where: NDArray[np.bool_]) -> None:
    from matplotlib.colors import to_rgba

    if not where.any():
        return
    veil = np.zeros((*where.shape, 4))
    veil[where] = to_rgba(MISSING)
    ax.imshow(veil, origin="lower", extent=picture.extent, interpolation="nearest", zorder=1.5)
    frame(ax, picture)


def _hatch(ax: Any, picture: Picture, where: NDArray[np.bool_]) -> None:
    if not where.any():
        return
    # One more cell around, outside the frame: contours run between cell centres only.
    x, y = (np.pad(c, 1, mode="reflect", reflect_type="odd") for c in _centres(picture))
    hatched = np.pad(where, 1, mode="edge").astype(float)
    filled = ax.contourf(x, y, hatched, levels=[0.5, 1.5], colors="none", hatches=["//////"], zorder=3)
    filled.set(edgecolor="#b5b8bb", linewidth=0.0)
    frame(ax, picture)


def _outline(ax: Any, picture: Picture, where: NDArray[np.bool_]) -> None:
    if where.any() and not where.all():
        x, y = _centres(picture)
        ax.contour(x, y, where.astype(float), levels=[0.5], colors=INK, linewidths=0.7, zorder=4)


def _centres(picture: Picture) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    rows, cols = picture.values.shape
    west, east, south, north = picture.extent
    x = west + (np.arange(cols) + 0.5) * (east - west) / cols
    return x, south + (np.arange(rows) + 0.5) * (north - south) / rows

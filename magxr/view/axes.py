"""What a plain diagram looks like: quiet frame, labels, keys and letters, the same in every figure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from magxr.view import maps
from magxr.view.palette import FAINT, INK, QUIET

if TYPE_CHECKING:
    from collections.abc import Mapping

COLOURS = ("#2f5fa8", "#c4622d", "#1d7a5c", "#6b3d8f", "#8a9097", "#a8862f", "#3d8fa0", "#a03d5c")
"""Of lines, model by model; they differ in marks too, see `MARKS`."""
MARKS = ("o", "s", "D", "^", "v", "P", "X", "*")


def diagram(ax: Any, title: str, subtitle: str = "", *, x: str = "", y: str = "") -> None:
    """Set up title, labels and frame: lines at the left and below, faint lines across."""
    maps.heading(ax, title, subtitle)
    ax.set_xlabel(x, fontsize=maps.TEXT, color=QUIET)
    ax.set_ylabel(y, fontsize=maps.TEXT, color=QUIET)
    ax.tick_params(labelsize=maps.SMALL, labelcolor=QUIET, color=FAINT, length=3, width=0.6)
    ax.set_axisbelow(True)
    ax.grid(color=FAINT, linewidth=0.4, alpha=0.6)
    for side, spine in ax.spines.items():
        spine.set(linewidth=0.6, color=FAINT, visible=side in ("left", "bottom"))


def unit_square(ax: Any) -> None:
    """Let both axes run from 0 to 1, equally long."""
    ax.set(xlim=(-0.02, 1.02), ylim=(-0.02, 1.02), aspect="equal")
    for axis in (ax.xaxis, ax.yaxis):
        axis.set_ticks([0, 0.25, 0.5, 0.75, 1], ["0", "0.25", "0.5", "0.75", "1"])


def keys(ax: Any, where: str) -> None:
    """Write what the lines are, without a frame."""
    ax.legend(frameon=False, fontsize=maps.SMALL, labelcolor=INK, loc=where, handlelength=1.8)


def lettered(names: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Return letter and title of every panel, one for each name."""
    return [(f"{chr(ord('a') + k)}  {name}", name) for k, name in enumerate(names)]

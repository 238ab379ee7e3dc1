"""What tuning found: what to call, how much it gains, and what it makes up."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import xarray as xr

    from magxr.studies.stripes import Stripes

NOTHING = (math.nan, math.nan, math.nan)


@dataclass(frozen=True, eq=False)
class Tuned:
    """Whether diffusion helps on a map, and which."""

    chosen: dict[str, Any] | None
    """Arguments for ``magxr.diffuse(**chosen)``; None: off, diffusion was not shown to help."""
    variance: float | None
    """For ``magxr.denoise(variance=...)`` before; None: leave that step out."""
    reason: str
    """Why, in words."""
    gain: tuple[float, float, float]
    """Of what was chosen over no diffusion, with the low and high end of its 95 % interval; NaN where off.
    What it is a gain of: ``table.attrs["measure"]``."""
    table: xr.Dataset
    """On the dim ``candidate``, in the order tried: ``gain``, ``gain_low``, ``gain_high``; with labels also
    ``balanced_accuracy`` and its ends; ``noise_before``, ``noise_after`` with ``noise_low`` and
    ``noise_high``, ``map_before``, ``map_after``: shares of the area (0 to 1) that are coherent, in noise
    with the map's spectrum and in the map, from `magxr.studies.hallucination`; ``diffuse``: the arguments,
    as JSON. ``attrs`` holds what was asked for, and as ``off`` the balanced accuracy without diffusion and
    its ends (NaN without labels)."""
    variances: xr.Dataset
    """The same gains on the dim ``variance`` (share kept by `magxr.denoise`), without diffusion."""
    stripes: Stripes
    """How wide the stripes are."""

    def to_text(self) -> str:
        """Return the answer and the reason, a line each."""
        return f"{self._answer()}\n{self.reason}"

    def report(self) -> str:
        """Return what was found as Markdown: the answer, the reason, a table of all that was tried."""
        lines = ["# Diffusion tuned", "", f"**{self._answer()}**", "", self.reason, "", self._width(), ""]
        labels = "balanced_accuracy" in self.table
        lines += [
            f"Gain: {self.table.attrs['measure']}. "
            f"{self.table.attrs['interval']} Made up: {self.table.attrs['made_up']}",
            "",
            "| tried | "
            + ("balanced accuracy | " if labels else "")
            + "gain | interval | noise before | noise after "
            "| interval | map before | map after |",
            "|---" * (9 if labels else 8) + "|",
        ]
        for value in self.variances["variance"].values:
            at = self.variances.sel(variance=value)
            lines.append(f"| denoise, variance {value:g} |{self._gains(at, labels)} | | | | |")
        if labels:
            score = "{:.3f} ({:.3f} to {:.3f})".format(*self.table.attrs["off"])
            lines.append(f"| off | {score} | | | | | | | |")
        for name in self.table["candidate"].values:
            at = self.table.sel(candidate=name)
            made = [_percent(at[k]) for k in ("noise_before", "noise_after")]
            made += [f"{_percent(at['noise_low'])} to {_percent(at['noise_high'])}"]
            made += [_percent(at[k]) for k in ("map_before", "map_after")]
            lines.append(f"| {name} |{self._gains(at, labels)} | " + " | ".join(made) + " |")
        return "\n".join(lines) + "\n"

    def figure(self) -> Any:
        """Draw gains and what is made up, candidate by candidate; see `magxr.view.tuning.tuning_figure`."""
        from magxr.view.tuning import tuning_figure

        return tuning_figure(self.table)

    def _answer(self) -> str:
        before = "" if self.variance is None else f"denoise(variance={self.variance:g}), then "
        if self.chosen is None:
            return f"{before}no diffusion" if before else "No diffusion"
        told = ", ".join(f"{k}={v!r}" for k, v in self.chosen.items())
        gain, low, high = (100 * g for g in self.gain)
        return f"{before}diffuse({told}): gain {gain:+.1f} % ({low:+.1f} to {high:+.1f} %)"

    def _width(self) -> str:
        of = self.stripes
        if not of.answered:
            return f"Stripes: none of {of.windows} windows has a dominant wavelength."
        return (
            f"Stripes: wavelength {of.km[1]:.1f} km ({of.cells:.1f} cells), the middle half of windows "
            f"{of.km[0]:.1f} to {of.km[2]:.1f} km, each known to {of.uncertainty:.1f} km; "
            f"{of.answered} of {of.windows} windows have one."
        )

    @staticmethod
    def _gains(at: xr.Dataset, labels: bool) -> str:
        shown = ""
        if labels:
            score = (float(at[f"balanced_accuracy{end}"]) for end in ("", "_low", "_high"))
            shown = " {:.3f} ({:.3f} to {:.3f}) |".format(*score)
        gain, low, high = (100 * float(at[k]) for k in ("gain", "gain_low", "gain_high"))
        return f"{shown} {gain:+.1f} % | {low:+.1f} to {high:+.1f} %"


def _percent(value: Any) -> str:
    return f"{100 * float(value):.1f} %"

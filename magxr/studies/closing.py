"""Gap closing: how much of a hidden sea floor splines, and diffusion after them, bring back."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr

from magxr.errors import ParameterError
from magxr.steps.arguments import is_whole, number
from magxr.steps.diffusion import diffuse
from magxr.steps.gridding import grid
from magxr.studies.interval import INTERVAL, checked_seeds, over_seeds
from magxr.studies.tracklines import Hidden, hidden

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

MEASURED = "measured"
"""Stands, among the parameters of a variant, for the cells that were measured (boolean DataArray)."""
VARIANTS: Mapping[str, Mapping[str, Any] | None] = {
    "splines": None,
    "splines + diffusion": {},
    "splines + diffusion, tracks held": {"fixed": MEASURED},
}
"""Name -> parameters of `magxr.diffuse` after the splines; None: no diffusion. The first is compared with."""
UNHIDDEN = "not hidden"
"""The surveyed map itself on the same cells: what noise alone leaves to reach."""


@dataclass(frozen=True, eq=False)
class GapClosing:
    """How near the filled gaps came to the truth."""

    scores: xr.Dataset
    """On the dims ``variant``, ``width`` (cells) and ``seed``: ``correlation`` with the truth and ``rms``
    departure from it (nT), over hidden cells only; ``correlation_gain`` over the first variant, of the same
    scene; ``..._interval`` with ``estimate`` ("mean", "low", "high") in place of ``seed``; ``hidden_share``,
    of the cells, and ``unfilled_share``, of the hidden cells, on ``width`` and ``seed``."""
    example: xr.Dataset
    """Maps of the first seed at the width nearest to the middle, nT: ``truth``, ``holed``, and ``filled`` on
    the dim ``variant``."""

    def to_text(self) -> str:
        """Return the correlations for each gap width, and the gains over the first variant."""
        names = [str(v) for v in self.scores["variant"].values]
        lines = []
        for width in self.scores["width"].values.tolist():
            at = self.scores.sel(width=width)
            each = at["correlation_interval"].sel(estimate="mean")
            told = ", ".join(f"{name} {float(each.sel(variant=name)):.3f}" for name in names)
            lines.append(f"gaps of {width} cells: correlation with the truth: {told}")
            for name in names[1:-1]:
                mean, low, high = at["correlation_gain_interval"].sel(variant=name).values
                lines.append(f"  {name} over {names[0]}: {mean:+.3f} (95 % {low:+.3f} to {high:+.3f})")
        return "\n".join(lines)

    def figure(self) -> Any:
        """Draw the example and the scores; see `magxr.view.studies.gaps_figure`."""
        from magxr.view.studies import gaps_figure

        return gaps_figure(self.scores, self.example)


def gap_closing(
    *,
    widths: Iterable[int] = (4, 8, 16, 32),
    seeds: Iterable[int] = range(5),
    variants: Mapping[str, Mapping[str, Any] | None] | None = None,
    track: int = 1,
    crossing: float = 90.0,
    noise: float = 0.1,
    shape: tuple[int, int] = (256, 256),
    spacing: str = "0.72 arcmin",
    half_rates: tuple[float, float] | None = None,
) -> GapClosing:
    r"""Hide synthetic sea floor between ship tracks, fill the gaps, and compare with the truth in them.

    Parameters
    ----------
    widths : iterable of int
        Gaps between tracks, cells of latitude.
    seeds : iterable of int
        One scene each, at least two: strike, spreading rates and noise are drawn anew.
    variants : mapping, optional
        Name -> parameters of `magxr.diffuse` that follows `magxr.grid`; None for no diffusion. The value
        "measured" stands for the measured cells (boolean DataArray), e.g. ``{"fixed": "measured"}``. The
        first variant is the one that others are compared with. Default: splines alone, with diffusion, and
        with diffusion that holds the tracks.
    track : int
        Width of what was measured between two gaps, cells: 1 is a ship track, more a band.
    crossing : float
        Angle between tracks and stripes, degrees, greater than 0, at most 90 (straight across).
    noise : float
        Standard deviation of the noise of a measured cell, as a share of the field's.
    shape : (int, int)
        Rows and columns of a scene.
    spacing : str
        Of its cells.
    half_rates : (float, float), optional
        Half-spreading rates, km/Myr; drawn from 8 to 70 if absent.

    Returns
    -------
    GapClosing
        ``scores`` (Dataset), ``example`` (maps of the first seed), ``to_text()`` and ``figure()``.

    Raises
    ------
    ParameterError
        If an argument is out of range, or one of `magxr.diffuse`, before any work.

    Notes
    -----
    Calling this computes. Gaps of every width are filled by ``magxr.grid(max_gap=max(32, 2 * width))``.

    Only hidden cells count, and only those at least the widest gap away from the edge of the map, the same
    for all widths, so that no gap is scored that has one shore. The variant "not hidden" is the surveyed map
    itself on these cells: its noise is what keeps it from 1.

    Intervals are Student's t over seeds (95 %). Scenes differ more than variants do: compare variants by
    ``correlation_gain``, which is taken scene by scene.

    The sea floor is that of `magxr.synthetic`: stripes only, without provinces, holes, levels or spikes.
    """
    cells = _widths(widths)
    numbers = checked_seeds(seeds)
    number("crossing", crossing, above=0, most=90, unit="degrees")
    number("noise", noise, least=0, unit="a share of the standard deviation of the field")
    if not is_whole(track, 1):
        msg = f"track={track!r} must be a whole number of cells, at least 1"
        raise ParameterError(msg)
    margin = max(cells)
    if min(shape) < 4 * margin:
        fix = f"use shape=({4 * margin}, {4 * margin}) or narrower gaps"
        msg = f"shape={shape!r} is too small for gaps of {margin} cells: sides need four times that; {fix}"
        raise ParameterError(msg)
    how = dict(VARIANTS if variants is None else variants)
    if not how or UNHIDDEN in how:
        msg = f"variants={sorted(how)} must name at least one way to fill gaps, none of them {UNHIDDEN!r}"
        raise ParameterError(msg)
    scenes = (
        hidden(s, shape=shape, spacing=spacing, crossing=crossing, noise=noise, half_rates=half_rates)
        for s in numbers
    )
    shown = cells[len(cells) // 2]
    found, example = [], None
    for one in scenes:
        if example is None:
            _check(one, how, cells[0], track)
        each = []
        for width in cells:
            maps = _filled(one, how, width, track)
            each.append(_scores(one, maps, width, track, margin))
            if example is None and width == shown:
                example = _example(one, maps, width, track)
        found.append(xr.concat(each, dim="width"))
    scores = xr.concat(found, dim="seed").assign_coords(seed=numbers, width=cells)
    scores["correlation_gain"] = scores["correlation"] - scores["correlation"].isel(variant=0, drop=True)
    kept = ("correlation", "rms", "correlation_gain")
    scores = scores.assign({f"{k}_interval": over_seeds(scores[k]) for k in kept})
    scores.attrs = {
        "variants": json.dumps(how, default=lambda v: f"<{type(v).__name__}>"),
        "track": track,
        "crossing": crossing,
        "noise": noise,
        "shape": list(shape),
        "spacing": spacing,
        "interval": INTERVAL,
    }
    assert example is not None
    return GapClosing(scores, example)


def _widths(widths: Iterable[int]) -> list[int]:
    given = list(widths)
    if not given or not all(is_whole(w, 1) for w in given) or len(set(given)) < len(given):
        msg = f"widths={widths!r} must be different whole numbers of cells, at least 1, e.g. (4, 8, 16)"
        raise ParameterError(msg)
    return sorted(int(w) for w in given)


def _check(one: Hidden, variants: Mapping[str, Mapping[str, Any] | None], width: int, track: int) -> None:
    """Let `diffuse` refuse what it cannot use: its graphs are built and thrown away."""
    lazy = one.surveyed.chunk()
    measured = one.measured(width, track)
    for parameters in variants.values():
        if parameters is not None:
            diffuse(lazy, **_with(parameters, measured))


def _with(parameters: Mapping[str, Any], measured: xr.DataArray) -> dict[str, Any]:
    return {k: measured if isinstance(v, str) and v == MEASURED else v for k, v in parameters.items()}


def _filled(
    one: Hidden, variants: Mapping[str, Mapping[str, Any] | None], width: int, track: int
) -> dict[str, xr.DataArray]:
    """Return the map filled by every variant; the splines are solved once."""
    measured = one.measured(width, track)
    splines = grid(one.surveyed.where(measured), max_gap=max(32, 2 * width)).drop_vars("filled")
    return {
        name: splines if parameters is None else diffuse(splines, **_with(parameters, measured))
        for name, parameters in variants.items()
    }


def _scores(one: Hidden, maps: dict[str, xr.DataArray], width: int, track: int, margin: int) -> xr.Dataset:
    inner = np.zeros(one.truth.shape, bool)
    inner[margin:-margin, margin:-margin] = True
    gaps = inner & ~one.measured(width, track).values
    found = {**maps, UNHIDDEN: one.surveyed}
    scored = gaps & np.logical_and.reduce([np.isfinite(m.values) for m in found.values()])
    truth = one.truth.values[scored].astype(np.float64)
    correlation, rms = [], []
    for made in found.values():
        values = made.values[scored].astype(np.float64)
        correlation.append(float(np.corrcoef(values, truth)[0, 1]))
        rms.append(float(np.sqrt(np.mean((values - truth) ** 2))))
    return xr.Dataset(
        {
            "correlation": ("variant", correlation, {"units": "1", "long_name": "correlation in gaps"}),
            "rms": ("variant", rms, {"units": "nT", "long_name": "rms departure from the truth in gaps"}),
            "hidden_share": ((), gaps.sum() / inner.sum(), {"units": "1"}),
            "unfilled_share": ((), 1.0 - scored.sum() / gaps.sum(), {"units": "1"}),
        },
        coords={"variant": list(found)},
    )


def _example(one: Hidden, maps: dict[str, xr.DataArray], width: int, track: int) -> xr.Dataset:
    filled = xr.concat(list(maps.values()), dim="variant").assign_coords(variant=list(maps))
    fields = {
        "truth": one.truth,
        "holed": one.surveyed.where(one.measured(width, track)),
        "filled": filled,
    }
    return xr.Dataset(fields).assign_attrs(width=width)

"""What the cut-offs of the vote decide: how certain, how many votes, and where linear begins."""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr

from magxr.errors import ParameterError
from magxr.steps.calibrate import calibrate
from magxr.studies.votes import COUNTED, CUT, KEEP, MAJORITY, NEIGHBOURS, counted, listed, read_once

if TYPE_CHECKING:
    from collections.abc import Hashable, Sequence

    from magxr.kernels.votes import Ties, To

KEEPS = ((0.5, 0.5), (0.4, 0.6), (0.3, 0.7), (0.2, 0.8), (0.1, 0.9), (0.0, 1.0))
"""From nothing that is uncertain to everything."""
MAJORITIES = (0.5, 0.6, 0.7, 0.8, 0.9)
CUTS = (0.3, 0.4, 0.5, 0.6, 0.7)


@dataclass(frozen=True, eq=False)
class Cutoffs:
    """What the cut-offs of the vote change."""

    table: xr.Dataset
    """On the dims ``keep``, ``majority`` and ``cut``: ``percent_linear_cells`` and ``percent_linear_area``
    (percent), ``uncertain_share`` (0 to 1) and ``changed_cells`` (class other than the model's own at that
    cut). ``keep`` is named ("0.3-0.7"), with ``keep_low`` and ``keep_high`` beside it. ``attrs``: the other
    parameters, and under ``keep``, ``majority`` and ``cut`` the values that sections go through: the paper's
    where they were asked for, else the middle ones."""

    def section(self, *along: str) -> xr.Dataset:
        """Return the table along one or two of the dims, at the values in ``attrs`` of the others."""
        at = {d: self.table.attrs[d] for d in ("keep", "majority", "cut") if d not in along}
        return self.table.sel(at)

    def to_text(self) -> str:
        """Return the share that is linear at the paper's values, and how far each of the three moves it."""
        told = self.table.attrs
        if not told["answered_cells"]:
            return "no prediction has an answer"
        here = self.section()
        lines = [
            f"linear, of {told['answered_cells']} answers, with keep {told['keep']}, majority "
            f"{told['majority']:g} and cut {told['cut']:g}: {float(here.percent_linear_cells):.1f} % (of the "
            f"area {float(here.percent_linear_area):.1f} %), still uncertain "
            f"{100 * float(here.uncertain_share):.1f} %"
        ]
        for dim in ("keep", "majority", "cut"):
            along = self.section(dim)
            if along.sizes[dim] < 2:
                continue
            percent, still = along.percent_linear_cells, 100 * along.uncertain_share
            ends = [v if isinstance(v, str) else f"{v:g}" for v in (along[dim].values[[0, -1]].tolist())]
            lines.append(
                f"{dim} {ends[0]} to {ends[1]}: linear {float(percent.min()):.1f} to "
                f"{float(percent.max()):.1f} %, uncertain {float(still.min()):.1f} to "
                f"{float(still.max()):.1f} %"
            )
        return "\n".join(lines)

    def figure(self) -> Any:
        """Draw two sections of the table; see `magxr.view.votes.cutoffs_figure`."""
        from magxr.view.votes import cutoffs_figure

        return cutoffs_figure(self)


def cutoffs(
    obj: xr.Dataset | xr.DataArray,
    *,
    neighbours: int = NEIGHBOURS,
    keep: Sequence[tuple[float, float]] = KEEPS,
    majority: Sequence[float] = MAJORITIES,
    cut: Sequence[float] = CUTS,
    to: To = "certain",
    ties: Ties = "keep",
    where: Any = None,
    barrier: Any = None,
    variable: Hashable | None = None,
) -> Cutoffs:
    """Settle the same predictions with every combination of cut-offs, and tell what changes.

    Parameters
    ----------
    obj : xarray.Dataset or xarray.DataArray
        Result of `magxr.classify` (or of `magxr.calibrate`, whose vote is not looked at); numpy or Dask.
    neighbours : int
        Side of the neighbourhood, predictions.
    keep : sequence of (float, float)
        Pairs of probabilities: between them (both included) a prediction is uncertain. Equal ones leave, but
        for answers of just that value, everything as predicted.
    majority : sequence of float
        Shares of the answers that decide.
    cut : sequence of float
        Probabilities that separate linear from nonlinear, for the vote and for the class.
    to, ties, where, barrier
        As in `magxr.calibrate`.
    variable : hashable, optional
        Name of the probability in a Dataset; default ``linear_probability``.

    Returns
    -------
    Cutoffs
        ``table`` (Dataset on ``keep``, ``majority`` and ``cut``), ``section()``, ``to_text()`` and
        ``figure()``.

    Raises
    ------
    ParameterError, GridError
        As `magxr.calibrate`, for every value before the probability is read; or if a value is named twice.

    Notes
    -----
    Calling this computes. The probability is read once, whole, and there is one vote for every ``majority``
    and ``cut``: a vote that may move every prediction holds that of every narrower ``keep``, since votes are
    counted on predictions as they were. Memory beyond the input: what one vote takes.

    References
    ----------
    Ghosh et al. (2026), Sci. Rep. 16, 1185, "User-defined parameters for calibrated predictions": 0.3 and
    0.7, 50 % and 0.5 "are not always the best optimal values".
    """
    pairs = _pairs(listed("keep", keep, "[(0.3, 0.7), (0.2, 0.8)]"))
    shares = listed("majority", majority, "(0.5, 0.6)")
    cuts = listed("cut", cut, "(0.4, 0.5)")
    rule: dict[str, Any] = {
        "neighbours": neighbours, "to": to, "ties": ties, "where": where, "barrier": barrier,
    }  # fmt: skip
    each = [*({"keep": k} for k in pairs), *({"majority": m} for m in shares), *({"cut": c} for c in cuts)]
    p, told = read_once(obj, variable, ({**rule, **one} for one in each))
    low, high = (np.array(ends, dtype=p.dtype) for ends in zip(*pairs, strict=True))
    cube = {k: np.empty((len(pairs), len(shares), len(cuts))) for k in COUNTED}
    for (j, m), (i, c) in itertools.product(enumerate(shares), enumerate(cuts)):
        moved = calibrate(p, keep=(0.0, 1.0), majority=m, cut=c, **rule)["calibrated_probability"].values
        for n, pair in enumerate(pairs):
            after = np.where((p.values >= low[n]) & (p.values <= high[n]), moved, p.values)
            for name, value in counted(p, after, pair, c).items():
                cube[name][n, j, i] = value
    names = [named(k) for k in pairs]
    table = xr.Dataset(
        {k: (("keep", "majority", "cut"), cube[k], {"long_name": n, "units": u})
         for k, (n, u) in COUNTED.items()},
        coords={
            "keep": names, "majority": shares, "cut": cuts,
            "keep_low": ("keep", [k[0] for k in pairs]), "keep_high": ("keep", [k[1] for k in pairs]),
        },
    )  # fmt: skip
    table.attrs = {
        **told, **rule, "where": where is not None, "barrier": barrier is not None,
        "answered_cells": int(np.count_nonzero(~np.isnan(p.values))),
        "keep": _through(names, named(KEEP)), "majority": _through(shares, MAJORITY),
        "cut": _through(cuts, CUT),
    }  # fmt: skip
    return Cutoffs(table)


def named(keep: Sequence[float]) -> str:
    """Return the name of a pair: "0.3-0.7"."""
    return f"{keep[0]:g}-{keep[1]:g}"


def _pairs(given: list[Any]) -> list[tuple[float, float]]:
    for pair in given:
        if not isinstance(pair, (tuple, list)) or len(pair) != 2:
            msg = f"keep holds {pair!r}; it must list pairs of probabilities, e.g. [(0.3, 0.7), (0.2, 0.8)]"
            raise ParameterError(msg)
    return [tuple(pair) for pair in given]


def _through(values: list[Any], paper: Any) -> Any:
    """Return the value that sections go through."""
    return paper if paper in values else values[len(values) // 2]

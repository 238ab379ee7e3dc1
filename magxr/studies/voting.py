"""How many neighbours should vote: the same predictions, settled by squares of several sizes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr

from magxr.geogrid import describe
from magxr.kernels.patches import patches, sizes
from magxr.labelled import oriented
from magxr.steps.calibrate import calibrate
from magxr.studies.votes import COUNTED, CUT, KEEP, MAJORITY, counted, listed, read_once

if TYPE_CHECKING:
    from collections.abc import Hashable, Sequence

    from magxr.geogrid import Grid, Layout
    from magxr.kernels.votes import Ties, To

PAPER = (1, 3, 5, 11, 17, 21, 25)
"""Sides of the squares in Figs S2 and S3, the classes as predicted (1), and the paper's choice (25)."""
_ABOUT = COUNTED | {
    "settled_cells": ("predictions that the vote moved", "1"),
    "linear_patches": ("connected patches of linear predictions", "1"),
    "nonlinear_patches": ("connected patches of nonlinear predictions", "1"),
    "largest_linear_patch": ("area of the largest linear patch", "km2"),
    "largest_nonlinear_patch": ("area of the largest nonlinear patch", "km2"),
}


@dataclass(frozen=True, eq=False)
class Neighbours:
    """What the number of neighbours changes."""

    table: xr.Dataset
    """On the dim ``neighbours``: ``percent_linear_cells`` and ``percent_linear_area`` (percent),
    ``uncertain_share`` (0 to 1), ``changed_cells`` (class other than the model's own), ``settled_cells``
    (moved by the vote), ``linear_patches``, ``nonlinear_patches``, ``largest_linear_patch`` and
    ``largest_nonlinear_patch`` (km²). ``attrs``: the other parameters, ``answered_cells``, and
    ``varying_share``, the share of the answers whose class is not the same for all."""
    maps: xr.DataArray
    """Classes on ``neighbours``, latitude and longitude; int8: 1 linear, 0 nonlinear, -1 no answer."""

    def to_text(self) -> str:
        """Return how far the share that is linear, and the classes, depend on the number."""
        table, told = self.table, self.table.attrs
        if not told["answered_cells"]:
            return "no prediction has an answer"
        first, last = int(table.neighbours[0]), int(table.neighbours[-1])
        percent = table.percent_linear_cells
        least, most = (
            int(table.neighbours[int(p)]) for p in (percent.values.argmin(), percent.values.argmax())
        )
        uncertain = [100 * float(table.uncertain_share.sel(neighbours=n)) for n in (first, last)]
        count = [int(table.nonlinear_patches.sel(neighbours=n)) for n in (first, last)]
        return (
            f"linear, of {told['answered_cells']} answers: {float(percent.min()):.1f} % ({least} x {least} "
            f"neighbours) to {float(percent.max()):.1f} % ({most} x {most}); of the area "
            f"{float(table.percent_linear_area.min()):.1f} to "
            f"{float(table.percent_linear_area.max()):.1f} %\n"
            f"class not the same for all of them: {100 * told['varying_share']:.1f} % of the answers\n"
            f"from {first} x {first} to {last} x {last}: still uncertain {uncertain[0]:.1f} -> "
            f"{uncertain[1]:.1f} %, nonlinear patches {count[0]} -> {count[1]}"
        )

    def figure(self) -> Any:
        """Draw the classes for every number, and the shares; see `magxr.view.votes.neighbours_figure`."""
        from magxr.view.votes import neighbours_figure

        return neighbours_figure(self.table, self.maps)


def neighbours(
    obj: xr.Dataset | xr.DataArray,
    *,
    neighbours: Sequence[int] = PAPER,
    keep: tuple[float, float] = KEEP,
    majority: float = MAJORITY,
    cut: float = CUT,
    to: To = "certain",
    ties: Ties = "keep",
    where: Any = None,
    barrier: Any = None,
    variable: Hashable | None = None,
) -> Neighbours:
    """Settle the same predictions by squares of several sizes, and tell what changes.

    Parameters
    ----------
    obj : xarray.Dataset or xarray.DataArray
        Result of `magxr.classify` (or of `magxr.calibrate`, whose vote is not looked at); numpy or Dask.
    neighbours : sequence of int
        Sides of the squares, predictions; odd, at least 1. 1 leaves every class as the model gave it.
    keep, majority, cut, to, ties, where, barrier
        As in `magxr.calibrate`, the same for all sizes.
    variable : hashable, optional
        Name of the probability in a Dataset; default ``linear_probability``.

    Returns
    -------
    Neighbours
        ``table`` (Dataset on ``neighbours``), ``maps`` (classes), ``to_text()`` and ``figure()``.

    Raises
    ------
    ParameterError, GridError
        As `magxr.calibrate`, for every size before the probability is read; or if a size is named twice.

    Notes
    -----
    Calling this computes. The probability is read once, whole, whatever its chunks; every size votes on it in
    memory. Memory beyond the input: one byte a prediction and size, and what one vote takes.

    Patches are connected where cells share a side; on a map that goes round, across its seam too. Areas are
    those of the sphere.

    References
    ----------
    Ghosh et al. (2026), Sci. Rep. 16, 1185, "User-defined parameters for calibrated predictions", Figs S2 and
    S3: 3, 5, 11, 17 and 21 neighbours instead of 25; the predictions "do vary but overall, they seem to be
    robust".
    """
    numbers = listed("neighbours", neighbours, str(PAPER))
    rule: dict[str, Any] = {
        "keep": keep, "majority": majority, "cut": cut, "to": to, "ties": ties,
        "where": where, "barrier": barrier,
    }  # fmt: skip
    p, told = read_once(obj, variable, ({**rule, "neighbours": n} for n in numbers))
    rows, maps = [], []
    grid, layout = describe(p)
    for n in numbers:
        found = calibrate(p, neighbours=n, **rule)
        after = found["calibrated_probability"].values
        moved = np.count_nonzero((after != p.values) & ~np.isnan(p.values))
        maps.append(found["linear"].drop_attrs())
        row = counted(p, after, keep, cut) | {"settled_cells": float(moved)}
        rows.append(row | _patches(maps[-1].values, grid, layout))
    table = xr.Dataset(
        {
            k: ("neighbours", [r[k] for r in rows], {"long_name": n, "units": u})
            for k, (n, u) in _ABOUT.items()
        },
        coords={"neighbours": numbers},
    )
    stacked = xr.concat(maps, dim="neighbours", coords="minimal", compat="override")
    stacked = stacked.assign_coords(neighbours=numbers).rename("linear")
    stacked.attrs = {
        "long_name": "linear anomalies",
        "flag_values": [-1, 0, 1],
        "flag_meanings": "no_answer nonlinear linear",
        "registration": "pixel",
    }
    answered = int(np.count_nonzero(~np.isnan(p.values)))
    varying = np.count_nonzero(stacked.min("neighbours") != stacked.max("neighbours"))
    table.attrs = {
        **told, **rule, "keep": list(keep), "where": where is not None, "barrier": barrier is not None,
        "answered_cells": answered, "varying_share": varying / answered if answered else np.nan,
    }  # fmt: skip
    return Neighbours(table, stacked)


def _patches(linear: np.ndarray[Any, Any], grid: Grid, layout: Layout) -> dict[str, float]:
    """Count the patches of either class, and measure the largest."""
    found: dict[str, float] = {}
    height, width = grid.cell_metres()
    area = height * width / 1e6
    for name, wanted in (("linear", 1), ("nonlinear", 0)):
        labels, count = patches(oriented(linear, layout) == wanted, wrap=grid.wraps)
        found[f"{name}_patches"] = float(count)
        found[f"largest_{name}_patch"] = float(sizes(labels, count, area).max(initial=0.0))
    return found

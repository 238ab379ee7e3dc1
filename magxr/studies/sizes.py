"""How wide a window should be: what is linear in windows of several sizes around the same places."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr

from magxr.labelled import anomaly, canonical
from magxr.steps.arguments import number
from magxr.steps.classify import check_share
from magxr.steps.predictor import predictor_of
from magxr.steps.spacing import KM_PER_DEGREE
from magxr.studies.centres import ANSWERS, answered, fitting_sizes, places, trained_for
from magxr.studies.respaced import respaced
from magxr.studies.stable import share_linear, stable_from

if TYPE_CHECKING:
    from collections.abc import Hashable, Sequence
    from pathlib import Path

    from magxr.steps.predictor import Predictor

WAVES = 2.0
"""Wavelengths that a window should hold: four anomalies, highs and lows counted, the least of the paper's
"four to six", and the fewest whose wavelength a window can tell. On synthetic scenes stripes were found alike
from here on (`benchmarks/window_size.py`)."""
LINEAR = 0.5
"""Probability above which a window counts as linear, without a vote: each speaks for itself."""
_ABOUT = {
    "spacing": ("side of a cell", "arcmin"),
    "width": ("geometric mean of the sides of a window in the middle of the map", "km"),
    "percent_linear": ("linear share of the places answered at all sizes", "percent"),
    "low": ("lower end of the 95 % interval by blocks as wide as the window", "percent"),
    "high": ("upper end of the 95 % interval by blocks as wide as the window", "percent"),
    "no_answer_share": ("share of the places without an answer at this size", "1"),
}


@dataclass(frozen=True, eq=False)
class WindowSizes:
    """What a model says of the same places in windows of several sizes."""

    table: xr.Dataset
    """On the dim ``size`` (degrees): ``spacing`` (arcmin), ``width`` (km), ``percent_linear`` with ``low``
    and ``high`` (percent), ``no_answer_share`` (0 to 1), and the coordinate ``trained``: whether the model
    was trained for that spacing. ``attrs``: ``stable_size``, ``suggested_size`` (degrees, NaN for none), and
    the parameters."""
    answers: xr.Dataset
    """On ``size``, ``latitude`` and ``longitude`` of the places: ``probability`` and ``missing_share`` (0 to
    1; NaN: no answer); on the last two ``wavelength`` (km across the stripes)."""

    def to_text(self) -> str:
        """Return a line for each size, the smallest that is stable, and the one that the stripes suggest."""
        table, told = self.table, self.table.attrs
        lines = [
            f"{told['compared']} of {told['places']} places, {told['stride']:g} degrees apart, have an "
            "answer at all sizes" + ("" if told["compared"] else "; give fewer sizes, or more max_missing")
        ]
        for size in table["size"].values:
            at = table.sel(size=size)
            outside = "" if bool(at.trained) else ", outside of what the model was trained for"
            lines.append(
                f"{size:g} degrees ({float(at.spacing):.3g} arcmin): linear {float(at.percent_linear):.1f} % "
                f"({float(at.low):.1f} to {float(at.high):.1f}), no answer "
                f"{100 * float(at.no_answer_share):.1f} %{outside}"
            )
        stable, suggested = told["stable_size"], told["suggested_size"]
        within = f"within {told['tolerance']:g} points of all larger windows that the model was trained for"
        lines.append(
            f"smallest stable window: none stays {within}"
            if np.isnan(stable)
            else f"smallest stable window: {stable:g} degrees, {within}"
        )
        lines.append(
            "wavelength: no place has stripes of one direction, so none is suggested"
            if np.isnan(suggested)
            else f"stripes of {told['wavelength']:.0f} km (median of {told['wavelength_places']} places) "
            f"suggest windows of at least {suggested:.2g} degrees, which hold {told['waves']:g} of them"
        )
        return "\n".join(lines)

    def figure(self) -> Any:
        """Draw percent linear against the size; see `magxr.view.sizes.window_sizes_figure`."""
        from magxr.view.sizes import window_sizes_figure

        return window_sizes_figure(self.table, self.answers)


def window_sizes(
    obj: xr.Dataset | xr.DataArray,
    *,
    sizes: Sequence[float] | None = None,
    model: str | Path | Predictor | Any = "default",
    stride: float = 0.5,
    max_missing: float = 0.2,
    tolerance: float = 5.0,
    waves: float = WAVES,
    variable: Hashable | None = None,
) -> WindowSizes:
    r"""Ask a model for the same places in windows of several sizes.

    A model reads windows of a fixed number of cells. So a window of another size on the ground is the map on
    other cells: 250 cells of 0.72' are 3 degrees, 250 of 0.24' one.

    Parameters
    ----------
    obj : xarray.Dataset or xarray.DataArray
        Anomaly as it would be given to `magxr.classify`, nT, on latitude and longitude. A coordinate
        ``filled`` counts towards ``max_missing``.
    sizes : sequence of float, optional
        Sides of the windows, degrees. Default: those of 0.5 to 8 degrees that are at most half as wide as the
        map, so that the places compared are spread over half of it.
    model : str, path or Predictor
        As in `magxr.classify`.
    stride : float
        Distance of the places, degrees, the same for all sizes.
    max_missing : float
        As in `magxr.classify`.
    tolerance : float
        How far percent linear of a stable window may lie from that of larger ones, percentage points.
    waves : float
        Wavelengths that a window should hold; two are four anomalies, one of either polarity each.
    variable : hashable, optional
        Name of the anomaly in a Dataset, where units do not tell.

    Returns
    -------
    WindowSizes
        ``table`` (Dataset on ``size``), ``answers`` (at every place), ``to_text()`` and ``figure()``.

    Raises
    ------
    ParameterError, GridError, ModelError
        If an argument is out of range, a window does not fit into the map, or the map goes round the globe;
        before any work.

    Notes
    -----
    Calling this computes, a size at a time and block by block: in memory are some chunks of 1024 x 1024 new
    cells. Small windows need fine cells: of half a degree at 0.72' 36 for each of the map.

    Places lie on one lattice in the middle of the map, so that the widest window fits everywhere, and only
    those answered at all sizes are compared; else larger windows would be judged by the inner map alone. A
    window is centred on its place to within half a cell. The map itself stays as it is (``obj``, cleaned and
    diffused once): its detail does not grow with finer cells. See `magxr.studies.respaced` for coarser ones.
    Spacings that the model was not trained for are asked too and marked; what it says there is no evidence
    about the sea floor, and neither the stable nor the suggested size rests on it.

    A place is linear above 0.5. The interval redraws blocks of places as wide as the window, since
    overlapping windows see the same cells; with fewer than two blocks it is 0 to 100.

    Stable is the smallest size whose percentage all larger ones stay near, among the sizes that the model was
    trained for, of which at least one must be larger. The suggestion is the side of a window that holds
    ``waves`` times the median of the local wavelength (`magxr.wavelength`'s, in the largest window that the
    model was trained for, which sees waves of up to half its side), as the geometric mean of height and width
    in the middle of the map. It is a floor: on synthetic scenes the default model found stripes alike in
    windows that hold from two to more than twelve wavelengths, and what it missed in small windows was where
    the survey shows little. Take the larger of the two. That a size is stable does not make it right: where
    the survey hides the stripes a model says "nonlinear" at every size.

    References
    ----------
    Ghosh et al. (2026), Sci. Rep. 16, 1185, "Effect of window size", Fig. 12: percent linear is largest at 5
    degrees (Shatsky) or levels off near 100 % (Azores); "one should choose the smallest window size that
    correctly predicts anomaly character".
    """
    da = anomaly(obj, variable)
    _, grid, _ = canonical(da)
    predictor = predictor_of(model, None)
    pixels = int(predictor.window)
    number("stride", stride, above=0, unit="degrees")
    number("tolerance", tolerance, least=0, most=100, unit="percentage points")
    number("waves", waves, above=0, unit="wavelengths in a window")
    check_share(max_missing)
    wanted = fitting_sizes(sizes, grid, pixels)
    at = places(grid, wanted[-1], pixels, float(stride))
    trained = [trained_for(predictor, 60.0 * s / pixels) for s in wanted]
    reference = max((s for s, t in zip(wanted, trained, strict=True) if t), default=wanted[-1])
    asked = [
        answered(respaced(da, s / pixels), at, predictor, max_missing=max_missing, measured=s == reference)
        for s in wanted
    ]
    found = np.stack([np.asarray(a.compute()) for a in asked])
    shape = (len(at.latitude), len(at.longitude))
    told = {
        "model": str(getattr(predictor, "name", None) or type(predictor).__name__),
        "window_cells": pixels, "stride": float(stride), "max_missing": float(max_missing),
        "tolerance": float(tolerance), "waves": float(waves), "wavelength_window": reference,
    }  # fmt: skip
    answers = _labelled(found.reshape(len(wanted), len(ANSWERS), *shape), wanted, at, reference)
    return _judged(answers, trained, pixels, told)


def _judged(answers: xr.Dataset, trained: list[bool], pixels: int, told: dict[str, Any]) -> WindowSizes:
    """Compare the sizes, and say which is stable and which the wavelength suggests."""
    p = answers["probability"].values
    known = np.isfinite(p)
    compared = known.all(axis=0)
    sizes = answers["size"].values
    middle = float(answers["latitude"].mean())
    degree = KM_PER_DEGREE * np.sqrt(np.cos(np.radians(middle)))
    rows = []
    for n, size in enumerate(sizes):
        block = max(1, round(float(size) / told["stride"]))
        percent, low, high = share_linear(p[n] > LINEAR, compared, block)
        rows.append((60.0 * size / pixels, degree * size, percent, low, high, 1.0 - known[n].mean()))
    columns = np.array(rows).T
    table = xr.Dataset(
        {k: ("size", v, {"long_name": about, "units": unit})
         for (k, (about, unit)), v in zip(_ABOUT.items(), columns, strict=True)},
        coords={"size": ("size", sizes, {"units": "degrees"}), "trained": ("size", trained)},
    )  # fmt: skip
    waves = answers["wavelength"].values
    some = np.isfinite(waves).any()
    median = float(np.nanmedian(waves)) if some else float("nan")
    table.attrs = {
        **told,
        "places": int(compared.size),
        "compared": int(compared.sum()),
        "stable_size": stable_from(
            sizes, table["percent_linear"].values, np.array(trained), told["tolerance"]
        ),
        "wavelength": median,
        "wavelength_places": int(np.isfinite(waves).sum()),
        "suggested_size": told["waves"] * median / float(degree),
    }
    return WindowSizes(table, answers)


def _labelled(found: Any, sizes: list[float], at: Any, reference: float) -> xr.Dataset:
    dims = ("size", "latitude", "longitude")
    units = {"probability": "1", "missing_share": "1"}
    fields: dict[str, Any] = {
        name: (dims, found[:, n], {"units": units[name]}) for n, name in enumerate(ANSWERS) if name in units
    }
    fields["wavelength"] = (dims[1:], found[sizes.index(reference), 2], {"units": "km"})
    coords = {"size": sizes, "latitude": at.latitude, "longitude": at.longitude}
    return xr.Dataset(fields, coords=coords)

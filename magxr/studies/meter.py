"""The hallucination meter: how many lines diffusion draws into noise that has none."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr

from magxr.labelled import anomaly, canonical
from magxr.steps.arguments import number
from magxr.steps.classify import classify
from magxr.steps.diffusion import diffuse, structure
from magxr.steps.outliers import summary
from magxr.steps.predictor import predictor_of
from magxr.studies.interval import INTERVAL, checked_seeds, over_seeds
from magxr.studies.likeness import Likeness

if TYPE_CHECKING:
    from collections.abc import Hashable, Iterable
    from pathlib import Path

    from magxr.steps.predictor import Predictor

STAGES = ("before", "after")
LINEAR = 0.5
"""Probability above which a window counts as linear: as `magxr.calibrate` cuts, without its vote."""
MEASURES = ("coherent_share", "mean_coherence", "linear_share")
_NAMES = {
    "coherent_share": "share of the area with a coherence above the threshold",
    "mean_coherence": "mean coherence over the area",
    "linear_share": "share of the area of answered windows with a probability of linear above 0.5",
    "answered_windows": "windows with an answer",
}


@dataclass(frozen=True, eq=False)
class Hallucination:
    """What diffusion made of noise, and of the map that the noise was made after."""

    shares: xr.Dataset
    """On the dims ``seed`` and ``stage`` ("before", "after" diffusion), 0 to 1: ``coherent_share``,
    ``mean_coherence`` and, with a model, ``linear_share`` of the noise, and how many ``answered_windows``;
    ``map_...`` on ``stage``, the same of the map itself; ``..._interval`` on ``stage`` and ``estimate``
    ("mean", "low", "high"), over seeds. ``attrs`` holds the parameters."""
    example: xr.Dataset
    """Maps of the first seed, on the dim ``stage``: ``noise`` and ``map`` (nT), ``noise_coherence`` and
    ``map_coherence``."""

    def to_text(self) -> str:
        """Return one line for each thing measured: noise and map, before and after."""
        told = {
            "coherent_share": f"area above coherence {self.shares.attrs['coherent']:g}",
            "mean_coherence": "mean coherence",
        }
        if "linear_share" in self.shares:
            windows = int(self.shares["map_answered_windows"].max())
            told["linear_share"] = f"area called linear by {self.shares.attrs['model']} in {windows} windows"
        return "\n".join(f"{what}: {self._line(name)}" for name, what in told.items())

    def _line(self, name: str) -> str:
        percent = name != "mean_coherence"

        def shown(value: xr.DataArray) -> str:
            return f"{100 * float(value):.1f}" if percent else f"{float(value):.3f}"

        unit = " %" if percent else ""
        of = self.shares[f"{name}_interval"]
        before, after = of.sel(stage="before"), of.sel(stage="after")
        itself = self.shares[f"map_{name}"]
        return (
            f"noise {shown(before.sel(estimate='mean'))} -> {shown(after.sel(estimate='mean'))}{unit} "
            f"(95 % interval over {self.shares.sizes['seed']} seeds {shown(after.sel(estimate='low'))} to "
            f"{shown(after.sel(estimate='high'))}); the map itself "
            f"{shown(itself.sel(stage='before'))} -> {shown(itself.sel(stage='after'))}{unit}"
        )

    def figure(self) -> Any:
        """Draw the first seed's maps; see `magxr.view.studies.hallucination_figure`."""
        from magxr.view.studies import hallucination_figure

        return hallucination_figure(self.shares, self.example)


def hallucination(
    obj: xr.Dataset | xr.DataArray,
    *,
    coherent: float = 0.7,
    seeds: Iterable[int] = range(5),
    model: str | Path | Predictor | Any = None,
    stride: int = 50,
    variable: Hashable | None = None,
    **parameters: Any,
) -> Hallucination:
    r"""Measure how much of what diffusion shows on a map it would show on noise as well.

    From the spectrum of the map, its power averaged over all directions, noise is made that has the map's
    power at every wavelength but no lines. Whatever is coherent or "linear" in it after `magxr.diffuse` was
    made up.

    Parameters
    ----------
    obj : xarray.Dataset or xarray.DataArray
        Anomaly as it would be given to `magxr.diffuse`, nT, on latitude and longitude; NaN in gaps.
    coherent : float
        Coherence (see `magxr.structure`), 0 to 1, above which a cell counts as coherent.
    seeds : iterable of int
        One field of noise each, at least two.
    model : str, path or Predictor, optional
        As in `magxr.classify`, e.g. "default". Without one only coherence is measured.
    stride : int
        Of the windows that the model judges, cells.
    variable : hashable, optional
        Name of the anomaly in a Dataset, where units do not tell.
    **parameters
        Of `magxr.diffuse`. Those that `magxr.structure` takes as well (``sigma``, ``rho``, ``metric``) are
        used for the coherence too.

    Returns
    -------
    Hallucination
        ``shares`` (Dataset on ``seed`` and ``stage``), ``example`` (maps of the first seed), ``to_text()``
        and ``figure()``.

    Raises
    ------
    ParameterError, GridError, ModelError
        If an argument is out of range for this function or the steps it calls, before any work; or if the
        map is constant or has no part without gaps of at least 32 x 32 cells.

    Notes
    -----
    Calling this computes, in memory: about ten times the size of the map.

    Areas are weighed by the cosine of latitude. A window is linear if its probability is above 0.5; there is
    no vote of neighbours, so that each window speaks for itself. Windows without an answer do not count.

    Gaps: the spectrum comes from the largest rectangle without gaps, once those of up to 32 cells are filled
    by `magxr.grid` (see `magxr.studies.likeness`). The noise is then missing where the map is, so that gaps
    count alike on both.

    The contrast of the diffusion is that of the map: unless ``scale`` is given, the noise is diffused with
    the map's interquartile range, or with what `magxr.remove_outliers` left beside it.

    Intervals are Student's t over seeds (95 %), cut off at 0 and 1: they tell how well the mean over noise
    with this spectrum is known, not how other maps behave.

    The noise is isotropic in kilometres at the mean latitude of its sample, and the same everywhere. Where a
    map is smooth on the scale of ``rho``, noise is coherent before any diffusion: the tensor then sees one
    slope at a time. Compare a map with its noise, not with 0. That noise shows fewer lines than the map
    does not prove that the map's are real: tracks and seams are lines too.

    References
    ----------
    Ghosh et al. (2026), Sci. Rep. 16, 1185: diffusion "does not create continuity out of nothing".
    """
    number("coherent", coherent, above=0, below=1)
    numbers = checked_seeds(seeds)
    da = anomaly(obj, variable)
    predictor = None if model is None else predictor_of(model, None)
    how = _How(coherent, predictor, stride, {k: v for k, v in parameters.items() if v is not None})
    how.check(da)
    da = da.compute()
    likeness = Likeness.of(da)
    how = how.scaled(da)

    fields = {"map": (da, diffuse(da, **how.parameters))}
    of_map = how.measure(fields["map"])
    of_noise = []
    for seed in numbers:
        made = likeness.noise(seed)
        pair = (made, diffuse(made, **how.parameters))
        fields.setdefault("noise", pair)
        of_noise.append(how.measure(pair))
    noise = xr.concat(of_noise, dim="seed").assign_coords(seed=numbers)
    shares = noise.assign({f"map_{k}": v for k, v in of_map.items()})
    shares = shares.assign(
        {
            f"{k}_interval": over_seeds(noise[k]).clip(0.0, 1.0, keep_attrs=True)
            for k in MEASURES
            if k in noise
        }
    )
    shares.attrs = how.told() | {
        "spectrum_rows": likeness.sample.shape[0],
        "spectrum_columns": likeness.sample.shape[1],
        "interval": INTERVAL,
    }
    return Hallucination(shares, _example(fields, how))


@dataclass(frozen=True)
class _How:
    """What is measured, and how the map is diffused."""

    coherent: float
    predictor: Predictor | None
    stride: int
    parameters: dict[str, Any]

    @property
    def shared(self) -> dict[str, Any]:
        return {k: v for k, v in self.parameters.items() if k in ("sigma", "rho", "metric")}

    def check(self, da: xr.DataArray) -> None:
        """Let the steps refuse what they cannot use: their graphs are built and thrown away."""
        canonical(da)
        lazy = da.chunk(dict.fromkeys(da.dims, -1))
        diffuse(lazy, **self.parameters)
        structure(lazy, **self.shared)
        if self.predictor is not None:
            classify(lazy, model=self.predictor, stride=self.stride)

    def scaled(self, da: xr.DataArray) -> _How:
        """Fix the scale of the contrast to the map's, where it would else be the noise's own."""
        if "scale" in self.parameters or {"first_quartile", "third_quartile"} <= set(da.coords):
            return self
        scale = float(summary(da)["interquartile_range"])
        return _How(self.coherent, self.predictor, self.stride, {**self.parameters, "scale": scale})

    def measure(self, pair: tuple[xr.DataArray, xr.DataArray]) -> xr.Dataset:
        """Return the shares of a field before and after diffusion."""
        return xr.concat([self._of(field) for field in pair], dim="stage").assign_coords(stage=list(STAGES))

    def _of(self, field: xr.DataArray) -> xr.Dataset:
        coherence = structure(field, **self.shared)["coherence"]
        above = xr.where(coherence.notnull(), coherence > self.coherent, np.nan)
        found = {"coherent_share": _by_area(above), "mean_coherence": _by_area(coherence)}
        if self.predictor is not None:
            p = classify(field, model=self.predictor, stride=self.stride)["linear_probability"]
            found["linear_share"] = _by_area(xr.where(p.notnull(), p > LINEAR, np.nan))
            found["answered_windows"] = float(p.notnull().sum())
        attrs = {k: {"units": "1", "long_name": _NAMES[k]} for k in found}
        return xr.Dataset({k: ((), v, attrs[k]) for k, v in found.items()})

    def told(self) -> dict[str, Any]:
        """Return the parameters as attributes."""
        told = {
            "coherent": self.coherent,
            "diffuse": json.dumps(self.parameters, default=lambda v: f"<{type(v).__name__}>"),
        }
        if self.predictor is not None:
            name = str(getattr(self.predictor, "name", None) or type(self.predictor).__name__)
            told |= {"model": name, "stride": self.stride, "linear": LINEAR}
        return told


def _by_area(values: xr.DataArray) -> float:
    """Return the mean over cells with a value, weighed by the cosine of latitude; NaN where there is none."""
    bare = values.astype(np.float32)
    bare.attrs = {"units": "nT", "registration": "pixel"}  # the one door for grids reads nT
    cells, about, _ = canonical(bare)
    weight = np.broadcast_to(np.cos(np.radians(about.latitude))[:, None], cells.shape)
    known = np.isfinite(cells)
    if not known.any():
        return float("nan")
    return float(np.average(cells[known].astype(np.float64), weights=weight[known]))


def _example(fields: dict[str, tuple[xr.DataArray, xr.DataArray]], how: _How) -> xr.Dataset:
    made = {}
    for name, pair in fields.items():
        bare = [f.drop_vars([c for c in f.coords if c not in f.dims]) for f in pair]
        made[name] = xr.concat(bare, dim="stage").assign_coords(stage=list(STAGES))
        shown = [structure(f, **how.shared)["coherence"] for f in bare]
        made[f"{name}_coherence"] = xr.concat(shown, dim="stage").assign_coords(stage=list(STAGES))
    return xr.Dataset({k: v.rename(k) for k, v in made.items()})

"""The tables of a tuning: gains of all that was tried, and what it makes up."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr

from magxr.studies.meter import hallucination

if TYPE_CHECKING:
    from collections.abc import Mapping

    from magxr.studies.candidates import Candidate
    from magxr.studies.judges import Verdict

METER = ("noise_before", "noise_after", "noise_low", "noise_high", "map_before", "map_after")
"""Columns of what is made up."""


def made_up(da: xr.DataArray, candidate: Candidate, seeds: list[int]) -> xr.Dataset:
    """Return the coherent shares of noise and map around one diffusion."""
    of = hallucination(da, seeds=seeds, **dict(candidate.diffusion or {})).shares
    noise, itself = of["coherent_share_interval"], of["map_coherent_share"]
    after = noise.sel(stage="after", drop=True)
    values = [
        noise.sel(stage="before", estimate="mean", drop=True),
        *(after.sel(estimate=e, drop=True) for e in ("mean", "low", "high")),
        *(itself.sel(stage=s, drop=True) for s in ("before", "after")),
    ]
    return xr.Dataset({k: ((), float(v), {"units": "1"}) for k, v in zip(METER, values, strict=True)})


def by_candidate(
    tried: list[Candidate], found: list[Verdict], meters: xr.Dataset | None, told: Mapping[str, Any]
) -> xr.Dataset:
    """Return the table of `magxr.studies.tuned.Tuned`: gains and meters on ``candidate``."""
    table = _gains(found, "candidate")
    if meters is None:
        table = table.assign({k: ("candidate", np.empty(0), {"units": "1"}) for k in METER})
    else:
        table = table.assign(dict(meters.data_vars))
    text = [json.dumps(dict(c.diffusion or {}), default=lambda v: f"<{type(v).__name__}>") for c in tried]
    table = table.assign(diffuse=("candidate", np.array(text, dtype=object)))
    table = table.assign_coords(candidate=[c.name for c in tried])
    attrs: dict[str, Any] = {"measure": "none", **told}
    attrs["interval"] = "Intervals: 95 %, by redrawing blocks."
    attrs["made_up"] = (
        "share of the area with a coherence above 0.7 in noise with the map's spectrum, and in the map; the "
        f"interval is over {len(told['seeds'])} fields of noise."
    )
    return table.assign_attrs(attrs)


def by_variance(shares: list[float], found: list[Verdict]) -> xr.Dataset:
    """Return the gains of shares of variance, on ``variance``."""
    return _gains(found, "variance").assign_coords(variance=np.array(shares, np.float64))


def _gains(found: list[Verdict], dim: str) -> xr.Dataset:
    columns = {"gain": [v.gain for v in found], "gain_low": [v.low for v in found]}
    columns["gain_high"] = [v.high for v in found]
    if found and np.isfinite(found[0].score[0]):
        for n, end in enumerate(("", "_low", "_high")):
            columns[f"balanced_accuracy{end}"] = [v.score[n] for v in found]
    return xr.Dataset({k: (dim, np.array(v, np.float64), {"units": "1"}) for k, v in columns.items()})

"""The diffusions that the study compares, and the one that the truth would choose.

The paper's sigma, rho and T are in its Table S3, which is not published with the text. Its rule is: sigma
against noise, rho equal to or larger than the texture, smallest for the East Pacific Rise and largest for
Shatsky Rise. "paper" here takes rho as wide as an anomaly, and the time after which a perfect stripe has been
averaged along itself over a standard deviation of one such width.
"""

from __future__ import annotations

from itertools import product
from typing import TYPE_CHECKING, Any

import numpy as np

from magxr.errors import ParameterError
from magxr.steps.diffusion import diffuse

if TYPE_CHECKING:
    import xarray as xr

    from magxr.studies.paper.ground import Ground
    from magxr.synthetic.place import Place

_CYCLES = 5
RHO = (0.25, 0.5, 1.0)
"""Of the search: integration scale in widths of an anomaly."""
REACH = (0.25, 0.5, 1.0, 2.0)
"""Of the search: standard deviation of the mean along a stripe, in widths of an anomaly."""
_SIDE = 500
"""Cells of the piece of each training area that the search diffuses."""


def parameters(
    name: str, place: Place, height: float, found: dict[str, Any] | None = None
) -> dict[str, Any] | None:
    """Return the arguments of `magxr.diffuse`, or None for no diffusion.

    Parameters
    ----------
    name : str
        One of `magxr.studies.paper.settings.DIFFUSIONS`.
    place : Place
        Gives the width of an anomaly.
    height : float
        Of a cell, km.
    found : dict, optional
        What `tune` found, for "tuned".
    """
    if name == "off":
        return None
    if name == "default":
        return {"sigma": 1.0, "rho": 4.0, "steps": 20, "tau": 0.25}
    if name == "paper":
        return _widths(1.0, 1.0, place.width / height)
    if name == "tuned" and found is not None:
        return _widths(found["rho"], found["reach"], place.width / height)
    msg = f"unknown diffusion {name!r}, or one that was not searched for"
    raise ParameterError(msg)


def _widths(rho: float, reach: float, width: float) -> dict[str, Any]:
    """Return arguments from lengths in widths of an anomaly, which is ``width`` cells."""
    time = 0.5 * (reach * width) ** 2
    return {
        "sigma": 1.0,
        "rho": round(max(rho * width, 1.0), 3),
        "time": round(time, 3),
        "scheme": "fed",
        "cycles": _CYCLES,
    }


def tune(areas: list[Ground]) -> dict[str, Any]:
    """Find the diffusion after which the maps of the training areas are nearest to the true field.

    Returns
    -------
    dict
        ``rho`` and ``reach`` in widths of an anomaly, the mean ``correlation`` with the true field,
        ``before`` without diffusion, and all ``tried``. Labels and unseen areas choose nothing.
    """
    ledger = areas[0].ledger
    about = {
        "piece": "tuned",
        "areas": [a.about("tuned") for a in areas],
        "rho": RHO,
        "reach": REACH,
        "side": _SIDE,
        "cycles": _CYCLES,
    }
    return ledger.cell(about, lambda: _searched(areas))


def _searched(areas: list[Ground]) -> dict[str, Any]:
    pieces = [_piece(a) for a in areas]
    before = float(np.mean([_correlation(m.values, clean) for m, clean in pieces]))
    tried = []
    for rho, reach in product(RHO, REACH):
        scores = []
        for area, (anomaly, clean) in zip(areas, pieces, strict=True):
            how = _widths(rho, reach, area.place.width / area.height)
            scores.append(_correlation(diffuse(anomaly, **how).values, clean))
        tried.append({"rho": rho, "reach": reach, "correlation": float(np.mean(scores))})
    best = max(tried, key=lambda t: t["correlation"])
    return {**best, "before": before, "tried": tried}


def _piece(area: Ground) -> tuple[xr.DataArray, Any]:
    from magxr.studies.paper.ground import labelled

    maps = area.gridded()
    rows, cols = (slice((n - min(n, _SIDE)) // 2, (n + min(n, _SIDE)) // 2) for n in maps["denoised"].shape)
    return labelled(maps, "denoised")[rows, cols], maps["clean"][rows, cols]


def _correlation(values: Any, clean: Any) -> float:
    known = np.isfinite(values)
    return float(np.corrcoef(values[known], clean[known])[0, 1])

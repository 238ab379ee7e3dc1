"""Repeat over seeds, and say how far the mean over them can be trusted."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr

from magxr.errors import ParameterError
from magxr.steps.arguments import is_whole

if TYPE_CHECKING:
    from collections.abc import Iterable

LEVEL = 0.95
INTERVAL = "95 % Student t interval of the mean over seeds"


def checked_seeds(seeds: Iterable[int]) -> list[int]:
    """Return the seeds as a list: at least two different whole numbers of at least 0.

    Raises
    ------
    ParameterError
        If they are anything else.
    """
    given: list[Any] = list(seeds) if hasattr(seeds, "__iter__") and not isinstance(seeds, str) else [seeds]
    if len(given) < 2 or len(set(given)) < len(given) or not all(is_whole(s, 0) for s in given):
        rule = "at least two different whole numbers of at least 0, or there is no interval"
        msg = f"seeds={seeds!r} must be {rule}, e.g. seeds=range(5)"
        raise ParameterError(msg)
    return [int(s) for s in given]


def over_seeds(values: xr.DataArray) -> xr.DataArray:
    """Return mean, low and high end of the 95 % interval over ``seed``, along a new dim ``estimate``.

    Parameters
    ----------
    values : xarray.DataArray
        With a dim ``seed``; NaN where a seed gave no answer.

    Returns
    -------
    xarray.DataArray
        ``seed`` replaced by ``estimate`` ("mean", "low", "high"). NaN intervals where fewer than two seeds
        answered.

    Notes
    -----
    Student's t interval: mean ± t(0.975, n - 1) s / sqrt(n). It holds for seeds to come on the same map or
    kind of scene, and says nothing about other maps.
    """
    from scipy.stats import t

    count = values.notnull().sum("seed")
    mean = values.mean("seed")
    with np.errstate(invalid="ignore", divide="ignore"):
        error = values.std("seed", ddof=1) / np.sqrt(count)
        half = xr.where(count > 1, t.ppf(0.5 + 0.5 * LEVEL, (count - 1).clip(min=1)) * error, np.nan)
    ends: xr.DataArray = xr.concat([mean, mean - half, mean + half], dim="estimate")
    ends = ends.assign_coords(estimate=["mean", "low", "high"]).transpose(..., "estimate")
    ends.attrs = {**values.attrs, "interval": INTERVAL}
    return ends

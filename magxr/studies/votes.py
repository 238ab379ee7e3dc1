"""What the two studies of the neighbour vote share: one reading of the probability, and its counts."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from magxr.errors import ParameterError
from magxr.steps.calibrate import calibrate, probability_of
from magxr.steps.percent import percent_linear

if TYPE_CHECKING:
    from collections.abc import Hashable, Iterable, Sequence

    import xarray as xr
    from numpy.typing import NDArray

KEEP = (0.3, 0.7)
MAJORITY = 0.5
CUT = 0.5
NEIGHBOURS = 25
"""The paper's numbers: what `magxr.calibrate` does unless told."""
COUNTED = {
    "percent_linear_cells": ("linear share of the answered predictions", "percent"),
    "percent_linear_area": ("linear share of the area of the answered predictions", "percent"),
    "uncertain_share": ("share of the answers that are still within keep, 0 and 1 aside", "1"),
    "changed_cells": ("predictions whose class is not that of the model's own answer", "1"),
}
"""What `counted` returns, with description and unit."""


def read_once(
    obj: xr.Dataset | xr.DataArray, variable: Hashable | None, rules: Iterable[dict[str, Any]]
) -> tuple[xr.DataArray, dict[str, Any]]:
    """Let `magxr.calibrate` refuse what it cannot use, then read the probability, once.

    Parameters
    ----------
    obj, variable
        As for `magxr.calibrate`.
    rules : iterable of dict
        Every set of arguments that will be used.

    Returns
    -------
    xarray.DataArray
        The probability, in memory.
    dict
        ``model`` and ``stride`` of the predictions, where their attrs tell.
    """
    _, da = probability_of(obj, variable)
    lazy = da.chunk(dict.fromkeys(da.dims, -1))
    for rule in rules:
        calibrate(lazy, **rule)  # the graph is thrown away
    return da.compute(), {k: da.attrs[k] for k in ("model", "stride") if k in da.attrs}


def classes(probability: NDArray[np.float32], cut: float) -> NDArray[np.int8]:
    """Return 1 linear, 0 nonlinear, -1 no answer, as `magxr.calibrate` does."""
    above = (probability > probability.dtype.type(cut)).astype(np.int8)
    return np.where(np.isnan(probability), np.int8(-1), above)


def counted(
    before: xr.DataArray, after: NDArray[np.float32], keep: Sequence[float], cut: float
) -> dict[str, float]:
    """Return what `COUNTED` names.

    Parameters
    ----------
    before : xarray.DataArray
        Probability as predicted.
    after : array of float32, laid out like ``before``
        Probability after the vote.
    keep, cut
        As for `magxr.calibrate`.
    """
    raw = before.values
    low, high = (raw.dtype.type(k) for k in keep)
    answered = int(np.count_nonzero(~np.isnan(raw)))
    # Comparisons with NaN are false: no answer is not uncertain.
    open_still = np.count_nonzero((after >= low) & (after <= high) & (after > 0) & (after < 1))
    found = classes(after, cut)
    linear = before.copy(data=found)
    percents = {f"percent_linear_{w}": float(percent_linear(linear, weights=w)) for w in ("cells", "area")}
    return {
        **percents,
        "uncertain_share": open_still / answered if answered else np.nan,
        "changed_cells": float(np.count_nonzero(found != classes(raw, cut))),
    }


def listed(name: str, values: Any, example: str) -> list[Any]:
    """Return an argument that lists numbers as a list of different ones, at least one.

    Raises
    ------
    ParameterError
        If it is no list, empty, or names a value twice.
    """
    given = list(values) if hasattr(values, "__iter__") and not isinstance(values, (str, dict)) else None
    if not given or any(v in given[:n] for n, v in enumerate(given)):
        msg = f"{name}={values!r} must list at least one value, and none twice, e.g. {example}"
        raise ParameterError(msg)
    return given

"""Which share of the answered cells is linear: the number that a region comes down to."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import xarray as xr

from magxr.chunked.plan import is_chunked
from magxr.errors import ParameterError
from magxr.labelled import canonical, check_labelled, signed
from magxr.steps.calibrate import named
from magxr.steps.cells import chunked_like
from magxr.steps.zones import mask_of

if TYPE_CHECKING:
    from collections.abc import Hashable

    from numpy.typing import NDArray


def percent_linear(
    obj: xr.Dataset | xr.DataArray,
    *,
    weights: Literal["cells", "area"] = "cells",
    where: Any = None,
    variable: Hashable | None = None,
) -> xr.DataArray:
    """Return the percentage of answered cells that are linear.

    Parameters
    ----------
    obj : xarray.Dataset or xarray.DataArray
        Result of `magxr.calibrate` (its variable ``linear``: 1, 0, -1 no answer); numpy or Dask.
    weights : {"cells", "area"}
        Every cell alike (the paper's 86 % and 73 %, presumably), or by its area on the sphere.
    where : mask or polygons, optional
        Count only here, e.g. east of the trenches; as for `magxr.calibrate`.
    variable : hashable, optional
        Name of the classes in a Dataset; default ``linear``.

    Returns
    -------
    xarray.DataArray
        Scalar, float64, percent; NaN if no cell was answered. Lazy if ``obj`` is.

    Raises
    ------
    GridError
        If there is no such variable, or ``where`` does not fit it.
    ParameterError
        If ``weights`` is neither.

    Notes
    -----
    ``100 sum_i w_i l_i / sum_i w_i n_i`` over rows i, with ``l_i`` linear and ``n_i`` answered cells (exact
    integers) and ``w_i`` 1 or ``cos(latitude_i)``: the area of a latitude-longitude cell is
    ``2 R^2 sin(dlat / 2) dlon cos(latitude)``, exactly proportional to it.
    """
    if weights not in ("cells", "area"):
        msg = f"weights is {weights!r}; use 'cells' or 'area'"
        raise ParameterError(msg)
    da = _classes(obj, variable)
    # Classes are int8; the grid is described from floats, where missing cells have a place.
    values, grid, _ = canonical(da.astype(np.float32))
    answered, linear = values >= 0, values > 0
    if where is not None:
        mask = chunked_like(values, mask_of(da.astype(np.float32), grid, where, "where"), "where")
        here = np.nan_to_num(mask) != 0
        answered, linear = answered & here, linear & here
    weight = np.cos(np.radians(grid.latitude)) if weights == "area" else np.ones(grid.shape[0])
    counts = [a.sum(axis=1, dtype=np.int64) for a in (linear, answered)]
    if is_chunked(values):
        import dask.array

        share = dask.array.blockwise(
            _percent,
            "",
            counts[0],
            "i",
            counts[1],
            "i",
            weight=weight,
            dtype=np.float64,
            concatenate=True,
            meta=np.empty((), dtype=np.float64),
        )
    else:
        share = _percent(counts[0], counts[1], weight=weight)
    history = {k: v for k, v in da.attrs.items() if k == "history"}
    told = {"weights": weights, "where": None if where is None else "given"}
    attrs = {"long_name": "linear share of the answered cells", "units": "percent", "weights": weights}
    return xr.DataArray(
        share, name="percent_linear", attrs={**attrs, **signed(history, "percent_linear", told)}
    )


def _percent(
    linear: NDArray[np.int64], answered: NDArray[np.int64], *, weight: NDArray[np.float64]
) -> NDArray[np.float64]:
    # Exactly rounded sums: the same bits in whatever order the machine adds.
    whole = math.fsum(answered * weight)
    return np.asarray(100.0 * math.fsum(linear * weight) / whole if whole > 0 else np.nan)


def _classes(obj: xr.Dataset | xr.DataArray, variable: Hashable | None) -> xr.DataArray:
    check_labelled(obj)
    if isinstance(obj, xr.DataArray):
        return obj
    return named(obj, variable if variable is not None else "linear", "calibrate(...) first")

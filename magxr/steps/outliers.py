"""Step 2 of the workflow: what a map's values are, and Tukey's rule for those that do not belong."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr

from magxr.chunked.fold import fold, on_chunks, then
from magxr.chunked.quantiles import extremes, mean, quartiles
from magxr.errors import GridError, ParameterError
from magxr.labelled import anomaly, apply, canonical
from magxr.steps.arguments import is_number

if TYPE_CHECKING:
    from collections.abc import Hashable

    from numpy.typing import NDArray

    from magxr.geogrid import Grid
    from magxr.labelled import Extras, Labelled, Values


def remove_outliers(obj: Labelled, *, k: float = 1.5, variable: Hashable | None = None) -> Labelled:
    r"""Make cells outside Tukey's fences missing.

    Parameters
    ----------
    obj : xarray.Dataset or xarray.DataArray
        Anomaly on latitude and longitude, float32 or float64, nT, numpy- or Dask-backed.
    k : float
        Fences stand ``k`` interquartile ranges outside the quartiles; greater than 0, ``inf`` keeps all.
    variable : hashable, optional
        Name of the anomaly in a Dataset, where units do not tell.

    Returns
    -------
    Same type as ``obj``
        Outliers are NaN. Scalar coordinates (lazy on lazy input) say where the fences stand:
        ``first_quartile, third_quartile, lower_fence, upper_fence`` (nT) and ``outlier_count``.

    Raises
    ------
    ParameterError
        If ``k`` is not greater than 0.
    GridError
        If the values are all missing, constant or infinite, hold a fill value, or share one value in
        half of all cells. At once for numpy; for Dask when the statistic is computed, before any output.

    Notes
    -----
    Cells outside :math:`[Q_1 - k\,(Q_3 - Q_1),\; Q_3 + k\,(Q_3 - Q_1)]` are removed. The quartiles are
    those of the whole map, exact (`magxr.chunked.quantiles.quantiles`) and so the same whatever the chunks.
    Dask-backed input is read four times (float32; float64 six times): for the quartiles, for the count
    and for the result, so that it never has to stay in memory as a whole.

    References
    ----------
    Tukey, J. W., 1977. Exploratory Data Analysis. Addison-Wesley.
    Ghosh et al., 2026, Sci. Rep. 16, 1185: workflow step 2, with k = 1.5, by study area.
    """
    if not is_number(k, infinite=True) or not k > 0:
        msg = f"k must be greater than 0 interquartile ranges (the paper uses 1.5), got {k!r}"
        raise ParameterError(msg)

    def work(values: Values, _: Grid) -> tuple[Values, Extras]:
        limits = then(_fences, quartiles(values, checked=True), float(k), name="fences", shape=(4,))
        count = then(
            np.float64, fold(values, _count_outside, sum, limits, name="outliers"), name="count", shape=()
        )
        extras: Extras = {
            name: ((), limits[i], {"units": "nT", "long_name": long_name})
            for i, (name, long_name) in enumerate(_LIMITS.items())
        }
        extras["outlier_count"] = ((), count.astype(np.int64), {"long_name": "cells removed as outliers"})
        return on_chunks(values, _keep_inside, limits, name="remove-outliers"), extras

    return apply(obj, work, step="remove_outliers", parameters={"k": k}, variable=variable)


def summary(obj: xr.Dataset | xr.DataArray, *, variable: Hashable | None = None) -> xr.Dataset:
    """Describe the values and the grid: a row of the paper's Table S1.

    Parameters
    ----------
    obj : xarray.Dataset or xarray.DataArray
        Anomaly on latitude and longitude, float32 or float64, nT, numpy- or Dask-backed.
    variable : hashable, optional
        Name of the anomaly in a Dataset, where units do not tell.

    Returns
    -------
    xarray.Dataset of scalars, lazy on lazy input
        ``min, first_quartile, median, third_quartile, max, interquartile_range, mean`` (nT, float64),
        ``valid, missing, infinite`` (numbers of cells), ``latitude_spacing, longitude_spacing``
        (arc minutes), ``south, north, west, east`` (degrees: cell edges of a pixel-registered grid, else
        nodes). ``to_pandas()`` on the computed result prints it as a column.

    Notes
    -----
    Everything is exact and independent of the chunks; the mean is rounded once, at the end. Values that
    other steps refuse (fill values, infinities) are described here, not refused, so that they can be seen.
    """
    da = anomaly(obj, variable)
    values, grid, _ = canonical(da)
    seen, quarter = extremes(values), quartiles(values)
    half = 0.5 if grid.registration == "pixel" else 0.0
    south, west = (start - half * step for start, step in zip(grid.origin, grid.spacing, strict=True))
    reach = [(n - 1 + 2 * half) * step for n, step in zip(grid.shape, grid.spacing, strict=True)]
    rows: dict[str, tuple[Any, str, str]] = {
        "min": (seen[0], "nT", "least value"),
        "first_quartile": (quarter[0], "nT", "first quartile"),
        "median": (quarter[1], "nT", "median"),
        "third_quartile": (quarter[2], "nT", "third quartile"),
        "max": (seen[1], "nT", "greatest value"),
        "interquartile_range": (quarter[2] - quarter[0], "nT", "third minus first quartile"),
        "mean": (mean(values), "nT", "mean"),
        "valid": (seen[2].astype(np.int64), "1", "cells with a value"),
        "missing": (seen[3].astype(np.int64), "1", "cells that are NaN"),
        "infinite": (seen[4].astype(np.int64), "1", "cells that are infinite"),
        "latitude_spacing": (grid.spacing[0] * 60, "arcmin", "distance between rows"),
        "longitude_spacing": (grid.spacing[1] * 60, "arcmin", "distance between columns"),
        "south": (south, "degrees_north", "southern edge"),
        "north": (south + reach[0], "degrees_north", "northern edge"),
        "west": (west, "degrees_east", "western edge"),
        "east": (west + reach[1], "degrees_east", "eastern edge"),
    }
    fields = {
        name: ((), value, {"units": units, "long_name": long_name})
        for name, (value, units, long_name) in rows.items()
    }
    return xr.Dataset(fields, attrs={"anomaly": str(da.name), "registration": grid.registration})


_LIMITS = {
    "first_quartile": "first quartile before outliers were removed",
    "third_quartile": "third quartile before outliers were removed",
    "lower_fence": "Tukey fence: lesser values were removed",
    "upper_fence": "Tukey fence: greater values were removed",
}


def _fences(quarter: NDArray[np.float64], k: float) -> NDArray[np.float64]:
    first, middle, third = quarter
    if np.isinf(k):
        return np.array([first, third, -np.inf, np.inf])
    if first == third:
        msg = (
            f"half of all cells or more hold one value, {middle:g} nT, so Tukey's fences would remove all "
            f"others; if it stands for missing cells mask it with .where(anomaly != {middle:g})"
        )
        raise GridError(msg)
    reach = k * (third - first)
    return np.array([first, third, first - reach, third + reach])


def _outside(block: NDArray[Any], limits: NDArray[np.float64]) -> NDArray[np.bool_]:
    # NaN compares false with everything, so missing cells are not counted as outliers.
    outside: NDArray[np.bool_] = (block < limits[2]) | (block > limits[3])
    return outside


def _count_outside(block: NDArray[Any], limits: NDArray[np.float64]) -> int:
    return int(_outside(block, limits).sum())


def _keep_inside(block: NDArray[Any], limits: NDArray[np.float64]) -> NDArray[Any]:
    return np.where(_outside(block, limits), block.dtype.type(np.nan), block)

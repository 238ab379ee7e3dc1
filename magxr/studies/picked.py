"""Hold a map of answers against published picks, places where people identified lineations."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from magxr.errors import GridError, ParameterError
from magxr.labelled import canonical
from magxr.steps.arguments import is_whole

if TYPE_CHECKING:
    import xarray as xr
    from numpy.typing import NDArray

    from magxr.geogrid import Grid

    Mask = NDArray[np.bool_]

NO_ANSWER = -1


def pick_recall(
    result: xr.Dataset,
    picks: NDArray[np.floating[Any]],
    *,
    land: xr.DataArray | None = None,
    draws: int = 1000,
    seed: int = 0,
) -> dict[str, float | int | None]:
    """Compare where anomalies are called linear with where published picks lie.

    Parameters
    ----------
    result : xarray.Dataset
        Of `magxr.calibrate`: ``linear`` is 1, 0 or -1 (no answer). It is computed.
    picks : ndarray of float, shape (n, 2)
        Longitude and latitude, degrees; see `magxr.io.picks.picks`.
    land : xarray.DataArray of bool, optional
        Which cells of ``result`` are land. Random points avoid it.
    draws : int
        Random sets of points, each as many as there are picks with an answer.
    seed : int
        Of the random sets.

    Returns
    -------
    dict
        ``picks`` inside the map, ``answered``: how many of those have an answer, ``recall``: the share of
        these called linear, ``null``, ``null_low``, ``null_high``: the same of random points, mean and 95 %
        range over ``draws``; ``linear``: share of all answered cells that are called linear, ``on_land``:
        that of land, ``no_answer``: share of all cells without one. None where there is nothing to count.

    Raises
    ------
    ParameterError
        If an argument is out of range or ``land`` does not lie on the cells of ``result``.
    GridError
        If ``result`` has no ``linear``.

    Notes
    -----
    Every random point lies as far from the nearest cell without an answer as the pick that it stands for, to
    a cell: picks crowd where maps end (ridges, trenches, edges), and a model that calls whatever lies there
    linear must not win by it. Recall says nothing without the null, and little with few picks: neighbouring
    picks are not independent, and where nobody picked there may still be stripes.
    """
    if "linear" not in result:
        msg = f"the result has no variable 'linear' (it has {sorted(map(str, result))}); run calibrate first"
        raise GridError(msg)
    points = np.asarray(picks, dtype=np.float64)
    if points.ndim != 2 or points.shape[1] != 2:
        msg = f"picks have the shape {points.shape}; they must be (n, 2): longitude and latitude"
        raise ParameterError(msg)
    if not is_whole(draws, 1):
        msg = f"draws is {draws!r}; it must be a whole number, at least 1"
        raise ParameterError(msg)
    answers, dry = _arrays(result["linear"].compute(), land)
    rows, columns = _cells(result["linear"], points)
    answered = answers != NO_ANSWER
    known = answered[rows, columns]
    rows, columns = rows[known], columns[known]
    found: dict[str, float | int | None] = {
        "picks": int(known.size),
        "answered": int(known.sum()),
        "recall": _share(answers[rows, columns] == 1),
        "null": None,
        "null_low": None,
        "null_high": None,
        "linear": _share(answers[answered] == 1),
        "on_land": _share(answers[answered & dry] == 1),
        "no_answer": float(np.mean(~answered)),
    }
    chance = _null(answers, answered & ~dry, _depth(answered), (rows, columns), draws, seed)
    if chance.size:
        low, high = np.quantile(chance, [0.025, 0.975])
        found |= {"null": float(chance.mean()), "null_low": float(low), "null_high": float(high)}
    return found


def _share(cells: NDArray[np.bool_]) -> float | None:
    return float(cells.mean()) if cells.size else None


def _arrays(linear: xr.DataArray, land: xr.DataArray | None) -> tuple[NDArray[Any], Mask]:
    """Return answers and land, south-west first."""
    answers = _canonical(linear)[0]
    if land is None:
        return answers, np.zeros(answers.shape, dtype=bool)
    if land.dtype != bool or land.sizes != linear.sizes:
        msg = (
            f"land is {land.dtype} of {dict(land.sizes)}; it must be bool on the cells of the result, "
            f"{dict(linear.sizes)}"
        )
        raise ParameterError(msg)
    return answers, _canonical(land.transpose(*linear.dims))[0] > 0


def _canonical(classes: xr.DataArray) -> tuple[NDArray[Any], Grid]:
    """Return classes as floats, which maps are, south-west first, and their grid."""
    values, grid, _ = canonical(classes.astype(np.float32))
    return np.asarray(values), grid


def _cells(linear: xr.DataArray, points: NDArray[np.float64]) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Return row and column, from the south-west, of the cells in which points lie; others are left out."""
    _, grid = _canonical(linear)
    north, east = grid.shape
    row = np.rint((points[:, 1] - grid.origin[0]) / grid.spacing[0])
    # whichever turn of the globe brings the point nearest to the map's middle
    middle = grid.origin[1] + 0.5 * (east - 1) * grid.spacing[1]
    longitude = middle + (points[:, 0] - middle + 180.0) % 360.0 - 180.0
    column = np.rint((longitude - grid.origin[1]) / grid.spacing[1])
    inside = (row >= 0) & (row < north) & (column >= 0) & (column < east)
    return row[inside].astype(np.intp), column[inside].astype(np.intp)


def _depth(answered: Mask) -> NDArray[np.intp]:
    """Return how many cells away the nearest one without an answer is; the map's outside has none."""
    from scipy.ndimage import distance_transform_edt

    far = distance_transform_edt(np.pad(answered, 1))[1:-1, 1:-1]
    depth: NDArray[np.intp] = np.rint(far).astype(np.intp)
    return depth


def _null(
    answers: NDArray[Any],
    allowed: Mask,
    depth: NDArray[np.intp],
    places: tuple[NDArray[np.intp], NDArray[np.intp]],
    draws: int,
    seed: int,
) -> NDArray[np.float64]:
    """Return the share called linear of each random set; empty where there is no pick."""
    rng = np.random.default_rng(seed)
    called = np.zeros(draws)
    count = 0
    depths, many = np.unique(depth[places], return_counts=True)
    for wanted, number in zip(depths, many, strict=True):
        pool = (answers[allowed & (np.abs(depth - wanted) <= 1)] == 1).astype(np.float64)
        if pool.size:
            called += rng.choice(pool, (draws, int(number))).sum(axis=1)
            count += int(number)
    return called / count if count else np.zeros(0)

"""Step 9, second half: let neighbours settle what the model left open."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, get_args

import numpy as np
import xarray as xr

from magxr.chunked.halo import map_halo
from magxr.errors import GridError, ParameterError
from magxr.geogrid import NT_UNITS, describe
from magxr.kernels.votes import Ties, To, vote
from magxr.labelled import check_labelled, derive
from magxr.steps.arguments import is_number, is_whole
from magxr.steps.cells import chunked_like
from magxr.steps.zones import mask_of, sides_of

if TYPE_CHECKING:
    from collections.abc import Hashable

    from numpy.typing import NDArray

    from magxr.geogrid import Grid

Values = Any
"""A 2-D numpy or Dask array."""


def calibrate(
    obj: xr.Dataset | xr.DataArray,
    *,
    neighbours: int = 25,
    keep: tuple[float, float] = (0.3, 0.7),
    majority: float = 0.5,
    cut: float = 0.5,
    to: To = "certain",
    ties: Ties = "keep",
    where: Any = None,
    barrier: Any = None,
    variable: Hashable | None = None,
) -> xr.Dataset:
    """Adjust uncertain predictions to what most of their neighbours say.

    A prediction p with ``keep[0] <= p <= keep[1]`` is uncertain. Of the answers in the
    ``neighbours x neighbours`` predictions around it (itself included; at edges and holes, of those that
    exist) let a be the share above ``cut`` and b the share below it. If ``a >= majority`` the prediction
    goes to the maximum, if ``b >= majority`` to the minimum. Every other prediction stays.

    Parameters
    ----------
    obj : xarray.Dataset or xarray.DataArray
        Result of `magxr.classify`; numpy or Dask.
    neighbours : int
        Side of the neighbourhood, predictions; odd, at least 1.
    keep : (float, float)
        Predictions below the first or above the second are certain and stay.
    majority : float
        Share of the answers that decides, over 0 and up to 1.
    cut : float
        Probability that separates linear from nonlinear, for the vote and for ``linear``.
    to : {"certain", "extreme"}
        What "maximum" and "minimum" mean: 1 and 0 (the paper's text), or the largest and the smallest answer
        among the neighbours (its Fig. 8c4).
    ties : {"keep", "linear", "nonlinear"}
        Where a and b both reach ``majority`` (at 0.5: exactly as many above as below): the prediction stays,
        becomes the maximum (the paper's rules read in their order), or the minimum. Where neither reaches
        it (answers equal to ``cut``, or a larger ``majority``), the prediction stays in any case.
    where : mask or polygons, optional
        Change predictions only here: DataArray or array on the prediction grid, GeoJSON, shapely, or a path
        to GeoJSON. Cells outside still vote; to keep them from it use ``barrier``.
    barrier : label raster or polygons, optional
        Nobody votes across: only neighbours with the cell's own label, or inside the same polygons.
    variable : hashable, optional
        Name of the probability in a Dataset; default ``linear_probability``.

    Returns
    -------
    xarray.Dataset
        ``obj`` with ``calibrated_probability`` (float32, NaN = no answer) and ``linear`` (int8: 1 where the
        calibrated probability is above ``cut``, else 0; -1 no answer). Lazy if ``obj`` is.

    Raises
    ------
    ParameterError
        If an argument is out of range.
    GridError
        If there is no probability, or ``where`` or ``barrier`` do not fit it. When computed: if a value does
        not lie within 0 and 1.
    ChunkError
        If a chunk is smaller than ``neighbours // 2``.

    Notes
    -----
    Counts are exact integers, so chunked equals whole bit for bit. The time does not depend on
    ``neighbours``; with a ``barrier`` it grows with the logarithm of an area's width, not with the number of
    areas. The name is the paper's; in the statistician's sense this is a vote, not a calibration.

    References
    ----------
    Ghosh et al. (2026), "Aggregating and calibrating final predictions" and "User-defined parameters for
    calibrated predictions" (3, 5, 11, 17, 21 neighbours; no calibration west of the trenches).
    """
    name, da = probability_of(obj, variable)
    _check(neighbours, keep, majority, cut, to, ties)
    told = {"neighbours": neighbours, "keep": list(keep), "majority": majority, "cut": cut, "to": to}
    told |= {"ties": ties, "where": None if where is None else "given"}
    told |= {"barrier": None if barrier is None else "given"}
    grid, _ = describe(da)
    if grid.wraps and neighbours > grid.shape[1]:
        msg = f"neighbours is {neighbours}, but only {grid.shape[1]} predictions go round; use fewer"
        raise ParameterError(msg)
    others = {}
    if where is not None:
        others["where"] = mask_of(da, grid, where, "where")
    if barrier is not None:
        others["sides"] = sides_of(da, grid, barrier, "barrier")

    def work(values: Values, grid: Grid) -> dict[str, Values]:
        settled = map_halo(
            _settled,
            values,
            *(chunked_like(values, o, k) for k, o in others.items()),
            depth=(neighbours // 2, neighbours // 2),
            wrap=grid.wraps,
            step="calibrate",
            names=tuple(others),
            neighbours=int(neighbours),
            keep=(float(keep[0]), float(keep[1])),
            majority=float(majority),
            cut=float(cut),
            to=to,
            ties=ties,
        )
        linear = np.where(np.isnan(settled), np.int8(-1), (settled > settled.dtype.type(cut)).astype(np.int8))
        return {"calibrated_probability": settled, "linear": linear}

    own = {k: v for k, v in told.items() if v is not None} | {"registration": "pixel"}
    attrs = {
        "calibrated_probability": {"long_name": "probability after the neighbour vote", **own},
        "linear": {
            "long_name": "linear anomalies",
            "flag_values": [-1, 0, 1],
            "flag_meanings": "no_answer nonlinear linear",
            "registration": "pixel",
            "cut": cut,
        },
    }
    added = derive(da, work, attrs=attrs, step="calibrate", parameters=told)
    base = obj if isinstance(obj, xr.Dataset) else da.to_dataset(name=name)
    return base.assign(added.data_vars)


def _settled(
    probability: NDArray[np.float32], *others: Any, names: tuple[str, ...], **rule: Any
) -> NDArray[np.float32]:
    # Comparisons with NaN are false: no answer is fine.
    beyond = probability[(probability < 0) | (probability > 1)]
    if beyond.size:
        fix = "give the result of classify(...)"
        msg = f"the map holds {beyond[0]:g}; probabilities must lie within 0 and 1: {fix}"
        raise GridError(msg)
    return vote(probability, **rule, **dict(zip(names, others, strict=True)))


def probability_of(
    obj: xr.Dataset | xr.DataArray, variable: Hashable | None
) -> tuple[Hashable, xr.DataArray]:
    """Return the name and the map of the probability in what `calibrate` is given."""
    name: Hashable = variable if variable is not None else "linear_probability"
    check_labelled(obj)
    if isinstance(obj, xr.DataArray):
        if str(obj.attrs.get("units", "")).strip().lower() in NT_UNITS:
            msg = f"{obj.name!r} is an anomaly in nT, not a probability; classify(...) first"
            raise GridError(msg)
        return obj.name if obj.name is not None else name, obj
    return name, named(obj, name, "classify(...) first, or name the probability with variable='...'")


def named(ds: xr.Dataset, name: Hashable, fix: str) -> xr.DataArray:
    """Return a variable of a dataset, or say what would make it."""
    if name not in ds.data_vars:
        msg = f"no variable {str(name)!r} in the dataset, which has {sorted(map(str, ds.data_vars))}; {fix}"
        raise GridError(msg)
    return ds[name]


def _check(
    neighbours: int, keep: tuple[float, float], majority: float, cut: float, to: str, ties: str
) -> None:
    if not is_whole(neighbours, 1) or neighbours % 2 == 0:
        msg = f"neighbours is {neighbours!r}; the box is centred on a cell, so it must be odd and at least 1"
        raise ParameterError(msg)
    pair = isinstance(keep, (tuple, list)) and len(keep) == 2 and all(is_number(p) for p in keep)
    if not pair or not 0.0 <= keep[0] <= keep[1] <= 1.0:
        msg = f"keep is {keep!r}; it must be two probabilities, 0 <= first <= second <= 1, e.g. (0.3, 0.7)"
        raise ParameterError(msg)
    if not is_number(majority) or not 0.0 < majority <= 1.0:
        msg = f"majority is {majority!r}; it is a share of the votes, over 0 and at most 1"
        raise ParameterError(msg)
    if not is_number(cut) or not 0.0 <= cut <= 1.0:
        msg = f"cut is {cut!r}; it is a probability, from 0 to 1"
        raise ParameterError(msg)
    for name, value, known in (("to", to, get_args(To)), ("ties", ties, get_args(Ties))):
        if value not in known:
            msg = f"{name} is {value!r}; use one of {', '.join(map(repr, known))}"
            raise ParameterError(msg)

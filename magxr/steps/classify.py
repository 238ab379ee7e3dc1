"""Step 9, first half: slide a window over the map and ask a model how linear each one is."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from magxr.chunked.blocks import map_regions
from magxr.chunked.quantiles import check_some
from magxr.errors import ModelError, ParameterError
from magxr.kernels.windows import Centres, centres
from magxr.labelled import anomaly, canonical, on_grid
from magxr.steps.arguments import is_number
from magxr.steps.cells import filled
from magxr.steps.cutting import check_window, need_xbatcher
from magxr.steps.doubts import DOUBTS, check_doubt
from magxr.steps.modes import Mode, dense_of, rechecked
from magxr.steps.predictor import Predictor, predictor_of, verify_spacing
from magxr.steps.sweep import jobs_of, probability_task, share_task

if TYPE_CHECKING:
    from collections.abc import Hashable
    from pathlib import Path

    import xarray as xr

    from magxr.geogrid import Grid


def classify(
    obj: xr.Dataset | xr.DataArray,
    *,
    model: str | Path | Predictor | Any = "default",
    mode: Mode = "windows",
    stride: int = 10,
    size: int | None = None,
    max_missing: float = 0.2,
    edges: Literal["none", "pad"] = "none",
    batch: int | None = None,
    doubt: bool = False,
    uncertain: tuple[float, float] = (0.3, 0.7),
    check_spacing: bool | Literal["warn"] = True,
    variable: Hashable | None = None,
) -> xr.Dataset:
    """Give the probability that the anomalies are linear, on a grid of window centres.

    Parameters
    ----------
    obj : xarray.Dataset or xarray.DataArray
        Anomaly, nT, on latitude and longitude; numpy or Dask. A 2-D coordinate ``filled`` (1: the cell was
        interpolated), as `magxr.grid` attaches, counts towards ``max_missing``.
    model : str, path or Predictor
        A model of the package by name, a trained head by path, a loaded spec, or any `Predictor`.
    mode : {"windows", "dense", "auto"}
        "windows": the model reads every window by itself. "dense": its trunk runs once over the whole map,
        and its head for this form reads crops of what comes out; hundreds of times less work, and answers of
        its own, for these windows are not scaled one by one and have no edges. "auto": dense, then windows
        where the dense answer lies in the band ``uncertain``.
    stride : int
        Cells from one window to the next. A prediction stands for the central ``stride x stride`` cells of
        its window, so window minus stride must be even. In the dense form a multiple of 8.
    size : int, optional
        Side of the window, cells; only checked, since the model fixes it.
    max_missing : float
        Largest share, 0 to 1, of a window's cells that may be missing or filled; above it, no answer.
    edges : {"none", "pad"}
        Nearer to the map's edge than half a window: no answer, or windows whose outer part is mirrored
        (mirrored cells count neither as missing nor as present).
    batch : int, optional
        Windows of one call of the network; default the model's. The dense form has none.
    doubt : bool
        Tell how sure the model is, too, where it was trained to know (the default model was). Not in the
        dense form.
    uncertain : (float, float)
        Dense probabilities, both ends counted, for which ``mode="auto"`` asks the window form.
    check_spacing : bool or "warn"
        Whether a map whose spacing the model was not trained for is an error, a warning, or accepted.
    variable : hashable, optional
        Name of the anomaly in a Dataset, where units do not tell.

    Returns
    -------
    xarray.Dataset
        On cells of ``stride x stride`` input cells, in the input's dim order and directions; lazy if
        ``obj`` is:

        - ``linear_probability`` (float32, 0 to 1, NaN = no answer);
        - ``missing_share`` (float32, 0 to 1, NaN where the window does not fit into the map);
        - with ``doubt``: ``spread`` (float32, standard deviation of the probability over the members of the
          model's ensemble); ``prediction_set`` (int8: the classes that cannot be ruled out at the level in
          the model's card, 0 nonlinear, 1 linear, 2 both, 3 neither, -1 no answer); ``novelty`` (float32,
          distance from the training windows, relative to that of the hundredth farthest of them: above 1
          the window is unlike anything the model knows);
        - in mode "auto" the scalar coordinate ``recomputed`` (0 to 1): the share of the answered windows that
          were asked again.

    Raises
    ------
    ParameterError, GridError
        If an argument is out of range or the map is smaller than a window, or is in memory and has no data
        at all, or the mode does not go with another argument. When computed: if the map holds fill values.
    ModelError
        If the model expects another spacing or window, ``doubt`` is asked of one that has none, or the dense
        form of one without a trunk that has one, or without a head for it.

    Notes
    -----
    Windows start at multiples of the stride from the south-western corner; a position is kept if its centre
    lies in the map. Where longitude goes round the globe windows go round too, at multiples of the stride
    from longitude 0, so that a rolled map gives the rolled result.

    A Dask task makes one block of predictions: it cuts the cells it needs out of the chunks it touches and,
    from memory, the windows that have an answer, as xbatcher plans them. It calls the network by batches,
    and makes the next batch meanwhile. Windows are the same whatever the chunking; a network's last digits
    may depend on the batch (about 1e-7).

    In the dense form tiles of the map are scaled by extremes that vary slowly (`magxr.kernels.localscale`)
    and pass the trunk once, with strides after 8 pixels taken as dilation (`magxr.models.trunks.atrous`).
    What a head reads of a window is the crop of cells that begins where the window does. Beyond the map there
    is nothing, as in a hole. Tiles read their neighbours' cells, so the result does not depend on the
    chunking (within 1e-5, rounding of float32).

    References
    ----------
    Ghosh et al. (2026), "Aggregating and calibrating final predictions": 250 x 250 windows, stride 10,
    prediction on the central 10 x 10 cells.
    """
    da = anomaly(obj, variable)
    values, grid, layout = canonical(da)
    predictor = predictor_of(model, batch)
    _check(grid, predictor, stride, size, max_missing, edges)
    verify_spacing(grid, predictor, check_spacing)
    need_xbatcher("classifying windows")
    check_some(values, da.name)
    rows = centres(grid.shape[0], predictor.window, stride)
    columns = centres(grid.shape[1], predictor.window, stride, wrap=grid.wraps, anchor=grid.column0)
    dense = dense_of(predictor, mode, stride=stride, edges=edges, doubt=doubt, uncertain=uncertain)
    check_doubt(predictor, doubt)
    many = {} if dense is None else {"most": MOST_ANSWERS}
    jobs, chunks = jobs_of(values, grid, rows, columns, pad=edges == "pad", **many)
    mask = filled(da)
    arrays = [values] if mask is None else [values, mask]
    share = map_regions(share_task, arrays, jobs, chunks=chunks, dtype=np.float32, step="missing")
    size_of_batch, again = int(batch or predictor.batch), None
    if dense is None:
        answers = len(DOUBTS) + 1 if doubt else 0
        said = map_regions(
            probability_task,
            arrays,
            {(0, *place): job for place, job in jobs.items()} if doubt else jobs,
            chunks=((answers,), *chunks) if doubt else chunks,
            dtype=np.float32,
            step="classify",
            predictor=predictor,
            batch=size_of_batch,
            max_missing=float(max_missing),
            answers=answers,
        )
    else:
        from magxr.steps.dense import answered

        said = answered(
            dense, arrays, jobs, chunks, (rows, columns), wraps=grid.wraps, max_missing=float(max_missing)
        )
        if mode == "auto":
            said, again = rechecked(
                said, predictor, arrays, jobs, chunks, uncertain=uncertain, batch=size_of_batch
            )
    probability = said[0] if doubt else said
    told = {
        "model": str(getattr(predictor, "name", None) or type(predictor).__name__),
        "sha256": getattr(predictor, "sha256", None),
        "window": predictor.window,
        "stride": stride,
        "max_missing": max_missing,
        "edges": edges,
        "mode": None if mode == "windows" else mode,
        "dense_sha256": None if dense is None else dense.spec.dense_head()[1],
        "uncertain": list(uncertain) if mode == "auto" else None,
    }
    own = {k: v for k, v in told.items() if v is not None} | {"registration": "pixel"}
    history = {k: v for k, v in da.attrs.items() if k == "history"}
    fields = {
        "linear_probability": (
            probability,
            {"long_name": "probability that anomalies are linear", **own, **history},
        ),
        "missing_share": (
            share,
            {"long_name": "share of missing or interpolated cells of the window", **own, **history},
        ),
    }
    if doubt:
        told["doubt"] = True
        fields |= {
            name: (said[place], {**about, **own, **history})
            for place, (name, about) in enumerate(DOUBTS.items(), 1)
        }
    found = on_grid(da, layout, centre_grid(grid, rows, columns), fields, step="classify", parameters=told)
    if doubt:
        found["prediction_set"] = found["prediction_set"].fillna(-1).astype(np.int8, keep_attrs=True)
    if again is not None:
        what = {"long_name": "share of the answered windows that the window form was asked for", "units": "1"}
        found = found.assign_coords(recomputed=((), again, what))
    return found


MOST_ANSWERS = 128
"""Side of an output chunk in the dense form, predictions: at stride 8 those of one tile."""


def _check(
    grid: Grid,
    predictor: Predictor,
    stride: int,
    size: int | None,
    max_missing: float,
    edges: str,
) -> None:
    if size is not None and size != predictor.window:
        fix = "leave size out, or train a model of that size"
        msg = f"size is {size!r}, but the model reads windows of {predictor.window} cells; {fix}"
        raise ModelError(msg)
    check_centres(grid, predictor.window, stride)
    check_share(max_missing)
    if edges not in ("none", "pad"):
        msg = f"edges is {edges!r}; use 'none' (no answer near the edge) or 'pad' (mirrored)"
        raise ParameterError(msg)


def check_centres(grid: Grid, size: int, stride: int) -> None:
    """Refuse windows that do not fit the map or have no central ``stride x stride`` cells."""
    check_window(grid, size, stride)
    if (size - stride) % 2:
        near = [s for s in (stride - 1, stride + 1) if 1 <= s <= size]
        msg = (
            f"a window of {size} has no central {stride} x {stride} cells: window minus stride "
            f"is odd; use stride {' or '.join(map(str, near))}"
        )
        raise ParameterError(msg)


def check_share(max_missing: Any) -> None:
    """Refuse what is no share of missing cells."""
    if not is_number(max_missing) or not 0.0 <= max_missing <= 1.0:
        msg = f"max_missing is {max_missing!r}; it is a share of a window's cells, from 0 to 1"
        raise ParameterError(msg)


def centre_grid(grid: Grid, rows: Centres, columns: Centres) -> Grid:
    """Return the grid of predictions: cells of stride x stride input cells around the windows' centres."""
    origin = [
        start + spacing * (axis.first + axis.middle + (axis.stride - 1) / 2)
        for start, spacing, axis in zip(grid.origin, grid.spacing, (rows, columns), strict=True)
    ]
    spacing = (grid.spacing[0] * rows.stride, grid.spacing[1] * columns.stride)
    new = grid.resized((rows.count, columns.count), (origin[0], origin[1]), spacing)
    # Whatever the input's values stood for, a prediction stands for the cells around its centre.
    return replace(new, registration="pixel")

"""Features of labelled windows from the dense map of their region: one pass serves every label."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from magxr.chunked.blocks import Job, Jobs, map_regions, reach
from magxr.chunked.quantiles import check_some
from magxr.errors import GridError, ModelError
from magxr.labelled import anomaly, canonical
from magxr.models import engine
from magxr.models.backbones import EMBEDDED
from magxr.models.dense import dense_trunk
from magxr.models.dense_answers import crop_features, extent
from magxr.models.features import Features, InMemory, Recipe
from magxr.models.kinds import kind_of
from magxr.models.origin import LOCAL
from magxr.models.trunks.atrous import CELL
from magxr.steps.dense_cells import Lattice, dense_cells

if TYPE_CHECKING:
    from collections.abc import Hashable
    from pathlib import Path

    import xarray as xr
    from numpy.typing import ArrayLike, NDArray

    from magxr.models.dense import DenseTrunk


def dense_features(
    obj: xr.Dataset | xr.DataArray,
    places: ArrayLike,
    *,
    window: int = 250,
    trunk: str = EMBEDDED,
    trunk_weights: str | Path | None = None,
    kind: str = "pooled",
    variable: Hashable | None = None,
) -> Features:
    """Compute the features that a head for the dense form learns from. Computes, as `plot` does.

    Parameters
    ----------
    obj : xarray.Dataset or xarray.DataArray
        Anomaly, nT, on latitude and longitude; numpy or Dask.
    places : array_like of int, shape (n, 2)
        First row and first column of every window, south-west first, as ``start_row`` and ``start_column`` of
        `magxr.windows`. A window is read from the nearest cell of the dense map, at most 4 pixels off.
    window : int
        Side of the windows, pixels.
    trunk, trunk_weights : str, str or Path
        See `magxr.models.worker.features`; the trunk must have a dense form.
    kind : {"pooled", "flat"}
        For a pooled head or a dense one.
    variable : hashable, optional
        Name of the anomaly in a Dataset, where units do not tell.

    Returns
    -------
    magxr.models.features.Features
        Of every window, float32, in their order; `magxr.models.train.train` makes a head for the dense form
        of them.

    Raises
    ------
    GridError
        If there are no windows, or one does not lie in the map (windows that go round the globe neither).
    ModelError
        If the trunk has no dense form, its weights are missing, or there is no such kind.

    Notes
    -----
    The work is that of one pass over the map, however many windows there are and however much they overlap.
    """
    da = anomaly(obj, variable)
    values, grid, _ = canonical(da)
    if kind not in ("pooled", "flat"):
        msg = f"kind={kind!r}; features of the dense form are 'pooled' or 'flat'"
        raise ModelError(msg)
    chosen = dense_trunk(trunk, trunk_weights)
    first = _cells(np.asarray(places), grid.shape, window)
    engine.check_installed()
    check_some(values, da.name)
    side = extent(chosen, window, kind)
    axes = tuple(
        Lattice(CELL * int(own.min()), int(np.ptp(own)) + side, pixels)
        for own, pixels in zip(first.T, grid.shape, strict=True)
    )
    cells = dense_cells(values, (axes[0], axes[1]), chosen, window)
    jobs: Jobs = {}
    for number, (row, column) in enumerate(first - first.min(axis=0)):
        across, along = (
            reach(int(a), int(a) + side, axis.count, "refuse")
            for a, axis in zip((row, column), axes, strict=True)
        )
        jobs[number, 0] = Job(across, along, {})
    length = chosen.channels[1] * (2 if kind == "pooled" else len(range(0, side, chosen.plan.every)) ** 2)
    found = map_regions(
        _crop, [cells], jobs, chunks=((1,) * len(first), (length,)), dtype=np.float32, step="dense-features",
        trunk=chosen, window=window, kind=kind,
    )  # fmt: skip
    kept = np.asarray(found)
    made = Recipe(
        trunk, chosen.sha256, kind, kind_of(kind).version, window, normalisation=LOCAL,
        trunk_weights=chosen.weights,
    )  # fmt: skip
    place = np.column_stack([np.zeros(len(kept), np.int64), np.arange(len(kept))])
    return Features(made, [InMemory(kept)], place, kept.shape[1], kept.dtype, computed=len(kept))


def _cells(places: NDArray[Any], shape: tuple[int, int], window: int) -> NDArray[np.int64]:
    """Return the cells at which windows begin."""
    if places.ndim != 2 or places.shape[1] != 2 or len(places) == 0 or places.dtype.kind not in "iu":
        msg = f"places are {places.dtype} of shape {places.shape}; give first row and column of each window"
        raise GridError(msg)
    last = np.array(shape) - window
    outside = np.flatnonzero(((places < 0) | (places > last)).any(axis=1))
    if outside.size:
        row, column = places[outside[0]].tolist()
        msg = (
            f"the window of {window} cells at row {row} and column {column} does not lie in the map of "
            f"{shape[0]} x {shape[1]}; leave it out"
        )
        raise GridError(msg)
    nearest: NDArray[np.int64] = np.minimum((places + CELL // 2) // CELL, last // CELL).astype(np.int64)
    return nearest


def _crop(cells: NDArray[np.float32], *, trunk: DenseTrunk, window: int, kind: str) -> NDArray[np.float32]:
    return crop_features(trunk, cells, [(0, 0)], window, kind)

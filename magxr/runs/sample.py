"""Run a small piece of a map through every stage and time it: what an estimate is made from."""

from __future__ import annotations

import math
import statistics
import tempfile
import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from scipy.ndimage import uniform_filter

from magxr.io import store
from magxr.labelled import anomaly, canonical
from magxr.runs import method
from magxr.runs.block import make_block, opened
from magxr.runs.blocks import laid_out, numbers, ready
from magxr.runs.ledger import Ledger
from magxr.runs.planning import named, planned
from magxr.runs.stages import MAPS, OUT, stages
from magxr.steps.respacing import both_ways

if TYPE_CHECKING:
    import xarray as xr

    from magxr.models.spec import ModelSpec
    from magxr.runs.config import RunConfig
    from magxr.runs.stages import Plan, Stage

SIDE = 640
"""Side of the piece, cells of the working grid; never less than holds a few windows."""
WINDOWS = 13
"""Windows along a side of the piece, enough for what a block costs by itself not to count."""
NETWORK_WINDOWS = 5
"""The same for a network, of which one window takes tenths of a second."""
REPEATS = 3
"""Times that a stage of the piece is timed."""
LONG = 2.0
"""Seconds after which a stage is not timed once more."""


@dataclass(frozen=True, slots=True)
class Sample:
    """What a piece of the map took."""

    source: tuple[int, ...]
    """Cells that were read."""
    cells: tuple[int, int]
    """Cells of the working grid."""
    windows: int
    """Windows that were answered."""
    seconds: dict[str, float]
    """Of one core, by stage: reading, computing, writing and signing."""
    shared: dict[str, float]
    """Of finding global statistics, by stage."""
    stored: float
    """Bytes on disk of all stores, for each cell of the working grid."""
    plan: Plan
    """How the piece was cut: in one block, but for what is always cut finer."""


def sample(config: RunConfig, spec: ModelSpec, source: xr.Dataset, share: np.ndarray) -> Sample:
    """Take a piece of the map that has as many gaps as others, and run all stages on it, in this thread.

    Parameters
    ----------
    config : RunConfig
    spec : ModelSpec
    source : xarray.Dataset
    share : ndarray of float, shape (rows, columns)
        How much of each part of the source has values.

    Returns
    -------
    Sample
    """
    piece = _piece(config, spec, source, share)
    rows, columns = (n for n in anomaly(piece).shape)
    stride = _stride(spec.window, NETWORK_WINDOWS if spec.network else WINDOWS)
    with tempfile.TemporaryDirectory(prefix="magxr-estimate-") as folder:
        small = replace(
            config, out=Path(folder) / "sample.zarr", chunk=10**6, stride=stride, neighbours=1, bounds=None,
            max_latitude=None, scheduler="sync", engine="blocks", resume=False,
        )  # fmt: skip
        plan, templates = planned(small, spec, piece, method.prepared(piece, small), Path(folder))
        plan = named(plan, {"piece": [rows, columns]})
        ledger = Ledger(plan.folder)
        (plan.folder / "ledger").mkdir()
        laid_out(plan, piece, templates, ledger)
        seconds: dict[str, float] = {}
        shared: dict[str, float] = {}
        for stage in stages(plan):
            took = ready(plan, stage, ledger)
            shared[stage.name] = max(0.0, took - _building(plan, stage)) if ledger.kept(stage.name) else 0.0
            _once(plan, stage, ledger)  # compiles kernels and loads the model
            seconds[stage.name] = _typical(plan, stage, ledger)
        _, working, _ = canonical(anomaly(templates[MAPS][["anomaly"]]))
        said = store.open(plan.store(OUT), chunks=None)["linear_probability"].values
        size = sum(f.stat().st_size for f in Path(folder).rglob("*") if f.is_file())
    return Sample(
        source=(rows, columns),
        cells=working.shape,
        windows=int(np.isfinite(said).sum()),
        seconds=seconds,
        shared=shared,
        stored=size / math.prod(working.shape),
        plan=plan,
    )


def _building(plan: Plan, stage: Stage) -> float:
    """Return the seconds that a graph takes to build, which do not grow with the map."""
    began = time.perf_counter()
    stage.build(opened(plan, stage), plan)
    return time.perf_counter() - began


def _once(plan: Plan, stage: Stage, ledger: Ledger) -> float:
    """Make the blocks of a stage anew; return their seconds."""
    took = 0.0
    for number in numbers(plan, stage):
        ledger.unsign(stage.name, number)
        took += make_block(plan, stage.name, number)["seconds"]
    return took


def _typical(plan: Plan, stage: Stage, ledger: Ledger) -> float:
    """Return the seconds of a stage: the median of three times, or of fewer where one takes long."""
    times = [_once(plan, stage, ledger)]
    while len(times) < REPEATS and sum(times) < LONG:
        times.append(_once(plan, stage, ledger))
    return statistics.median(times)


def _piece(config: RunConfig, spec: ModelSpec, source: xr.Dataset, share: np.ndarray) -> xr.Dataset:
    """Return a part of the source, in memory, in one chunk.

    It has about as many values as all such parts that have enough for windows, in the middle of it.
    """
    da = anomaly(source)
    _, grid, _ = canonical(da)
    spacing = method.spacing_of(source, config)
    new = both_ways(spacing) if spacing else None
    ratio = 1.0 if new is None else new[0] / grid.spacing[0]
    side = math.ceil(max(SIDE, spec.window + 2 * config.stride) * ratio)
    slices = {}
    sides = [max(1, round(side * n / size)) for n, size in zip(share.shape, da.shape, strict=True)]
    around = uniform_filter(share, size=sides, mode="nearest")
    usable = around >= min(1.0 - config.max_missing, float(around.max()))
    unlike = np.where(usable, np.abs(around - around[usable].mean()), np.inf)
    place = np.unravel_index(int(np.argmin(unlike)), share.shape)
    for dim, n, parts in zip(da.dims, place, share.shape, strict=True):
        size = da.sizes[dim]
        middle = round((n + 0.5) * size / parts)
        first = min(max(0, middle - side // 2), max(0, size - side))
        slices[dim] = slice(first, min(first + side, size))
    return source.isel(slices).load().chunk(-1)


def _stride(window: int, count: int) -> int:
    """Return a stride that puts so many windows along the piece, as even or odd as the window."""
    wide = max(1, (SIDE - window) // (count - 1))
    return max(1, min(window, wide - (window - wide) % 2))

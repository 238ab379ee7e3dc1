"""What a run by blocks will take, before it is run: tasks, windows, memory, time."""

from __future__ import annotations

import math
import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from magxr.labelled import anomaly, canonical, check_labelled
from magxr.models.backbones import backbone
from magxr.models.kinds import kind_of
from magxr.models.spec import load
from magxr.runs import memory, method
from magxr.runs.config import Preset, configure
from magxr.runs.crew import workers_of
from magxr.runs.load import answered, busy, known_share, work
from magxr.runs.planning import planned
from magxr.runs.sample import sample
from magxr.runs.source import check_window, open_source
from magxr.runs.stages import MAPS, OUT, SOURCE, stages

if TYPE_CHECKING:
    import xarray as xr

    from magxr.models.spec import ModelSpec
    from magxr.runs.config import RunConfig
    from magxr.runs.sample import Sample
    from magxr.runs.stages import Plan, Stage

SUSTAINED = 20.0
"""Tera operations (float32) a second that a GPU is taken to keep up in convolutions, unless told."""


@dataclass(frozen=True)
class StageEstimate:
    """What one stage will take."""

    name: str
    tasks: int
    """Blocks."""
    halo: float
    """Share of work that is done twice, for the sake of neighbours."""
    seconds: float
    """Of one core."""


@dataclass(frozen=True)
class Estimate:
    """What a run by blocks will take; printed, it is a table."""

    shape: tuple[int, int]
    """Cells of the working grid."""
    block: tuple[int, int]
    """Cells of a block of the working grid."""
    stages: tuple[StageEstimate, ...]
    windows: int
    """Positions of windows."""
    answered: int
    """Windows with enough values to be answered, about."""
    shared: float
    """Seconds of one core for the statistics of the whole map."""
    workers: int
    bytes_per_worker: int
    """Memory while a block is in work."""
    stored: int
    """Bytes on disk while it runs, about."""
    gpu_seconds: float
    """Of the network alone at the stated rate of a GPU; 0 for a model without a network."""
    rate: float
    """Tera operations a second that it is taken to keep up."""
    sampled: tuple[int, ...] = (0, 0)
    """Cells of the source that were run and timed to tell."""

    @property
    def tasks(self) -> int:
        """Number of tasks: one a block and stage."""
        return sum(stage.tasks for stage in self.stages)

    @property
    def core_seconds(self) -> float:
        """Seconds of one core, blocks and statistics."""
        return self.shared + sum(stage.seconds for stage in self.stages)

    @property
    def core_hours(self) -> float:
        """Hours of one core, blocks and statistics."""
        return self.core_seconds / 3600

    @property
    def wall_seconds(self) -> float:
        """Seconds from the first block to the last on so many workers that do not slow each other."""
        return self.core_seconds / self.workers

    def __str__(self) -> str:
        """Return the table."""
        rows = [
            f"working grid   {self.shape[0]} x {self.shape[1]} cells, blocks of {_by(self.block)}",
            f"windows        {self.windows}, {self.answered} of them with enough values",
            f"tasks          {self.tasks}",
            f"memory         {self.bytes_per_worker / 2**30:.2f} GiB a worker",
            f"disk           {self.stored / 2**30:.2f} GiB",
            f"{'stage':<15}{'blocks':>8}{'halo':>8}{'core s':>12}",
        ]
        rows += [f"{s.name:<15}{s.tasks:>8}{s.halo:>8.0%}{s.seconds:>12.1f}" for s in self.stages]
        rows.append(f"{'statistics':<15}{'':>16}{self.shared:>12.1f}")
        rows.append(f"in all         {_time(self.core_seconds)} of one core")
        rows.append(f"               {_time(self.wall_seconds)} on {self.workers} workers, without pictures")
        if self.gpu_seconds:
            rate = f"if it keeps up {self.rate:g} TFLOP/s"
            rows.append(f"on a GPU       {_time(self.gpu_seconds)} for the network, {rate}")
        rows.append(f"timed on {_by(self.sampled)} cells of the map, on this machine")
        return "\n".join(rows)


def estimate(
    region: str | os.PathLike[str] | xr.Dataset | xr.DataArray,
    /,
    *,
    preset: Preset = "sound",
    workers: int | None = None,
    gpu_tflops: float = SUSTAINED,
    **changes: Any,
) -> Estimate:
    """Tell what a run by blocks will take, from its plan and from a small piece of the map that is run.

    Parameters
    ----------
    region : str, Path, xarray.Dataset or xarray.DataArray
        As for `magxr.run`.
    preset : {"sound", "paper"}
        As for `magxr.run`.
    workers : int, optional
        Blocks in work at a time; default what a run would use here.
    gpu_tflops : float
        Tera operations a second that a GPU keeps up in the network.
    **changes
        Settings of the run, as for `magxr.run`.

    Returns
    -------
    Estimate
        Times are those of this machine, one core, while nothing else runs. The source is read once.

    Raises
    ------
    MagxrError
        What `magxr.run` would refuse.
    """
    if isinstance(region, os.PathLike):
        region = os.fspath(region)
    if not isinstance(region, str):
        check_labelled(region)
    given = None if isinstance(region, str) else region
    name = region if isinstance(region, str) else "(dataset)"
    out = {"out": "estimate.zarr"} | changes
    config = configure(name, out.pop("out"), preset=preset, **{**out, "engine": "blocks"})
    spec = load(config.model)
    source = open_source(config, given)
    maps = method.prepared(source, config)
    _, grid, _ = canonical(maps["anomaly"])
    check_window(grid, spec.window, config)
    plan, templates = planned(config, spec, source, maps, Path("estimate.zarr.unfinished"))
    _, old, _ = canonical(anomaly(source))
    share = known_share(source, spec.window * grid.spacing[0] / old.spacing[0])
    positions, enough = answered(share, grid, config, spec.window)
    piece = sample(config, spec, source, share)
    shapes: dict[str, tuple[int, ...]] = {SOURCE: old.shape, MAPS: grid.shape}
    shapes[OUT] = templates[OUT]["linear"].shape
    found = tuple(_stage(plan, stage, piece, share, shapes, enough) for stage in stages(plan))
    count = workers or workers_of(config)
    block = tuple(plan.blocks[MAPS].values())
    return Estimate(
        shape=grid.shape,
        block=(block[0], block[1]),
        stages=found,
        windows=positions,
        answered=enough,
        shared=sum(_shared(config, name, took, piece, grid.shape) for name, took in piece.shared.items()),
        workers=count,
        bytes_per_worker=memory.needed(math.prod(block), 1, network=spec.network),
        stored=int(piece.stored * math.prod(grid.shape)),
        gpu_seconds=enough * _operations(spec) / (gpu_tflops * 1e12),
        rate=gpu_tflops,
        sampled=piece.source,
    )


def _stage(
    plan: Plan,
    stage: Stage,
    piece: Sample,
    share: Any,
    shapes: dict[str, tuple[int, ...]],
    enough: int,
) -> StageEstimate:
    shape = shapes.get(stage.writes, shapes[SOURCE])
    sides = plan.blocks[stage.writes].values()
    counts = tuple(math.ceil(n / side) for n, side in zip(shape, sides, strict=True))
    tasks = math.prod(counts)
    if stage.name == "classify":
        a_window = piece.seconds["classify"] / max(piece.windows, 1)
        return StageEstimate(stage.name, tasks, 0.0, a_window * enough)
    if stage.name == "calibrate":  # a vote costs less than to open the store
        return StageEstimate(stage.name, tasks, 0.0, piece.seconds["calibrate"] * tasks)
    small = piece.source if stage.writes not in shapes or shape == shapes[SOURCE] else piece.cells
    whole, part = work(plan, stage, shape), work(piece.plan, stage, small)
    seconds = piece.seconds[stage.name] * whole / part * busy(share, (counts[0], counts[1]))
    twice = whole / math.prod(shape) - 1.0 if stage.name != "denoise" else 0.0
    return StageEstimate(stage.name, tasks, twice, seconds)


def _shared(config: RunConfig, stage: str, took: float, piece: Sample, shape: tuple[int, int]) -> float:
    """Return the seconds for the statistics of a stage: passes over the map, or the basis of a region."""
    more = math.prod(shape) / math.prod(piece.cells)
    if stage == "denoise" and config.denoise == "region":
        more *= min(shape) / min(piece.cells)  # products of rows with rows, and their eigenvectors
    return took * more


def _operations(spec: ModelSpec) -> float:
    """Return the operations of the network for one window: twice the multiplications of convolutions."""
    if spec.head == "cnn" or kind_of(spec.features).measured is not None:
        return 0.0
    return backbone(spec.trunk).forms[0].sketch.operations(spec.window)


def _by(sides: tuple[int, ...]) -> str:
    return " x ".join(map(str, sides))


def _time(seconds: float) -> str:
    if seconds < 120:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.1f} min" if seconds < 7200 else f"{seconds / 3600:.1f} h"

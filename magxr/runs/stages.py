"""A run cut into stages: each reads one store, looks at neighbours once, and writes one store block by block.

All steps of a block in one go would read, and work on, the halos of all steps added up: 106 cells to fill
gaps, 42 to respace, 255 for local bases, 320 to diffuse, 16 for the structure and 125 for windows. A block of
1024 cells would be made of 2750 x 2750, seven times its own area. What lies between stages is part of the
output anyway, so that it costs no more than to read it again.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from magxr.labelled import anomaly
from magxr.runs import method
from magxr.steps.doubts import DOUBTS
from magxr.steps.gridding import grid

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    import xarray as xr

    from magxr.models.spec import ModelSpec
    from magxr.runs.config import RunConfig

SOURCE, FILLED, MAPS, OUT = "source", "filled", "maps", "out"
"""The stores of a run: what it reads, the source without gaps, the working grid, the predictions."""
Blocks = dict[str, dict[str, int]]
"""Store -> cells of a block along each dimension."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What a worker must know to make a block; it travels with every task and pickles small."""

    folder: Path
    """Where the stores grow."""
    run: str
    """Fingerprint of the run."""
    config: RunConfig
    spec: ModelSpec
    spacing: str | None
    """Spacing of the working grid, None where the source's cells are kept."""
    blocks: Blocks

    def store(self, name: str) -> Path:
        """Return the path of a store."""
        return self.folder / f"{name}.zarr"


@dataclass(frozen=True, slots=True)
class Stage:
    """One pass over a store."""

    name: str
    reads: str
    writes: str
    variables: tuple[str, ...]
    """What it writes."""
    build: Callable[[xr.Dataset, Plan], xr.Dataset]
    """From the store it reads to a lazy Dataset that has the variables."""
    finest: int | None = None
    """What it reads is cut into parts of at most so many cells, whatever the blocks are. Where cells change
    their size blocks do not meet, and a block that needs a corner of a part computes all of it."""


def stages(plan: Plan) -> list[Stage]:
    """Return the stages of a run in their order."""
    doubts = tuple(DOUBTS) if plan.config.doubt else ()
    on_cells = ("gridded", "filled")
    if plan.spacing is None:
        first = [Stage("grid", SOURCE, MAPS, on_cells, _gridded)]
    else:
        first = [
            Stage("fill", SOURCE, FILLED, on_cells, _gridded),
            Stage("respace", FILLED, MAPS, on_cells, _respaced, finest=256),
        ]
    return [
        *first,
        Stage("denoise", MAPS, MAPS, ("denoised",), _denoised),
        Stage("diffuse", MAPS, MAPS, ("anomaly",), _diffused),
        Stage("structure", MAPS, MAPS, ("coherence", "strike"), _oriented),
        Stage("classify", MAPS, OUT, ("linear_probability", "missing_share", *doubts), _classified),
        Stage("calibrate", OUT, OUT, ("calibrated_probability", "linear"), _settled),
    ]


def chunks_read(plan: Plan, stage: Stage) -> dict[str, int]:
    """Return the chunks in which a stage takes what it reads, cells along each dimension."""
    blocks = plan.blocks[stage.reads]
    if stage.finest is None:
        return blocks
    return {d: math.ceil(n / math.ceil(n / stage.finest)) for d, n in blocks.items()}


def _gridded(source: xr.Dataset, plan: Plan) -> xr.Dataset:
    found = method.gridded(source, plan.config, None)
    return found.rename({anomaly(found).name: "gridded"})


def _respaced(filled: xr.Dataset, plan: Plan) -> xr.Dataset:
    return grid(filled[["gridded"]], spacing=plan.spacing, max_gap=0)


def _denoised(maps: xr.Dataset, plan: Plan) -> xr.Dataset:
    return method.denoised(maps[["gridded"]].rename(gridded="denoised"), plan.config)


def _diffused(maps: xr.Dataset, plan: Plan) -> xr.Dataset:
    return method.diffused(maps[["denoised"]].rename(denoised="anomaly"), plan.config)


def _oriented(maps: xr.Dataset, plan: Plan) -> xr.Dataset:
    return method.oriented(maps[["anomaly"]], plan.config)


def _classified(maps: xr.Dataset, plan: Plan) -> xr.Dataset:
    return method.classified(maps[["anomaly"]], plan.config, plan.spec)


def _settled(raw: xr.Dataset, plan: Plan) -> xr.Dataset:
    return method.settled(raw[["linear_probability"]], plan.config, plan.spec)

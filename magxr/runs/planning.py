"""Cut a run into blocks before it starts, and tell what makes it this run and no other."""

from __future__ import annotations

import hashlib
import itertools
import json
import math
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
from dask.utils import parse_bytes

from magxr._version import __version__
from magxr.chunked.fold import fold
from magxr.chunked.plan import is_chunked
from magxr.chunked.quantiles import check_extent, extremes
from magxr.labelled import anomaly, canonical
from magxr.runs import memory, method
from magxr.runs.crew import workers_of
from magxr.runs.stages import FILLED, MAPS, OUT, SOURCE, Plan, chunks_read, stages

if TYPE_CHECKING:
    from collections.abc import Hashable, Mapping
    from pathlib import Path

    import xarray as xr

    from magxr.models.spec import ModelSpec
    from magxr.runs.config import RunConfig

LONGEST = 1024
"""Longest side of a block, cells of the working grid, where ``chunk`` does not say otherwise."""
USUAL = 800
"""Its side on a large map: as near to it as equal blocks come, so that memory does not grow with the map."""
DENSE = 3
"""Sides of a block of the map to one of predictions by the dense form: it makes the network's cells under the
windows of its neighbours too, a window's side more, and they are what costs."""
_ELSEWHERE = ("out", "scheduler", "cluster", "overwrite", "resume", "path")
"""Parameters that may differ when a run is resumed: where it works, not what it does."""


def planned(
    config: RunConfig, spec: ModelSpec, source: xr.Dataset, maps: xr.Dataset, folder: Path
) -> tuple[Plan, dict[str, xr.Dataset]]:
    """Cut all stores into blocks, and build every stage once, so that what does not fit is refused here."""
    cells, grid = anomaly(source), maps["anomaly"]
    same = cells.sizes == grid.sizes and all(cells.indexes[d].equals(grid.indexes[d]) for d in cells.dims)
    blocks = {SOURCE: even_blocks(cells.sizes, config.chunk), MAPS: even_blocks(grid.sizes, config.chunk)}
    blocks[FILLED] = blocks[SOURCE]
    spacing = None if same else method.spacing_of(source, config)
    plan = Plan(folder, "", config, spec, spacing, blocks)
    templates = {SOURCE: source, MAPS: maps}
    if not same:
        templates[FILLED] = stages(plan)[0].build(source, plan)
    out = method.predicted(blank(maps, blocks[MAPS]), config, spec)
    wide = DENSE if config.mode != "windows" else 1
    likely = {str(d): max(1, wide * n // config.stride) for d, n in blocks[MAPS].items()}
    parts = dict(zip(map(str, out["linear"].dims), out["linear_probability"].chunks or (), strict=True))
    blocks[OUT] = whole_parts(parts, likely)
    templates[OUT] = out
    _check_memory(plan)
    for stage in stages(plan):
        stage.build(blank(templates[stage.reads], chunks_read(plan, stage)), plan)
    return plan, templates


def _check_memory(plan: Plan) -> None:
    """Refuse blocks that this machine, or a worker, cannot hold, as far as its memory is known."""
    config, cluster = plan.config, plan.config.cluster
    largest = max((plan.blocks[name] for name in (SOURCE, MAPS)), key=lambda b: math.prod(b.values()))
    sides, network = tuple(largest.values()), plan.spec.network
    if cluster is not None and cluster.memory is not None:
        memory.check(sides, cluster.cores or 1, 1, network=network, limit=parse_bytes(cluster.memory))
    elif cluster is None or cluster.kind == "local":
        count = workers_of(config)
        processes = count if cluster is not None or config.scheduler == "processes" else 1
        memory.check(sides, count, processes, network=network)


def blank(ds: xr.Dataset, blocks: Mapping[str, int]) -> xr.Dataset:
    """Return the same labels with chunks of one block, made of nothing: to build on, not to compute."""
    import dask.array as da

    out = ds.copy()
    for var in out.variables.values():
        if is_chunked(var.data) or (var.ndim == 2 and set(map(str, var.dims)) <= set(blocks)):
            lengths = tuple(min(blocks.get(str(d), n), n) for d, n in var.sizes.items())
            var.data = da.zeros(var.shape, dtype=var.dtype, chunks=lengths)
    return out


def even_blocks(sizes: Mapping[Hashable, int], longest: int | None = None) -> dict[str, int]:
    """Return the length of equal blocks along each dimension: at most ``longest``, or about the usual."""
    return {str(d): math.ceil(n / _count(n, longest)) for d, n in sizes.items()}


def _count(cells: int, longest: int | None) -> int:
    """Return the number of blocks in a row."""
    least = math.ceil(cells / (longest or LONGEST))
    if longest is not None:
        return least
    near = {max(least, math.floor(cells / USUAL)), max(least, math.ceil(cells / USUAL))}
    return min(near, key=lambda count: abs(math.log(cells / count / USUAL)))


def whole_parts(chunks: Mapping[str, tuple[int, ...]], longest: Mapping[str, int]) -> dict[str, int]:
    """Return blocks of whole chunks, of about ``longest`` along each dimension.

    Windows are answered in parts of some tens of predictions; a block that cut through one would answer it
    twice.
    """
    found = {}
    for dim, sizes in chunks.items():
        part = max(sizes)
        found[dim] = part * max(1, round(longest[dim] / part))
    return found


def about(plan: Plan, source: xr.Dataset, maps: xr.Dataset) -> dict[str, Any]:
    """Read the source once: refuse values that no step could use, and tell what makes the run this one."""
    from dask.base import compute

    values, grid, _ = canonical(anomaly(source))
    extent, hashes = compute(extremes(values), fold(values, _hashed, _joined, name="sha256"))
    check_extent(extent)
    _, working, _ = canonical(maps["anomaly"])
    what = {f"parameter {k}": v for k, v in plan.config.parameters().items() if k not in _ELSEWHERE}
    what |= {"source grid": [grid.shape, grid.origin, grid.spacing], "source sha256": _sha(hashes)}
    what |= {"working grid": [working.shape, working.origin, working.spacing]}
    what |= {"model": [plan.spec.name, plan.spec.sha256], "magxr": __version__, "blocks": plan.blocks}
    plain: dict[str, Any] = json.loads(json.dumps(what, default=str))
    return plain


def named(plan: Plan, what: Mapping[str, Any]) -> Plan:
    """Return the plan with the fingerprint of the run."""
    return replace(plan, run=_sha(what))


def _hashed(block: Any) -> list[str]:
    return [hashlib.sha256(np.ascontiguousarray(block).data).hexdigest()]


def _joined(lists: list[list[str]]) -> list[str]:
    return list(itertools.chain.from_iterable(lists))


def _sha(what: Any) -> str:
    return hashlib.sha256(json.dumps(what, sort_keys=True).encode()).hexdigest()

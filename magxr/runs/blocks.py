"""A run by blocks: one task a block and stage, a ledger of what is done, and resuming what was stopped."""

from __future__ import annotations

import hashlib
import itertools
import json
import shutil
import time
from contextlib import closing, contextmanager
from typing import TYPE_CHECKING, Any

import numpy as np

from magxr._version import __version__
from magxr.chunked.fold import fold
from magxr.chunked.piecewise import statistics
from magxr.chunked.plan import is_chunked
from magxr.chunked.quantiles import check_extent, extremes
from magxr.errors import StoreError
from magxr.io import store
from magxr.io.byproducts import fill_in
from magxr.io.template import lay_out
from magxr.labelled import anomaly, canonical
from magxr.runs import method
from magxr.runs.block import make_block, opened
from magxr.runs.config import chunks_of
from magxr.runs.crew import crew
from magxr.runs.finish import finish, kept
from magxr.runs.ledger import of_output
from magxr.runs.progress import Meter
from magxr.runs.stages import FILLED, MAPS, OUT, SOURCE, Plan, chunks_read, even_blocks, stages, whole_parts

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    import xarray as xr

    from magxr.models.spec import ModelSpec
    from magxr.runs.config import RunConfig
    from magxr.runs.crew import Crew
    from magxr.runs.ledger import Ledger
    from magxr.runs.output import RunResult
    from magxr.runs.stages import Stage

LONGEST = 1024
"""Side of a block, cells of the working grid, where ``chunk`` does not say otherwise."""
_ELSEWHERE = ("out", "scheduler", "overwrite", "resume", "path")
"""Parameters that may differ when a run is resumed: where it works, not what it does."""


def run_blocks(
    config: RunConfig, spec: ModelSpec, source: xr.Dataset, maps: xr.Dataset, *, progress: bool
) -> RunResult:
    """Run the whole workflow block by block, or finish a run that was stopped.

    Parameters
    ----------
    config : RunConfig
    spec : ModelSpec
    source : xarray.Dataset
        What is read.
    maps : xarray.Dataset
        What `magxr.runs.method.prepared` makes of it: its labels and attrs become those of the output.
    progress : bool
        Draw a progress line for every stage on standard error.

    Returns
    -------
    RunResult

    Raises
    ------
    StoreError
        If an unfinished run is in the way, is another one than asked for, or is being worked on.
    """
    ledger = of_output(config.out)
    with chunks_of(config):
        plan, templates = _planned(config, spec, source, maps, ledger.folder)
    _check_free(ledger, config)
    seconds: dict[str, float] = {}
    with crew(config.scheduler) as workers:
        with _timed("check", seconds):
            about = _about(plan, source, maps)
        plan = _named(plan, about)
        with ledger.claimed(about), kept(ledger.folder):
            if ledger.finished() is None:
                with _timed("read", seconds):
                    _laid_out(plan, source, templates, ledger)
                for stage in stages(plan):
                    with _timed(stage.name, seconds):
                        _run_stage(plan, stage, ledger, workers, progress)
            return finish(plan, spec, ledger, seconds)


def _planned(
    config: RunConfig, spec: ModelSpec, source: xr.Dataset, maps: xr.Dataset, folder: Path
) -> tuple[Plan, dict[str, xr.Dataset]]:
    """Cut all stores into blocks, and build every stage once, so that what does not fit is refused here."""
    longest = config.chunk or LONGEST
    cells, grid = anomaly(source), maps["anomaly"]
    same = cells.sizes == grid.sizes and all(cells[d].equals(grid[d]) for d in cells.dims)
    blocks = {SOURCE: even_blocks(cells.sizes, longest), MAPS: even_blocks(grid.sizes, longest)}
    blocks[FILLED] = blocks[SOURCE]
    spacing = None if same else method.spacing_of(source, config)
    plan = Plan(folder, "", config, spec, spacing, blocks)
    templates = {SOURCE: source, MAPS: maps}
    if not same:
        filled = method.gridded(source, config, None)
        templates[FILLED] = filled.rename({anomaly(filled).name: "gridded"})
    out = method.predicted(_blank(maps, blocks[MAPS]), config, spec)
    likely = {str(d): max(1, n // config.stride) for d, n in blocks[MAPS].items()}
    parts = dict(zip(map(str, out["linear"].dims), out["linear_probability"].chunks or (), strict=True))
    blocks[OUT] = whole_parts(parts, likely)
    templates[OUT] = out
    for stage in stages(plan):
        stage.build(_blank(templates[stage.reads], chunks_read(plan, stage)), plan)
    return plan, templates


def _blank(ds: xr.Dataset, blocks: Mapping[str, int]) -> xr.Dataset:
    """Return the same labels with chunks of one block, made of nothing: to build on, not to compute."""
    import dask.array as da

    out = ds.copy()
    for var in out.variables.values():
        if is_chunked(var.data) or (var.ndim == 2 and set(map(str, var.dims)) <= set(blocks)):
            lengths = tuple(min(blocks.get(str(d), n), n) for d, n in var.sizes.items())
            var.data = da.zeros(var.shape, dtype=var.dtype, chunks=lengths)
    return out


def _check_free(ledger: Ledger, config: RunConfig) -> None:
    """Refuse, before anything is read, a folder that another run is at work in, left, or never made."""
    if not ledger.there():
        return
    ledger.about()
    with ledger.locked():
        pass
    if not config.resume:
        fix = "finish it with resume=True (--resume), or remove the folder to start anew"
        msg = f"{str(ledger.folder)!r} holds an unfinished run; {fix}"
        raise StoreError(msg)


def _about(plan: Plan, source: xr.Dataset, maps: xr.Dataset) -> dict[str, Any]:
    """Read the source once: refuse values that no step could use, and tell what makes the run this one."""
    from dask.base import compute

    values, grid, _ = canonical(anomaly(source))
    extent, hashes = compute(extremes(values), fold(values, _hashed, _joined, name="sha256"))
    check_extent(extent)
    _, working, _ = canonical(maps["anomaly"])
    about = {f"parameter {k}": v for k, v in plan.config.parameters().items() if k not in _ELSEWHERE}
    about |= {"source grid": [grid.shape, grid.origin, grid.spacing], "source sha256": _sha(hashes)}
    about |= {"working grid": [working.shape, working.origin, working.spacing]}
    about |= {"model": [plan.spec.name, plan.spec.sha256], "magxr": __version__, "blocks": plan.blocks}
    plain: dict[str, Any] = json.loads(json.dumps(about, default=str))
    return plain


def _hashed(block: Any) -> list[str]:
    return [hashlib.sha256(np.ascontiguousarray(block).data).hexdigest()]


def _joined(lists: list[list[str]]) -> list[str]:
    return list(itertools.chain.from_iterable(lists))


def _sha(what: Any) -> str:
    return hashlib.sha256(json.dumps(what, sort_keys=True).encode()).hexdigest()


def _named(plan: Plan, about: Mapping[str, Any]) -> Plan:
    return Plan(plan.folder, _sha(about), plan.config, plan.spec, plan.spacing, plan.blocks)


def _laid_out(plan: Plan, source: xr.Dataset, templates: Mapping[str, xr.Dataset], ledger: Ledger) -> None:
    """Copy the source, so that workers read what was checked, and lay out the stores that grow."""
    if not plan.store(SOURCE).exists():
        for half in plan.folder.glob(f".{SOURCE}.zarr.writing-*"):
            shutil.rmtree(half)  # of a run that was killed while it copied
        store.write(source, plan.store(SOURCE))
    for name, template in templates.items():
        if name != SOURCE and not plan.store(name).exists():
            ledger.forget()  # by-products of a store that was lost are filled in when statistics are made
            lay_out(template, plan.store(name), plan.blocks[name])


def _run_stage(plan: Plan, stage: Stage, ledger: Ledger, workers: Crew, progress: bool) -> None:
    _ready(plan, stage, ledger)
    numbers = _numbers(plan, stage)
    meter = Meter(stage.name) if progress else None
    items = [(plan, stage.name, number) for number in numbers]
    try:
        with closing(workers.each(make_block, items)) as results:
            for done, _ in enumerate(results, 1):
                if meter:
                    meter.update(done, len(numbers))
    except BaseException:
        if meter:
            meter.leave()
        raise
    if meter:
        meter.close()


def _numbers(plan: Plan, stage: Stage) -> list[tuple[int, ...]]:
    ds = store.open(plan.store(stage.writes), chunks=None)[stage.variables[0]]
    lengths = plan.blocks[stage.writes]
    counts = [range(-(-ds.sizes[d] // lengths[str(d)])) for d in ds.dims]
    return list(itertools.product(*counts))


def _ready(plan: Plan, stage: Stage, ledger: Ledger) -> None:
    """Make the statistics that the blocks of a stage share, unless they are kept."""
    from dask.base import compute

    if ledger.kept(stage.name) is not None:
        return
    source = opened(plan, stage)
    built = stage.build(source, plan)
    shared = statistics([built[name].data for name in stage.variables])
    before = {v.data.name for v in source.variables.values() if is_chunked(v.data)}
    beside = {
        str(name): coord.data
        for name, coord in built.coords.items()
        if coord.ndim <= 1 and is_chunked(coord.data) and coord.data.name not in before
    }
    known, found = compute(shared, beside)
    for name in (FILLED, MAPS, OUT):
        if plan.store(name).exists():
            there = store.open(plan.store(name), chunks=None).variables
            fill_in(plan.store(name), {k: v for k, v in found.items() if k in there})
    ledger.keep(stage.name, known)


@contextmanager
def _timed(name: str, seconds: dict[str, float]) -> Iterator[None]:
    began = time.perf_counter()
    yield
    seconds[name] = time.perf_counter() - began

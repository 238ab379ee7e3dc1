"""A run by blocks: one task a block and stage, a ledger of what is done, and resuming what was stopped."""

from __future__ import annotations

import itertools
import time
from contextlib import closing, contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING

from magxr.chunked.piecewise import statistics
from magxr.chunked.plan import is_chunked
from magxr.errors import StoreError
from magxr.io import places, store
from magxr.io.byproducts import fill_in
from magxr.io.moving import MARKS, complete
from magxr.io.reach import working
from magxr.io.template import lay_out
from magxr.kernels import heap
from magxr.runs.block import make_block, opened
from magxr.runs.config import chunks_of
from magxr.runs.crew import crew
from magxr.runs.finish import finish, kept
from magxr.runs.ledger import of_output
from magxr.runs.output import Tally
from magxr.runs.planning import about, named, planned
from magxr.runs.progress import Meter
from magxr.runs.stages import FILLED, MAPS, OUT, SOURCE, stages

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    import xarray as xr

    from magxr.models.spec import ModelSpec
    from magxr.runs.config import RunConfig
    from magxr.runs.crew import Crew
    from magxr.runs.ledger import Ledger
    from magxr.runs.output import RunResult
    from magxr.runs.stages import Plan, Stage


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
        plan, templates = planned(config, spec, source, maps, ledger.folder)
    _check_free(ledger, config)
    seconds: dict[str, float] = {}
    tallies = {}
    with crew(config, spec, progress=progress) as workers:
        with _timed("check", seconds):
            what = about(plan, source, maps)
        plan = named(plan, what)
        reads_writes = config.out, config.path, config.region
        with ledger.claimed(what), kept(ledger.folder), working(*reads_writes):
            if ledger.finished() is None:
                with _timed("read", seconds):
                    laid_out(plan, source, templates, ledger)
                for stage in stages(plan):
                    with _timed(stage.name, seconds):
                        tallies[stage.name] = _run_stage(plan, stage, ledger, workers, progress)
                    heap.give_back()
            return replace(finish(plan, spec, ledger, seconds), blocks=tallies)


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


def laid_out(plan: Plan, source: xr.Dataset, templates: Mapping[str, xr.Dataset], ledger: Ledger) -> None:
    """Copy the source, so that workers read what was checked, and lay out the stores that grow."""
    if not complete(plan.store(SOURCE)):
        for half in plan.folder.glob(f".{SOURCE}.zarr.writing-*"):
            places.remove(half, MARKS)  # of a run that was killed while it copied
        store.write(source, plan.store(SOURCE))
    for name, template in templates.items():
        if name != SOURCE and not complete(plan.store(name)):
            ledger.forget()  # by-products of a store that was lost are filled in when statistics are made
            lay_out(template, plan.store(name), plan.blocks[name])


def _run_stage(plan: Plan, stage: Stage, ledger: Ledger, workers: Crew, progress: bool) -> Tally:
    tally = Tally(statistics=ready(plan, stage, ledger))
    wanted = numbers(plan, stage)
    meter = Meter(stage.name) if progress else None
    items = [(plan, stage.name, number) for number in wanted]
    try:
        with closing(workers.each(make_block, items)) as results:
            for entry in results:
                tally.add(entry)
                if meter:
                    meter.update(tally.blocks, len(wanted))
    except BaseException:
        if meter:
            meter.leave()
        raise
    if meter:
        meter.close()
    return tally


def numbers(plan: Plan, stage: Stage) -> list[tuple[int, ...]]:
    """Return the numbers of the blocks of a stage, in the order in which they are made."""
    ds = store.open(plan.store(stage.writes), chunks=None)[stage.variables[0]]
    lengths = plan.blocks[stage.writes]
    counts = [range(-(-ds.sizes[d] // lengths[str(d)])) for d in ds.dims]
    return list(itertools.product(*counts))


def ready(plan: Plan, stage: Stage, ledger: Ledger) -> float:
    """Make the statistics that the blocks of a stage share, unless they are kept; return the seconds."""
    from dask.base import compute

    began = time.perf_counter()
    if ledger.kept(stage.name) is not None:
        return 0.0
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
        if complete(plan.store(name)):
            there = store.open(plan.store(name), chunks=None).variables
            fill_in(plan.store(name), {k: v for k, v in found.items() if k in there})
    ledger.keep(stage.name, known)
    return time.perf_counter() - began


@contextmanager
def _timed(name: str, seconds: dict[str, float]) -> Iterator[None]:
    began = time.perf_counter()
    yield
    seconds[name] = time.perf_counter() - began

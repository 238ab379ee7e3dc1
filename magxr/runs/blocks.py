"""A run by blocks: one task a block and stage, a ledger of what is done, and resuming what was stopped."""

from __future__ import annotations

import itertools
import logging
import shutil
import time
import uuid
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from magxr.chunked.piecewise import statistics
from magxr.chunked.plan import is_chunked
from magxr.errors import StoreError
from magxr.io import store
from magxr.io.byproducts import copy_byproducts, fill_in
from magxr.io.template import lay_out
from magxr.runs.block import make_block, opened
from magxr.runs.crew import crew
from magxr.runs.ledger import SUFFIX, Ledger
from magxr.runs.output import MAPS as GROUP
from magxr.runs.output import RunResult, Tally, publish
from magxr.runs.planning import about, named, planned
from magxr.runs.present import Findings, present
from magxr.runs.progress import Meter
from magxr.runs.stages import FILLED, MAPS, OUT, SOURCE, stages

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    import xarray as xr

    from magxr.models.spec import ModelSpec
    from magxr.runs.config import RunConfig
    from magxr.runs.crew import Crew
    from magxr.runs.stages import Plan, Stage

log = logging.getLogger("magxr.blocks")


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
    folder = config.out.with_name(config.out.name + SUFFIX)
    plan, templates = planned(config, spec, source, maps, folder)
    _check_folder(folder, config)
    seconds: dict[str, float] = {}
    with crew(config.scheduler) as workers:
        with _timed("check", seconds):
            what = about(plan, source, maps)
        plan = named(plan, what)
        ledger = _begun(folder, what)
        with ledger.locked(), _kept(folder):
            ledger.check(what)
            with _timed("read", seconds):
                laid_out(plan, source, templates)
            tallies = {}
            for stage in stages(plan):
                with _timed(stage.name, seconds):
                    tallies[stage.name] = _run_stage(plan, stage, ledger, workers, progress)
            _told(plan)
            result = _present(plan, spec, seconds)
            shutil.rmtree(folder)
    return replace(result, blocks=tallies)


def _check_folder(folder: Path, config: RunConfig) -> None:
    if folder.exists() and not config.resume:
        fix = "finish it with resume=True (--resume), or remove the folder to start anew"
        msg = f"{str(folder)!r} holds an unfinished run; {fix}"
        raise StoreError(msg)
    if folder.exists():
        Ledger(folder).about()


def _begun(folder: Path, what: Mapping[str, Any]) -> Ledger:
    """Return the ledger, begun where there is none: its folder appears with all that says what it is."""
    if not folder.exists():
        growing = folder.with_name(f".{folder.name}-{uuid.uuid4().hex[:8]}")
        try:
            growing.mkdir()
            Ledger(growing).start(what)
            growing.rename(folder)
        except OSError as error:
            shutil.rmtree(growing, ignore_errors=True)
            fix = "choose a folder that you may write to"
            msg = f"cannot write into {str(folder.parent)!r} ({error.strerror}); {fix}"
            raise StoreError(msg) from error
    return Ledger(folder)


def laid_out(plan: Plan, source: xr.Dataset, templates: Mapping[str, xr.Dataset]) -> None:
    """Copy the source, so that workers read what was checked, and lay out the stores that grow."""
    if not plan.store(SOURCE).exists():
        for half in plan.folder.glob(f".{SOURCE}.zarr.writing-*"):
            shutil.rmtree(half)  # of a run that was killed while it copied
        store.write(source, plan.store(SOURCE))
    for name, template in templates.items():
        done = name == OUT and (plan.store(OUT) / GROUP).exists()
        if name != SOURCE and not plan.store(name).exists() and not done:
            lay_out(template, plan.store(name), plan.blocks[name])


def _run_stage(plan: Plan, stage: Stage, ledger: Ledger, workers: Crew, progress: bool) -> Tally:
    ready(plan, stage, ledger)
    wanted = numbers(plan, stage)
    meter = Meter(stage.name) if progress else None
    items = [(plan, stage.name, number) for number in wanted]
    tally = Tally()
    for entry in workers.each(make_block, items):
        tally.add(entry)
        if meter:
            meter.update(tally.blocks, len(wanted))
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
        if plan.store(name).exists():
            there = store.open(plan.store(name), chunks=None).variables
            fill_in(plan.store(name), {k: v for k, v in found.items() if k in there})
    ledger.keep(stage.name, known)
    return time.perf_counter() - began


def _told(plan: Plan) -> None:
    """Copy by-products into the attrs of the variables that they belong to."""
    for name in (MAPS, OUT):
        if plan.store(name).exists():
            copy_byproducts(plan.store(name))


def _present(plan: Plan, spec: ModelSpec, seconds: dict[str, float]) -> RunResult:
    config, target = plan.config, plan.config.out
    moved = plan.store(OUT) / GROUP
    maps = moved if moved.exists() else plan.store(MAPS)
    source = store.open(plan.store(SOURCE))
    found = Findings(config, spec, source, store.open(maps), store.open(plan.store(OUT)), seconds)
    ready = plan.folder / "ready"
    ready.mkdir(exist_ok=True)
    with _timed("pictures", seconds):
        report, pictures, headline = present(found, ready)
    if maps != moved:
        maps.rename(moved)
    plan.store(OUT).rename(ready / "out.zarr")
    publish(ready, target)
    beside = target.parent
    return RunResult(target, beside / report, tuple(beside / p for p in pictures), headline, seconds)


@contextmanager
def _timed(name: str, seconds: dict[str, float]) -> Iterator[None]:
    began = time.perf_counter()
    yield
    seconds[name] = time.perf_counter() - began


@contextmanager
def _kept(folder: Path) -> Iterator[None]:
    """Say where what is done is kept, when a run stops before its end."""
    try:
        yield
    except BaseException:
        log.warning("stopped; what is done is kept in %s: go on with --resume", folder)
        raise

"""The end of a run by blocks: pictures, then everything in its place; killed at any moment, it can go on."""

from __future__ import annotations

import shutil
import time
import uuid
from contextlib import contextmanager
from typing import TYPE_CHECKING

from magxr.errors import StoreError
from magxr.io import store
from magxr.io.byproducts import copy_byproducts
from magxr.io.template import sweep
from magxr.runs.output import MAPS as GROUP
from magxr.runs.output import STORE, RunResult, publish
from magxr.runs.present import Findings, present
from magxr.runs.stages import MAPS, OUT, SOURCE

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from magxr.models.spec import ModelSpec
    from magxr.runs.ledger import Ledger
    from magxr.runs.stages import Plan


def finish(plan: Plan, spec: ModelSpec, ledger: Ledger, seconds: dict[str, float]) -> RunResult:
    """Draw the pictures, give everything its place, and remove the folder of the run.

    What is made is written down before anything is moved, so that a run that is killed among the moves has
    only the rest of them to do.

    Parameters
    ----------
    plan : Plan
        All of its stages are done.
    spec : ModelSpec
    ledger : Ledger
    seconds : dict of str to float
        Wall time by stage so far.

    Returns
    -------
    RunResult

    Raises
    ------
    StoreError
        If something appeared under the output's name since the run began, and ``overwrite`` was not given.
    """
    target, ready = plan.config.out, plan.folder / "ready"
    done = ledger.finished()
    if done is None:
        for name in (MAPS, OUT):
            copy_byproducts(plan.store(name))
            sweep(plan.store(name))
        shutil.rmtree(ready, ignore_errors=True)  # of a run that was killed while it drew
        ready.mkdir()
        source, maps, out = (store.open(plan.store(name)) for name in (SOURCE, MAPS, OUT))
        began = time.perf_counter()
        report, pictures, headline = present(Findings(plan.config, spec, source, maps, out, seconds), ready)
        seconds["pictures"] = time.perf_counter() - began
        done = {"report": report, "pictures": pictures, "headline": headline}
        ledger.finish(done)
    _move(plan.store(MAPS), plan.store(OUT) / GROUP)
    _move(plan.store(OUT), ready / STORE)
    if (ready / STORE).exists():
        _check_appeared(plan, ready)
        publish(ready, target)
    _remove(plan.folder)
    beside = target.parent
    found = tuple(beside / picture for picture in done["pictures"])
    return RunResult(target, beside / done["report"], found, done["headline"], seconds)


def _move(made: Path, place: Path) -> None:
    if made.exists():
        made.rename(place)


def _check_appeared(plan: Plan, ready: Path) -> None:
    """Refuse to replace what somebody else put there while the run was at work."""
    target = plan.config.out
    places = [target, *(target.parent / made.name for made in ready.iterdir() if made.name != STORE)]
    taken = [place for place in places if place.exists()]
    if taken and not plan.config.overwrite:
        fix = "move it away, or pass overwrite=True (--overwrite), and finish with resume=True (--resume)"
        msg = f"{str(taken[0])!r} appeared while the run was at work; {fix}"
        raise StoreError(msg)


def _remove(folder: Path) -> None:
    """Remove the folder of a run, first all that is large; one that is killed here finds the rest, or none.

    A worker of a cluster that outlived a killed run may still write here; what it makes is left under
    a hidden name.
    """
    for large in folder.iterdir():
        if large.is_dir():
            shutil.rmtree(large, ignore_errors=True)
    gone = folder.with_name(f".{folder.name}-{uuid.uuid4().hex[:8]}")
    folder.rename(gone)
    shutil.rmtree(gone, ignore_errors=True)


@contextmanager
def kept(folder: Path) -> Iterator[None]:
    """Say where what is done is kept, when a run stops before its end."""
    try:
        yield
    except BaseException as stop:
        stop.add_note(f"what is done is kept in {folder}: go on with the same and resume=True (--resume)")
        raise

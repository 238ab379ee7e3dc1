"""The end of a run by blocks: pictures, then everything in its place; killed at any moment, it can go on."""

from __future__ import annotations

import time
import uuid
from contextlib import contextmanager
from typing import TYPE_CHECKING

from magxr.errors import StoreError
from magxr.io import places, store
from magxr.io.byproducts import copy_byproducts
from magxr.io.moving import MARKS as ROOTS
from magxr.io.moving import begun, complete
from magxr.io.template import sweep
from magxr.runs import interrupt
from magxr.runs.lock import LOCK
from magxr.runs.output import MAPS as GROUP
from magxr.runs.output import OLD, RunResult, drawn_in, publish
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
        places.remove(ready)  # of a run that was killed while it drew
        places.make_folder(ready)
        source, maps, out = (store.open(plan.store(name)) for name in (SOURCE, MAPS, OUT))
        began = time.perf_counter()
        with drawn_in(ready) as desk:
            report, pictures, headline = present(
                Findings(plan.config, spec, source, maps, out, seconds), desk
            )
        seconds["pictures"] = time.perf_counter() - began
        done = {"report": report, "pictures": pictures, "headline": headline}
        ledger.finish(done)
    interrupt.check()
    if complete(plan.store(OUT)):
        _check_appeared(plan, ready)
        publish(ready, plan.store(OUT), plan.store(MAPS), target)
    _remove(plan.folder)
    beside = target.parent
    found = tuple(beside / picture for picture in done["pictures"])
    return RunResult(target, beside / done["report"], found, done["headline"], seconds)


def _check_appeared(plan: Plan, ready: Path) -> None:
    """Refuse to replace what somebody else put there while the run was at work."""
    target, beside = plan.config.out, [made for made in places.listed(ready) if made.name != OLD]
    taken = [target.parent / made.name for made in beside if _appeared(made, target.parent / made.name)]
    if target.exists() and not begun(plan.store(OUT), target, {GROUP: plan.store(MAPS)}):
        taken.insert(0, target)
    if taken and not plan.config.overwrite:
        fix = "move it away, or pass overwrite=True (--overwrite), and finish with resume=True (--resume)"
        msg = f"{str(taken[0])!r} appeared while the run was at work; {fix}"
        raise StoreError(msg)


def _appeared(made: Path, place: Path) -> bool:
    return place.exists() and not begun(made, place)


def _remove(folder: Path) -> None:
    """Remove the folder of a run, first all that is large; one that is killed here finds the rest, or none.

    A worker of a cluster that outlived a killed run may still write here; what it makes is left under
    a hidden name.
    """
    for large in places.listed(folder):
        if large.is_dir():
            places.remove(large, ROOTS)  # the roots first: what a straggler cannot open it does not write to
    if places.is_url(folder):
        # In one request, so that no part of it is left; whoever holds the lock removes it.
        small = [places.key(file) for file in places.listed(folder) if file.name != LOCK]
        if small:
            places.files(folder).rm(small)
        return
    gone = folder.with_name(f".{folder.name}-{uuid.uuid4().hex[:8]}")
    folder.rename(gone)
    places.remove(gone)


@contextmanager
def kept(folder: Path) -> Iterator[None]:
    """Say where what is done is kept, when a run stops before its end."""
    try:
        yield
    except BaseException as stop:
        stop.add_note(f"what is done is kept in {folder}: go on with the same and resume=True (--resume)")
        raise

"""Make one block of a stage in a worker: read it and its halo, compute, write its own region, sign."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING, Any

import numpy as np

from magxr.chunked.piecewise import Piecewise
from magxr.chunked.plan import is_chunked
from magxr.chunked.streaming import one_by_one
from magxr.io import store
from magxr.io.template import UNREADABLE, checksum, read_region, write_block
from magxr.runs.ledger import Ledger
from magxr.runs.stages import chunks_read, stages

if TYPE_CHECKING:
    import xarray as xr

    from magxr.runs.stages import Plan, Stage

    Number = tuple[int, ...]

_building = threading.Lock()
_works: dict[tuple[str, str, str], _Work] = {}
"""The last two stages that this process worked on."""


def make_block(plan: Plan, name: str, number: Number) -> dict[str, Any]:
    """Make a block unless it is there, as it was signed; return its entry in the ledger.

    Parameters
    ----------
    plan : Plan
    name : str
        Of the stage.
    number : (int, int)
        Of the block, along the dimensions of what the stage writes.

    Returns
    -------
    dict
        What was signed, and ``made``: whether it was made now.
    """
    work = _work(plan, name)
    ledger = Ledger(plan.folder)
    where = work.where(number)
    entry = ledger.entry(name, number)
    if entry is not None and entry.get("run") == plan.run and work.intact(where, entry):
        return entry | {"made": False}
    began = time.perf_counter()
    values, read = work.pieces.region(dict.fromkeys(work.stage.variables, where))
    write_block(work.path, values, work.dims, where, number)
    entry = {
        "run": plan.run,
        "input": checksum({f"{i:04}": block for i, block in enumerate(read)}),
        "output": checksum(values),
        "empty": bool(read)
        and not any(np.isfinite(block).any() for block in read if block.dtype.kind == "f"),
        "versions": store.versions(),
        "seconds": time.perf_counter() - began,
    }
    ledger.sign(name, number, entry)
    return entry | {"made": True}


class _Work:
    """A stage ready to be computed by blocks: built once a process."""

    def __init__(self, plan: Plan, stage: Stage) -> None:
        self.stage, self.path = stage, plan.store(stage.writes)
        source = opened(plan, stage)
        with one_by_one():
            built = stage.build(source, plan)
        arrays = {name: built[name].data for name in stage.variables}
        inputs = [v.data.name for v in source.variables.values() if is_chunked(v.data)]
        self.pieces = Piecewise(arrays, inputs, Ledger(plan.folder).kept(stage.name) or {})
        self.dims = {name: tuple(map(str, built[name].dims)) for name in stage.variables}
        one = built[stage.variables[0]]
        self._sizes = tuple(one.sizes[d] for d in one.dims)
        self._lengths = tuple(plan.blocks[stage.writes][str(d)] for d in one.dims)

    def where(self, number: Number) -> tuple[slice, ...]:
        """Return the cells of a block."""
        return tuple(
            slice(n * length, min((n + 1) * length, size))
            for n, length, size in zip(number, self._lengths, self._sizes, strict=True)
        )

    def intact(self, where: tuple[slice, ...], entry: dict[str, Any]) -> bool:
        """Tell whether what is stored is what was signed; what cannot be read is not."""
        try:
            stored = read_region(self.path, self.stage.variables, where)
        except UNREADABLE:
            return False  # a torn shard: the block is made again
        return checksum(stored) == entry.get("output")


def opened(plan: Plan, stage: Stage) -> xr.Dataset:
    """Open what a stage reads, in chunks of its blocks."""
    return store.open(plan.store(stage.reads), chunks=chunks_read(plan, stage))


def _work(plan: Plan, name: str) -> _Work:
    key = plan.run, str(plan.folder), name
    with _building:
        if key not in _works:
            stage = next(s for s in stages(plan) if s.name == name)
            while len(_works) > 1:
                _works.pop(next(iter(_works)))
            _works[key] = _Work(plan, stage)
        return _works[key]

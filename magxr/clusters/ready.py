"""What a worker does before its first block: compare versions, take its share of cores, load the model."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from magxr.clusters import matching
from magxr.errors import ClusterError
from magxr.kernels import heap

if TYPE_CHECKING:
    from magxr.models.spec import ModelSpec


def ready(spec: ModelSpec | None = None, *, dense: bool = False) -> Any:
    """Return what makes every worker ready, also those that come later.

    Parameters
    ----------
    spec : ModelSpec, optional
        The model that a run asks; loaded once a process, so that the first window does not wait for it.
    dense : bool
        Whether the run asks its dense form, which is compiled for the tiles of the map; only the network
        library is loaded before.

    Returns
    -------
    distributed.WorkerPlugin
    """
    from distributed import WorkerPlugin

    class Ready(WorkerPlugin):
        name = "magxr-ready"

        def __init__(self) -> None:
            self.versions, self.spec, self.dense = matching.versions(), spec, dense

        async def setup(self, worker: Any) -> None:
            wrong = matching.difference(self.versions)
            if wrong:
                msg = f"the worker {worker.address} has other versions: {wrong}; {matching.FIX}"
                raise ClusterError(msg)
            heap.share()
            if self.spec is not None:
                await asyncio.to_thread(warm, self.spec, worker.state.nthreads, dense=self.dense)

    return Ready()


def warm(spec: ModelSpec, threads: int, *, dense: bool = False) -> None:
    """Load a model in this process, unless it is there already.

    Calls of the network take turns in a process, so it may use as many threads as the worker has: together
    they are never more than the cores that the worker was given.
    """
    from magxr.models import engine, worker

    if spec.network:
        engine.start(threads)
    if not dense:
        worker.load(spec)

"""Give the places of jobs that ended to new ones: neither Dask nor a queue does that by itself."""

from __future__ import annotations

import logging
import threading
from collections import Counter
from typing import TYPE_CHECKING, Any

from magxr.clusters import queue
from magxr.errors import ClusterError

if TYPE_CHECKING:
    from types import TracebackType

log = logging.getLogger("magxr.cluster")

SOON, LATER = 2.0, 15.0
"""Seconds between two looks at the queue, while nobody has come and afterwards: it serves others too."""
STILLBORN = 3
"""Jobs of one place that may end, one after the other, before their workers came."""


class Keeper:
    """Watches the jobs of a cluster while it is entered.

    Parameters
    ----------
    cluster : dask_jobqueue.SLURMCluster
    """

    def __init__(self, cluster: Any) -> None:
        self.cluster = cluster
        self.stillborn: Counter[str] = Counter()
        self.arrived: set[str] = set()
        """Jobs whose workers came."""
        self.known: queue.Known = {}
        """What SLURM said of the jobs at the last look."""
        self.words: str | None = None
        """Of the last job that ended before its worker came."""
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True, name="magxr-keeper")

    def __enter__(self) -> Keeper:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._over.set()
        self._thread.join()

    def hopeless(self) -> str | None:
        """Return why no worker will come: jobs can never run, or end again and again before theirs does."""
        return self.words if self._given_up() else queue.never(self.known)

    def says(self) -> str:
        """Return one line of what SLURM said of the jobs."""
        return queue.says(self.known)

    def _given_up(self) -> bool:
        return max(self.stillborn.values(), default=0) >= STILLBORN

    def look(self) -> None:
        """Look once: forget places whose job ended without a worker, and fill all that are empty."""
        came = {str(w["name"]) for w in self.cluster.scheduler_info["workers"].values()}
        jobs = {name: str(job.job_id) for name, job in list(self.cluster.workers.items())}
        for name, job in jobs.items():
            if str(name) in came:
                self.arrived.add(job)
                self.stillborn.pop(str(name), None)
        self.known = queue.jobs(self.cluster)
        for name, words in queue.ended(self.cluster, self.known).items():
            if str(name) in came:
                continue
            if jobs.get(name) not in self.arrived:
                self.stillborn[str(name)] += 1
                self.words = words
            log.info("a place is free again: %s", words)
            self.cluster.loop.add_callback(self.cluster.workers.pop, name, None)
        # of those that were freed now the next look takes care
        if set(self.cluster.worker_spec) - set(self.cluster.workers) and not self._given_up():
            self.cluster.scale(n=len(self.cluster.worker_spec))

    def _watch(self) -> None:
        while not self._over.wait(LATER if self.arrived else SOON):
            try:
                self.look()
            except ClusterError as error:  # of a queue that does not answer now: it is asked again
                log.info("%s", error)

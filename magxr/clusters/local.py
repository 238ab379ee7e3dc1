"""Processes of this machine, reachable from it only."""

from __future__ import annotations

import signal
from typing import TYPE_CHECKING, Any

from magxr.clusters.closing import closing
from magxr.clusters.description import Cluster, cores_here
from magxr.errors import MissingExtraError, ParameterError

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

ATTEMPTS = 10
"""Workers that a block may lose before the run gives up: one that needs too much memory kills every one. A
cluster that was there before has a rule of its own, distributed.scheduler.allowed-failures (3)."""

RULES = {
    "distributed.scheduler.allowed-failures": ATTEMPTS,
    # a worker that dies before it has begun is not begun anew: with none left a run would wait for ever
    "distributed.scheduler.no-workers-timeout": "60s",
    # 15 s after a death distributed looks for the new worker, and gives its place up for good where that one
    # has just died too
    "distributed.deploy.lost-worker-timeout": "1d",
    # a hundred times a second Dask writes down what workers and the scheduler are at, for a page that nobody
    # looks at here; the scheduler's share goes at the expense of a worker
    "distributed.worker.profile.enabled": False,
}
"""How Dask treats workers of this machine, and those that die."""


def start(asked: Cluster) -> AbstractContextManager[Any]:
    """Start workers on this machine, until the end of the block.

    Parameters
    ----------
    asked : Cluster
        Of kind "local". A worker has one core where nothing is said, and all cores have one.

    Returns
    -------
    distributed.LocalCluster

    Raises
    ------
    ParameterError
        If workers would have more threads together than this process may use cores.
    MissingExtraError
        If what makes certificates is not installed.
    """
    from distributed import LocalCluster

    options = placed(asked)
    fewest, most = asked.bounds(cores_here() // (asked.cores or 1) or 1)
    threads = asked.cores or 1
    if (asked.workers or asked.cores) and most * threads > cores_here():
        msg = (
            f"{most} workers of {threads} cores need {most * threads}, this process may use {cores_here()}; "
            "ask for fewer"
        )
        raise ParameterError(msg)
    cluster = LocalCluster(
        n_workers=fewest,
        threads_per_worker=threads,
        processes=True,
        memory_limit=asked.memory or "auto",
        env=dict(asked.environment),
        **options,
    )
    if most > fewest:
        cluster.adapt(minimum=fewest, maximum=most)
    return closing(cluster)


def placed(asked: Cluster) -> dict[str, Any]:
    """Return the options of a LocalCluster, or one like it, that nobody reaches from elsewhere."""
    options: dict[str, Any] = {
        "host": "127.0.0.1",
        "dashboard_address": None,
        "scheduler_kwargs": {"dashboard_address": "127.0.0.1:0"},  # its server takes port 8787, also without
    }
    if asked.tls:
        options |= {"security": certificates(), "protocol": "tls://"}
    return options


def certificates() -> Any:
    """Return keys and a certificate made for one run."""
    from distributed.security import Security

    try:
        return Security.temporary()
    except ImportError as error:
        package = "cryptography"
        raise MissingExtraError(package, "slurm", "encrypting what workers say (tls)") from error


def deaf() -> Any:
    """Return what has workers of this machine leave signals to the run.

    A terminal sends Ctrl-C, and a batch system SIGTERM, to all processes of a run. Workers that ended by
    themselves would be begun anew while the run tries to stop.
    """
    from distributed import WorkerPlugin

    class Deaf(WorkerPlugin):
        def setup(self, worker: Any) -> None:  # noqa: ARG002 - the signature of distributed
            for number in (signal.SIGINT, signal.SIGTERM):
                signal.signal(number, signal.SIG_IGN)

    return Deaf()

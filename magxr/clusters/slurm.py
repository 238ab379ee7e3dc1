"""Workers as jobs of SLURM, through dask-jobqueue."""

from __future__ import annotations

import logging
import shlex
import signal
import socket
import subprocess
import sys
import tempfile
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any

from magxr.clusters import queue
from magxr.clusters.closing import closing
from magxr.clusters.description import seconds_of
from magxr.clusters.local import certificates
from magxr.errors import ClusterError, MissingExtraError, ParameterError

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

    from magxr.clusters.description import Cluster

RULES = {
    # scancel and the end of wall time are no fault of a block
    "distributed.scheduler.allowed-failures": 10,
    # so soon after a worker was lost its place may be given to a new job (`magxr.clusters.keeper`)
    "distributed.deploy.lost-worker-timeout": "5s",
}
HAND_OVER = (20.0, 300.0)
"""Least and most seconds before the end of its wall time at which a worker hands over: a tenth of it."""


def start(asked: Cluster) -> AbstractContextManager[Any]:
    """Submit the jobs of a cluster, until the end of the block; workers come when SLURM lets them run.

    Parameters
    ----------
    asked : Cluster
        Of kind "slurm". What it leaves open is taken from ``jobqueue.slurm`` of Dask's configuration.

    Returns
    -------
    dask_jobqueue.SLURMCluster

    Raises
    ------
    ParameterError
        If no network interface is named, or one that this machine does not have.
    ClusterError
        If this machine cannot submit jobs, or SLURM does not take such a job: in SLURM's own words.
    MissingExtraError
        If dask-jobqueue is not installed.
    """
    make = _cluster_class()
    queue.check_there()
    given = options(asked)
    Path(given["shared_temp_directory"]).mkdir(mode=0o700, parents=True, exist_ok=True)
    cluster = make(**given)
    fewest, most = asked.bounds(1)
    try:
        _check_taken(cluster.job_script())
        if most > fewest:
            cluster.adapt(minimum=fewest, maximum=most)
        else:
            cluster.scale(n=fewest)
    except BaseException:
        cluster.close()
        raise
    return closing(cluster)


def _cluster_class() -> Any:
    """Return `dask_jobqueue.SLURMCluster`.

    Its package has Ctrl-C end Python without a word, and with exit status 0, as soon as it is imported.
    """
    heard = signal.getsignal(signal.SIGINT)
    try:
        from dask_jobqueue.slurm import SLURMCluster
    except ImportError as error:
        package = "dask-jobqueue"
        raise MissingExtraError(package, "slurm", "starting workers as jobs of SLURM") from error
    except ValueError as error:  # it cannot do so here
        msg = f"dask_jobqueue can only be imported in the main thread ({error}); import it there first"
        raise ClusterError(msg) from error
    if threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGINT, heard)
    return SLURMCluster


def options(asked: Cluster) -> dict[str, Any]:
    """Return the arguments of `dask_jobqueue.SLURMCluster` for a description."""
    import dask

    folder = Path(asked.folder).expanduser()
    cores = asked.cores or dask.config.get("jobqueue.slurm.cores", None) or 1
    memory = asked.memory or dask.config.get("jobqueue.slurm.memory", None)
    if memory is None:
        fix = "add e.g. memory: 8 GiB (--memory '8 GiB')"
        msg = f"memory of a worker is not said, and SLURM must know it; {fix}"
        raise ParameterError(msg)
    walltime = asked.walltime or dask.config.get("jobqueue.slurm.walltime", None)
    given: dict[str, Any] = {
        "cores": cores,
        "memory": memory,
        "processes": 1,
        "queue": asked.queue,
        "account": asked.account,
        "walltime": walltime,
        "interface": _interface(asked),
        "job_name": "magxr",
        "python": sys.executable,
        "log_directory": str(folder / "logs"),
        "shared_temp_directory": str(folder),
        # jobs see the file system, not this machine's memory: spilled data goes to the node's own disk
        "local_directory": dask.config.get("jobqueue.slurm.local-directory", None) or tempfile.gettempdir(),
        "scheduler_options": {"dashboard_address": "127.0.0.1:0"},
        # the pages of workers would listen on all networks of their nodes
        "worker_extra_args": ["--dashboard-address", "127.0.0.1:0", *lifetime(walltime)],
        "job_script_prologue": [
            *(f"export {name}={shlex.quote(value)}" for name, value in asked.environment.items()),
            *asked.setup,
        ],
        "silence_logs": logging.WARNING,
    }
    if asked.gpus:
        given["job_extra_directives"] = [f"--gres=gpu:{asked.gpus}"]
    if asked.tls is not False:
        given["security"] = certificates()
    return given


def lifetime(walltime: str | None) -> list[str]:
    """Return the options of a worker that hands over before its job is ended, not all workers at once."""
    if walltime is None:
        return []
    whole = seconds_of(walltime)
    least, most = HAND_OVER
    margin = min(most, max(least, whole / 10))
    return ["--lifetime", f"{whole - margin:.0f}s", "--lifetime-stagger", f"{margin / 2:.0f}s"]


def _interface(asked: Cluster) -> str:
    """Return the network interface that the scheduler listens on, and no other."""
    import dask

    there = [name for _, name in socket.if_nameindex()]
    named = asked.interface or dask.config.get("jobqueue.slurm.interface", None)
    if named is None:
        fix = "name the one that the nodes of the cluster reach, e.g. interface: ib0 (--interface ib0)"
        msg = f"the network interface of the cluster is not said; this machine has {', '.join(there)}: {fix}"
        raise ParameterError(msg)
    if named not in there:
        msg = f"interface={named!r} is not one of this machine, which has {', '.join(there)}"
        raise ParameterError(msg)
    return str(named)


def _check_taken(script: str) -> None:
    """Ask SLURM whether it would take such a job, before one is submitted."""
    with tempfile.NamedTemporaryFile("w", suffix=".sh", encoding="utf-8") as file:
        file.write(script)
        file.flush()
        command = ["sbatch", "--test-only", file.name]
        said = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603 - no shell
    if said.returncode:
        told = "; ".join(line.removeprefix("sbatch: error: ") for line in said.stderr.splitlines())
        fix = "change the queue, account, wall time, cores or memory that is asked for; `sinfo` lists queues"
        msg = f"SLURM does not take such a job: {told}; {fix}"
        raise ClusterError(msg)

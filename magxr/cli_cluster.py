"""The flags by which a command is told on which cluster it computes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from magxr.errors import ParameterError

if TYPE_CHECKING:
    import argparse

FLAGS = {
    "cluster_workers": ("--workers", str, "processes, or the fewest and the most, e.g. 1-8"),
    "cluster_cores": ("--cores", int, "threads and cores of a worker (1)"),
    "cluster_memory": ("--memory", str, 'memory of a worker, e.g. "8 GiB"'),
    "cluster_gpus": ("--gpus", int, "GPUs of a worker, at most 1 (slurm, kubernetes)"),
    "cluster_walltime": ("--walltime", str, "longest life of a job, HH:MM:SS (slurm)"),
    "cluster_queue": ("--queue", str, "partition (slurm)"),
    "cluster_account": ("--account", str, "account that is charged (slurm)"),
    "cluster_interface": ("--interface", str, "network interface that the nodes reach, e.g. ib0 (slurm)"),
    "cluster_wait": ("--wait", float, "seconds that the first worker may take to come (600)"),
}
"""Flag, type and help by the name of what it is parsed into: the field of a cluster's description."""


def add_flags(p: argparse.ArgumentParser) -> None:
    """Add ``--cluster`` and what goes with it."""
    group = p.add_argument_group("cluster")
    group.add_argument(
        "--cluster",
        metavar="WHERE",
        help="local, slurm, cuda, kubernetes, the address of a Dask scheduler, or a YAML file as in deploy/",
    )
    for name, (flag, kind, text) in FLAGS.items():
        group.add_argument(flag, dest=name, type=kind, help=text)


def asked(arguments: argparse.Namespace) -> Any:
    """Return the description of the cluster that was asked for, None for none.

    Raises
    ------
    ParameterError, StoreError
        If it cannot be one.
    """
    given = {name.removeprefix("cluster_"): getattr(arguments, name) for name in FLAGS}
    if arguments.cluster is None:
        alone = [name for name, value in given.items() if value is not None]
        if alone:
            msg = f"--{alone[0]} says what a cluster is like, but none is asked for; add --cluster"
            raise ParameterError(msg)
        return None
    from magxr.clusters.reading import described

    return described(arguments.cluster, **given)

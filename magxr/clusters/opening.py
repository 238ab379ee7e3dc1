"""Start a cluster, or find one, make it ready, and close it again whatever happens."""

from __future__ import annotations

import importlib
import sys
from contextlib import ExitStack, contextmanager, suppress
from typing import TYPE_CHECKING, Any

from magxr.clusters import matching
from magxr.clusters.ready import ready
from magxr.clusters.tls import check_certificates, explained
from magxr.clusters.waiting import wait_for
from magxr.errors import ClusterError, MissingExtraError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from magxr.clusters.description import Cluster
    from magxr.models.spec import ModelSpec


_ATTEMPTS = 5
"""Workers that may die, one after the other, while all are made ready."""


@contextmanager
def opened(
    asked: Cluster, *, spec: ModelSpec | None = None, dense: bool = False, progress: bool = False
) -> Iterator[Any]:
    """Yield the client of a cluster that is as described and ready; inside, Dask computes there.

    Parameters
    ----------
    asked : Cluster
    spec : ModelSpec, optional
        Model that every worker loads once, before its first block.
    dense : bool
        Whether its dense form will be asked.
    progress : bool
        Say on standard error how many workers are there, while it waits.

    Yields
    ------
    distributed.Client

    Raises
    ------
    StoreError
        If nothing answers at an address.
    ClusterError
        If a cluster does not start, no worker comes in time, or workers have other versions.
    """
    with connected(asked, progress=progress) as client:
        matching.check_versions(client)
        with _ready(client, ready(spec, dense=dense), stays=asked.kind == "address"):
            yield client


@contextmanager
def connected(asked: Cluster, *, progress: bool = False, least: int | None = None) -> Iterator[Any]:
    """Yield the client of a cluster as soon as workers are there, whatever they are like.

    Parameters, and what is raised, are those of `opened`; ``least`` is how many workers are waited for, by
    default all of this machine, or the first that a queue lets run.
    """
    import dask

    # before its settings are set: what is undone at the end is otherwise all that it knows of itself
    _check_installed(asked)
    own = asked.kind in ("local", "cuda")
    with ExitStack() as stack:
        stack.enter_context(dask.config.set(_rules(asked)))
        cluster = None if asked.kind == "address" else stack.enter_context(_kind(asked).start(asked))
        client = stack.enter_context(_client(asked, cluster))
        watched = stack.enter_context(_watched(asked, cluster))
        if own:
            from magxr.clusters.local import deaf

            _register(client, deaf())
        fewest, _ = asked.bounds(1)
        count = (fewest if own else min(fewest, 1)) if least is None else least
        wait_for(client, count, asked.wait, stream=sys.stderr if progress else None, **watched)
        yield client


def _check_installed(asked: Cluster) -> None:
    try:
        import distributed  # noqa: F401 - asked for once, here
    except ImportError as error:
        package = extra = "distributed"
        where = f"at {asked.address}" if asked.address else "in processes, block by block,"
        raise MissingExtraError(package, extra, f"computing {where}") from error


def _kind(asked: Cluster) -> Any:
    """Return the module that starts clusters of a kind."""
    return importlib.import_module(f"magxr.clusters.{asked.kind}")


def _rules(asked: Cluster) -> dict[str, Any]:
    """Return how Dask treats workers that die."""
    if asked.kind == "address":
        return {}
    rules = {"distributed.scheduler.no-workers-timeout": f"{asked.wait:g}s"}
    return rules | getattr(_kind(asked), "RULES", {})


def _register(client: Any, plugin: Any) -> None:
    """Give workers a plugin; where one dies meanwhile all are asked again, which have it already."""
    from distributed.comm.core import CommClosedError

    for _ in range(_ATTEMPTS):
        with suppress(CommClosedError):
            client.register_plugin(plugin)
            return
    client.register_plugin(plugin)


@contextmanager
def _ready(client: Any, plugin: Any, *, stays: bool) -> Iterator[None]:
    """Make workers ready, and have a cluster that goes on without us forget about it."""
    _register(client, plugin)
    try:
        yield
    finally:
        if stays:
            with suppress(OSError, TimeoutError, ValueError):  # it may have ended meanwhile
                client.unregister_worker_plugin(plugin.name)


@contextmanager
def _client(asked: Cluster, cluster: Any) -> Iterator[Any]:
    from distributed import Client

    where = asked.address if cluster is None else cluster
    if asked.address is not None:
        check_certificates(asked.address)
    try:
        client = Client(where, timeout="10s", set_as_default=True)
    except (OSError, ValueError, TypeError, RuntimeError) as error:
        if asked.address is not None:
            raise explained(error, asked.address) from error
        msg = f"the scheduler of the cluster of kind {asked.kind!r} does not answer: {error}"
        raise ClusterError(msg) from error
    with client:
        yield client


@contextmanager
def _watched(asked: Cluster, cluster: Any) -> Iterator[dict[str, Any]]:
    """Yield what `wait_for` may ask of a queue, and fill the places of jobs that end."""
    if asked.kind != "slurm":
        yield {}
        return
    from magxr.clusters.keeper import Keeper

    with Keeper(cluster) as keeper:
        yield {"says": keeper.says, "hopeless": keeper.hopeless}

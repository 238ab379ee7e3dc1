"""Where a run computes: threads, processes or this thread of this machine, or a cluster."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from magxr.clusters.description import is_address
from magxr.errors import ParameterError
from magxr.io.places import is_url, place
from magxr.kernels import heap

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from magxr.models.spec import ModelSpec
    from magxr.runs.config import RunConfig

LOCAL = ("threads", "processes", "sync")


def check_scheduler(scheduler: object) -> None:
    """Refuse what is neither the name of a local scheduler nor an address; nobody is asked yet."""
    if scheduler is None or scheduler in LOCAL:
        return
    if not isinstance(scheduler, str) or not is_address(scheduler):
        msg = f"scheduler {scheduler!r} is neither one of {LOCAL} nor an address such as tcp://127.0.0.1:8786"
        raise ParameterError(msg)


@contextmanager
def computing(config: RunConfig, spec: ModelSpec | None = None, *, progress: bool = False) -> Iterator[Any]:
    """Make Dask compute where a run is to; yield the client of its cluster, None if it has none.

    Parameters
    ----------
    config : RunConfig
    spec : ModelSpec, optional
        Model that the workers of a cluster load before they begin.
    progress : bool
        Say on standard error how many workers are there, while it waits.

    Raises
    ------
    MagxrError
        If the cluster does not start or answer, or its workers are not what the run needs.
    """
    import dask

    if config.cluster is None:
        heap.share()
        with dask.config.set(scheduler=config.scheduler or "threads"):
            yield None
        return
    from magxr.clusters.matching import check_sees
    from magxr.clusters.opening import opened

    dense = config.mode == "dense"
    with opened(config.cluster, spec=spec, dense=dense, progress=progress) as client:
        if config.cluster.kind not in ("local", "cuda"):
            check_sees(client, config.out.parent, _read_by_workers(config))
        yield client


def _read_by_workers(config: RunConfig) -> list[Path]:
    """Return the input where workers read it themselves: a run by blocks gives them a copy."""
    if config.engine != "graph":
        return []
    asked = config.path or place(config.region)
    if is_url(asked):
        return [asked]
    return [asked.absolute()] if asked.exists() else []

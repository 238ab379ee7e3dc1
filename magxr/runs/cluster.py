"""Where a run computes: local threads, processes, this thread, or the scheduler at an address."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from magxr.clusters.tls import check_certificates, explained
from magxr.errors import MissingExtraError, ParameterError

if TYPE_CHECKING:
    from collections.abc import Iterator

LOCAL = ("threads", "processes", "sync")
SCHEMES = ("tcp", "tls", "ucx", "ucxx", "ws", "wss", "inproc")
"""How addresses of Dask schedulers begin."""


def check_scheduler(scheduler: object) -> None:
    """Refuse what is neither the name of a local scheduler nor an address; nobody is asked yet."""
    if scheduler is None or scheduler in LOCAL:
        return
    if not isinstance(scheduler, str) or scheduler.split("://")[0] not in SCHEMES or "://" not in scheduler:
        msg = f"scheduler {scheduler!r} is neither one of {LOCAL} nor an address such as tcp://127.0.0.1:8786"
        raise ParameterError(msg)


@contextmanager
def computing(scheduler: str | None) -> Iterator[Any]:
    """Make Dask compute on ``scheduler`` inside the block; yield its client, or None if it is local.

    Parameters
    ----------
    scheduler : str, optional
        "threads" (the default), "processes", "sync", or an address such as "tcp://127.0.0.1:8786".

    Raises
    ------
    ParameterError
        If it is none of these.
    StoreError
        If nothing answers at the address, or either side refuses the other's certificate.
    """
    import dask

    check_scheduler(scheduler)
    if scheduler is None or scheduler in LOCAL:
        with dask.config.set(scheduler=scheduler or "threads"):
            yield None
        return
    try:
        from distributed import Client
    except ImportError as error:
        package = extra = "distributed"
        raise MissingExtraError(package, extra, f"computing at {scheduler}") from error
    check_certificates(scheduler)
    try:
        client = Client(scheduler, timeout="10s", set_as_default=True)
    except (OSError, ValueError, TypeError, RuntimeError) as error:
        raise explained(error, scheduler) from error
    with client:
        yield client

"""Who makes the blocks of a run: threads, processes that may be killed, or the workers of a cluster."""

from __future__ import annotations

import signal
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import closing, contextmanager, suppress
from typing import TYPE_CHECKING, Any

from magxr.errors import ChunkError, MissingExtraError, StoreError
from magxr.runs import interrupt
from magxr.runs.cluster import computing
from magxr.runs.lock import FULL

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterator, Sequence

    Work = Callable[..., Any]

ATTEMPTS = 10
"""Workers of this machine that a block may lose before the run gives up: one that needs too much memory kills
every one. A cluster has a rule of its own, distributed.scheduler.allowed-failures (3)."""

RULES = {
    "distributed.scheduler.allowed-failures": ATTEMPTS,
    # a worker that dies before it has begun is not begun anew: with none left a run would wait for ever
    "distributed.scheduler.no-workers-timeout": "60s",
    # 15 s after a death distributed looks for the new worker, and gives its place up for good where that one
    # has just died too
    "distributed.deploy.lost-worker-timeout": "1d",
}
"""How Dask treats workers of this machine that die."""


class Crew:
    """Calls a function for many items and hands over each result as it comes.

    Parameters
    ----------
    workers : int
        Calls at a time.
    client : distributed.Client, optional
        Whose workers are to do it; else threads of this process, or this thread where ``workers`` is 1.
    """

    def __init__(self, workers: int, client: Any = None) -> None:
        self.workers, self.client = workers, client

    def each(self, work: Work, items: Sequence[tuple[Any, ...]]) -> Generator[Any]:
        """Yield ``work(*item)`` for every item, in the order in which they end.

        Raises
        ------
        Exception
            The first that ``work`` raises, when all calls that were at work in this process have ended.
        """
        if self.client is not None:
            results = self._distributed(work, items)
        elif self.workers == 1:
            results = (work(*item) for item in items)
        else:
            results = self._threads(work, items)
        with closing(results):  # at once, not when somebody lets go of the traceback: then the lock is free
            for result in results:
                interrupt.check()
                yield result

    def _threads(self, work: Work, items: Sequence[tuple[Any, ...]]) -> Generator[Any]:
        pool = ThreadPoolExecutor(self.workers)
        try:
            # Few at a time: a run that stops should not have to cancel ten thousand.
            left, running = list(reversed(items)), set[Future[Any]]()
            while left or running:
                while left and len(running) < 2 * self.workers:
                    running.add(pool.submit(work, *left.pop()))
                ended, running = wait(running, return_when=FIRST_COMPLETED)
                for future in ended:
                    yield future.result()
        finally:
            pool.shutdown(wait=True, cancel_futures=True)

    def _distributed(self, work: Work, items: Sequence[tuple[Any, ...]]) -> Generator[Any]:
        from distributed import as_completed

        futures = self.client.map(work, *zip(*items, strict=True), pure=False, key="magxr-block")
        try:
            for future in as_completed(futures):
                yield future.result()
                future.release()
        finally:
            self.client.cancel(futures)


@contextmanager
def crew(scheduler: str | None) -> Iterator[Crew]:
    """Yield who works for a run; inside, Dask computes there too.

    Parameters
    ----------
    scheduler : str, optional
        "threads" (the default), "sync", "processes" (of this machine, restarted when they are killed), or the
        address of a Dask scheduler.

    Raises
    ------
    StoreError
        If a disk is full.
    ChunkError
        If a block killed so many workers that the scheduler gave it up.
    """
    count = workers_of(scheduler)
    if scheduler == "processes":
        with _processes(count) as address, computing(address) as client, _full(), _killed():
            client.register_plugin(_deaf())
            yield Crew(count, client)
        return
    with computing(scheduler) as client:
        if client is None:
            with _full():
                yield Crew(count)
        else:
            with _full(), _killed():
                yield Crew(count, client)


@contextmanager
def _full() -> Iterator[None]:
    """Say what to do when a disk is full, whoever wrote to it."""
    try:
        yield
    except OSError as error:
        if error.errno not in FULL:
            raise
        fix = "make room and run the same again with resume=True (--resume): what is done is kept"
        msg = f"no space left on the disk of the output ({error}); {fix}"
        raise StoreError(msg) from error


@contextmanager
def _killed() -> Iterator[None]:
    """Say what to do about a task that every worker dies of, and about workers that do not come back."""
    from distributed import scheduler

    gone = tuple(getattr(scheduler, name) for name in _GONE if hasattr(scheduler, name))
    fix = "give workers more memory, or run with a smaller chunk (--chunk)"
    try:
        yield
    except scheduler.KilledWorker as error:
        lost = error.allowed_failures + 1
        msg = f"a block ended {lost} workers, which most likely ran out of memory; {fix}"
        raise ChunkError(msg) from error
    except gone as error:
        msg = f"no worker is left, most likely because all ran out of memory; {fix}"
        raise ChunkError(msg) from error


_GONE = ("NoWorkerError", "NoValidWorkerError")
"""Errors of distributed for a task that no worker is there for; the first is younger than 2025."""


def workers_of(scheduler: str | None) -> int:
    """Return how many blocks are in work at a time on this machine."""
    import dask
    from dask.system import CPU_COUNT

    return 1 if scheduler == "sync" else int(dask.config.get("num_workers", None) or CPU_COUNT)


@contextmanager
def _processes(count: int) -> Iterator[str]:
    """Start workers of one thread each on this machine, reachable from it only."""
    try:
        from distributed import LocalCluster
    except ImportError as error:
        package = extra = "distributed"
        raise MissingExtraError(package, extra, "computing in processes, block by block,") from error
    import dask

    with dask.config.set(RULES):
        cluster = LocalCluster(
            n_workers=count,
            threads_per_worker=1,
            processes=True,
            host="127.0.0.1",
            dashboard_address=None,
            scheduler_kwargs={"dashboard_address": "127.0.0.1:0"},  # its server takes port 8787, also without
        )
        try:
            yield cluster.scheduler_address
        finally:
            with suppress(TimeoutError):  # a block in work is not waited for: workers end with this process
                cluster.close()


def _deaf() -> Any:
    """Return what has workers leave signals to the run.

    A terminal sends Ctrl-C, and a batch system SIGTERM, to all processes of a run. Workers that ended by
    themselves would be begun anew while the run tries to stop.
    """
    from distributed import WorkerPlugin

    class Deaf(WorkerPlugin):
        def setup(self, worker: Any) -> None:  # noqa: ARG002 - the signature of distributed
            for number in (signal.SIGINT, signal.SIGTERM):
                signal.signal(number, signal.SIG_IGN)

    return Deaf()

"""Who makes the blocks of a run: threads, processes that may be killed, or the workers of a cluster."""

from __future__ import annotations

from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import closing, contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from magxr.clusters.description import Cluster
from magxr.errors import ChunkError, StoreError
from magxr.runs import interrupt
from magxr.runs.cluster import computing
from magxr.runs.lock import FULL

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterator, Sequence

    from magxr.models.spec import ModelSpec
    from magxr.runs.config import RunConfig

    Work = Callable[..., Any]


AHEAD = 2000
"""Blocks that a scheduler holds at a time: enough for a thousand threads, in little memory however many
there are in all (about 10 kB each)."""


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

        left, running = list(reversed(items)), as_completed()
        out: set[Any] = set()

        def hand_out(count: int) -> None:
            some = [left.pop() for _ in range(min(count, len(left)))]
            if some:
                futures = self.client.map(work, *zip(*some, strict=True), pure=False, key="magxr-block")
                out.update(futures)
                running.update(futures)

        try:
            hand_out(AHEAD)
            for future in running:
                yield future.result()
                out.discard(future)
                future.release()
                if len(out) <= AHEAD // 2:
                    hand_out(AHEAD - len(out))
        finally:
            self.client.cancel(list(out))


@contextmanager
def crew(config: RunConfig, spec: ModelSpec | None = None, *, progress: bool = False) -> Iterator[Crew]:
    """Yield who works for a run; inside, Dask computes there too.

    Parameters
    ----------
    config : RunConfig
        Processes of this machine are a cluster, whose workers are restarted when they are killed.
    spec : ModelSpec, optional
        Model that the workers of a cluster load before they begin.
    progress : bool
        Say on standard error how many workers of a cluster are there, while it waits.

    Raises
    ------
    MagxrError
        If a cluster cannot be had.
    StoreError
        If a disk is full.
    ChunkError
        If a block killed so many workers that the scheduler gave it up.
    """
    count = workers_of(config)
    if config.scheduler == "processes":
        config = replace(config, scheduler=None, cluster=Cluster("local", workers=count))
    with computing(config, spec, progress=progress) as client, _full():
        if client is None:
            yield Crew(count)
        else:
            with _killed():
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
        msg = f"no worker is left: all ran out of memory, or their jobs have ended; {fix}, or ask the queue"
        raise ChunkError(msg) from error


_GONE = ("NoWorkerError", "NoValidWorkerError")
"""Errors of distributed for a task that no worker is there for; the first is younger than 2025."""


def workers_of(config: RunConfig) -> int:
    """Return how many blocks are in work at a time, of a cluster at most."""
    if config.cluster is not None and config.cluster.kind != "address":
        cores = config.cluster.cores or 1
        return config.cluster.bounds(max(1, workers_here() // cores))[1] * cores
    return 1 if config.scheduler == "sync" else workers_here()


def workers_here() -> int:
    """Return how many threads or processes of this machine Dask uses."""
    import dask
    from dask.system import CPU_COUNT

    return int(dask.config.get("num_workers", None) or CPU_COUNT)

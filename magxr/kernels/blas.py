"""One thread for linear algebra inside a task.

Dask already runs a task on every core. If each task's BLAS then starts a thread for every core, they wait
for each other more than they work (seen: a hundred times slower), and what they compute depends, in the
last bits, on how many they are.
"""

from __future__ import annotations

from contextlib import contextmanager
from functools import partial
from threading import Lock, Thread
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_lock = Lock()
_users = 0
_limit: Any = None


@contextmanager
def one_thread() -> Iterator[None]:
    """Hold BLAS to one thread until the last of the tasks that ask for it is done."""
    from threadpoolctl import threadpool_limits

    global _users, _limit
    with _lock:
        if _users == 0:
            _limit = _aside(partial(threadpool_limits, limits=1, user_api="blas"))
        _users += 1
    try:
        # Where BLAS runs on OpenMP the number belongs to the calling thread, which must set it for itself.
        with threadpool_limits(limits=1, user_api="blas"):
            yield
    finally:
        with _lock:
            _users -= 1
            if _users == 0:
                _aside(_limit.restore_original_limits)


def _aside(action: Callable[[], Any]) -> Any:
    """Run ``action`` on a thread of its own.

    threadpoolctl lets one living thread at a time change the number that belongs to the process; the task
    that comes first and the one that leaves last may be on different threads.
    """
    results: list[Any] = []
    thread = Thread(target=lambda: results.append(action()))
    thread.start()
    thread.join()
    return results[0]

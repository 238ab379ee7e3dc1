"""BLAS is held to one thread while a task needs it so."""

from threading import Barrier, Event, Thread

import numpy as np
import pytest
from threadpoolctl import threadpool_info

from magxr.kernels.blas import one_thread


def threads():
    return {pool["num_threads"] for pool in threadpool_info() if pool["user_api"] == "blas"}


@pytest.fixture
def before():
    np.linalg.svd(np.eye(3))
    return threads()


def test_one_thread_inside_and_as_many_as_before_after(before):
    for _ in range(3):
        with one_thread():
            assert threads() == {1}
        assert threads() == before


def test_tasks_on_several_threads_that_leave_in_any_order(before):
    entered, seen = Barrier(4), []
    leave = [Event() for _ in range(3)]

    def task(number):
        with one_thread():
            entered.wait()
            leave[number].wait()
            seen.append(threads())

    tasks = [Thread(target=task, args=(n,)) for n in range(3)]
    for thread in tasks:
        thread.start()
    entered.wait()
    for number in (1, 0, 2):
        leave[number].set()
        tasks[number].join()
    assert seen == [{1}] * 3
    assert threads() == before

"""BLAS is held to one thread while a task needs it so."""

import numpy as np
from threadpoolctl import threadpool_info, threadpool_limits

from magxr.kernels.blas import one_thread


def threads():
    return {pool["num_threads"] for pool in threadpool_info() if pool["user_api"] == "blas"}


def test_one_thread_until_the_last_is_done():
    np.linalg.svd(np.eye(3))
    with threadpool_limits(limits=2, user_api="blas"):
        before = threads()
        first, second = one_thread(), one_thread()
        first.__enter__()
        second.__enter__()
        assert threads() == {1}
        first.__exit__(None, None, None)
        assert threads() == {1}
        second.__exit__(None, None, None)
        assert threads() == before

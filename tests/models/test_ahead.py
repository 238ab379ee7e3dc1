"""Batches made ahead: the same ones in the same order, two at a time, errors where they belong."""

import gc
import subprocess
import sys
import threading
import weakref
from contextlib import closing

import numpy as np
import pytest

from magxr.kernels.minmax import minmax
from magxr.models import ahead as module
from magxr.models.ahead import ahead, ready


def names():
    return [t.name for t in threading.enumerate() if t.name.startswith("magxr-ahead")]


@pytest.mark.parametrize("count", [0, 1, 2, 7])
def test_the_same_items_in_the_same_order(count):
    assert list(ahead(iter(range(count)))) == list(range(count))
    assert list(ahead([None] * count)) == [None] * count


def test_the_next_is_made_while_this_one_is_used():
    made = [threading.Event() for _ in range(3)]

    def items():
        for number, event in enumerate(made):
            event.set()
            yield number

    with closing(ahead(items())) as batches:
        for number in batches:
            assert made[min(number + 1, 2)].wait(60)
            if number == 0:
                assert not made[2].is_set()  # and not more than the next


def test_it_is_made_in_another_thread_than_it_is_used():
    assert set(ahead(map(lambda _: threading.current_thread().name, range(3)))) == {"magxr-ahead_0"}
    assert names() == []


def test_two_exist_at_a_time():
    alive, most, made = weakref.WeakSet(), [], threading.Semaphore(0)

    class Batch:
        pass

    def make(_):
        batch = Batch()
        alive.add(batch)
        gc.collect()
        most.append(len(alive))
        made.release()
        return batch

    assert made.acquire(timeout=0) is False
    with closing(ahead(map(make, range(6)))) as batches:
        for number, batch in enumerate(batches):
            assert batch is not None
            assert number == 5 or made.acquire(timeout=60)  # this one or the next
            assert number != 0 or made.acquire(timeout=60)
            del batch
    assert most == [1, 2, 2, 2, 2, 2]


def test_an_error_comes_in_its_turn():
    def items():
        yield 1
        yield 2
        raise ZeroDivisionError("third")

    found = []
    with pytest.raises(ZeroDivisionError, match="third"), closing(ahead(items())) as batches:
        found.extend(batches)
    assert found == [1, 2]
    assert names() == []


@pytest.mark.parametrize("error", [KeyboardInterrupt, MemoryError])
def test_an_error_or_interrupt_of_the_user_ends_the_thread(error):
    made = []

    def items():
        for number in range(1000):
            made.append(number)
            yield number

    def use():
        with closing(ahead(items())) as batches:
            for number in batches:
                if number == 3:
                    raise error

    with pytest.raises(error):
        use()
    assert names() == []
    assert len(made) <= 5


def test_an_interrupt_while_waiting_does_not_hang():
    code = """
import os, signal, threading, time
from contextlib import closing
from magxr.models.ahead import ahead

signal.signal(signal.SIGINT, signal.default_int_handler)  # in the background of a shell it would be ignored

def items():
    yield 1
    threading.Timer(0.2, os.kill, (os.getpid(), signal.SIGINT)).start()
    time.sleep(1.0)
    yield 2

try:
    with closing(ahead(items())) as batches:
        for item in batches:
            print(item, flush=True)
except KeyboardInterrupt:
    print("interrupted", flush=True)
"""
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.stdout.split() == ["1", "interrupted"]
    assert done.returncode == 0


def test_ready_is_what_minmax_makes_filled_up():
    windows = np.random.default_rng(0).standard_normal((3, 8, 8)).astype("f4")
    windows[1, 2, 3] = np.nan
    batch = ready(windows, 5)
    assert len(batch) == 3
    assert batch.images.shape == (5, 8, 8, 1)
    np.testing.assert_array_equal(batch.images[:3, ..., 0], minmax(windows))
    assert not batch.images[3:].any()
    np.testing.assert_array_equal(ready(windows, 3).images[..., 0], minmax(windows))
    assert module.Ready is type(batch)

"""Blocks that do not fit into memory are refused, with the block that does."""

import re

import pytest

from magxr.errors import ParameterError
from magxr.runs import memory

GIB = 2**30


def test_the_block_that_is_named_fits_and_is_the_largest():
    with pytest.raises(ParameterError, match=r"4 blocks of 8192 x 8192 cells .* 62 GiB, .* 8 GiB") as caught:
        memory.check((8192, 8192), workers=4, processes=4, limit=8 * GIB)
    side = int(re.search(r"--chunk (\d+)", str(caught.value))[1])
    memory.check((side, side), workers=4, processes=4, limit=8 * GIB)
    with pytest.raises(ParameterError):
        memory.check((side + 20, side + 20), workers=4, processes=4, limit=8 * GIB)


def test_a_network_takes_memory_of_its_own():
    memory.check((1024, 1024), workers=2, processes=2, limit=2 * GIB)
    with pytest.raises(ParameterError, match="GiB of memory"):
        memory.check((1024, 1024), workers=2, processes=2, network=True, limit=2 * GIB)


def test_where_no_block_fits_fewer_workers_are_asked_for():
    with pytest.raises(ParameterError, match="fewer workers"):
        memory.check((1024, 1024), workers=64, processes=64, limit=8 * GIB)


def test_this_machine_has_memory():
    assert 2**28 < memory.available() < 2**48
    memory.check((100, 100), workers=1, processes=1)

"""How much memory blocks take, how much there is, and which block fits."""

from __future__ import annotations

import math
import os
from pathlib import Path

from magxr.errors import ParameterError

PROCESS = 400 * 2**20
"""Of one process before it holds any block: Python, compiled kernels, a model without a network; bytes."""
NETWORK = 3 * 2**30
"""More of a process that runs a network: TensorFlow, a batch of windows or a tile of the dense form, and the
cells of the tiles around; 3.0 GiB were seen with VGG16 and the dense form, less with windows; bytes."""
CELL = 240
"""Of a block in work, for each of its cells: the stage that fills gaps, measured; the others take less."""
_LIMITS = (Path("/sys/fs/cgroup/memory.max"), Path("/sys/fs/cgroup/memory/memory.limit_in_bytes"))


def needed(cells: int, workers: int, processes: int = 1, *, network: bool = False) -> int:
    """Return the bytes that blocks of so many cells take, in work on so many workers at a time."""
    return processes * _alone(network) + workers * CELL * cells


def _alone(network: bool) -> int:
    return PROCESS + (NETWORK if network else 0)


def available() -> int:
    """Return the bytes of memory of this machine, or what this process may use of it."""
    whole = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    for path in _LIMITS:
        if path.is_file() and (text := path.read_text(encoding="ascii").strip()).isdigit():
            whole = min(whole, int(text))
    return whole


def check(
    sides: tuple[int, ...],
    workers: int,
    processes: int,
    *,
    network: bool = False,
    limit: int | None = None,
) -> None:
    """Refuse blocks that would not fit into memory.

    Parameters
    ----------
    sides : tuple of int
        Cells of a block along each dimension.
    workers : int
        Blocks in work at a time.
    processes : int
        Among which they are shared.
    network : bool
        Whether the model has a network, which every process then runs.
    limit : int, optional
        Bytes there are; by default those of this machine.

    Raises
    ------
    ParameterError
        Naming the side of the largest block that fits.
    """
    there = available() if limit is None else limit
    wanted = needed(math.prod(sides), workers, processes, network=network)
    if wanted <= there:
        return
    left = there - processes * _alone(network)
    side = math.isqrt(max(left, 0) // (workers * CELL)) // 10 * 10
    fix = f"use chunk={side} (--chunk {side}) or less"
    if side < _LEAST:
        fix = "use fewer workers (DASK_NUM_WORKERS) or a machine with more memory"
    shape = " x ".join(map(str, sides))
    msg = (
        f"{workers} blocks of {shape} cells at a time take about {_gib(wanted)}, but there are {_gib(there)} "
        f"of memory; {fix}"
    )
    raise ParameterError(msg)


_LEAST = 260
"""Side of the smallest block that is worth naming: below it halos are larger than blocks."""


def _gib(size: int) -> str:
    return f"{size / 2**30:.2g} GiB"

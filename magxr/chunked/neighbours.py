"""Say which cells of which blocks make up a block with its halo, and keep of each block what is needed later.

As `dask.array.overlap.overlap`, but so that a chain of steps streams through memory:

- What a block leaves for the row north of it is copied when the block itself has its turn. A slice would be a
  view that keeps the whole block in memory until that row has its own.
- A source is read twice (`remake`), once for the rows that the blocks south of it look at and once for
  itself. Otherwise a block, needed as a neighbour first, waits a whole row long to be needed as itself.
- A block with its halo is put together in the task that works on it, and never waits.
"""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from magxr.chunked.fold import reread
from magxr.chunked.streaming import streaming
from magxr.kernels import pages
from magxr.kernels.device import array_module, on_device

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    Line = list[tuple[int, slice]]
    """Which blocks along one axis make up a haloed one, and which of their cells."""

HALO = "magxr-halo"
"""How the tasks made here are named."""


class Haloed(NamedTuple):
    """How the haloed blocks of an array are made."""

    tasks: dict[Any, Any]
    """What must be in the graph besides the sources."""
    sources: list[Any]
    """Dask arrays that the tasks read."""
    parts: dict[tuple[int, int], Any]
    """For each block the arguments of `assembled`: keys of blocks, cells along latitude, along longitude."""


def haloed(
    x: Any, depth: Sequence[int], turn: str, token: str, *, wrap: bool = False, remake: bool = False
) -> Haloed:
    """Plan the blocks of ``x`` with a halo of cells of their neighbours.

    Parameters
    ----------
    x : Dask array, 2-D
        No chunk that has a neighbour may be smaller than ``depth`` along that axis.
    depth : (int, int)
        Rows and columns of halo. There is none beyond the ends of the grid.
    turn : str
        ``(turn, i, j)`` is the key of a small result: block (i, j) has its turn.
    token : str
        Tells these tasks from others.
    wrap : bool
        The first and the last column of chunks are neighbours (of themselves, if there is but one).
    remake : bool
        Make blocks twice, once for what the row south of them needs and once for themselves, so that no row
        of them waits in memory. For a source, whose blocks are cheap; what came through a halo before is
        kept all the same.
    """
    rows, columns = (
        [_line(n, i, d, around=around) for i in range(n)]
        for n, d, around in zip(x.numblocks, depth, (False, wrap), strict=True)
    )
    left, first = f"{HALO}-left-{token}", f"{HALO}-first-{token}"
    tasks: dict[Any, Any] = {}
    sources, north = [x], x.name
    if not streaming():
        left = x.name
    if remake and streaming() and depth[0] and not any(layer.startswith(HALO) for layer in x.dask.layers):
        again, north = reread(x, "north"), first
        sources.append(again)
        for i, j in itertools.product(range(1, len(rows)), range(len(columns))):
            tasks[first, i, j] = (_first_rows, (again.name, i, j), depth[0])
    parts: dict[tuple[int, int], Any] = {}
    for (i, up), (j, across) in itertools.product(enumerate(rows), enumerate(columns)):
        names = [left if a < i else north if a > i else x.name for a, _ in up]
        blocks = [[(of, a, b) for b, _ in across] for of, (a, _) in zip(names, up, strict=True)]
        parts[i, j] = blocks, [part for _, part in up], [part for _, part in across]
        if depth[0] and i < len(rows) - 1 and streaming():
            tasks[left, i, j] = (_last_rows, (x.name, i, j), depth[0], (turn, i, j))
    return Haloed(tasks, sources, parts)


def _line(blocks: int, number: int, depth: int, *, around: bool) -> Line:
    whole = (number, slice(None))
    if not depth:
        return [whole]
    sides = [(number - 1, slice(-depth, None)), whole, (number + 1, slice(depth))]
    return [(n % blocks, part) for n, part in sides if around or 0 <= n < blocks]


def _first_rows(block: NDArray[Any], count: int) -> NDArray[Any]:
    """Copy what the row south of it needs."""
    return pages.copied(block[:count])


def _last_rows(block: NDArray[Any], count: int, _: None) -> NDArray[Any]:
    """Copy what the next row needs; the last argument says that the block itself has its turn."""
    return pages.copied(block[-count:])


def assembled(blocks: list[list[NDArray[Any]]], rows: list[slice], columns: list[slice]) -> NDArray[Any]:
    """Put a block and its halo together; a block alone is returned as it is."""
    if len(rows) == len(columns) == 1:
        return blocks[0][0]
    cut = [
        [b[r, c] for b, c in zip(line, columns, strict=True)] for line, r in zip(blocks, rows, strict=True)
    ]
    if on_device(cut[0][0]):
        xp = array_module(cut[0][0])
        put: NDArray[Any] = xp.concatenate([xp.concatenate(line, axis=1) for line in cut])
        return put
    shape = sum(len(line[0]) for line in cut), sum(part.shape[1] for part in cut[0])
    whole = pages.empty(shape, cut[0][0].dtype)
    row = 0
    for line in cut:
        north = row + len(line[0])
        np.concatenate(line, axis=1, out=whole[row:north])
        row = north
    return whole


def nothing(*_: Any) -> None:
    """Depend on something without keeping it."""

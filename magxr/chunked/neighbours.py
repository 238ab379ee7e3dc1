"""Give every block a halo cut from its neighbours, row of blocks after row of blocks.

As `dask.array.overlap.overlap`, but so that a chain of steps streams through memory:

- What a block leaves for the row north of it is copied. A slice would be a view that keeps the whole block in
  memory until that row has its turn.
- The haloed blocks of a row are put together after those of the row south of it. Left to itself, Dask
  begins with the blocks that need the fewest others, which are those at the corners and edges, and works
  inwards: the front between blocks done and blocks to do, all of it in memory, is then several times longer.
  Only putting together waits, not the kernels, so as many of these run at a time as there are workers.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    Line = list[tuple[int, slice]]
    """Which blocks along one axis make up a haloed one, and which of their cells."""


def joined(x: Any, depth: Sequence[int], *, wrap: bool = False) -> Any:
    """Return ``x`` with every chunk widened by cells of its neighbours.

    Parameters
    ----------
    x : Dask array, 2-D
        No chunk that has a neighbour may be smaller than ``depth`` along that axis.
    depth : (int, int)
        Rows and columns of halo. There is none beyond the ends of the grid.
    wrap : bool
        The first and the last column of chunks are neighbours (of themselves, if there is but one).

    Returns
    -------
    Dask array
        Lazy; each block is a new array.
    """
    import dask.array as da
    from dask.base import tokenize
    from dask.highlevelgraph import HighLevelGraph

    rows, columns = (
        [_line(n, i, d, around=around) for i in range(n)]
        for n, d, around in zip(x.numblocks, depth, (False, wrap), strict=True)
    )
    token = tokenize(x.name, tuple(depth), wrap)
    name, left, done, row_done = (f"magxr-halo-{what}-{token}" for what in ("joined", "left", "done", "row"))
    tasks: dict[Any, Any] = {}
    for i, up in enumerate(rows):
        for j, across in enumerate(columns):
            blocks = [[(left if a < i else x.name, a, b) for b, _ in across] for a, _ in up]
            parts = [part for _, part in up], [part for _, part in across]
            tasks[name, i, j] = (_assembled, blocks, *parts, (row_done, i - 1) if i else None)
            tasks[done, i, j] = (_nothing, (name, i, j))
            if depth[0] and i < len(rows) - 1:
                tasks[left, i, j] = (_last_rows, (x.name, i, j), depth[0], (done, i, j))
        tasks[row_done, i] = (_nothing, [(done, i, j) for j in range(len(columns))])
    chunks = tuple(
        tuple(size + d * (len(line) - 1) for size, line in zip(sizes, lines, strict=True))
        for sizes, lines, d in zip(x.chunks, (rows, columns), depth, strict=True)
    )
    graph = HighLevelGraph.from_collections(name, tasks, dependencies=[x])
    return da.Array(graph, name, chunks, meta=x._meta)


def _line(blocks: int, number: int, depth: int, *, around: bool) -> Line:
    whole = (number, slice(None))
    if not depth:
        return [whole]
    sides = [(number - 1, slice(-depth, None)), whole, (number + 1, slice(depth))]
    return [(n % blocks, part) for n, part in sides if around or 0 <= n < blocks]


def _last_rows(block: NDArray[Any], count: int, _: None) -> NDArray[Any]:
    """Copy what the next row needs; the last argument says that the block itself was used before."""
    return block[-count:].copy()


def _assembled(
    blocks: list[list[NDArray[Any]]], rows: list[slice], columns: list[slice], _: None
) -> NDArray[Any]:
    """Put a block and its halo together; the last argument only says what comes before."""
    cut = [
        [b[r, c] for b, c in zip(line, columns, strict=True)] for line, r in zip(blocks, rows, strict=True)
    ]
    # Always a copy, also of a block alone: it must not keep its neighbours.
    return np.concatenate([np.concatenate(line, axis=1) for line in cut], axis=0)


def _nothing(_: Any) -> None:
    """Depend on something without keeping it."""

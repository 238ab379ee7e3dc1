"""Give every block a halo cut from its neighbours, row of blocks after row of blocks.

As `dask.array.overlap.overlap`, but so that a chain of steps streams through memory:

- What a block leaves for the row north of it is copied. A slice would be a view that keeps the whole block in
  memory until that row has its turn.
- A source is read twice (`remake`), once for the rows that the blocks south of it look at and once for
  itself. Otherwise a block, needed as a neighbour first, waits a whole row long to be needed as itself.
- Haloed blocks are put together one after the other, from west to east and from south to north. Left to
  itself, Dask begins with the blocks that need the fewest others, which are those at the corners and edges,
  and works inwards: the front between blocks done and blocks to do, all of it in memory, is then much longer
  than one row and two blocks, the least that a sweep can do with. Only putting together waits, not the
  kernels, so as many of these run at a time as there are workers.
- All of these have memory of their own (`magxr.chunked.pages`), which goes back to the system at once.
"""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, Any

from magxr.chunked import pages
from magxr.chunked.fold import reread

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    Line = list[tuple[int, slice]]
    """Which blocks along one axis make up a haloed one, and which of their cells."""

HALO = "magxr-halo"
"""How the graph layers made here are named."""


def joined(x: Any, depth: Sequence[int], *, wrap: bool = False, remake: bool = False) -> Any:
    """Return ``x`` with every chunk widened by cells of its neighbours.

    Parameters
    ----------
    x : Dask array, 2-D
        No chunk that has a neighbour may be smaller than ``depth`` along that axis.
    depth : (int, int)
        Rows and columns of halo. There is none beyond the ends of the grid.
    wrap : bool
        The first and the last column of chunks are neighbours (of themselves, if there is but one).
    remake : bool
        Make blocks twice, once for what the row south of them needs and once for themselves, so that no row
        of them waits in memory. For a source, whose blocks are cheap; what came through a halo before is
        kept all the same.

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
    token = tokenize(x.name, tuple(depth), wrap, remake)
    name, left, done, first = (f"{HALO}-{what}-{token}" for what in ("joined", "left", "done", "first"))
    tasks: dict[Any, Any] = {}
    before: Any = None
    sources, north = [x], x.name
    if remake and depth[0] and not any(layer.startswith(HALO) for layer in x.dask.layers):
        again, north = reread(x, "north"), first
        sources.append(again)
        for i, j in itertools.product(range(1, len(rows)), range(len(columns))):
            tasks[first, i, j] = (_first_rows, (again.name, i, j), depth[0])
    for i, up in enumerate(rows):
        for j, across in enumerate(columns):
            names = [left if a < i else north if a > i else x.name for a, _ in up]
            blocks = [[(of, a, b) for b, _ in across] for of, (a, _) in zip(names, up, strict=True)]
            parts = [part for _, part in up], [part for _, part in across]
            tasks[name, i, j] = (_assembled, blocks, *parts, before)
            before = (done, i, j)
            tasks[before] = (_nothing, (name, i, j))
            if depth[0] and i < len(rows) - 1:
                tasks[left, i, j] = (_last_rows, (x.name, i, j), depth[0], before)
    chunks = tuple(
        tuple(size + d * (len(line) - 1) for size, line in zip(sizes, lines, strict=True))
        for sizes, lines, d in zip(x.chunks, (rows, columns), depth, strict=True)
    )
    graph = HighLevelGraph.from_collections(name, tasks, dependencies=sources)
    return da.Array(graph, name, chunks, meta=x._meta)


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
    """Copy what the next row needs; the last argument says that the block itself was used before."""
    return pages.copied(block[-count:])


def _assembled(
    blocks: list[list[NDArray[Any]]], rows: list[slice], columns: list[slice], _: None
) -> NDArray[Any]:
    """Put a block and its halo together; the last argument only says what comes before."""
    cut = [
        [b[r, c] for b, c in zip(line, columns, strict=True)] for line, r in zip(blocks, rows, strict=True)
    ]
    # Always a copy, also of a block alone: it must not keep its neighbours.
    shape = sum(len(line[0]) for line in cut), sum(part.shape[1] for part in cut[0])
    whole = pages.empty(shape, cut[0][0].dtype)
    row = 0
    for line in cut:
        column = 0
        for part in line:
            whole[row : row + part.shape[0], column : column + part.shape[1]] = part
            column += part.shape[1]
        row += line[0].shape[0]
    return whole


def _nothing(_: Any) -> None:
    """Depend on something without keeping it."""

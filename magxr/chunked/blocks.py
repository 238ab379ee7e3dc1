"""Make each output block from the cells it needs, however the input is chunked.

`magxr.chunked.halo` serves results on the input's own cells. Windows are different: their results lie on
another grid, a block of them reads several chunks, and over the edge it reads mirrored or wrapped cells.
Here each output block states its reach along both axes; one task cuts it out of each chunk it touches and
one more puts the pieces together and runs the kernel.
"""

from __future__ import annotations

import itertools
import pickle
from dataclasses import dataclass
from functools import partial
from operator import getitem
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from magxr.chunked.neighbours import nothing
from magxr.chunked.plan import is_chunked
from magxr.chunked.streaming import streaming

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from numpy.typing import DTypeLike, NDArray

    Kernel = Callable[..., NDArray[Any]]


@dataclass(frozen=True, slots=True)
class Reach:
    """The cells that one output block reads along one axis."""

    start: int
    """First cell; may lie before the axis (mirrored or wrapped)."""
    stop: int
    """One past the last cell; may lie beyond the axis."""
    runs: tuple[tuple[int, int], ...]
    """Stretches of real cells to read, in this order."""
    pick: tuple[int, ...] | None = None
    """Which of the cells read stand at ``start .. stop``; None if they do already."""
    cells: int = 0
    """Length of the axis."""

    @property
    def real(self) -> NDArray[np.bool_]:
        """Tell which cells of ``start .. stop`` lie on the axis (all of them where it goes round)."""
        if self.pick is None:
            return np.ones(self.stop - self.start, dtype=bool)
        at = np.arange(self.start, self.stop)
        inside: NDArray[np.bool_] = (at >= 0) & (at < self.cells)
        return inside


def reach(start: int, stop: int, cells: int, beyond: Literal["refuse", "mirror", "wrap"]) -> Reach:
    """Plan the reading of cells ``start`` to ``stop`` of an axis of ``cells``.

    Beyond the ends the cells are mirrored (the edge cell twice, as ``numpy.pad`` does with "symmetric") or,
    on an axis that goes round, taken from the other end.
    """
    if start >= 0 and stop <= cells:
        return Reach(start, stop, ((start, stop),), None, cells)
    at = np.arange(start, stop)
    if beyond == "wrap":
        at %= cells
        breaks = [0, *(np.flatnonzero(np.diff(at) != 1) + 1).tolist(), len(at)]
        stretches = tuple((int(at[a]), int(at[b - 1]) + 1) for a, b in itertools.pairwise(breaks))
        return Reach(start, stop, stretches, None, cells)
    if beyond == "mirror":
        at %= 2 * cells
        at = np.where(at < cells, at, 2 * cells - 1 - at)
        low, high = int(at.min()), int(at.max()) + 1
        return Reach(start, stop, ((low, high),), tuple((at - low).tolist()), cells)
    msg = f"cells {start} to {stop} do not lie in an axis of {cells}"
    raise IndexError(msg)


@dataclass(frozen=True, slots=True)
class Job:
    """What one output block reads, and what its kernel is told."""

    rows: Reach | None
    """None: nothing is read, the kernel is called without arrays."""
    columns: Reach | None
    told: Mapping[str, Any]
    """Keyword arguments of the kernel for this block."""


Jobs = dict[tuple[int, ...], Job]
"""Output block number -> what it reads."""


def map_regions(
    kernel: Kernel,
    arrays: Sequence[Any],
    jobs: Jobs,
    *,
    chunks: tuple[tuple[int, ...], ...],
    dtype: DTypeLike,
    step: str,
    beside: Sequence[Any] = (),
    **shared: Any,
) -> Any:
    """Run ``kernel(*regions, *blocks, **told, **shared)`` for every output block.

    Parameters
    ----------
    kernel : callable
        Takes the cut regions (one per array, numpy, rows x columns) and returns the block.
    arrays : sequence of numpy or Dask arrays, 2-D, or 3-D with a last dimension in one chunk
        On the same cells; their chunks need not agree with each other or with the output's.
    jobs : dict
        Output block number -> `Job`; one entry for each block of ``chunks``.
    chunks : tuple of tuples of int
        Sizes of the output blocks along each output dimension.
    dtype
        Of the output.
    step : str
        Name of the operation, for task keys.
    beside : sequence of numpy or Dask arrays
        Made by this function for the same ``chunks``: of each, the kernel takes the block of the same number.

    Returns
    -------
    numpy or Dask array
        Lazy if one of ``arrays`` is; nothing is computed. One task per block runs the kernel, one task per
        touched chunk cuts its piece. Computed as a whole, blocks get their pieces in the order of ``jobs``,
        so that arrays which are made on the way are held row by row.
    """
    dtype = np.dtype(dtype)
    # Bound here, so that Dask never looks for task keys among the arguments.
    kernel = partial(kernel, **shared)
    if not any(is_chunked(a) for a in arrays):
        out = np.empty(tuple(map(sum, chunks)), dtype=dtype)
        offsets = [[0, *itertools.accumulate(sizes)] for sizes in chunks]
        for number, job in jobs.items():
            at = tuple(slice(o[n], o[n + 1]) for o, n in zip(offsets, number, strict=True))
            if job.rows is None or job.columns is None:
                out[at] = kernel(**job.told)
            else:
                regions = [_taken(a, job.rows, job.columns) for a in arrays]
                out[at] = kernel(*regions, *(b[at] for b in beside), **job.told)
        return out
    return _graph(kernel, arrays, jobs, chunks, dtype, step, beside)


def _graph(
    kernel: Kernel,
    arrays: Sequence[Any],
    jobs: Jobs,
    chunks: tuple[tuple[int, ...], ...],
    dtype: np.dtype[Any],
    step: str,
    beside: Sequence[Any],
) -> Any:
    import dask.array as da
    from dask.base import tokenize
    from dask.highlevelgraph import HighLevelGraph

    lazy = [a if is_chunked(a) else da.from_array(a, chunks=-1) for a in arrays]
    # Bytes, since Dask would walk through ten thousand jobs by itself for many seconds.
    content = pickle.dumps(sorted(jobs.items()), protocol=5)
    names = [a.name for a in (*lazy, *beside)]
    token = tokenize(kernel, names, content, chunks, str(dtype), streaming())
    name, piece, turn = (f"magxr-{step}-{what}{token}" for what in ("", "cut-", "turn-"))
    edges = [[np.cumsum([0, *sizes]) for sizes in a.chunks[:2]] for a in lazy]
    tasks: dict[Any, Any] = {}
    before: Any = None
    for number, job in jobs.items():
        blocks = []
        if job.rows is not None and job.columns is not None:
            for n, array in enumerate(lazy):
                grid: list[list[Any]] = []
                for i, rows in _touched(edges[n][0], job.rows.runs):
                    line: list[Any] = []
                    for j, columns in _touched(edges[n][1], job.columns.runs):
                        key = (piece, *number, n, len(grid), len(line))
                        tasks[key] = (getitem, (array.name, i, j, *(0,) * (array.ndim - 2)), (rows, columns))
                        line.append(key)
                    grid.append(line)
                blocks.append(grid)
        own = [(b.name, *number) for b in beside] if blocks else []
        if blocks and streaming():
            tasks[turn, *number] = (nothing, blocks, before)
            before = (turn, *number)
        tasks[name, *number] = (_made, kernel, blocks, own, job, dtype, before)
    graph = HighLevelGraph.from_collections(name, tasks, dependencies=[*lazy, *beside])
    return da.Array(graph, name, chunks, dtype=dtype, meta=np.empty((0,) * len(chunks), dtype=dtype))


def _touched(edges: NDArray[Any], stretches: Sequence[tuple[int, int]]) -> list[tuple[int, slice]]:
    """Return (chunk number, slice within it) for stretches of cells, in order."""
    found = []
    for start, stop in stretches:
        first = int(np.searchsorted(edges, start, side="right")) - 1
        last = int(np.searchsorted(edges, stop, side="left"))
        for n in range(first, last):
            begin, end = int(edges[n]), int(edges[n + 1])
            if end > begin:
                found.append((n, slice(max(start, begin) - begin, min(stop, end) - begin)))
    return found


def _made(
    kernel: Kernel,
    blocks: list[list[list[NDArray[Any]]]],
    beside: list[NDArray[Any]],
    job: Job,
    dtype: np.dtype[Any],
    _: None,
) -> NDArray[Any]:
    if job.rows is None or job.columns is None:
        return np.ascontiguousarray(kernel(**job.told), dtype=dtype)
    regions = [_picked(_joined(grid), job.rows, job.columns) for grid in blocks]
    return np.ascontiguousarray(kernel(*regions, *beside, **job.told), dtype=dtype)


def _joined(grid: list[list[NDArray[Any]]]) -> NDArray[Any]:
    """Put pieces together; not `numpy.block`, which takes the last two dimensions for rows and columns."""
    lines = [np.concatenate(line, axis=1) if len(line) > 1 else line[0] for line in grid]
    return np.concatenate(lines, axis=0) if len(lines) > 1 else lines[0]


def _taken(array: Any, rows: Reach, columns: Reach) -> NDArray[Any]:
    pieces = [[array[a:b, c:d] for c, d in columns.runs] for a, b in rows.runs]
    return _picked(np.asarray(_joined(pieces)), rows, columns)


def _picked(region: NDArray[Any], rows: Reach, columns: Reach) -> NDArray[Any]:
    if rows.pick is not None:
        region = region[np.asarray(rows.pick)]
    if columns.pick is not None:
        region = region[:, np.asarray(columns.pick)]
    return region


def output_chunks(count: int, like: int, *, least: int, most: int) -> tuple[int, ...]:
    """Cut ``count`` results into equal chunks and a smaller last one, as Zarr wants them.

    The size lies in ``least .. most`` and as near as possible to ``like`` (results that one chunk of the
    input gives) or to an even part of it; the last chunk too has at least ``least`` results.
    """
    if count <= max(most, 2 * least - 1):
        return (count,)
    wanted = like / -(-like // most) if like else most
    sizes = sorted(range(least, most + 1), key=lambda c: (abs(c - wanted), c))
    good = [c for c in sizes if count % c == 0 or count % c >= least]
    size = good[0] if good else max(sizes, key=lambda c: count % c)
    whole, rest = divmod(count, size)
    return (size,) * whole + ((rest,) if rest else ())

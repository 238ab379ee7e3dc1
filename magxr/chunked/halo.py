"""Run a kernel on blocks that carry a halo: the only place where blocks see their neighbours."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from magxr.chunked.neighbours import HALO, assembled, haloed, nothing
from magxr.chunked.plan import check_halo, is_chunked
from magxr.chunked.streaming import streaming
from magxr.kernels import pages
from magxr.kernels.device import array_module

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import DTypeLike, NDArray

    Kernel = Callable[..., NDArray[Any]]

Chunks = tuple[tuple[int, ...], tuple[int, ...]]


@dataclass(frozen=True, slots=True)
class Place:
    """Where a haloed block lies in the whole grid."""

    rows: tuple[int, int]
    """First row of the core and one past its last, in the whole grid."""
    cols: tuple[int, int]
    """First column of the core and one past its last."""
    halo: tuple[int, int, int, int]
    """Cells of halo the block really carries: south, north, west, east. 0 is a true edge of the grid."""
    shape: tuple[int, int]
    """Shape of the whole grid."""
    number: tuple[int, int] = (0, 0)
    """Block number along latitude and longitude."""

    def core(self, block: NDArray[Any]) -> NDArray[Any]:
        """Cut the halo off the last two axes of a result with the block's shape."""
        south, north, west, east = self.halo
        return block[..., south : block.shape[-2] - north, west : block.shape[-1] - east]


def map_halo(
    kernel: Kernel,
    x: Any,
    *others: Any,
    depth: tuple[int, int],
    step: str,
    wrap: bool = False,
    dtype: DTypeLike | None = None,
    outputs: int | None = None,
    out_chunks: Chunks | None = None,
    placed: bool = False,
    remake: bool = False,
    **kwargs: Any,
) -> Any:
    """Apply ``kernel`` to every block with its halo and keep the core.

    Parameters
    ----------
    kernel : callable
        ``kernel(block, *other_blocks, **kwargs)`` on plain arrays. Treats the edges of what it gets as
        true edges (mirror, one-sided, ...): inside the grid that spoils only the halo, which is cut off.
    x, others : numpy or Dask arrays, 2-D
        South in row 0, west in column 0; ``others`` share the shape and chunks of ``x``.
    depth : (int, int)
        Rows and columns that a cell's result depends on, computed beside the kernel.
    step : str
        Name for messages and task keys.
    wrap : bool
        Longitude is periodic: the west edge sees the east edge.
    dtype
        Of the result; default that of ``x``.
    outputs : int, optional
        The kernel returns this many arrays stacked on a leading axis.
    out_chunks : two tuples of int, optional
        The kernel itself returns the core, with these sizes by block (grids that change their cells).
    placed : bool
        Pass the keyword ``place`` (a `Place`) to the kernel.
    remake : bool
        The blocks of ``x`` and ``others`` are cheap: make them twice rather than keep a row of them.
    **kwargs
        Passed to the kernel; a lazy scalar (0-D Dask array) arrives as its value.

    Returns
    -------
    numpy or Dask array
        Lazy if ``x`` is lazy; nothing is computed, no chunk is changed.

    Raises
    ------
    ChunkError
        If a chunk is smaller than the halo.
    """
    dtype = np.dtype(dtype or x.dtype)
    if not is_chunked(x):
        east = depth[1] if wrap else 0
        if wrap:
            check_halo([(x.shape[0],), (x.shape[1],)], depth, wrap=True, step=step)
        blocks = [
            array_module(a).pad(a, ((0, 0), (east, east)), mode="wrap") if east else a for a in (x, *others)
        ]
        whole = Place((0, x.shape[0]), (0, x.shape[1]), (0, 0, east, east), x.shape)
        result = _run(kernel, whole, out_chunks is None, placed, *blocks, **kwargs)
        return array_module(result).ascontiguousarray(result, dtype=dtype)

    import dask.array as da
    from dask.array.utils import meta_from_array
    from dask.base import tokenize
    from dask.highlevelgraph import HighLevelGraph

    check_halo(x.chunks, depth, wrap=wrap, step=step)
    reach = [0 if n == 1 and not (wrap and axis == 1) else depth[axis] for axis, n in enumerate(x.numblocks)]
    core = tuple(tuple(c) for c in (out_chunks or x.chunks))
    scalars = {name: kwargs.pop(name) for name in list(kwargs) if is_chunked(kwargs[name])}
    # A task gets the sizes of the chunks, not a table of all blocks: it would grow with their square.
    where = partial(place, x.chunks, reach, wrap=wrap)
    call = partial(kernel, **kwargs)
    work = partial(_block, call, where, out_chunks is None, placed, dtype, tuple(scalars))
    inputs = [a.name for a in (x, *others, *scalars.values())]
    token = tokenize(work, inputs, reach, wrap, core, outputs, remake, streaming())
    name, turn = (f"{HALO}-{what}-{token}" for what in (step, "turn"))
    halos = [
        haloed(a, reach, turn, f"{n}-{token}", wrap=wrap, remake=remake) for n, a in enumerate((x, *others))
    ]
    tasks: dict[Any, Any] = {}
    for halo in halos:
        tasks |= halo.tasks
    lead = (0,) if outputs else ()
    values = [(a.name,) for a in scalars.values()]
    # Blocks take turns from west to east and from south to north, without waiting for the work of those
    # before. Left to itself, Dask begins with the blocks that need the fewest others, which are those at the
    # corners and edges, and works inwards: the front between blocks done and blocks to do, all of it in
    # memory, is then much longer than one row and two blocks, the least that a sweep can do with.
    before: Any = None
    for number in np.ndindex(*x.numblocks):
        parts = [list(halo.parts[number]) for halo in halos]
        if any(reach) and streaming():
            tasks[turn, *number] = (nothing, [blocks for blocks, *_ in parts], before)
            before = (turn, *number)
        tasks[name, *lead, *number] = (work, number, parts, before, *values)
    sources = [source for halo in halos for source in halo.sources]
    graph = HighLevelGraph.from_collections(name, tasks, dependencies=[*sources, *scalars.values()])
    chunks = ((outputs,), *core) if outputs else core
    # Blocks stay in the memory that they are in, so the result's are of the kind of the input's.
    return da.Array(graph, name, chunks, meta=meta_from_array(x, ndim=len(chunks), dtype=dtype))


def place(
    chunks: Sequence[Sequence[int]], depth: Sequence[int], number: Sequence[int], *, wrap: bool = False
) -> Place:
    """Return where block ``number`` of ``chunks`` (sizes along latitude and longitude) lies."""
    spans, halo = [], []
    for sizes, reach, n, around in zip(chunks, depth, number, (False, wrap), strict=True):
        start = sum(sizes[:n])
        spans.append((start, start + sizes[n]))
        halo += [reach if n or around else 0, reach if n < len(sizes) - 1 or around else 0]
    shape = (sum(chunks[0]), sum(chunks[1]))
    south, north, west, east = halo
    return Place(spans[0], spans[1], (south, north, west, east), shape, (number[0], number[1]))


def _block(
    kernel: Kernel,
    where: Callable[[Sequence[int]], Place],
    trim: bool,
    placed: bool,
    dtype: np.dtype[Any],
    names: tuple[str, ...],
    number: tuple[int, int],
    parts: list[Any],
    _: None,
    *scalars: NDArray[Any],
) -> NDArray[Any]:
    blocks = [assembled(*part) for part in parts]
    found = _run(kernel, where(number), trim, placed, *blocks, **dict(zip(names, scalars, strict=True)))
    # A trimmed view would keep the haloed block alive in the scheduler's memory.
    return pages.copied(found, dtype)


def _run(
    kernel: Kernel,
    place: Place,
    trim: bool,
    placed: bool,
    *blocks: NDArray[Any],
    **kwargs: Any,
) -> NDArray[Any]:
    if placed:
        kwargs["place"] = place
    result = kernel(*blocks, **kwargs)
    return place.core(result) if trim else result

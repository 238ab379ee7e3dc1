"""Run a kernel on blocks that carry a halo: the only place where blocks see their neighbours."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from magxr.chunked import pages
from magxr.chunked.neighbours import joined
from magxr.chunked.plan import check_halo, is_chunked

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
            np.pad(np.asarray(a), ((0, 0), (east, east)), mode="wrap") if east else a for a in (x, *others)
        ]
        whole = Place((0, x.shape[0]), (0, x.shape[1]), (0, 0, east, east), x.shape)
        result = _run(kernel, whole, out_chunks is None, placed, *blocks, **kwargs)
        return np.ascontiguousarray(result, dtype=dtype)

    import dask.array as da

    check_halo(x.chunks, depth, wrap=wrap, step=step)
    reach = [0 if n == 1 and not (wrap and axis == 1) else depth[axis] for axis, n in enumerate(x.numblocks)]
    arrays = [joined(a, reach, wrap=wrap, remake=remake) if any(reach) else a for a in (x, *others)]
    core = tuple(tuple(c) for c in (out_chunks or x.chunks))
    extra: dict[str, Any] = {"new_axis": 0, "chunks": ((outputs,), *core)} if outputs else {"chunks": core}
    # As an argument of its own, not as a keyword: Dask would optimise the graph of a keyword apart.
    scalars = {name: kwargs.pop(name) for name in list(kwargs) if is_chunked(kwargs[name])}
    # A task gets the sizes of the chunks, not a table of all blocks: it would grow with their square.
    where = partial(place, x.chunks, reach, wrap=wrap)
    return da.map_blocks(
        partial(_block, kernel, where, out_chunks is None, placed, dtype, tuple(scalars)),
        *arrays,
        *scalars.values(),
        dtype=dtype,
        meta=np.empty((0,) * (3 if outputs else 2), dtype=dtype),
        token=f"magxr-{step}",
        **extra,
        **kwargs,
    )


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
    scalars: tuple[str, ...],
    *blocks: NDArray[Any],
    block_id: tuple[int, ...] = (0, 0),
    **kwargs: Any,
) -> NDArray[Any]:
    split = len(blocks) - len(scalars)
    kwargs |= zip(scalars, blocks[split:], strict=True)
    blocks = blocks[:split]
    # A trimmed view would keep the haloed block alive in the scheduler's memory.
    return pages.copied(_run(kernel, where(block_id[-2:]), trim, placed, *blocks, **kwargs), dtype)


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

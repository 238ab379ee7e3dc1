"""Many steps of a local scheme on blocks: how many steps to take between two looks at the neighbours."""

from __future__ import annotations

import math
from functools import partial
from typing import TYPE_CHECKING, Any

from magxr.chunked.halo import map_halo
from magxr.chunked.plan import check_halo, is_chunked, log

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    from magxr.chunked.halo import Place

    Steps = Callable[..., NDArray[Any]]
    """``steps(block, *, count, halo, **kwargs)`` returns the block without its halo."""

REDUNDANT = 0.75
"""Largest share of work done twice, on halos, before another exchange is made: at this, chunks of 1000 cells
take the 20 steps of the defaults in one exchange, without a generation of blocks in memory between."""


def plan_exchanges(
    chunks: Sequence[Sequence[int]], reach: int, steps: int, *, wrap: bool = False
) -> tuple[int, ...]:
    """Split ``steps`` into groups with one exchange of halos each.

    Parameters
    ----------
    chunks : two sequences of int
        Chunk sizes along latitude and longitude, cells.
    reach : int
        Cells that one step looks away; a group of k steps needs a halo of ``k * reach``.
    steps : int
        Steps in all.
    wrap : bool
        Longitude is periodic.

    Returns
    -------
    tuple of int
        Steps of each group, as even as can be: the fewest groups whose halo fits into the smallest chunk
        and whose work on halos is at most `REDUNDANT`. Between two exchanges every block waits for its
        neighbours, so that a generation of blocks must be held in memory or spilled; blocks that
        exchange once stream from store to store.
    """
    sides = [sizes for axis, sizes in enumerate(chunks) if len(sizes) > 1 or (wrap and axis == 1)]
    if not sides:
        return (steps,)
    smallest, typical = min(min(sizes) for sizes in sides), [max(sizes) for sizes in sides]
    longest = 1
    while (
        longest < steps
        and (longest + 1) * reach <= smallest
        and redundant(longest + 1, reach, typical) <= REDUNDANT
    ):
        longest += 1
    groups = math.ceil(steps / longest)
    base, more = divmod(steps, groups)
    return (base + 1,) * more + (base,) * (groups - more)


def redundant(count: int, reach: int, sides: Sequence[int]) -> float:
    """Return the share of work that ``count`` steps do twice on halos that shrink by ``reach`` a step.

    ``sides`` are the lengths of the block along the axes on which it has neighbours.
    """
    areas = (math.prod(1.0 + 2.0 * left * reach / side for side in sides) for left in range(count))
    return sum(areas) / count - 1.0


def step_blocks(
    kernel: Steps,
    x: Any,
    *,
    reach: int,
    steps: int,
    step: str,
    wrap: bool = False,
    depth: int | None = None,
    **kwargs: Any,
) -> Any:
    """Take ``steps`` steps on blocks, lazily if ``x`` is lazy.

    Parameters
    ----------
    kernel : callable
        ``kernel(block, count=, halo=, **kwargs)``: takes ``count`` steps and returns the block without the
        ``halo`` (south, north, west, east), mirroring true edges at each step.
    x : numpy or Dask array, 2-D
        South in row 0, west in column 0.
    reach : int
        Cells that one step looks away.
    steps : int
        Steps in all.
    step : str
        Name for messages and task keys.
    wrap : bool
        Longitude is periodic.
    depth : int, optional
        Exchange once, with a halo of this many cells (exact from ``steps * reach`` on). By default
        exchange as often as `plan_exchanges` says: bit for bit what one block would give.

    Raises
    ------
    ChunkError
        If a chunk is smaller than the halo.
    """
    chunks = x.chunks if is_chunked(x) else ((x.shape[0],), (x.shape[1],))
    if depth is None:
        groups = plan_exchanges(chunks, reach, steps, wrap=wrap)
        depths = [count * reach for count in groups]
    else:
        groups, depths = (steps,), [min(depth, steps * reach)]
    check_halo(chunks, (max(depths), max(depths)), wrap=wrap, step=step)
    log.info("%s: %d steps, groups %s, halo %s", step, steps, groups, depths)
    for count, halo in zip(groups, depths, strict=True):
        x = map_halo(
            partial(_core, kernel, count),
            x,
            depth=(halo, halo),
            step=step,
            wrap=wrap,
            out_chunks=chunks,
            placed=True,
            **kwargs,
        )
    return x


def _core(kernel: Steps, count: int, block: NDArray[Any], *, place: Place, **kwargs: Any) -> NDArray[Any]:
    return kernel(block, count=count, halo=place.halo, **kwargs)

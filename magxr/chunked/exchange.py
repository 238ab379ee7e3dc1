"""Many steps of a local scheme on blocks: how many to take between two looks at the neighbours."""

from __future__ import annotations

import itertools
import logging
import math
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

from magxr.chunked.halo import map_halo
from magxr.chunked.plan import check_halo, is_chunked, log
from magxr.chunked.streaming import streaming

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    from magxr.chunked.halo import Place

    Steps = Callable[..., NDArray[Any]]
    """``steps(block, *others, taken, place, **kwargs)`` returns the block without its halo."""

Reach = tuple[int, int]
"""Cells that a step looks away along latitude and longitude."""

REDUNDANT = 0.75
"""Largest share of work done twice, on halos, before another exchange is made: at this, chunks of 1000 cells
take the 20 steps of the defaults in one exchange, without a generation of blocks in memory between."""


@dataclass(frozen=True, slots=True)
class Exchanges:
    """Which steps are taken between two looks at the neighbours."""

    groups: tuple[tuple[int, int], ...]
    """First step of each group and one past its last."""
    depths: tuple[Reach, ...]
    """Cells of halo of each group along latitude and longitude."""
    redundant: float
    """Share of work that is done twice, on halos."""

    def __str__(self) -> str:
        """Say it in words."""
        counts = "+".join(str(b - a) for a, b in self.groups)
        halos = ", ".join(f"{rows} x {columns}" for rows, columns in self.depths)
        return f"steps {counts}, an exchange each, halo {halos} cells, {self.redundant:.0%} redundant work"


def plan_exchanges(
    chunks: Sequence[Sequence[int]], reaches: Sequence[Reach], *, wrap: bool = False
) -> Exchanges:
    """Split steps into groups with one exchange of halos each.

    Parameters
    ----------
    chunks : two sequences of int
        Chunk sizes along latitude and longitude, cells.
    reaches : sequence of (int, int)
        How far each step looks along latitude and longitude, cells; a group needs a halo of their sum.
    wrap : bool
        Longitude is periodic.

    Returns
    -------
    Exchanges
        The fewest groups, of as equal numbers of steps as can be, whose halo fits into the smallest chunk
        and whose work on halos is at most `REDUNDANT`. Between two exchanges every block waits for its
        neighbours, so that a generation of blocks must be held in memory or spilled; blocks that
        exchange once stream from store to store. For single blocks (`magxr.chunked.streaming.one_by_one`)
        the limit on work does not hold: each would make the generation before of all its neighbours.
    """
    most = REDUNDANT if streaming() else math.inf
    axes = [axis for axis, sizes in enumerate(chunks) if len(sizes) > 1 or (wrap and axis == 1)]
    smallest = {axis: min(chunks[axis]) for axis in axes}
    sides = {axis: max(chunks[axis]) for axis in axes}
    for count in range(1, len(reaches) + 1):
        groups = _even(len(reaches), count)
        fits = all(
            b - a == 1
            or (
                all(sum(r[axis] for r in reaches[a:b]) <= smallest[axis] for axis in axes)
                and redundant(reaches[a:b], sides) <= most
            )
            for a, b in groups
        )
        if fits:
            break
    return exchanges(groups, reaches, sides)


def exchanges(
    groups: Sequence[tuple[int, int]], reaches: Sequence[Reach], sides: dict[int, int]
) -> Exchanges:
    """Put the groups together with what they need."""
    depths = tuple((sum(r[0] for r in reaches[a:b]), sum(r[1] for r in reaches[a:b])) for a, b in groups)
    work = sum((b - a) * redundant(reaches[a:b], sides) for a, b in groups) / len(reaches)
    return Exchanges(tuple(groups), depths, work)


def _even(steps: int, count: int) -> list[tuple[int, int]]:
    base, more = divmod(steps, count)
    ends = [0]
    for k in range(count):
        ends.append(ends[-1] + base + (k < more))
    return list(itertools.pairwise(ends))


def redundant(reaches: Sequence[Reach], sides: dict[int, int]) -> float:
    """Return the share of work that steps do twice on halos that shrink with every step.

    ``sides`` are the lengths of the block along the axes (0, 1) on which it has neighbours.
    """
    left = {axis: 0 for axis in sides}
    work = 0.0
    for reach in reversed(reaches):
        work += math.prod(1.0 + 2.0 * left[axis] / side for axis, side in sides.items())
        left = {axis: left[axis] + reach[axis] for axis in sides}
    return work / len(reaches) - 1.0


def step_blocks(
    kernel: Steps,
    x: Any,
    *others: Any,
    reaches: Sequence[Reach],
    step: str,
    wrap: bool = False,
    depth: Reach | None = None,
    **kwargs: Any,
) -> Any:
    """Take steps on blocks, lazily if ``x`` is lazy.

    Parameters
    ----------
    kernel : callable
        ``kernel(block, *other_blocks, taken=(a, b), place=, **kwargs)``: takes steps a to b, mirroring true
        edges at each, and returns the block without the halo that ``place.halo`` states.
    x, others : numpy or Dask arrays, 2-D
        South in row 0, west in column 0. ``others``, of the same chunks, stay as they are from step to step.
    reaches : sequence of (int, int)
        How far each step looks along latitude and longitude, cells.
    step : str
        Name for messages and task keys.
    wrap : bool
        Longitude is periodic.
    depth : (int, int), optional
        Exchange once, with a halo of so many cells. By default exchange as often as `plan_exchanges` says:
        bit for bit what one block would give.
    **kwargs
        Passed to the kernel; a lazy scalar (0-D Dask array) arrives as its value.

    Raises
    ------
    ChunkError
        If a chunk is smaller than the halo.
    """
    chunks = x.chunks if is_chunked(x) else ((x.shape[0],), (x.shape[1],))
    plan = plan_exchanges(chunks, reaches, wrap=wrap)
    if depth is not None:
        axes = [axis for axis, sizes in enumerate(chunks) if len(sizes) > 1 or (wrap and axis == 1)]
        whole = exchanges([(0, len(reaches))], reaches, {axis: max(chunks[axis]) for axis in axes})
        deep = (min(depth[0], whole.depths[0][0]), min(depth[1], whole.depths[0][1]))
        area = math.prod(1.0 + 2.0 * deep[axis] / max(chunks[axis]) for axis in axes)
        plan = Exchanges(whole.groups, (deep,), min(whole.redundant, area - 1.0))
    deepest = (max(d[0] for d in plan.depths), max(d[1] for d in plan.depths))
    check_halo(chunks, deepest, wrap=wrap, step=step)
    begun = x
    for taken, halo in zip(plan.groups, plan.depths, strict=True):
        x = map_halo(
            partial(_taken, kernel, taken),
            x,
            *others,
            depth=halo,
            step=step,
            wrap=wrap,
            out_chunks=chunks,
            placed=True,
            **kwargs,
        )
    if log.isEnabledFor(logging.INFO):
        tasks = (_tasks(x) - _tasks(begun)) / (len(chunks[0]) * len(chunks[1]))
        log.info("%s: %s, %.1f tasks a chunk", step, plan, tasks)
    return x


def _tasks(x: Any) -> int:
    return len(x.__dask_graph__()) if is_chunked(x) else 0


def _taken(
    kernel: Steps, taken: tuple[int, int], block: NDArray[Any], *others: Any, place: Place, **kwargs: Any
) -> NDArray[Any]:
    return kernel(block, *others, taken=taken, place=place, **kwargs)

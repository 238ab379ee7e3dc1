"""The dense map of a grid: its cells along both axes, and the tasks that make them, block by block."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np

from magxr.chunked.blocks import Job, Jobs, map_regions, reach
from magxr.chunked.plan import fitting, is_chunked
from magxr.chunked.quantiles import check_block
from magxr.kernels.localscale import localscale, margin
from magxr.models.dense import far_cells, flat_cell, near_cells
from magxr.models.trunks.atrous import CELL

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from magxr.chunked.blocks import Reach
    from magxr.models.dense import DenseTrunk

    Pads = tuple[tuple[int, int], tuple[int, int]]
    _Read = tuple[Reach, tuple[int, int]]

LEAST, MOST = 64, 128
"""Side of a tile, cells: its halo makes work, its pixels take memory (1 GB for VGG16 at 128). The second part
has no pixels, and tiles twice as large."""


@dataclass(frozen=True, slots=True)
class Lattice:
    """Cells of a dense map along one axis."""

    first: int
    """Pixel at which cell 0 stands."""
    count: int
    """Cells that are looked at; all there are, where the axis goes round."""
    pixels: int
    """Of the axis."""
    wraps: bool = False


def dense_cells(values: Any, axes: tuple[Lattice, Lattice], trunk: DenseTrunk, window: int) -> Any:
    """Return the trunk's dense map.

    Parameters
    ----------
    values : numpy or Dask array, 2-D
        Anomaly, nT, south in row 0 and west in column 0; NaN is missing. Beyond the map all is.
    axes : (Lattice, Lattice)
        Which cells.
    trunk : DenseTrunk
    window : int
        Side, pixels, of the squares that the scale is taken from, see `magxr.kernels.localscale`.

    Returns
    -------
    numpy or Dask array of float32, shape (rows, columns, channels)
        Lazy if ``values`` is: two tasks a tile, and those that cut what they read. Dask holds 4 bytes for
        each channel and cell, of both parts of the trunk, until the tiles around have been made: of four
        rows of tiles of the first part and two of the second.

    Notes
    -----
    A tile scales what it reads, with a margin of ``window - 1`` pixels, and runs the first part of the trunk
    with a halo of some 20; the second part reads cells that neighbours made. So next to nothing is computed
    twice, and every tile of a map has the same shape for the network.
    """
    plan = trunk.plan
    rim = margin(window)
    low, high = plan.near.reads[0] - rim, plan.near.reads[1] + rim
    like = [max(c) // CELL if is_chunked(values) else MOST for c in getattr(values, "chunks", ((), ()))]
    sizes: dict[str, list[tuple[int, ...]]] = {"near": [], "far": []}
    jobs: dict[str, list[list[_Read]]] = {"near": [], "far": []}
    for axis, wanted in zip(axes, like, strict=True):
        begin, end = _near_span(axis, plan)
        near = fitting(end - begin, LEAST, min(wanted, MOST))
        far = fitting(axis.count, LEAST, 2 * min(wanted, MOST))
        place = axis.first
        pixels = [(place + CELL * a + low, place + CELL * (b - 1) + high + 1) for a, b in _ends(near, begin)]
        cells = [(a + plan.far.reads[0], b + plan.far.reads[1]) for a, b in _ends(far, -begin)]
        sizes["near"].append(near)
        sizes["far"].append(far)
        jobs["near"].append([_read(a, b, axis.pixels, axis.wraps) for a, b in pixels])
        jobs["far"].append([_read(a, b, end - begin, axis.wraps) for a, b in cells])
    made = values
    tasks: dict[str, Callable[..., NDArray[np.float32]]] = {
        "near": partial(near_task, window=window),
        "far": far_task,
    }
    for (part, task), channels in zip(tasks.items(), trunk.channels, strict=True):
        rows, columns = sizes[part]
        made = map_regions(
            partial(task, trunk=trunk, tile=(max(rows), max(columns))),
            [made],
            _jobs(*jobs[part]),
            chunks=(rows, columns, (channels,)),
            dtype=np.float32,
            step=f"dense-{part}",
        )
    return made


def _near_span(axis: Lattice, plan: Any) -> tuple[int, int]:
    """Return the cells of the first part that are made: those needed which see a pixel of the map."""
    if axis.wraps:
        return 0, axis.count
    low, high = plan.near.reads
    seeing = -((axis.first + high) // CELL), (axis.pixels - 1 - axis.first - low) // CELL
    needed = plan.far.reads[0], axis.count - 1 + plan.far.reads[1]
    return max(seeing[0], needed[0]), min(seeing[1], needed[1]) + 1


def _ends(chunks: tuple[int, ...], start: int) -> list[tuple[int, int]]:
    return [(int(a), int(b)) for a, b in pairwise(np.cumsum([start, *chunks]))]


def _read(start: int, stop: int, cells: int, wraps: bool) -> _Read:
    """Return what is read of ``start`` to ``stop``, and how much of it lies before and beyond the axis."""
    if wraps:
        return reach(start, stop, cells, "wrap"), (0, 0)
    low, high = max(start, 0), min(stop, cells)
    return reach(low, high, cells, "refuse"), (low - start, stop - high)


def _jobs(rows: list[_Read], columns: list[_Read]) -> Jobs:
    return {
        (i, j, 0): Job(across, along, {"pads": (tall, wide)})
        for i, (across, tall) in enumerate(rows)
        for j, (along, wide) in enumerate(columns)
    }


def near_task(
    block: NDArray[Any], *, pads: Pads, trunk: DenseTrunk, window: int, tile: tuple[int, int]
) -> NDArray[np.float32]:
    """Scale the pixels of a tile and run the first part of the trunk over them."""
    check_block(block, infinite=True)
    values = np.pad(block.astype(np.float32, copy=False), pads, constant_values=np.nan)
    return near_cells(trunk, localscale(values, window), tile)


def far_task(
    cells: NDArray[np.float32], *, pads: Pads, trunk: DenseTrunk, tile: tuple[int, int]
) -> NDArray[np.float32]:
    """Run the second part over the cells of a tile; those that see no pixel of the map are all alike."""
    if any(map(any, pads)):
        inside = tuple(slice(low, low + n) for (low, _), n in zip(pads, cells.shape, strict=False))
        given = np.empty((*(low + n + high for (low, high), n in zip(pads, cells.shape, strict=False)),
                          cells.shape[2]), np.float32)  # fmt: skip
        given[...] = flat_cell(trunk)
        given[inside] = cells
        cells = given
    return far_cells(trunk, cells, tile)

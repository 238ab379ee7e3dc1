"""Low-rank approximation on overlapping tiles, blended without seams (mode "tile" of `denoise`).

Tiles stand at multiples of half their size, counted from the southern row and, on a grid that goes round
the globe, from longitude 0: on the grid, not on chunks. A block computes every tile that reaches into its
core, complete, from its halo; so each tile is made of the same numbers whatever the chunks.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from magxr.chunked.halo import map_halo
from magxr.chunked.quantiles import check_block
from magxr.errors import GridError
from magxr.kernels import pages
from magxr.kernels.blas import one_thread
from magxr.kernels.lowrank import approximate

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from magxr.chunked.halo import Place


def tiled_low_rank(
    x: Any, *, tile: int, variance: float, k: int | None, center: bool, wrap: bool, column0: int
) -> Any:
    """Approximate every tile by its largest singular components and blend the tiles.

    Parameters
    ----------
    x : numpy or Dask array, 2-D, float32 or float64
        Chunks must be at least ``tile - 1`` cells.
    tile : int
        Side of a tile, cells; even, at most the shorter side of the grid.
    variance, k, center
        As in `magxr.chunked.gram.low_rank`, for each tile by itself.
    wrap : bool
        Longitude is periodic.
    column0 : int
        Number of the first column, counted from longitude 0 (`magxr.geogrid.Grid.column0`).

    Notes
    -----
    A cell is the mean of the tiles that cover it (two along each axis, three beside an edge where the last
    tile is moved inside the grid), weighted by the Hann window of each tile divided by the sum of windows.
    """
    return map_halo(
        _blend,
        x,
        depth=(tile - 1, tile - 1),
        wrap=wrap,
        placed=True,
        step="denoise",
        tile=tile,
        variance=variance,
        k=k,
        center=center,
        column0=column0 if wrap else None,
    )


def windows(size: int, tile: int, *, periodic: bool) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Return the first cells of the tiles along one axis, and their weights: a partition of unity.

    Returns
    -------
    starts : ndarray of int64, shape (tiles,)
        Multiples of half a tile. The last tile of an axis with two ends is moved back to end with it.
    weights : ndarray of float64, shape (tiles, tile)
    """
    half = tile // 2
    starts = np.arange(0, size, half) if periodic else np.append(np.arange(0, size - tile, half), size - tile)
    hann = np.sin(np.pi * (np.arange(tile) + 0.5) / tile) ** 2
    cells = (starts[:, None] + np.arange(tile)) % size
    total = np.zeros(size)
    np.add.at(total, cells, np.broadcast_to(hann, cells.shape))
    return starts, hann / total[cells]


def _blend(
    block: NDArray[Any],
    *,
    place: Place,
    tile: int,
    variance: float,
    k: int | None,
    center: bool,
    column0: int | None,
) -> NDArray[Any]:
    if np.isinf(block).any():
        fix = "mask them with .where(np.isfinite(...))"
        msg = f"the anomaly has infinite cells in rows {place.rows[0]} to {place.rows[1]}; {fix}"
        raise GridError(msg)
    check_block(block)
    missing = np.isnan(block)
    if missing.all():
        return np.full(block.shape, np.nan, block.dtype)
    south, north, west, east = place.halo
    core_rows = (south, block.shape[0] - north)
    core_cols = (west, block.shape[1] - east)
    result = pages.zeros(block.shape, np.float64)
    row_starts, row_weights = windows(place.shape[0], tile, periodic=False)
    col_starts, col_weights = windows(place.shape[1], tile, periodic=column0 is not None)
    first = place.rows[0] - south, place.cols[0] - west + (column0 or 0)
    across = sorted(_inside(col_starts, tile, core_cols, first[1], place.shape[1]))
    # The tiles that cover a cell are added in the order of their numbers, in every block.
    with one_thread():
        for row, top in sorted(_inside(row_starts, tile, core_rows, first[0], place.shape[0])):
            for column, left in across:
                where = np.s_[top : top + tile, left : left + tile]
                weight = row_weights[row][:, None] * col_weights[column]
                result[where] += weight * approximate(block[where], variance, k, center)
    result[missing] = np.nan
    return result.astype(block.dtype)


def _inside(
    starts: NDArray[np.int64], tile: int, core: tuple[int, int], first: int, size: int
) -> Iterator[tuple[int, int]]:
    """Yield (number, first cell in the block) of the tiles along one axis that reach into the core.

    ``first`` is the number of the block's first cell on the grid of ``size`` cells. A tile may appear
    twice in a block that goes round the globe: once for the core cells on either side of its ends.
    """
    for number, start in enumerate(starts):
        at = int(start - first) % size
        for cell in range(at - size, core[1], size):
            if cell > core[0] - tile:
                yield number, cell

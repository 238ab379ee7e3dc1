"""How much work the blocks of each stage are, in units of what a sample of the map took."""

from __future__ import annotations

import itertools
import math
from typing import TYPE_CHECKING

import numpy as np
from scipy.ndimage import uniform_filter

from magxr.chunked import tiles
from magxr.chunked.coarsen import coarsen
from magxr.chunked.exchange import plan_exchanges
from magxr.chunked.streaming import one_by_one
from magxr.kernels.windows import centres
from magxr.labelled import anomaly, canonical
from magxr.runs.stages import chunks_read

if TYPE_CHECKING:
    import xarray as xr
    from numpy.typing import NDArray

    from magxr.geogrid import Grid
    from magxr.runs.config import RunConfig
    from magxr.runs.stages import Plan, Stage

TILE = 256
"""Side of a tile of the low-rank step, cells."""
_STRUCTURE = 16
"""Cells that the structure tensor looks away at its defaults."""


def known_share(source: xr.Dataset, window: float) -> NDArray[np.float32]:
    """Read the source once: the share of cells with a value, in boxes of a sixteenth of a window.

    Parameters
    ----------
    source : xarray.Dataset
    window : float
        Side of a window, cells of the source.

    Returns
    -------
    ndarray of float32, shape (rows, columns), 0 to 1, south in row 0
    """
    values, _, _ = canonical(anomaly(source))
    share = coarsen(np.isfinite(values).astype(np.float32), max(1, int(window / 16)))
    return np.asarray(share)


def answered(share: NDArray[np.float32], grid: Grid, config: RunConfig, window: int) -> tuple[int, int]:
    """Return the number of windows, and of those with enough values to be answered.

    Parameters
    ----------
    share : ndarray
        From `known_share`.
    grid : Grid
        The working grid.
    config : RunConfig
    window : int
        Side of a window, cells of the working grid.
    """
    rows = centres(grid.shape[0], window, config.stride)
    columns = centres(grid.shape[1], window, config.stride, wrap=grid.wraps, anchor=grid.column0)
    boxes = [n / cells for n, cells in zip(share.shape, grid.shape, strict=True)]
    sides = [max(1, round(window * b)) for b in boxes]
    mean = uniform_filter(share, size=sides, mode=("nearest", "wrap" if grid.wraps else "nearest"))
    places = []
    for axis, per_cell, size in zip((rows, columns), boxes, share.shape, strict=True):
        low, high = (0, axis.count) if config.edges == "pad" else axis.fits
        middle = np.array([axis.start(n) for n in range(low, high)]) + window / 2
        places.append(np.clip((middle * per_cell).astype(int), 0, size - 1))
    enough = mean[np.ix_(*places)] >= 1.0 - config.max_missing - 1e-6
    return rows.count * columns.count, int(enough.sum())


def busy(share: NDArray[np.float32], counts: tuple[int, int]) -> float:
    """Return the share of blocks that have a value; the others cost next to nothing."""
    rows, columns = (np.linspace(0, n, c + 1).astype(int) for n, c in zip(share.shape, counts, strict=True))
    full = [
        share[a : max(b, a + 1), c : max(d, c + 1)].any()
        for a, b in itertools.pairwise(rows)
        for c, d in itertools.pairwise(columns)
    ]
    return float(np.mean(full))


def work(plan: Plan, stage: Stage, shape: tuple[int, ...]) -> float:
    """Return the work of a stage on a map of that shape, in cells or, for tiles, in tiles.

    What a block does for its neighbours' sake is counted too.
    """
    sides = tuple(plan.blocks[stage.writes].values())
    ends = [min(side, n) for side, n in zip(sides, shape, strict=True)]
    blocks = math.prod(math.ceil(n / side) for n, side in zip(shape, ends, strict=True))
    alone = [n <= side for n, side in zip(shape, ends, strict=True)]
    config = plan.config
    if stage.name == "denoise" and config.denoise == "tile":
        half = TILE // 2
        each = [
            len(tiles.windows(side, TILE, periodic=False)[0]) if one else (side + TILE - 1) / half
            for side, one in zip(ends, alone, strict=True)
        ]
        return blocks * math.prod(each)
    cells = float(math.prod(shape))
    if stage.name == "respace":
        parts = chunks_read(plan, stage).values()
        read = plan.blocks[stage.reads].values()
        ratios = [part / side for part, side in zip(parts, read, strict=True)]
        return cells * math.prod(1.0 if one else 1.0 + r for r, one in zip(ratios, alone, strict=True))
    if stage.name == "diffuse":
        return cells * (1.0 + _redundant(config, ends, alone))
    if stage.name == "structure":
        wide = [1.0 if one else 1.0 + 2 * _STRUCTURE / side for side, one in zip(ends, alone, strict=True)]
        return cells * math.prod(wide)
    return cells


def _redundant(config: RunConfig, sides: list[int], alone: list[bool]) -> float:
    """Return the share of the diffusion's work that is done twice, on halos."""
    sigma, rho = config.sigma or 1.0, config.rho or 4.0
    if config.metric == "spherical" or all(alone):
        sigma, rho = 1.0, 4.0
    reach = math.ceil(3 * sigma) + math.ceil(3 * rho) + 1
    steps, reach = (3, reach + 2) if config.scheme == "fed" else (config.steps, reach)
    chunks = [(side,) if one else (side, side, side) for side, one in zip(sides, alone, strict=True)]
    with one_by_one():
        return plan_exchanges(chunks, [(reach, reach)] * steps).redundant

"""Which cells a drawn line runs through: where a barrier lets nothing flow."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

_ON_A_PIXEL = 1e-6
"""Nearer than this to a pixel's centre, cells, a line runs through it."""


def crossed(
    lines: Sequence[NDArray[np.float64]],
    rows: tuple[int, int],
    cols: tuple[int, int],
    period: float | None = None,
) -> NDArray[np.bool_]:
    """Tell which cells of a block lines run through.

    Parameters
    ----------
    lines : sequence of (k, 2) float
        Columns and rows of their points in the whole grid, where pixel (i, j) has its centre at (j, i).
    rows, cols : (int, int)
        First row and column of the block in the whole grid and one past its last; they may lie outside.
    period : float, optional
        Columns that go once around the globe: a line may be drawn in any turn.

    Returns
    -------
    (rows + 1, columns + 1) bool
        By cell, from the one south-west of the block's first pixel on. Every path between neighbouring
        pixels on two sides of a line goes through one of them. Where a line hits a pixel's centre, all four
        cells around it are crossed.
    """
    shape = rows[1] - rows[0] + 1, cols[1] - cols[0] + 1
    out = np.zeros(shape, dtype=bool)
    corner = np.array([cols[0] - 1.0, rows[0] - 1.0])
    for line in lines:
        for turn in _turns(line[:, 0], cols, period):
            path = line + np.array([turn, 0.0]) - corner
            low, high = np.minimum(path[:-1], path[1:]), np.maximum(path[:-1], path[1:])
            near = ((high >= -1) & (low <= np.array([shape[1], shape[0]]) + 1.0)).all(axis=1)
            for n in np.flatnonzero(near):
                _mark(path[n], path[n + 1], out)
    return out


def _turns(x: NDArray[np.float64], cols: tuple[int, int], period: float | None) -> list[float]:
    if period is None:
        return [0.0]
    first = int(np.floor((cols[0] - 1 - x.max()) / period))
    last = int(np.ceil((cols[1] + 1 - x.min()) / period))
    return [k * period for k in range(first, last + 1)]


def _mark(start: NDArray[np.float64], end: NDArray[np.float64], out: NDArray[np.bool_]) -> None:
    """Mark the cells of a segment; cell (i, j) is the unit square from (j, i) on."""
    length = end - start
    cuts = [np.array([0.0, 1.0])]
    for axis, size in ((0, out.shape[1]), (1, out.shape[0])):
        if length[axis] != 0.0:
            low, high = sorted((start[axis], end[axis]))
            whole = np.arange(max(np.ceil(low), -1.0), min(np.floor(high), size + 1.0) + 1.0)
            cuts.append((whole - start[axis]) / length[axis])
    at = np.unique(np.clip(np.concatenate(cuts), 0.0, 1.0))
    middles = start + 0.5 * (at[:-1] + at[1:])[:, None] * length
    cells = np.floor(middles).astype(np.int64)
    points = start + at[:, None] * length
    whole = np.rint(points)
    hit = whole[(np.abs(points - whole) < _ON_A_PIXEL).all(axis=1)].astype(np.int64)
    around = [hit + np.array(step) for step in ((0, 0), (-1, 0), (0, -1), (-1, -1))]
    for j, i in np.concatenate([cells, *around]):
        if 0 <= i < out.shape[0] and 0 <= j < out.shape[1]:
            out[i, j] = True


def between_labels(labels: NDArray[np.floating]) -> NDArray[np.bool_]:
    """Tell which cells have corners of different labels, by cell from the one before the first pixel on."""
    around = np.pad(labels, 1, mode="symmetric")
    first = around[:-1, :-1]
    shut: NDArray[np.bool_] = (
        (around[1:, :-1] != first) | (around[:-1, 1:] != first) | (around[1:, 1:] != first)
    )
    return shut

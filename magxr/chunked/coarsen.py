"""Shrink a grid by a whole factor, block by block, on boxes anchored to the grid's first cell."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from magxr.chunked.halo import map_halo
from magxr.chunked.plan import fitting, is_chunked, rechunk
from magxr.kernels.boxmean import box_mean

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from magxr.chunked.halo import Place


def coarsen(x: Any, k: int) -> Any:
    """Return the mean of every ``k`` x ``k`` box (see `magxr.kernels.boxmean.box_mean`).

    Parameters
    ----------
    x : numpy or Dask array, 2-D, float
        Chunks smaller than ``k`` are glued together first (logged by ``magxr.plan``).
    k : int
        Side of a box, cells.

    Returns
    -------
    numpy or Dask array, float32
        Lazy if ``x`` is; the same bits for any chunking.
    """
    if k == 1:
        return x.astype(np.float32)
    if not is_chunked(x):
        return box_mean(x, k)
    rows, cols = (c if min(c) >= k else fitting(sum(c), min(k, sum(c)), max(c)) for c in x.chunks)
    x = rechunk(x, (rows, cols), why=f"boxes of {k} cells do not fit in the smallest chunk")
    sizes = (_boxes_starting_in(x.chunks[0], k), _boxes_starting_in(x.chunks[1], k))
    return map_halo(
        _boxes, x, depth=(k - 1, k - 1), step="coarsen", dtype=np.float32, out_chunks=sizes, placed=True, k=k
    )


def _boxes_starting_in(chunks: Sequence[int], k: int) -> tuple[int, ...]:
    ends = np.cumsum((0, *chunks))
    return tuple(int(n) for n in np.diff(-(-ends // k)))


def _boxes(block: NDArray[Any], *, k: int, place: Place) -> NDArray[np.float32]:
    cut = []
    for (first, past), before in zip((place.rows, place.cols), (place.halo[0], place.halo[2]), strict=True):
        start, stop = -(-first // k) * k, -(-past // k) * k
        cut.append(slice(start - first + before, stop - first + before))
    return box_mean(block[tuple(cut)], k)

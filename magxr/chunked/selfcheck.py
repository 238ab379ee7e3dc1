"""Make one block again with twice the halo: a halo that is a rule of thumb must show that it is enough."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from magxr.errors import ChunkError
from magxr.kernels.device import array_module

if TYPE_CHECKING:
    from numpy.typing import NDArray

TOLERANCE = 1e-6
"""Largest difference that a halo may make, as a share of the range of a block."""


def checked(x: Any, deeper: Any, *, depth: tuple[int, int], step: str) -> Any:
    """Return ``x`` with the block in its middle compared with the same block of ``deeper``.

    Parameters
    ----------
    x, deeper : Dask arrays, 2-D
        The same result, with the halo to be checked and with a deeper one. Only one block of ``deeper`` is
        ever made.
    depth : (int, int)
        The halo to be checked, cells.
    step : str
        Name for messages and task keys.

    Returns
    -------
    Dask array
        Computing it raises a `ChunkError` if the two differ by more than `TOLERANCE` of the block's range.
    """
    import dask.array as da
    from dask.base import tokenize
    from dask.highlevelgraph import HighLevelGraph

    middle = tuple(n // 2 for n in x.numblocks)
    name = f"magxr-selfcheck-{step}-{tokenize(x.name, deeper.name, depth)}"
    tasks: dict[Any, Any] = {(name, *number): (x.name, *number) for number in np.ndindex(*x.numblocks)}
    tasks[name, *middle] = (_compared, (x.name, *middle), (deeper.name, *middle), depth, step)
    graph = HighLevelGraph.from_collections(name, tasks, dependencies=[x, deeper])
    return da.Array(graph, name, x.chunks, meta=x._meta)


def _compared(block: NDArray[Any], deeper: NDArray[Any], depth: tuple[int, int], step: str) -> NDArray[Any]:
    xp = array_module(block)
    seen = xp.isfinite(block)
    if seen.any():
        span = float(deeper[seen].max() - deeper[seen].min())
        off = float(abs(block[seen] - deeper[seen]).max())
        if off > TOLERANCE * span:
            fix = "use halo='exact', or a number of cells that is larger"
            msg = (
                f"{step} with a halo of {depth[0]} x {depth[1]} cells differs from twice the halo by "
                f"{off:.2g} nT, {off / span:.1e} of the range of {span:.3g} nT, where {TOLERANCE:g} is "
                f"allowed; {fix}"
            )
            raise ChunkError(msg)
    return block

"""Plan chunks: check them against a halo, propose ones that fit, and the only place that rechunks."""

from __future__ import annotations

import logging
import math
from typing import TYPE_CHECKING

from magxr.errors import ChunkError

if TYPE_CHECKING:
    from collections.abc import Sequence

    import dask.array as da

log = logging.getLogger("magxr.plan")

_AXES = ("latitude", "longitude")


def is_chunked(x: object) -> bool:
    """Tell whether ``x`` is a Dask array, without importing Dask for numpy users."""
    return hasattr(x, "__dask_graph__") and hasattr(x, "chunks")


def fitting(size: int, at_least: int, like: int = 0) -> tuple[int, ...]:
    """Split ``size`` into near-equal chunks of at least ``at_least`` cells and about ``like`` cells."""
    wanted = max(at_least, like, 1)
    count = max(1, min(size // max(at_least, 1), math.ceil(size / wanted)))
    base, more = divmod(size, count)
    return (base + 1,) * more + (base,) * (count - more)


def check_halo(chunks: Sequence[Sequence[int]], depth: Sequence[int], *, wrap: bool, step: str) -> None:
    """Refuse chunks that are smaller than the halo that must be taken from their neighbours.

    Parameters
    ----------
    chunks : two sequences of int
        Chunk sizes along latitude and longitude, cells.
    depth : two int
        Halo along latitude and longitude, cells.
    wrap : bool
        Whether longitude is periodic (then even a single chunk has neighbours: itself).
    step : str
        Name of the operation, for the message.

    Raises
    ------
    ChunkError
        Naming the smallest chunk, the halo, and ``.chunk(...)`` sizes that work.
    """
    for axis, (sizes, halo) in enumerate(zip(chunks, depth, strict=True)):
        alone = len(sizes) == 1 and not (wrap and axis == 1)
        if alone or min(sizes) >= halo:
            continue
        fit = fitting(sum(sizes), halo, max(sizes))
        if wrap and axis == 1 and sum(sizes) < halo:
            msg = f"{step} needs a halo of {halo} columns, but the whole grid has only {sum(sizes)}"
            raise ChunkError(msg)
        shown = fit[0] if len(set(fit)) == 1 else fit
        msg = (
            f"{step} needs a halo of {halo} cells along {_AXES[axis]}, but the smallest chunk there has "
            f"{min(sizes)}; use chunks of at least {halo}, e.g. .chunk({{{_AXES[axis]!r}: {shown}}})"
        )
        raise ChunkError(msg)


def rechunk(x: da.Array, chunks: tuple[tuple[int, ...], ...], *, why: str) -> da.Array:
    """Rechunk where the plan needs it, and say so in the log (logger ``magxr.plan``)."""
    if x.chunks == chunks:
        return x
    log.info("rechunking %s -> %s: %s", _shown(x.chunks), _shown(chunks), why)
    out: da.Array = x.rechunk(chunks)
    return out


def _shown(chunks: tuple[tuple[int, ...], ...]) -> str:
    return "x".join(str(c[0]) if len(set(c[:-1])) <= 1 else str(c) for c in chunks)

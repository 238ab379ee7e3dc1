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


def whole_length(size: int, at_least: int, like: int) -> int:
    """Return one chunk length, of about ``like`` cells, that cuts no piece of less than ``at_least``."""
    for count in range(len(fitting(size, at_least, like)), 1, -1):
        length = math.ceil(size / count)
        if size % length == 0 or size % length >= at_least:
            return length
    return size


def fitting_chunks(chunks: Sequence[Sequence[int]], at_least: Sequence[int]) -> str:
    """Write the call of ``.chunk`` that helps, with places for the names of the dimensions."""
    lengths = [whole_length(sum(c), n, max(c)) for c, n in zip(chunks, at_least, strict=True)]
    return f".chunk({{'{{latitude}}': {lengths[0]}, '{{longitude}}': {lengths[1]}}})"


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
        if wrap and axis == 1 and sum(sizes) < halo:
            fix = "let it reach less far (smaller scales, gaps or neighbourhoods) or use a finer grid"
            msg = f"{step} needs a halo of {halo} columns, but the whole grid has only {sum(sizes)}; {fix}"
            raise ChunkError(msg)
        # Both axes at once, so that whoever does as told is not refused again for the other one.
        msg = (
            f"{step} needs a halo of {halo} cells along {_AXES[axis]}, but the smallest chunk there has "
            f"{min(sizes)}; use chunks of at least {halo}, e.g. {fitting_chunks(chunks, depth)}"
        )
        raise ChunkError(msg, max(depth))


def rechunk(x: da.Array, chunks: tuple[tuple[int, ...], ...], *, why: str) -> da.Array:
    """Rechunk where the plan needs it, and say so in the log (logger ``magxr.plan``)."""
    if x.chunks == chunks:
        return x
    log.info("rechunking %s -> %s: %s", _shown(x.chunks), _shown(chunks), why)
    out: da.Array = x.rechunk(chunks)
    return out


def _shown(chunks: tuple[tuple[int, ...], ...]) -> str:
    return "x".join(str(c[0]) if len(set(c[:-1])) <= 1 else str(c) for c in chunks)

"""Choose Dask chunks when a file is opened: about 1024 cells, whole stored chunks, no sliver at the end."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Literal

from magxr.errors import ParameterError

if TYPE_CHECKING:
    from collections.abc import Hashable, Mapping

Chunks = Literal["auto"] | int | dict[str, int] | None
"""How to chunk on opening: "auto", cells along every dimension, cells by dimension, or None (load now)."""

TARGET = 1024
"""Cells along one side of an automatic chunk: 4 MiB of float32, and larger than the halos in use."""
_SLIVER = 256
"""A last chunk smaller than this may be smaller than a halo, so it is avoided where that is possible."""


def plan(
    sizes: Mapping[Hashable, int], stored: Mapping[Hashable, int], chunks: Chunks
) -> dict[Hashable, int]:
    """Return the chunk length along each dimension.

    Parameters
    ----------
    sizes : mapping
        Length of each dimension, cells.
    stored : mapping
        Chunk length inside the file, where it has chunks.
    chunks : "auto", int or dict
        "auto", one length for all dimensions, or lengths by dimension (-1: one chunk; others: automatic).

    Raises
    ------
    ParameterError
        If ``chunks`` names an unknown dimension or a length that is not a positive number of cells.
    """
    asked: dict[Hashable, object] = {}
    if isinstance(chunks, dict):
        asked.update(chunks)
    elif chunks != "auto":
        asked.update(dict.fromkeys(sizes, chunks))
    unknown = [d for d in asked if d not in sizes]
    if unknown:
        have = [str(d) for d in sizes]
        msg = f"chunks names {unknown[0]!r}, which is no dimension of the grid; it has {have}"
        raise ParameterError(msg)
    planned = {}
    for dim, size in sizes.items():
        length = asked.get(dim, "auto")
        if length == "auto":
            planned[dim] = _automatic(size, stored.get(dim, size))
        elif length == -1:
            planned[dim] = size
        elif isinstance(length, int) and not isinstance(length, bool) and length > 0:
            planned[dim] = min(length, size)
        else:
            fix = "a positive number of cells, -1 for one chunk, or 'auto'"
            msg = f"chunks={length!r} along {dim!r}; it must be {fix}"
            raise ParameterError(msg)
    return planned


def _automatic(size: int, stored: int) -> int:
    if stored >= size:
        return math.ceil(size / math.ceil(size / TARGET))
    multiples = [stored * k for k in range(max(1, TARGET // (2 * stored)), 2 * TARGET // stored + 1)]
    for length in sorted(multiples, key=lambda m: abs(m - TARGET)):
        if length >= size or size % length == 0 or size % length >= _SLIVER:
            return min(length, size)
    return min(multiples, key=lambda m: abs(m - TARGET), default=stored)

"""Exact order statistics by counting digits, most significant first.

A float is mapped to an unsigned integer of the same order, and the integer is read in digits of 16 bits.
Counts of digits add exactly, whatever the order of addition, so the ranks they lead to do not depend on
how the data are cut into blocks. One pass over the data settles one digit: two passes for float32, four
for float64.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

BITS = 16
"""Width of a digit."""
_SLAB = 1 << 20
"""Cells worked on at a time, which bounds the scratch memory of a large block."""

Counts = dict[int, tuple["NDArray[np.int64]", "NDArray[np.int64]"]]
"""Leading digits -> (next digits that occur, how often)."""


class Extent(NamedTuple):
    """Least and greatest value (NaN if there is none) and how many cells are of which kind."""

    lowest: float
    highest: float
    valid: int
    missing: int
    infinite: int


class Search(NamedTuple):
    """Ranks looked for: the digits known so far, and the rank that is left among values that share them."""

    valid: int
    ranks: NDArray[np.int64]
    prefixes: tuple[int, ...]


def slabs(block: NDArray[Any]) -> Iterator[NDArray[Any]]:
    """Cut a 2-D block into slabs of rows of about a million cells."""
    rows = max(1, _SLAB // max(1, block.shape[1]))
    for start in range(0, block.shape[0], rows):
        yield block[start : start + rows]


def to_keys(values: NDArray[Any]) -> NDArray[Any]:
    """Map floats (no NaN) to unsigned integers of the same width in the same order; -0 counts as 0."""
    unsigned = np.uint32 if values.dtype.itemsize == 4 else np.uint64
    sign = unsigned(1 << (8 * values.dtype.itemsize - 1))
    bits: NDArray[Any] = (values + values.dtype.type(0)).view(unsigned)
    keys: NDArray[Any] = np.where(bits & sign, ~bits, bits | sign)
    return keys


def from_keys(keys: NDArray[Any]) -> NDArray[Any]:
    """Invert `to_keys`."""
    sign = keys.dtype.type(1 << (8 * keys.dtype.itemsize - 1))
    bits = np.where(keys & sign, keys ^ sign, ~keys)
    values: NDArray[Any] = bits.view(np.float32 if keys.dtype.itemsize == 4 else np.float64)
    return values


def extent(block: NDArray[Any]) -> Extent:
    """Find the extremes and the counts of valid, missing and infinite cells of a block."""
    missing = int(np.isnan(block).sum())
    if missing == block.size:
        return Extent(np.nan, np.nan, 0, missing, 0)
    return Extent(
        float(np.nanmin(block)),
        float(np.nanmax(block)),
        block.size - missing,
        missing,
        int(np.isinf(block).sum()),
    )


def merge_extents(parts: list[Extent]) -> Extent:
    """Merge the extents of blocks."""
    lowest, highest, valid, missing, infinite = zip(*parts, strict=True)
    return Extent(
        float(np.fmin.reduce(lowest)), float(np.fmax.reduce(highest)), sum(valid), sum(missing), sum(infinite)
    )


def count_digits(block: NDArray[Any], prefixes: tuple[int, ...], place: int) -> Counts:
    """Count digit number ``place`` of the values whose digits before it are one of ``prefixes``.

    Parameters
    ----------
    block : ndarray of float32 or float64, 2-D
        NaN is left out.
    prefixes : tuple of int
        Distinct; ``(0,)`` for the first digit.
    place : int
        0 for the most significant digit.
    """
    width = 8 * block.dtype.itemsize
    found: list[Counts] = []
    for slab in slabs(block):
        keys = to_keys(slab[~np.isnan(slab)])
        unsigned = keys.dtype.type
        known = keys >> unsigned(width - BITS * place) if place else None
        below = unsigned(width - BITS * (place + 1))
        counts: Counts = {}
        for prefix in prefixes:
            mine = keys if known is None else keys[known == unsigned(prefix)]
            digits = (mine >> below) & unsigned((1 << BITS) - 1)
            every = np.bincount(digits.astype(np.int64), minlength=1)
            counts[prefix] = (np.flatnonzero(every), every[every > 0].astype(np.int64))
        found.append(counts)
    return merge_counts(found)


def merge_counts(parts: list[Counts]) -> Counts:
    """Add the counts of blocks, exactly."""
    merged: Counts = {}
    for prefix in parts[0]:
        total = np.zeros(1 << BITS, dtype=np.int64)
        for part in parts:
            digits, counts = part[prefix]
            total[digits] += counts
        merged[prefix] = (np.flatnonzero(total), total[total > 0])
    return merged


def begin(valid: int, q: NDArray[np.float64]) -> Search:
    """Look for the two ranks around every quantile ``q`` of ``valid`` values (numpy's "linear")."""
    at = (valid - 1) * q
    last = max(valid - 1, 0)
    below = np.clip(np.floor(at), 0, last).astype(np.int64)
    ranks = np.concatenate([below, np.minimum(below + 1, last)])
    return Search(valid, ranks, (0,) * ranks.size)


def advance(search: Search, counts: Counts) -> Search:
    """Settle one more digit of every rank looked for."""
    ranks = search.ranks.copy()
    prefixes = []
    for i, prefix in enumerate(search.prefixes):
        digits, count = counts[prefix]
        upto = np.cumsum(count)
        bin_ = int(np.searchsorted(upto, ranks[i], side="right"))
        ranks[i] -= upto[bin_] - count[bin_]
        prefixes.append((prefix << BITS) | int(digits[bin_]))
    return Search(search.valid, ranks, tuple(prefixes))


def interpolate(search: Search, q: NDArray[np.float64], dtype: np.dtype[Any]) -> NDArray[np.float64]:
    """Interpolate between the two values found around every quantile, with numpy's own order of operations.

    Bit for bit ``np.nanquantile(x, q, method="linear")`` with ``q`` an array.
    """
    keys = np.array(search.prefixes, dtype=np.uint32 if dtype.itemsize == 4 else np.uint64)
    below, above = np.split(from_keys(keys), 2)
    at = (search.valid - 1) * q
    t = at - np.floor(at)
    with np.errstate(invalid="ignore", over="ignore"):
        step = above - below
        found: NDArray[np.float64] = np.where(t >= 0.5, above - step * (1 - t), below + step * t)
    return found

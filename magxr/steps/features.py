"""Features of labelled windows, each window once: the trunk is frozen, so nothing is ever computed again."""

from __future__ import annotations

from itertools import chain
from typing import TYPE_CHECKING, Any

import numpy as np
from dask.base import compute as compute_all
from dask.delayed import delayed

from magxr.chunked.plan import is_chunked, rechunk
from magxr.errors import GridError, StoreError
from magxr.io.featurestore import FeatureStore, Stored, log, open_features
from magxr.models import engine
from magxr.models.backbones import EMBEDDED
from magxr.models.features import Features, InMemory, Recipe, compute, keys, recipe
from magxr.models.trained import NO_TRUNK
from magxr.models.worker import check_windows

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from magxr.models.features import Precision, Segment

_TOGETHER = 64
"""Windows of one segment: what an interruption costs at most, some tens of seconds of a core."""


def features(
    windows: Any,
    *,
    trunk: str = EMBEDDED,
    trunk_weights: str | Path | None = None,
    kind: str = "pooled",
    dtype: Precision = "float32",
    cache: str | Path | None = None,
    batch: int = 8,
) -> Features:
    """Compute the features of windows, or find them in a cache. Computes, as `plot` does.

    Parameters
    ----------
    windows : DataArray, numpy or Dask array of float, shape (n, size, size), or an iterable of such arrays
        Anomaly in nT, raw; each window is scaled to 0..1 by its own extremes. Arrays are worked on block by
        block by the Dask scheduler that is set (threads, processes, or the workers of a distributed client,
        which then need to see ``cache``); a lazy one is made twice, once to see which windows are new and
        once to compute those. An iterable is gone through once, in this process.
    trunk, trunk_weights : str, str or Path
        See `magxr.models.worker.features`.
    kind : str
        "pooled" for a pooled head, "flat" for a dense one; see `magxr.models.kinds`.
    dtype : {"float32", "float16"}
        As they are kept. float16 halves the disk and rounds to three digits.
    cache : str or Path, optional
        Folder for features of any number of maps, trunks and kinds; made if it does not exist. Without one
        the features are kept in memory and gone with the process.
    batch : int
        Windows that the trunk takes at once.

    Returns
    -------
    magxr.models.features.Features
        Of every window, in their order, read from the cache when they are used; ``hits``, ``computed`` and
        ``duplicates`` say where they came from.

    Raises
    ------
    GridError
        If there are no windows.
    ModelError
        If windows have another shape, or the trunk or its weights are missing.
    StoreError
        If ``cache`` is a folder of something else.

    Notes
    -----
    A window is known by the SHA-256 of the recipe (trunk, hash of its weights, kind, size, dtype, version)
    and of its bytes after scaling. Whatever changes an answer changes the key, so nothing outdated is found,
    and a window that comes twice, in one map or in two, is computed once. Segments of 64 windows are written
    as they are done: an interrupted computation goes on there. Those found are read and their checksums
    compared; a damaged one is dropped and computed again.
    """
    data = getattr(windows, "data", windows) if hasattr(windows, "dims") else windows
    blocks = _blocks(data)
    first = next(iter(blocks), None)  # an iterator is one block further on then
    if first is None or 0 in first.shape:
        msg = "there are no windows to compute features of; label some, or cut smaller ones"
        raise GridError(msg)
    made = recipe(int(first.shape[-1]), trunk=trunk, trunk_weights=trunk_weights, kind=kind, dtype=dtype)
    if made.trunk != NO_TRUNK:
        engine.check_installed()
    store = None if cache is None else open_features(cache, made.about())
    shelf = _Shelf(store)
    if isinstance(blocks, list):
        shelf.fill(made, blocks, batch)
    else:
        for block in chain([first], blocks):
            shelf.fill_at_once(made, np.asarray(block), batch)
    return shelf.features(made)


def _blocks(data: Any) -> list[Any] | Iterator[NDArray[np.floating]]:
    """Return Dask arrays of one block each, or an iterator over arrays in memory."""
    if not (hasattr(data, "shape") and hasattr(data, "dtype")):
        given: Iterator[NDArray[np.floating]] = iter(data)
        return given
    check_windows(data, int(data.shape[-1]) if data.ndim else 0)
    if not is_chunked(data):
        import dask.array as da

        # one object in the graph; workers elsewhere are sent their block
        data = da.from_array(np.asarray(data), chunks=(_TOGETHER, -1, -1), name=False)
    if data.numblocks[1:] != (1, 1):
        shape = (data.chunks[0], (data.shape[1],), (data.shape[2],))
        data = rechunk(data, shape, why="a window must lie in one chunk")
    whole: Any = data
    return [whole.blocks[i] for i in range(whole.numblocks[0])]


class _Shelf:
    """Segments by key while features are gathered."""

    def __init__(self, store: FeatureStore | None) -> None:
        self.store = store
        self.segments: list[Segment] = list(store.stored()) if store is not None else []
        self.known: dict[str, tuple[int, int]] = {}
        for number, segment in enumerate(self.segments):
            for row, key in enumerate(getattr(segment, "keys", ())):
                self.known.setdefault(key, (number, row))
        self.wanted: list[str] = []
        self.asked: set[str] = set()
        self.sound: set[int] = set()
        self.computed = 0
        self.duplicates = 0

    def _new(self, found: Sequence[str]) -> list[int]:
        """Note the keys of windows, and return which of them must be computed."""
        fresh = []
        for i, key in enumerate(found):
            self.wanted.append(key)
            if key in self.asked:
                self.duplicates += 1
                continue
            self.asked.add(key)
            if key not in self.known:
                fresh.append(i)
        return fresh

    def _add(self, segments: Iterable[tuple[Sequence[str], Segment]]) -> None:
        for own, segment in segments:
            self.segments.append(segment)
            self.computed += len(own)
            self.known |= {key: (len(self.segments) - 1, row) for row, key in enumerate(own)}

    def _forget_damaged(self, found: Iterable[str]) -> None:
        """Read the segments that keys lie in; forget and drop those that cannot be read."""
        numbers = {self.known[k][0] for k in found if k in self.known} - self.sound
        ordered = sorted(numbers)
        checks = [delayed(_damage)(self.segments[n]) for n in ordered]
        for number, damage in zip(ordered, compute_all(*checks), strict=True):
            if damage is None:
                self.sound.add(number)
                continue
            log.warning("computing the features of %d windows again: %s", len(self.segments[number]), damage)
            damaged = self.segments[number]
            if self.store is not None and isinstance(damaged, Stored):
                self.store.drop(damaged.path)
            self.known = {k: place for k, place in self.known.items() if place[0] != number}

    def fill(self, made: Recipe, blocks: list[Any], batch: int) -> None:
        """Gather the features of blocks of a Dask array, through Dask."""
        whole = [b.to_delayed().ravel()[0] for b in blocks]
        found = compute_all(*[delayed(keys)(made, b) for b in whole])
        self._forget_damaged({k for part in found for k in part})
        tasks = []
        for block, part in zip(whole, found, strict=True):
            fresh = self._new(part)
            if fresh:
                tasks.append(delayed(_computed)(made, block, part, fresh, self.store, batch))
        for done in compute_all(*tasks):
            self._add(done)

    def fill_at_once(self, made: Recipe, block: NDArray[np.floating], batch: int) -> None:
        """Gather the features of an array in memory, here and now."""
        found = keys(made, block)
        self._forget_damaged(set(found))
        fresh = self._new(found)
        if fresh:
            self._add(_computed(made, block, found, fresh, self.store, batch))

    def features(self, made: Recipe) -> Features:
        """Return what was gathered."""
        place = np.array([self.known[k] for k in self.wanted], np.int64)
        used, place[:, 0] = np.unique(place[:, 0], return_inverse=True)
        segments = [self.segments[n] for n in used]
        first = segments[0]
        length = first.length if hasattr(first, "length") else first.read().shape[1]
        hits = len(self.asked) - self.computed
        told = (tuple(self.wanted), hits, self.computed, self.duplicates)
        return Features(made, segments, place, int(length), np.dtype(made.dtype), *told)


def _damage(segment: Segment) -> str | None:
    try:
        segment.read()
    except StoreError as error:
        return str(error)
    return None


def _computed(
    made: Recipe,
    block: NDArray[np.floating],
    found: Sequence[str],
    fresh: Sequence[int],
    store: FeatureStore | None,
    batch: int,
) -> list[tuple[list[str], Segment]]:
    """Compute the windows of a block that are new, some at a time, each some written when it is done."""
    done: list[tuple[list[str], Segment]] = []
    for first in range(0, len(fresh), _TOGETHER):
        rows = list(fresh[first : first + _TOGETHER])
        own = [found[i] for i in rows]
        values = compute(made, block[rows], batch=batch)
        done.append((own, InMemory(values) if store is None else store.write(own, values)))
    return done

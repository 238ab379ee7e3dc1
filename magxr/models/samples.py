"""Windows in the order in which a head learns from them, from memory or read piece by piece."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from magxr.models.features import Features

    Rows = NDArray[np.int64]

MEMORY = 2**30
"""Bytes of features held at once unless told otherwise."""


class Samples:
    """Features of labelled windows, at most ``memory`` bytes of them at once.

    Notes
    -----
    The rule of the order: where the windows asked for fit into ``memory``, an epoch takes them in one random
    order, as the paper's training does. Where they do not, the segments that they lie in are put in random
    order, as many as fit are read together, and their windows are put in random order; then the next ones. So
    windows mix within a group, groups are other ones every epoch, and every window is read once an epoch.
    """

    def __init__(self, features: Features, memory: int = MEMORY) -> None:
        self.features = features
        self.memory = memory
        self._held: tuple[Rows, NDArray[np.floating]] | None = None

    def fits(self, rows: Rows) -> bool:
        """Tell whether the features of these windows fit into memory at once."""
        return self._bytes(rows.size) <= self.memory

    def shuffled(
        self, rows: Rows, rng: np.random.Generator
    ) -> Iterator[tuple[Rows, NDArray[np.floating], Rows]]:
        """Yield groups for one epoch: windows, their features, and the order to take them in."""
        if self.fits(rows):
            values = self._hold(rows)
            yield rows, values, rng.permutation(rows.size)
            return
        segments = np.unique(self.features.place[rows, 0])
        for group in self._groups(rows, segments[rng.permutation(segments.size)]):
            yield group, self.features.read(group), rng.permutation(group.size)

    def in_order(self, rows: Rows) -> Iterator[tuple[Rows, NDArray[np.floating]]]:
        """Yield windows and their features, segment by segment, each window once."""
        if self._held is not None and np.array_equal(self._held[0], rows):
            yield self._held
            return
        for group in self._groups(rows, np.unique(self.features.place[rows, 0])):
            yield group, self.features.read(group)

    def _hold(self, rows: Rows) -> NDArray[np.floating]:
        if self._held is None or not np.array_equal(self._held[0], rows):
            self._held = None
            self._held = (rows, self.features.read(rows))
        return self._held[1]

    def _groups(self, rows: Rows, segments: NDArray[np.int64]) -> Iterator[Rows]:
        """Yield the windows of as many segments as fit into half of the memory, one group after the other.

        Half, since one group is read while the one before it, or the windows learnt from, are still there.
        """
        most = max(1, self.memory // 2 // max(1, self._bytes(1)))
        place = self.features.place[rows, 0]
        order = np.argsort(place, kind="stable")
        starts = np.searchsorted(place[order], segments, side="left")
        ends = np.searchsorted(place[order], segments, side="right")
        group: list[Rows] = []
        for low, high in zip(starts, ends, strict=True):
            for first in range(low, high, most):  # a segment larger than memory is taken in parts
                part = rows[order[first : min(first + most, high)]]
                if group and sum(map(len, group)) + part.size > most:
                    yield np.concatenate(group)
                    group = []
                group.append(part)
        if group:
            yield np.concatenate(group)

    def _bytes(self, windows: int) -> int:
        return windows * self.features.length * self.features.dtype.itemsize

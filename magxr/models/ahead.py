"""Make the next batch while the network runs on this one."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

from magxr.kernels.minmax import minmax

if TYPE_CHECKING:
    from collections.abc import Generator, Iterable

    from numpy.typing import NDArray

T = TypeVar("T")


@dataclass(frozen=True, slots=True, eq=False)
class Ready:
    """A batch as the network takes it."""

    images: Any
    """Scaled windows of shape (batch, size, size, 1), float32, in memory or on the network's device; what
    the last ones hold where there were fewer does not matter."""
    count: int
    """How many are windows."""

    def __len__(self) -> int:
        return self.count


def ready(windows: NDArray[np.floating], batch: int) -> Ready:
    """Scale at most ``batch`` windows of shape (n, size, size) and fill the batch up, so its shape is one."""
    images = minmax(windows)
    count = len(images)
    if count < batch:
        images = np.concatenate([images, np.zeros((batch - count, *images.shape[1:]), np.float32)])
    return Ready(images[..., None], count)


def ahead(items: Iterable[T]) -> Generator[T]:
    """Yield the same items in the same order; a background thread makes the next one meanwhile.

    Two exist at a time, the one that was yielded and the next, if the caller lets go of each before asking
    for another. What making an item raises is raised here, in its turn. When the generator is closed or
    interrupted the thread finishes the item that it is at, no other.
    """
    source = iter(items)
    end = object()
    with ThreadPoolExecutor(1, thread_name_prefix="magxr-ahead") as pool:
        coming = pool.submit(next, source, end)
        while (item := coming.result()) is not end:
            coming = pool.submit(next, source, end)
            yield item  # type: ignore[misc]  # not the end

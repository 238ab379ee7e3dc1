"""Mean and standard deviation of every feature, block by block, and features in units of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterable

    from numpy.typing import NDArray

_WEAKEST = 1e-6
"""Spread, relative to a feature's size, below which the feature is constant and left out."""
_COLUMNS = 4096
"""Features taken at once in float64."""


def spread(features: NDArray[np.floating]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Return mean and standard deviation of every feature; the deviation is infinite where it is nothing."""
    return spread_of([features])


def spread_of(blocks: Iterable[NDArray[np.floating]]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Return mean and standard deviation of every feature of all blocks, each of shape (n, d).

    Blocks are joined as Chan et al. (1983) do, in float64; the deviation is infinite where it is nothing.
    """
    count, mean, squares = 0, np.zeros(0), np.zeros(0)
    for block in blocks:
        fresh = [_moments(block[:, i : i + _COLUMNS]) for i in range(0, block.shape[1], _COLUMNS)]
        own, more = (np.concatenate(parts) for parts in zip(*fresh, strict=True))
        if count == 0:
            count, mean, squares = len(block), own, more
            continue
        total = count + len(block)
        apart = own - mean
        mean = mean + apart * (len(block) / total)
        squares = squares + more + apart**2 * (count * len(block) / total)
        count = total
    scale = np.sqrt(squares / max(count, 1))
    scale[scale <= _WEAKEST * np.maximum(np.abs(mean), _WEAKEST)] = np.inf
    return mean.astype(np.float32), scale.astype(np.float32)


def standardised(
    features: NDArray[np.floating], mean: NDArray[np.floating], scale: NDArray[np.floating]
) -> NDArray[np.float64]:
    """Return features, (n, d), less their mean, over their deviation; 0 where that is infinite."""
    return np.asarray((np.asarray(features, np.float64) - mean) / scale, np.float64)


def _moments(part: NDArray[np.floating]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    values = np.asarray(part, dtype=np.float64)
    mean = values.mean(axis=0)
    return mean, ((values - mean) ** 2).sum(axis=0)

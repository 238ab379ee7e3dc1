"""Windows cut and scaled where the network runs: a block goes to the device once, its windows never do."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from magxr.errors import ModelError
from magxr.kernels.minmax import FLAT, NO_INFORMATION
from magxr.kernels.windows import counted, integral
from magxr.models import engine
from magxr.models.ahead import Ready

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from magxr.models.spec import ModelSpec

_MOST = 2**31
"""Cells that can be told apart by the integers of a device."""


def slicer(spec: ModelSpec, block: NDArray[np.float32]) -> Slicer | None:
    """Return what makes batches of the windows of a block on the network's device.

    Parameters
    ----------
    spec : ModelSpec
        Nothing but Keras is loaded, and not even that for a model without a network.
    block : ndarray of float32, shape (rows, columns)
        Anomaly in nT, NaN where missing.

    Returns
    -------
    Slicer, or None
        None where the network runs on the processor, to which a window in memory is near enough, and where
        the model has no network.
    """
    if not spec.network:
        return None
    keras = engine.start()
    return Slicer(keras.ops, block, spec.window, spec.batch) if engine.accelerated() else None


class Slicer:
    """A block on the device of the network; called with the places of windows it makes a batch of them.

    Notes
    -----
    What comes out is what `magxr.models.ahead.ready` makes of windows that were cut in memory: the same
    steps as `magxr.kernels.minmax`, in float32, by the backend of Keras. The steps are dispatched, not waited
    for. Each batch has the same shape; the first window is repeated where there are fewer.
    """

    def __init__(self, ops: Any, block: NDArray[np.float32], size: int, batch: int) -> None:
        if block.size >= _MOST:
            fix = "give the map smaller chunks, e.g. .chunk(1024)"
            msg = f"a device cuts from fewer than 2^31 cells, not {block.shape[0]} x {block.shape[1]}; {fix}"
            raise ModelError(msg)
        self._ops, self._batch, self._wide = ops, batch, block.shape[1]
        self._size, self._gaps = size, integral(~np.isfinite(block))
        self._cells = ops.convert_to_tensor(np.ascontiguousarray(block, np.float32).ravel())
        one = np.arange(size, dtype=np.int32)
        self._window = ops.convert_to_tensor((one[:, None] * np.int32(self._wide) + one)[None])

    def __call__(self, windows: Sequence[tuple[slice, slice]]) -> Ready:
        """Make at most a batch of windows, which must lie inside the block: their rows and columns."""
        rows, columns = np.array([(r.start, c.start) for r, c in windows]).T
        first = (rows * self._wide + columns).astype(np.int32)
        count = len(first)
        first = np.append(first, np.full(self._batch - count, first[0]))
        where = self._ops.convert_to_tensor(first[:, None, None]) + self._window
        images = self._ops.take(self._cells, where)
        # Sorting cells for their median takes most of the time.
        if counted(self._gaps, self._size, rows, columns).any():
            images = _filled(self._ops, images)
        return Ready(_scaled(self._ops, images)[..., None], count)


def _filled(ops: Any, images: Any) -> Any:
    """Put the median of a window's other cells, or 0 where there are none, in its missing cells."""
    known = ops.isfinite(images)
    cells = ops.reshape(ops.where(known, images, np.float32(np.inf)), (images.shape[0], -1))
    count = ops.sum(ops.cast(known, "int32"), axis=(1, 2))[:, None]
    middle = ops.concatenate([ops.maximum(count - 1, 0) // 2, count // 2], axis=1)
    middle = ops.minimum(middle, cells.shape[1] - 1)
    pair = ops.take_along_axis(ops.sort(cells, axis=1), middle, axis=1)
    median = ops.where(count[:, 0] > 0, (pair[:, 0] + pair[:, 1]) / 2, np.float32(0))
    return ops.where(known, images, median[:, None, None])


def _scaled(ops: Any, images: Any) -> Any:
    low = ops.min(images, axis=(1, 2), keepdims=True)
    high = ops.max(images, axis=(1, 2), keepdims=True)
    flat = high - low <= np.float32(FLAT) * ops.maximum(ops.abs(low), ops.abs(high))
    span = ops.where(flat, np.float32(1), high - low)
    scaled = ops.clip((images - low) / span, np.float32(0), np.float32(1))
    return ops.where(flat, NO_INFORMATION, scaled)

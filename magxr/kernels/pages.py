"""Arrays in memory pages of their own: for blocks that wait for others, and for work space of their size.

The C library keeps freed memory for later, by thread. Blocks that live long, among arrays that come and go
with every task, leave holes there that nothing fits into, and the process grows for as long as it runs. What
has pages of its own goes back to the system when the last reference goes.

A block that lives on a GPU is copied there; its memory is the business of its own library.
"""

from __future__ import annotations

import errno
import math
import mmap
from typing import TYPE_CHECKING, Any

import numpy as np

from magxr.kernels.device import array_module, on_device

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import DTypeLike, NDArray

LEAST = 1 << 17
"""Smaller arrays are left to numpy, bytes: where the C library, too, begins by giving pages of their own."""


def empty(shape: Sequence[int], dtype: DTypeLike) -> NDArray[Any]:
    """Return a new C-contiguous array with pages of its own if it is large."""
    kind = np.dtype(dtype)
    size = math.prod(shape) * kind.itemsize
    if size < LEAST:
        return np.empty(shape, kind)
    return np.frombuffer(_pages(size), kind).reshape(shape)


def zeros(shape: Sequence[int], dtype: DTypeLike) -> NDArray[Any]:
    """Return the same, filled with zeros."""
    out = empty(shape, dtype)
    out[...] = 0
    return out


def copied(array: NDArray[Any], dtype: DTypeLike | None = None) -> NDArray[Any]:
    """Return a C-contiguous copy with pages of its own, in another dtype if one is given."""
    if on_device(array):
        copy: NDArray[Any] = array_module(array).array(array, dtype=dtype, order="C")
        return copy
    out = empty(array.shape, array.dtype if dtype is None else dtype)
    out[...] = array
    return out


def _pages(size: int) -> mmap.mmap:
    """Map anonymous memory, in pages of 2 MB where the system has them.

    The first touch of a page costs more than filling it: 2.5 ns a float32 with pages of 4 kB, 0.5 with large
    ones, of some 10 for a step of diffusion.
    """
    if not hasattr(mmap, "MADV_HUGEPAGE"):  # not Linux
        return mmap.mmap(-1, size)
    made = mmap.mmap(-1, size, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    try:
        made.madvise(mmap.MADV_HUGEPAGE)
    except OSError as error:  # a kernel built without them: pages of the usual size do as well
        if error.errno != errno.EINVAL:
            raise
    return made

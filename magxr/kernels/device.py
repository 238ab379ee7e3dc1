"""Which array library a block belongs to: numpy, or CuPy for a block that lives on a GPU.

Nothing is imported for a look at a numpy block, and CuPy only once a block of CuPy's is met: whoever has
one has CuPy.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

MODULES: dict[str, Callable[[], Any]] = {"cupy": lambda: import_module("cupy")}
"""How to get the array library, by the root of the module that the type of its arrays comes from."""


def on_device(array: object) -> bool:
    """Tell whether an array belongs to a library in `MODULES`, so that numpy must not touch its memory."""
    return _root(array) in MODULES


def array_module(array: object) -> Any:
    """Return the library that makes arrays of this kind: numpy unless `on_device`."""
    load = MODULES.get(_root(array))
    return np if load is None else load()


def on_host(array: Any) -> NDArray[Any]:
    """Return the values as a numpy array; a block that lives on a device is copied."""
    found: NDArray[Any] = array.get() if on_device(array) else array
    return found


def _root(array: object) -> str:
    return type(array).__module__.partition(".")[0]

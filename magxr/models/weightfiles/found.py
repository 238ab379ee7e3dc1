"""What every reader says of a tensor that is not what it should be, and the check of one that was read."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from magxr.errors import ModelError

if TYPE_CHECKING:
    from numpy.typing import NDArray


def check_shape(name: str, shape: tuple[int, ...], expected: tuple[int, ...]) -> None:
    """Refuse a tensor of another shape, before it is read."""
    if tuple(shape) != tuple(expected):
        msg = f"tensor {name} has the shape {tuple(shape)}, expected {tuple(expected)}"
        raise ModelError(msg)


def checked(name: str, values: NDArray) -> NDArray[np.float32]:
    """Return a tensor as float32 in one piece; refuse values that are not finite."""
    found = np.ascontiguousarray(values, dtype=np.float32)
    if not np.isfinite(found).all():
        msg = f"tensor {name} holds values that are not finite"
        raise ModelError(msg)
    return found


def missing(name: str, shape: tuple[int, ...], where: str = "") -> ModelError:
    """Return the error for a tensor that is not there."""
    place = f" (expected under {where})" if where else ""
    return ModelError(f"tensor {name} of shape {tuple(shape)}{place} is missing")


def cut_short(name: str, shape: tuple[int, ...], why: object) -> ModelError:
    """Return the error for a tensor whose bytes are not all there."""
    return ModelError(f"tensor {name} of shape {tuple(shape)} cannot be read ({why}): the file is truncated")

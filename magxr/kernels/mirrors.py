"""Pieces of a block continued by mirrors beyond its edges, for any array library."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from magxr.kernels.device import array_module

if TYPE_CHECKING:
    from numpy.typing import NDArray

Span = tuple[int, int]
"""First row or column and one past the last, counted from the first of the block; may lie outside of it."""
Area = tuple[Span, Span]
"""Rows and columns."""


def folded(span: Span, count: int, *, cells: bool = False) -> NDArray[np.intp]:
    """Return where the values of ``span`` are found among ``count`` pixels, or rows of cells.

    Pixels are mirrored half a pixel beyond the outermost ones, as often as it takes. Cells count from -1,
    the first lies across the edge, and their mirrors go through the outermost ones; ``count`` is that of
    pixels, one less than that of cells, and the result counts from 0.
    """
    at = np.arange(*span)
    if cells:
        at = (at + 1) % (2 * count)
        return np.where(at <= count, at, 2 * count - at)
    at = at % (2 * count)
    return np.where(at < count, at, 2 * count - 1 - at)


def window(
    array: NDArray[Any], at: tuple[int, int], area: Area, shape: tuple[int, int], *, cells: bool = False
) -> NDArray[Any]:
    """Return the values in ``area`` of a block of ``shape``, mirrored beyond its edges.

    ``array`` holds that part of the block that begins at pixel ``at``, or all its cells from (-1, -1) on.
    """
    for axis, (span, first, count) in enumerate(zip(area, at, shape, strict=True)):
        places = folded(span, count, cells=cells) - first
        if places[-1] - places[0] == len(places) - 1 and (np.diff(places) == 1).all():
            part = slice(int(places[0]), int(places[-1]) + 1)
            array = array[part] if axis == 0 else array[:, part]
        else:
            xp = array_module(array)
            array = xp.take(array, xp.asarray(places), axis=axis)
    return array


def lines(values: NDArray[Any] | None, span: Span, count: int, *, cells: bool) -> NDArray[Any] | None:
    """Return what is given by row (last axis), for the rows of ``span``; one value for all stays as it is."""
    if values is None or values.shape[-1] == 1:
        return values
    xp = array_module(values)
    found: NDArray[Any] = xp.take(values, xp.asarray(folded(span, count, cells=cells)), axis=-1)
    return found

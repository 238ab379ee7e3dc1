"""Fill gaps on chunks: lay the patches out on the whole grid, so that chunks do not matter."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from magxr.chunked.halo import Place, map_halo
from magxr.chunked.plan import fitting
from magxr.kernels import gaps as kernel

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

INFINITY = float("inf")


def fill_gaps(
    x: Any, *, aspect: NDArray[np.float64], max_gap: int, wrap: bool = False, column0: int = 0
) -> Any:
    """Fill the gaps of a grid of at most ``max_gap`` cells by minimum curvature.

    Parameters
    ----------
    x : (rows, cols) numpy or Dask array of float
        Anomaly, nT, NaN where missing. A source is read twice (`magxr.chunked.neighbours`).
    aspect : (rows,) float64
        Squared ratio of cell height to cell width.
    max_gap : int
        Widest gap to fill, cells; wider holes stay NaN.
    wrap : bool
        Longitude goes round.
    column0 : int
        Number of the first column counted from longitude 0, where longitude goes round: patches are counted
        from there, so that a rolled grid gives the rolled result.

    Returns
    -------
    Like ``x``.
    """
    return map_halo(
        _fill,
        x,
        depth=(kernel.reach(max_gap), kernel.reach(max_gap)),
        wrap=wrap,
        step="grid (filling gaps)",
        placed=True,
        remake=True,
        aspect=aspect,
        **_layout(x, max_gap, wrap, column0),
    )


def fillable(x: Any, *, max_gap: int, wrap: bool = False, column0: int = 0) -> Any:
    """Tell which cells `fill_gaps` fills, without filling them.

    Parameters are those of `fill_gaps`.

    Returns
    -------
    (rows, cols) numpy or Dask array of bool
    """
    return map_halo(
        _fillable,
        x,
        depth=(kernel.reach(max_gap), kernel.reach(max_gap)),
        wrap=wrap,
        dtype=bool,
        step="grid (finding gaps)",
        placed=True,
        **_layout(x, max_gap, wrap, column0),
    )


def _layout(x: Any, max_gap: int, wrap: bool, column0: int) -> dict[str, Any]:
    return {
        "patches": (_patches(x.shape[0]), _around(x.shape[1], column0) if wrap else _patches(x.shape[1])),
        "extent": ((0, x.shape[0]), (-INFINITY, INFINITY) if wrap else (0, x.shape[1])),
        "max_gap": max_gap,
    }


def _fill(block: NDArray[Any], *, place: Place, **how: Any) -> NDArray[Any]:
    return kernel.fill_gaps(block, corner=_corner(place), core=(place.rows, place.cols), **how)


def _fillable(block: NDArray[Any], *, place: Place, **how: Any) -> NDArray[np.bool_]:
    return kernel.fillable(block, corner=_corner(place), core=(place.rows, place.cols), **how)


def _corner(place: Place) -> tuple[int, int]:
    return place.rows[0] - place.halo[0], place.cols[0] - place.halo[2]


def _patches(size: int) -> kernel.Patches:
    start, sides = 0, []
    for side in fitting(size, min(size, kernel.PATCH // 2), kernel.PATCH):
        sides.append((start, start + side))
        start += side
    return tuple(sides)


def _around(size: int, column0: int) -> kernel.Patches:
    """Patches counted from longitude 0, once more to the west and to the east of the grid, west to east."""
    once = _patches(size)
    starts = [turn * size - column0 for turn in (-1, 0, 1, 2)]
    sides = [(start + a, start + b) for start in starts for a, b in once]
    return tuple(s for s in sides if s[1] > -kernel.PATCH and s[0] < size + kernel.PATCH)

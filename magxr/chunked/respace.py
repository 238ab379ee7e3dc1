"""Put a chunked grid on other cells by bicubic splines: which new cell comes from which block."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING, Any

import numpy as np

from magxr.chunked.halo import Place, map_halo
from magxr.chunked.plan import fitting_chunks, is_chunked
from magxr.errors import ChunkError
from magxr.kernels import spline

if TYPE_CHECKING:
    from numpy.typing import NDArray

_AXES = ("latitude", "longitude")


@dataclass(frozen=True, slots=True)
class Axis:
    """Where new cells lie among old ones along one axis, in whole numbers, so that every block agrees."""

    base: NDArray[np.intp]
    """Old cell at or before each new cell (-1 for one in the first half cell)."""
    fraction: NDArray[np.float64]
    """Fraction of an old cell beyond it, in [0, 1)."""
    owner: NDArray[np.intp]
    """Old cell whose block makes it: the one around it (pixel registration) or at or before it (gridline)."""

    @property
    def size(self) -> int:
        """Number of new cells."""
        return len(self.base)

    @property
    def first(self) -> float:
        """Position of the first new cell, in old cells."""
        return float(self.base[0] + self.fraction[0])

    def sizes(self, chunks: tuple[int, ...]) -> tuple[int, ...]:
        """Count the new cells that each chunk makes."""
        edges = np.cumsum([0, *chunks])
        return tuple(int(n) for n in np.diff(np.searchsorted(self.owner, edges)))

    def within(self, start: int, stop: int, shift: int) -> tuple[NDArray[np.intp], NDArray[np.float64]]:
        """Return the new cells of one block, ``shift`` being the old cell that is the block's first."""
        part = slice(*np.searchsorted(self.owner, (start, stop)))
        return self.base[part] - shift, self.fraction[part]


def axis(size: int, ratio: Fraction, *, pixel: bool) -> Axis:
    """Lay new cells of ``ratio`` old cells over ``size`` old ones, from the same outer edge or first node.

    The last new cell is the last one that still fits.
    """
    count = int(size / ratio) if pixel else int((size - 1) / ratio) + 1
    base, fraction = _split(np.arange(count), ratio, pixel=pixel)
    return Axis(base, fraction, spline.nearest((base, fraction)) if pixel else base)


def axis_around(size: int, new: int, column0: int, *, pixel: bool) -> Axis:
    """Lay ``new`` cells round the globe over ``size`` old ones.

    New cells are counted from where the old ones are (``column0`` is the number of the first old column), so
    that a rolled grid gets the same cells.
    """
    base, fraction = _split(np.arange(new), Fraction(size, new), pixel=pixel)
    ahead = spline.nearest((base, fraction)) - base if pixel else 0
    owner = (base + ahead - column0) % size
    base = owner - ahead
    first = -int(np.lexsort((fraction, base))[0])
    return Axis(np.roll(base, first), np.roll(fraction, first), np.roll(owner, first))


def _split(
    number: NDArray[np.int64], ratio: Fraction, *, pixel: bool
) -> tuple[NDArray[np.intp], NDArray[np.float64]]:
    top, bottom = ratio.numerator, ratio.denominator
    halves = (2 * number + 1) * top - bottom if pixel else 2 * number * top
    base, rest = np.divmod(halves, 2 * bottom)
    return base.astype(np.intp), rest / (2 * bottom)


def respace(x: Any, axes: tuple[Axis, Axis], *, wrap: bool = False) -> Any:
    """Evaluate the bicubic spline through a grid on other cells.

    Parameters
    ----------
    x : (rows, cols) numpy or Dask array of float
        Anomaly, nT, NaN where missing.
    axes : two Axis
        The new rows and columns.
    wrap : bool
        Longitude goes round.

    Returns
    -------
    Like ``x``, in chunks that cover the same ground.

    Raises
    ------
    ChunkError
        If a chunk is smaller than the halo of 42 cells, or has no new cell.
    """
    return map_halo(
        _respaced,
        x,
        depth=(spline.REACH, spline.REACH),
        wrap=wrap,
        step="grid (respacing)",
        out_chunks=_chunks(x, axes),
        placed=True,
        axes=axes,
    )


def resample(x: Any, axes: tuple[Axis, Axis], *, wrap: bool = False) -> Any:
    """Take the nearest old cell for every new one: for flags."""
    return map_halo(
        _nearest,
        x,
        depth=(1, 1),
        wrap=wrap,
        step="grid (flags)",
        out_chunks=_chunks(x, axes),
        placed=True,
        axes=axes,
    )


def _chunks(x: Any, axes: tuple[Axis, Axis]) -> tuple[tuple[int, ...], tuple[int, ...]]:
    old = x.chunks if is_chunked(x) else tuple((n,) for n in x.shape)
    new = tuple(a.sizes(c) for a, c in zip(axes, old, strict=True))
    least = [2 * -(-sum(c) // a.size) for a, c in zip(axes, old, strict=True)]
    for name, before, after in zip(_AXES, old, new, strict=True):
        if 0 in after:
            msg = (
                f"the new cells are larger than the chunk of {before[after.index(0)]} cells along {name}, "
                f"which would be left empty; use larger chunks, e.g. {fitting_chunks(old, least)}"
            )
            raise ChunkError(msg, max(least))
    return new[0], new[1]


def _respaced(block: NDArray[Any], *, place: Place, axes: tuple[Axis, Axis]) -> NDArray[Any]:
    return spline.respaced(
        block,
        axes[0].within(*place.rows, place.rows[0] - place.halo[0]),
        axes[1].within(*place.cols, place.cols[0] - place.halo[2]),
        halo=place.halo,
    )


def _nearest(block: NDArray[Any], *, place: Place, axes: tuple[Axis, Axis]) -> NDArray[Any]:
    rows = spline.nearest(axes[0].within(*place.rows, place.rows[0] - place.halo[0]))
    cols = spline.nearest(axes[1].within(*place.cols, place.cols[0] - place.halo[2]))
    picked: NDArray[Any] = block[np.ix_(rows, cols)]
    return picked

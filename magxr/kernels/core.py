"""The part of a block that is wanted back, and how much around it the steps still to come look at."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from magxr.errors import ParameterError

if TYPE_CHECKING:
    from numpy.typing import NDArray

Range = tuple[int, int]


class Core(NamedTuple):
    """A block without its halo."""

    shape: tuple[int, int]
    """Of the block with its halo."""
    halo: tuple[int, int, int, int]
    """Rows south and north, columns west and east; a side without is a true edge."""

    def around(self, deep: int, wide: int) -> tuple[Range, Range]:
        """Return the rows and columns that steps which look ``deep`` rows and ``wide`` columns need."""
        (n, m), (south, north, west, east) = self.shape, self.halo
        rows = max(0, south - deep), min(n, n - north + deep)
        return rows, (max(0, west - wide), min(m, m - east + wide))

    def cut(self, values: NDArray[Any]) -> NDArray[Any]:
        """Return the core of an array of the block's shape."""
        rows, cols = self.around(0, 0)
        return values[slice(*rows), slice(*cols)]

    def result(self, values: NDArray[Any], u: NDArray[Any], valid: NDArray[np.bool_] | None) -> NDArray[Any]:
        """Return the core of ``values``, given what ``u`` holds in gaps; ``values`` is not used again."""
        kept = self.cut(values)
        if valid is not None:
            np.copyto(kept, self.cut(u), where=~self.cut(valid))
        return kept


def held_pixels(fixed: NDArray[Any] | None) -> NDArray[np.bool_]:
    """Return which pixels keep their value, one value where none is asked to."""
    return np.zeros((1, 1), np.bool_) if fixed is None else np.asarray(fixed) != 0


def nothing(u: NDArray[Any]) -> bool:
    """Tell whether a block holds no value, so that there is no work to do: land, no data."""
    return not np.isfinite(u).any()


def scales(scale: float) -> bool:
    """Tell whether a contrast can be scaled by this."""
    return bool(np.isfinite(scale) and scale > 0)


def unscaled(u: NDArray[Any], scale: float) -> NDArray[Any]:
    """Return a block that cannot change whatever the contrast; refuse one that can."""
    seen = u[np.isfinite(u)]
    if seen.size and (seen != seen[0]).any():
        fix = "pass scale= in nT, e.g. a quarter of the range of the data"
        msg = f"the interquartile range of the anomaly is {scale} nT, so it cannot scale the contrast; {fix}"
        raise ParameterError(msg)
    return u

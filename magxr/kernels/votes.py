"""The neighbour vote that settles uncertain predictions."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from scipy import ndimage

if TYPE_CHECKING:
    from numpy.typing import NDArray

To = Literal["certain", "extreme"]
Ties = Literal["keep", "linear", "nonlinear"]


def neighbour_counts(marked: NDArray[np.bool_], neighbours: int) -> NDArray[np.int64]:
    """Count the marked cells of the ``neighbours x neighbours`` box around each cell, exactly.

    Cells outside the array count as not marked. The box is centred, so ``neighbours`` is odd.
    """
    half = neighbours // 2
    sums = np.pad(marked.astype(np.int64), ((half + 1, half), (half + 1, half)))
    sums = sums.cumsum(axis=0).cumsum(axis=1)
    n = neighbours
    counts: NDArray[np.int64] = sums[n:, n:] - sums[:-n, n:] - sums[n:, :-n] + sums[:-n, :-n]
    return counts


def vote(
    probability: NDArray[np.float32],
    where: NDArray[Any] | None = None,
    sides: NDArray[Any] | None = None,
    *,
    neighbours: int,
    keep: tuple[float, float],
    majority: float,
    cut: float,
    to: To,
    ties: Ties,
) -> NDArray[np.float32]:
    """Replace uncertain predictions by what most of their neighbours say.

    Parameters
    ----------
    probability : (rows, columns) float32
        0 to 1; NaN is no answer, which neither votes nor is voted on.
    where : (rows, columns), optional
        Nonzero where predictions may be changed (NaN: not).
    sides : (rows, columns), optional
        Labels; only neighbours with the cell's own label vote. NaN is one label more.
    neighbours : int
        Side of the neighbourhood, odd; the cell itself is part of it.
    keep : (float, float)
        Predictions below the first or above the second stand.
    majority, cut : float
        A share of at least ``majority`` of the answers above ``cut`` makes a cell linear, of answers below
        ``cut`` nonlinear.
    to : {"certain", "extreme"}
        The new value: 1 or 0, or the largest or smallest answer of the neighbourhood.
    ties : {"keep", "linear", "nonlinear"}
        What to do where both shares reach ``majority``.

    Returns
    -------
    (rows, columns) float32
    """
    p = np.asarray(probability)
    low, high, middle = (p.dtype.type(v) for v in (*keep, cut))
    answered = ~np.isnan(p)
    uncertain = answered & (p >= low) & (p <= high)
    if where is not None:
        uncertain &= np.nan_to_num(where) != 0
    out = p.copy()
    labels = np.zeros(p.shape) if sides is None else np.nan_to_num(sides, nan=-np.inf)
    for label in np.unique(labels[uncertain]):
        own = answered & (labels == label)
        voters = neighbour_counts(own, neighbours)
        # The product may round up past the whole number it stands for (0.55 x 20 is 11.000000000000002).
        needed = majority * voters - 1e-9
        above = neighbour_counts(own & (p > middle), neighbours) >= needed
        below = neighbour_counts(own & (p < middle), neighbours) >= needed
        tied = above & below
        if ties == "linear":
            below = below & ~tied
        elif ties == "nonlinear":
            above = above & ~tied
        else:
            above, below = above & ~tied, below & ~tied
        here = uncertain & (labels == label)
        most, least = _extremes(p, own, neighbours) if to == "extreme" else (p.dtype.type(1), p.dtype.type(0))
        out = np.where(here & above, most, np.where(here & below, least, out))
    return out


def _extremes(
    p: NDArray[np.float32], own: NDArray[np.bool_], neighbours: int
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    side, inf = (neighbours, neighbours), p.dtype.type(np.inf)
    most = ndimage.maximum_filter(np.where(own, p, -inf), size=side, mode="constant", cval=-np.inf)
    least = ndimage.minimum_filter(np.where(own, p, inf), size=side, mode="constant", cval=np.inf)
    return most, least

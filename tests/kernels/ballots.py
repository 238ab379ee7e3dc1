"""The neighbour vote by passes over the whole map, one a label: what the fast one must equal bit for bit."""

import numpy as np
from scipy import ndimage


def neighbour_counts(marked, neighbours):
    """Count the marked cells of the box around each cell by an integral image."""
    half = neighbours // 2
    sums = np.pad(marked.astype(np.int64), ((half + 1, half), (half + 1, half)))
    sums = sums.cumsum(axis=0).cumsum(axis=1)
    n = neighbours
    return sums[n:, n:] - sums[:-n, n:] - sums[n:, :-n] + sums[:-n, :-n]


def vote(probability, where=None, sides=None, *, neighbours, keep, majority, cut, to, ties):
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


def _extremes(p, own, neighbours):
    side, inf = (neighbours, neighbours), p.dtype.type(np.inf)
    most = ndimage.maximum_filter(np.where(own, p, -inf), size=side, mode="constant", cval=-np.inf)
    least = ndimage.minimum_filter(np.where(own, p, inf), size=side, mode="constant", cval=np.inf)
    return most, least

"""Fill gaps patch by patch, so that every cell's answer rests on a bounded neighbourhood.

Patches are laid out on the whole grid (never on chunks). Each is solved by `minimum_curvature` in a window
that sees ``margin`` cells around it; neighbouring patches cross-fade over ``2 * FADE`` cells. A gap that lies
within the window comes out exactly, the same from every patch that meets it, so patches leave no mark on it;
a longer one is cut off ``margin`` cells away, where what lies beyond hardly counts any more.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from scipy import ndimage

from magxr.kernels import pages
from magxr.kernels.minimum_curvature import minimum_curvature, tied

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    Patches = tuple[tuple[int, int], ...]
    """First cell and one past the last of every patch along one axis, in cells of the whole grid."""

PATCH = 32
"""Usual side of a patch, cells."""
FADE = 4
"""Half width of the cross-fade between patches, cells; a power of two makes weights add up to 1."""


def margin(max_gap: int) -> int:
    """Return how far around a patch its window looks, cells: the widest gap, so that both shores are seen."""
    return max(max_gap, 4)


def reach(max_gap: int, patch: int = PATCH) -> int:
    """Return the halo: how far away a cell may lie on which the value of another depends, cells."""
    return patch + 2 * FADE + margin(max_gap) + _radius_reach(max_gap)


def _radius_reach(max_gap: int) -> int:
    return 2 * math.ceil((max_gap + 1) / 2)


def too_wide(known: NDArray[np.bool_], max_gap: int) -> NDArray[np.bool_]:
    """Tell which missing cells belong to holes wider than ``max_gap`` cells.

    Those are the cells that a disc of diameter ``max_gap + 1`` can cover without touching a known cell (its
    centre on a cell of the map): the opening of the missing cells by that disc. A strip of ``max_gap``
    missing rows is a gap, one of ``max_gap + 1`` is a hole (``max_gap + 2`` where ``max_gap`` is odd, since
    the middle of an even strip is no cell); along the edge of the map, half as many.

    Parameters
    ----------
    known : (rows, cols) bool
        Cells with data.
    max_gap : int
        Cells.

    Returns
    -------
    (rows, cols) bool
        A cell's answer depends on cells up to ``max_gap + 2`` away.
    """
    if known.all():
        return np.zeros_like(known)
    if not known.any():
        return np.ones_like(known)
    radius = (max_gap + 1) / 2
    # Distances are dear. No disc fits where its inscribed square (cells beyond the map count as missing)
    # always meets a known cell.
    side = 2 * math.floor(radius / math.sqrt(2)) + 1
    if ndimage.maximum_filter(known, size=side, mode="constant", cval=0).all():
        return np.zeros_like(known)
    centres = ndimage.distance_transform_edt(~known) > radius
    if not centres.any():
        return np.zeros_like(known)
    covered: NDArray[np.bool_] = ndimage.distance_transform_edt(~centres) <= radius
    return covered & ~known


def fill_gaps(
    block: NDArray[np.floating],
    *,
    corner: tuple[int, int],
    core: tuple[tuple[int, int], tuple[int, int]],
    extent: tuple[tuple[float, float], tuple[float, float]],
    patches: tuple[Patches, Patches],
    aspect: NDArray[np.float64],
    max_gap: int,
) -> NDArray[Any]:
    """Fill the gaps of a block by minimum curvature.

    Parameters
    ----------
    block : (rows, cols) float
        Anomaly with its halo, nT; NaN and infinities are missing.
    corner : (int, int)
        Row and column of ``block[0, 0]`` in the whole grid.
    core : two (int, int)
        Rows and columns of the whole grid to answer for.
    extent : two (float, float)
        First and past-the-last row and column of the map; infinite where longitude goes round.
    patches : two tuples of (int, int)
        Sides of the patches along latitude and longitude, covering at least the core.
    aspect : (rows of the whole grid,) float64
        Squared ratio of cell height to cell width.
    max_gap : int
        Holes wider than this stay missing (`too_wide`), cells.

    Returns
    -------
    (rows, cols), dtype of ``block``
        The block with its gaps filled in the core; filled or not in the halo.
    """
    known = np.isfinite(block)
    values = pages.copied(block)
    values[~known] = np.nan
    if known.all() or not known.any():
        return values
    missing = ~known & ~too_wide(known, max_gap)
    # Sums for the missing cells alone, in the order of the block: most cells have data.
    places = np.flatnonzero(missing)
    total, weight = np.zeros(places.size), np.zeros(places.size)
    for patch in _patches(missing, corner, core, extent, patches, margin(max_gap)):
        found = minimum_curvature(
            block[patch.window].astype(np.float64),
            known[patch.window],
            missing[patch.window],
            patch.needed,
            aspect[slice(*patch.rows)],
        )
        here = missing[patch.inner]
        part, fade = found[patch.kept][here], np.outer(*patch.fade)[here]
        fade[np.isnan(part)] = 0.0
        at = np.searchsorted(places, _numbers(here, patch.inner, block.shape[1]))
        total[at] += np.where(fade > 0, part, 0.0) * fade
        weight[at] += fade
    filled = weight > 0
    values.flat[places[filled]] = total[filled] / weight[filled]
    return values


def _numbers(here: NDArray[np.bool_], inner: tuple[slice, slice], columns: int) -> NDArray[np.intp]:
    """Return the places in the flattened block of the cells that ``here`` marks in its part ``inner``."""
    rows, cols = np.nonzero(here)
    numbers: NDArray[np.intp] = (rows + inner[0].start) * columns + (cols + inner[1].start)
    return numbers


def fillable(
    block: NDArray[np.floating],
    *,
    corner: tuple[int, int],
    core: tuple[tuple[int, int], tuple[int, int]],
    extent: tuple[tuple[float, float], tuple[float, float]],
    patches: tuple[Patches, Patches],
    max_gap: int,
) -> NDArray[np.bool_]:
    """Tell which cells `fill_gaps` would fill, without solving for their values.

    Parameters are those of `fill_gaps`.

    Returns
    -------
    (rows, cols) bool
        In the core; cells of the halo may be told or not.
    """
    known: NDArray[np.bool_] = np.isfinite(block)
    filled = np.zeros(known.shape, dtype=np.bool_)
    if known.all() or not known.any():
        return filled
    missing = ~known & ~too_wide(known, max_gap)
    for patch in _patches(missing, corner, core, extent, patches, margin(max_gap)):
        found = tied(known[patch.window], missing[patch.window])
        filled[patch.inner] |= found[patch.kept] & (np.outer(*patch.fade) > 0)
    return filled


class _Patch(NamedTuple):
    """One patch of a block."""

    window: tuple[slice, slice]
    """What it sees, in cells of the block."""
    inner: tuple[slice, slice]
    """What it answers for, in cells of the block."""
    kept: tuple[slice, slice]
    """The same, in cells of the window."""
    needed: tuple[int, int, int, int]
    """The same, as numbers."""
    rows: tuple[int, int]
    """Rows of the window in the whole grid."""
    fade: tuple[NDArray[np.float64], NDArray[np.float64]]
    """Weights along both axes."""


def _patches(
    missing: NDArray[np.bool_],
    corner: tuple[int, int],
    core: tuple[tuple[int, int], tuple[int, int]],
    extent: tuple[tuple[float, float], tuple[float, float]],
    patches: tuple[Patches, Patches],
    around: int,
) -> Iterator[_Patch]:
    """Yield the patches that reach into the core and have something to fill."""
    for rows in patches[0]:
        for cols in patches[1]:
            own = [_clipped(side, FADE, extent[k]) for k, side in enumerate((rows, cols))]
            if any(o[0] >= c[1] or o[1] <= c[0] for o, c in zip(own, core, strict=True)):
                continue
            seen = [_clipped(side, FADE + around, extent[k]) for k, side in enumerate((rows, cols))]
            window = [slice(s[0] - corner[k], s[1] - corner[k]) for k, s in enumerate(seen)]
            inner = [slice(o[0] - corner[k], o[1] - corner[k]) for k, o in enumerate(own)]
            if not missing[inner[0], inner[1]].any():
                continue
            if any(w.start < 0 or w.stop > n for w, n in zip(window, missing.shape, strict=True)):
                msg = (
                    f"a patch looks at {seen}, beyond its block of {missing.shape} at {corner}: "
                    "halo too small"
                )
                raise ValueError(msg)
            needed = [(o[0] - s[0], o[1] - s[0]) for o, s in zip(own, seen, strict=True)]
            yield _Patch(
                (window[0], window[1]),
                (inner[0], inner[1]),
                (slice(*needed[0]), slice(*needed[1])),
                (*needed[0], *needed[1]),
                seen[0],
                (_fade(rows, own[0], extent[0]), _fade(cols, own[1], extent[1])),
            )


def _clipped(side: tuple[int, int], more: int, extent: tuple[float, float]) -> tuple[int, int]:
    return int(max(side[0] - more, extent[0])), int(min(side[1] + more, extent[1]))


def _fade(side: tuple[int, int], own: tuple[int, int], extent: tuple[float, float]) -> NDArray[np.float64]:
    """Weights of a patch along one axis: up over 2 * FADE cells at its start, down at its end, 1 between."""
    cells = np.arange(*own)
    up = (cells - side[0] + FADE + 0.5) / (2 * FADE) if side[0] > extent[0] else np.ones(len(cells))
    down = (side[1] + FADE - 0.5 - cells) / (2 * FADE) if side[1] < extent[1] else np.ones(len(cells))
    return np.clip(np.minimum(up, down), 0.0, 1.0)

"""Hold-out on a map: hide small discs, fill them, and see which way of cleaning foretells what was there."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from magxr.errors import GridError
from magxr.labelled import apply, canonical
from magxr.steps.cells import filled
from magxr.steps.gridding import grid
from magxr.studies.interval import LEVEL

if TYPE_CHECKING:
    import xarray as xr
    from numpy.typing import NDArray

    from magxr.studies.candidates import Candidate

RADIUS = 1 / 8
"""Of a hidden disc, in wavelengths: well inside one stripe, so that its neighbours tell what it holds."""
BETWEEN_TRACKS = 1 / 4
"""The same where less than half of the cells were measured: what errs there are the gaps between tracks, so
that a disc is as wide as a stripe and hides a piece of a track that is as long as a gap is wide."""
LEAST_RADIUS = 1.5
"""Cells."""
LATTICE = 4.0
"""Side of the square that holds one disc, in radii: a tenth of the map is hidden in each of two sets."""
BLOCK = 2.0
"""Side of a block that is redrawn as one, in wavelengths, but at most a quarter of the map's shorter side."""
DRAWS = 2000
"""Redraws of blocks for an interval."""
WIDEST = 32
"""Gap that is filled at least, cells: the default of `magxr.grid`."""
FEWEST = 8
"""Blocks with hidden cells below which there is no interval."""


@dataclass(frozen=True, eq=False)
class HoldOut:
    """A map with discs hidden, and what was in them."""

    filled: xr.DataArray
    """The map with its discs filled by splines, nT."""
    scored: NDArray[np.bool_]
    """Cells that were hidden and count, south-west first."""
    truth: NDArray[np.float64]
    """What was in them, nT."""
    block: NDArray[np.intp]
    """Block of each, from 0."""
    scale: float
    """Interquartile range of the map, nT: the same for all ways of cleaning."""

    def errors(self, candidate: Candidate) -> NDArray[np.float64]:
        """Return the sum of squared errors in hidden cells, nT², by block."""
        made = canonical(candidate.applied(self.filled, self.scale))[0]
        off = made[self.scored].astype(np.float64) - self.truth
        return np.bincount(self.block, off * off).astype(np.float64)


def hold_outs(
    da: xr.DataArray, wavelength: float, scale: float, seed: int, measured: NDArray[np.bool_] | None = None
) -> tuple[HoldOut, HoldOut]:
    """Hide two sets of discs that share no cell: one to choose by, one to confirm.

    Parameters
    ----------
    da : xarray.DataArray
        Anomaly in memory, nT, NaN in gaps. Cells that a coordinate ``filled`` says were interpolated neither
        count nor tell anything.
    wavelength : float
        Of the stripes, cells.
    scale : float
        Interquartile range of the map, nT.
    seed : int
        Where in its square each disc lies.
    measured : ndarray of bool, optional
        Cells that ships measured, south-west first: only those count, and only those outside of the discs
        tell what was in them.

    Raises
    ------
    GridError
        If hidden cells with data lie in fewer than 8 blocks.

    Notes
    -----
    Discs have a radius of an eighth of a wavelength (a quarter, where less than half of the cells with data
    were measured) and lie in squares of four radii, like a chequerboard: the
    white ones are the first set, the black ones the second. They, and with them all that was interpolated,
    are filled by `magxr.grid` anew: what was interpolated has seen what is hidden.
    """
    values, _, _ = canonical(da)
    mask = filled(da)
    known = np.isfinite(values) if measured is None else np.isfinite(values) & measured
    if mask is not None:
        known &= np.asarray(mask) == 0
    sparse = 2 * int(known.sum()) < int(np.isfinite(values).sum())
    radius = max(LEAST_RADIUS, (BETWEEN_TRACKS if sparse else RADIUS) * wavelength)
    first, second = _discs(values.shape, radius, np.random.default_rng(seed))
    side = max(1, int(min(BLOCK * wavelength, min(values.shape) / 4)))
    return _hidden(da, first, known, radius, side, scale), _hidden(da, second, known, radius, side, scale)


def _discs(
    shape: tuple[int, int], radius: float, rng: np.random.Generator
) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    side = math.ceil(LATTICE * radius)
    free = side - 2.0 * radius
    sets = np.zeros((2, *shape), bool)
    offset = np.arange(side)
    for row in range(0, shape[0], side):
        for column in range(0, shape[1], side):
            y, x = radius - 0.5 + free * rng.random(2)
            disc = (offset[:, None] - y) ** 2 + (offset - x) ** 2 <= radius**2
            part = sets[(row // side + column // side) % 2, row : row + side, column : column + side]
            part |= disc[: part.shape[0], : part.shape[1]]
    return sets[0], sets[1]


def _hidden(
    da: xr.DataArray,
    discs: NDArray[np.bool_],
    known: NDArray[np.bool_],
    radius: float,
    side: int,
    scale: float,
) -> HoldOut:
    bare = da.drop_vars("filled", errors="ignore")
    told = known & ~discs
    holed = apply(
        bare, lambda v, _: np.where(told, v, np.asarray(np.nan, v.dtype)), step="hide", parameters={}
    )
    # What the map lacks stays lacking.
    whole = grid(holed, max_gap=max(WIDEST, math.ceil(2 * radius))).drop_vars("filled").where(bare.notnull())
    values = canonical(da)[0]
    scored = discs & known & np.isfinite(canonical(whole)[0])
    rows, columns = np.nonzero(scored)
    across = -(-values.shape[1] // side)
    block = np.unique(rows // side * across + columns // side, return_inverse=True)[1].ravel()
    count = 0 if block.size == 0 else int(block.max()) + 1
    if count < FEWEST:
        msg = (
            f"hidden cells with data lie in {count} blocks of {side} x {side} cells, too few to tell whether "
            f"diffusion helps, which takes {FEWEST}; use a larger part of the map, or one with fewer gaps"
        )
        raise GridError(msg)
    return HoldOut(whole, scored, values[scored].astype(np.float64), block, scale)


def gain(
    without: NDArray[np.float64], squared: NDArray[np.float64], *, level: float = LEVEL, seed: int = 0
) -> tuple[float, float, float]:
    """Return by which share errors shrink, rms, with the ends of its interval by redrawing blocks.

    Parameters
    ----------
    without, squared : ndarray, shape (blocks,)
        Sums of squared errors by block, nT²: without diffusion, and with.
    level : float
        Coverage of the interval.
    seed : int
        Fixes the 2000 redraws.
    """
    rng = np.random.default_rng(seed)
    drawn = rng.integers(0, without.size, (DRAWS, without.size))

    def share(with_it: NDArray[np.float64], before: NDArray[np.float64]) -> NDArray[np.float64]:
        return 1.0 - np.sqrt(with_it / np.where(before > 0.0, before, np.nan))

    low, high = np.nanquantile(
        share(squared[drawn].sum(axis=1), without[drawn].sum(axis=1)), [0.5 - 0.5 * level, 0.5 + 0.5 * level]
    )
    return float(share(squared.sum(), without.sum())), float(low), float(high)

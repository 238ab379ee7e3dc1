r"""Real crust on any grid: age, isochrons and depth, interpolated from an age grid.

A grid of 0.1 degrees is coarse beside the cells of a map. Between its nodes everything is a cubic B-spline
*of the node values themselves*: a local mean, exact where age grows evenly, without the ringing of an
interpolating spline, with two continuous derivatives, and rounded off over about a node at the axis.

Across a fracture zone ages jump, and any smooth curve between the two sides would draw reversals that
nobody recorded. Nodes at which age changes `JUMP` times faster than typical nearby are taken for such zones:
their crust is broken, weakly magnetised and not linear. Where a grid knows no age (land, margins, shelves)
there are no stripes either.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from magxr.errors import GridError
from magxr.synthetic import timescale
from magxr.synthetic.plane import KM_PER_DEGREE

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from scipy.sparse import csr_array

    from magxr.synthetic.ages import AgeGrid

    Floats = NDArray[np.floating[Any]]

JUMP = 2.5
"""Age that changes this many times faster than the median nearby is a fracture zone."""
_NEARBY = 1.5
"""Side of that neighbourhood, degrees."""
_SLOWEST, _FASTEST = 1.0 / 3.0, 1.0 / 150.0
"""Limits of the growth of age, Myr/km: half-rates of 3 and 150 km/Myr."""
_STEP = 0.002
"""Step of the tabulated time scale, Myr."""


@dataclass(frozen=True, slots=True, eq=False)
class Patch:
    """Crust on the cells of a window; 2-D float64 arrays, south in row 0."""

    age: Floats
    """Myr; meaningless where ``known`` is low."""
    slowness: Floats
    """Growth of age across the isochrons, Myr/km."""
    known: Floats
    """Share of oceanic crust of known age, 0 to 1."""
    broken: Floats
    """Share of fracture zones, 0 to 1."""
    strike: Floats
    """Azimuth of the isochrons, degrees from north, 0 to 180."""
    basement: Floats
    """Depth to the top of the crust, km."""


@dataclass(frozen=True, eq=False)
class Crust:
    """The crust of an age grid, ready to be looked up anywhere on it."""

    grid: AgeGrid

    @cached_property
    def nodes(self) -> Patch:
        """Everything on the nodes of the age grid, gaps in it filled from the nearest node."""
        from scipy.ndimage import distance_transform_edt, gaussian_filter, median_filter

        age = self.grid.age
        known = np.isfinite(age)
        nearest = distance_transform_edt(~known, return_distances=False, return_indices=True)
        filled = age[tuple(nearest)]
        north, east = self._slopes(filled)
        slowness = np.hypot(_steeper(north), _steeper(east))
        rows, cols = (max(3, round(_NEARBY / step) | 1) for step in self._steps)
        nearby = median_filter(slowness, (rows, cols), mode="nearest")
        # Beside land, which has no slope, the median would call everything fast.
        typical = np.maximum(nearby, 0.3 * np.median(slowness[known]))
        # Slopes are one-sided, so that the nodes on both sides of a jump are marked.
        broken = slowness > JUMP * typical
        usual = np.where(broken, typical, slowness)
        usual = gaussian_filter(np.clip(usual, _FASTEST, _SLOWEST), 1.0, mode="nearest")
        up, right = (0.5 * (low + high) for low, high in (north, east))
        counts = known & ~broken
        twice = gaussian_filter(np.where(counts, right**2 - up**2, 0.0), 2.0, mode="nearest")
        both = gaussian_filter(np.where(counts, 2.0 * right * up, 0.0), 2.0, mode="nearest")
        # The gradient points across; isochrons run at right angles to it.
        strike = np.degrees(0.5 * np.arctan2(-both, -twice))
        azimuth = (90.0 - strike) % 180.0
        return Patch(
            filled, usual, known.astype(np.float64), broken.astype(np.float64), azimuth, self.grid.basement
        )

    def at(self, latitude: Floats, longitude: Floats) -> Patch:
        """Look up the crust on rows and columns.

        Parameters
        ----------
        latitude, longitude : numpy.ndarray
            1-D, degrees. Beyond the age grid its edge goes on; see `check`.
        """
        down = _weights(self.grid.latitude, latitude)
        across = _weights(self.grid.longitude, longitude)

        def fine(values: Floats) -> Floats:
            half = np.ascontiguousarray((across @ values.T).T)
            found: Floats = np.asarray(down @ half)
            return found

        nodes = self.nodes
        turned = np.radians(2.0 * nodes.strike)
        strike = np.degrees(0.5 * np.arctan2(fine(np.sin(turned)), fine(np.cos(turned)))) % 180.0
        return Patch(
            np.maximum(fine(nodes.age), 0.0),
            fine(nodes.slowness),
            fine(nodes.known),
            fine(nodes.broken),
            strike,
            fine(nodes.basement),
        )

    def check(self, latitude: Floats, longitude: Floats) -> None:
        """Refuse a region that leaves the age grid.

        Raises
        ------
        GridError
            Naming the axis and what is covered.
        """
        for what, places, nodes in (
            ("latitude", latitude, self.grid.latitude),
            ("longitude", longitude, self.grid.longitude),
        ):
            if places.min() < nodes[0] or places.max() > nodes[-1]:
                msg = (
                    f"{what} {places.min():.3f} to {places.max():.3f} leaves the age grid, which covers "
                    f"{nodes[0]:g} to {nodes[-1]:g}; take a smaller region or a larger age grid"
                )
                raise GridError(msg)

    @property
    def _steps(self) -> tuple[float, float]:
        return (
            float(np.diff(self.grid.latitude).mean()),
            float(np.diff(self.grid.longitude).mean()),
        )

    def _slopes(self, age: Floats) -> tuple[tuple[Floats, Floats], tuple[Floats, Floats]]:
        """Return the differences to the nodes before and after, northward and eastward, Myr/km."""
        height = KM_PER_DEGREE * self._steps[0]
        width = KM_PER_DEGREE * self._steps[1] * np.cos(np.radians(self.grid.latitude))[:, None]
        north = np.diff(age, axis=0) / height
        east = np.diff(age, axis=1) / width
        pairs = []
        for difference, axis in ((north, 0), (east, 1)):
            before = np.concatenate([difference.take([0], axis), difference], axis)
            after = np.concatenate([difference, difference.take([-1], axis)], axis)
            pairs.append((before, after))
        return pairs[0], pairs[1]


def recorded(age: Floats, slowness: Floats, transition: float) -> tuple[Floats, Floats]:
    """Return the polarity that crust recorded, and how far the nearest reversal is.

    Parameters
    ----------
    age : numpy.ndarray
        Myr.
    slowness : numpy.ndarray
        Growth of age across the isochrons, Myr/km.
    transition : float
        Standard deviation of the time in which a reversal is recorded, Myr: the transition's width times
        the slowness typical of the place.

    Returns
    -------
    polarity : numpy.ndarray
        -1 to 1: the time scale smoothed by a Gaussian; 0 beyond its end.
    distance : numpy.ndarray
        To the nearest recorded reversal, km.
    """
    from scipy.ndimage import gaussian_filter1d

    ticks = np.arange(0.0, timescale.OLDEST + _STEP, _STEP)
    smooth = gaussian_filter1d(
        timescale.polarity(np.minimum(ticks, timescale.OLDEST)).astype(np.float64),
        transition / _STEP,
        mode="nearest",
        truncate=6.0,
    )
    polarity = np.interp(age, ticks, smooth, right=0.0)
    turns = timescale.reversals()
    after = np.clip(np.searchsorted(turns, age), 1, turns.size - 1)
    away = np.minimum(np.abs(age - turns[after - 1]), np.abs(age - turns[after]))
    distance: Floats = away / slowness
    return polarity, distance


def _steeper(pair: tuple[Floats, Floats]) -> Floats:
    """Return the larger of two one-sided slopes: at an axis, where age turns, their mean would be 0."""
    result: Floats = np.maximum(np.abs(pair[0]), np.abs(pair[1]))
    return result


def _weights(nodes: Floats, places: Floats) -> csr_array:
    """Return the sparse matrix of cubic B-spline weights of ``places`` on evenly spaced ``nodes``."""
    from scipy.sparse import csr_array

    position = (np.asarray(places) - nodes[0]) / (nodes[-1] - nodes[0]) * (nodes.size - 1)
    position = np.clip(position, 0.0, nodes.size - 1.0)
    cell = np.clip(np.floor(position), 0, nodes.size - 2)
    t = position - cell
    weights = np.stack(
        [(1 - t) ** 3, 3 * t**3 - 6 * t**2 + 4, -3 * t**3 + 3 * t**2 + 3 * t + 1, t**3], axis=1
    )
    columns = np.clip(cell.astype(np.int64)[:, None] + np.arange(-1, 3), 0, nodes.size - 1)
    rows = np.repeat(np.arange(position.size), 4)
    return csr_array(((weights / 6.0).ravel(), (rows, columns.ravel())), (position.size, nodes.size))

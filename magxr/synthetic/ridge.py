"""A spreading ridge: the age of the crust, its polarity, and the azimuth of its isochrons.

Crust forms at an axis and moves off on both sides. Where the axis jumped, a piece of one plate was left on
the other; where a fracture zone crosses, everything is shifted along the spreading direction.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np

from magxr.errors import ParameterError
from magxr.synthetic import timescale

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.floating[Any]]

_STEP = 0.25
"""Step of the tabulated profile across the ridge, km."""
_NEVER = 200.0
"""Age at which the simulated spreading begins, older than the time scale, Ma."""


@dataclass(frozen=True, slots=True)
class Ridge:
    """A ridge on a plane in kilometres; hashable, so that its profile is tabulated once."""

    strike: float = 0.0
    """Azimuth of axis and isochrons, degrees clockwise from north. "Right" is the side at strike + 90."""
    half_rates: tuple[float, float] = (30.0, 30.0)
    """Half-spreading rates on the left and on the right, km/Myr, along the spreading direction."""
    point: tuple[float, float] = (0.0, 0.0)
    """Easting and northing of a point of the axis, km."""
    obliquity: float = 0.0
    """Azimuth of the spreading direction minus (strike + 90), degrees."""
    jumps: tuple[tuple[float, float], ...] = ()
    """Ridge jumps: (age in Ma, distance in km, positive to the right, along the normal to the axis)."""
    fracture_zones: tuple[tuple[float, float], ...] = ()
    """(position along strike from ``point``, offset to the right of all beyond it), km, by position."""
    wander: tuple[float, float, float] = (0.0, 1000.0, 0.0)
    """Sinuosity of the isochrons: amplitude (km), wavelength along strike (km), phase (radians)."""
    transition: float = 1.5
    """Standard deviation of the zone in which a reversal is recorded, km."""
    intensity: tuple[float, float, float] = (8.0, 4.0, 10.0)
    """Magnetisation at the axis and of old crust, A/m, and the e-folding age between them, Myr."""

    def __post_init__(self) -> None:
        if min(self.half_rates) <= 0.0:
            msg = f"half_rates are {self.half_rates} km/Myr; both sides must spread at more than 0"
            raise ParameterError(msg)
        if abs(self.obliquity) > 60.0:
            msg = f"obliquity is {self.obliquity} degrees; it must lie within -60..60"
            raise ParameterError(msg)
        positions = [position for position, _ in self.fracture_zones]
        if positions != sorted(positions):
            msg = f"fracture zones lie at {positions} km along strike; list them in ascending order"
            raise ParameterError(msg)
        if any(not 0.0 < age < _NEVER for age, _ in self.jumps):
            msg = f"ridge jumps {self.jumps} must be (age, distance) with ages between 0 and {_NEVER:g} Ma"
            raise ParameterError(msg)

    def across(self, x: Floats, y: Floats) -> Floats:
        """Return the distance across the ridge, km, right positive, as if there were no offsets.

        Parameters
        ----------
        x, y : numpy.ndarray
            Eastings and northings, km, of shapes that broadcast, e.g. (1, columns) and (rows, 1).
        """
        u, v = self._rotated(x, y)
        tangent = np.tan(np.radians(self.obliquity))
        flow = v + u * tangent if tangent else v
        amplitude, wavelength, phase = self.wander
        if amplitude:
            u = u - amplitude * np.sin(2.0 * np.pi / wavelength * v + phase)
        if self.fracture_zones:
            places = np.array([position for position, _ in self.fracture_zones])
            offsets = np.cumsum([0.0, *(offset for _, offset in self.fracture_zones)])
            u = u - (offsets * np.cos(np.radians(self.obliquity)))[np.searchsorted(places, flow)]
        across: Floats = u
        return across

    def strikes(self, x: Floats, y: Floats) -> Floats:
        """Return the azimuth of the isochrons, degrees from north, 0..180."""
        u, v = self._rotated(x, y)
        amplitude, wavelength, phase = self.wander
        wave = 2.0 * np.pi / wavelength
        turn = np.degrees(np.arctan(amplitude * wave * np.cos(wave * v + phase)))
        azimuth: Floats = (self.strike + turn + np.zeros_like(u)) % 180.0
        return azimuth

    def age(self, across: Floats) -> Floats:
        """Return the age of the crust, Ma, at distances given by `across`."""
        return np.interp(across, *_ages(self))

    def magnetisation(self, across: Floats) -> Floats:
        """Return the magnetisation of the crust, A/m, positive where formed in normal polarity."""
        u, _, magnetisation, _ = profile(self)
        return np.interp(across, u, magnetisation, left=0.0, right=0.0)

    def striped(self, across: Floats, reach: float = 50.0) -> NDArray[np.bool_]:
        """Tell where a reversal was recorded within ``reach`` km: elsewhere the crust is quiet."""
        u, _, _, distance = profile(self)
        return np.interp(across, u, distance, left=np.inf, right=np.inf) <= reach

    def _rotated(self, x: Floats, y: Floats) -> tuple[Floats, Floats]:
        strike = np.radians(self.strike)
        east, north = x - self.point[0], y - self.point[1]
        return (
            east * np.cos(strike) - north * np.sin(strike),
            east * np.sin(strike) + north * np.cos(strike),
        )


@lru_cache(maxsize=256)
def profile(ridge: Ridge) -> tuple[Floats, Floats, Floats, Floats]:
    """Tabulate a ridge's crust along the normal to its axis.

    Returns
    -------
    u : numpy.ndarray
        Distance from the axis, km, every 0.25 km, over all crust of known polarity.
    age : numpy.ndarray
        Age, Ma.
    magnetisation : numpy.ndarray
        Polarity smoothed by a Gaussian of the ridge's ``transition``, times its intensity, A/m.
    distance : numpy.ndarray
        Distance to the nearest recorded reversal, km.
    """
    from scipy.ndimage import distance_transform_edt, gaussian_filter1d

    where, ages = _ages(ridge)
    u = _STEP * np.arange(np.floor(where[0] / _STEP), np.ceil(where[-1] / _STEP) + 1)
    age = np.interp(u, where, ages)
    known = np.flatnonzero(age <= timescale.OLDEST)
    u, age = (values[known[0] : known[-1] + 1].copy() for values in (u, age))
    turns = timescale.polarity(age).astype(np.float64)
    recorded = gaussian_filter1d(turns, ridge.transition / _STEP, mode="nearest", truncate=6.0)
    young, old, fold = ridge.intensity
    # The end of the time scale is no reversal, nor is a jump of the axis inside one polarity.
    same = np.append(turns[1:] * turns[:-1] >= 0.0, True)
    distance = _STEP * distance_transform_edt(same)
    result = (u, age, recorded * (old + (young - old) * np.exp(-age / fold)), distance)
    for array in result:
        array.setflags(write=False)
    return result


@lru_cache(maxsize=256)
def _ages(ridge: Ridge) -> tuple[Floats, Floats]:
    """Return the corners of the piecewise linear age profile: distance (ascending, km) and age (Ma).

    The axis is followed from the oldest time on. Between jumps the left plate moves left and the right
    plate right, and new crust fills the gap; a jump moves the axis into one plate, and what lies between
    the old and the new axis goes over to the other.
    """
    slant = np.cos(np.radians(ridge.obliquity))
    left_rate, right_rate = (rate * slant for rate in ridge.half_rates)
    left, right = [(0.0, _NEVER)], [(0.0, _NEVER)]
    now = _NEVER
    for age, distance in [*sorted(ridge.jumps, reverse=True), (0.0, 0.0)]:
        moved = now - age
        left = [(u - left_rate * moved, a) for u, a in left] + [(0.0, age)]
        right = [(0.0, age)] + [(u + right_rate * moved, a) for u, a in right]
        now = age
        if distance:
            points = [(u - distance, a) for u, a in left + right[1:]]
            at_axis = float(np.interp(0.0, *np.array(points).T))
            left = [p for p in points if p[0] < 0.0] + [(0.0, at_axis), (0.0, age)]
            right = [(0.0, age), (0.0, at_axis)] + [p for p in points if p[0] > 0.0]
    corners = np.array([*left, *right[1:]])
    # Corners that share a place (a jump of age) are told apart, so that interpolation stays defined.
    u = corners[:, 0] + 1e-9 * np.arange(len(corners))
    return u, corners[:, 1].copy()

"""Provinces without lineations: where they lie, and what their crust is like.

A province has an outline with a smooth border and one of the textures

``fractal``    self-affine magnetisation of the layer
``patches``    blotches of either polarity, as wide as stripes but without a direction
``seamounts``  cones that stand on the sea floor, each of its own polarity, over weak fractal crust
``plateau``    thick crust: long-wavelength fractal magnetisation and a few broad cones
``continent``  deep long-wavelength sources and intrusions, some of them drawn out into belts
``dykes``      a swarm of narrow bodies, nearly parallel, of unequal strength, over weak fractal crust
``shear``      bands that bend and die out along a loose direction, as in continental shear zones
``quiet``      next to nothing
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from magxr.synthetic import noise

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    Floats = NDArray[np.floating[Any]]

Texture = Literal["fractal", "patches", "seamounts", "plateau", "continent", "quiet", "dykes", "shear"]
TEXTURES: tuple[Texture, ...] = (
    "fractal", "patches", "seamounts", "plateau", "continent", "quiet", "dykes", "shear",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Outline:
    """A region of the plane with a wiggly, smooth border."""

    kind: Literal["everywhere", "half", "ellipse"] = "everywhere"
    """All of the plane, the side of a line to which ``azimuth`` points, or an ellipse."""
    centre: tuple[float, float] = (0.0, 0.0)
    """Easting and northing of the ellipse's centre or of a point of the line, km."""
    radii: tuple[float, float] = (100.0, 100.0)
    """Semi-axes along ``azimuth`` and across it, km."""
    azimuth: float = 0.0
    """Degrees from north."""
    wiggle: tuple[float, float] = (0.0, 100.0)
    """Standard deviation of the border's course and its longest wavelength, km."""
    border: float = 5.0
    """The weight goes from 0.12 to 0.88 over this distance, twice, km."""

    def window(self, y: Floats, x: Floats) -> tuple[slice, slice] | None:
        """Return the part of a window where the weight can be 1e-6 or more, or None."""
        if self.kind == "everywhere":
            return slice(0, y.size), slice(0, x.size)
        if self.kind == "half":
            azimuth = np.radians(self.azimuth)
            east, north = x[[0, -1]] - self.centre[0], y[[0, -1]] - self.centre[1]
            farthest = (east * np.sin(azimuth)).max() + (north * np.cos(azimuth)).max()
            return (slice(0, y.size), slice(0, x.size)) if farthest >= -self._margin else None
        reach = max(self.radii) * (1.0 + self._margin / min(self.radii))
        rows, cols = _window(y, self.centre[1], reach), _window(x, self.centre[0], reach)
        return (rows, cols) if rows.start < rows.stop and cols.start < cols.stop else None

    def weight(self, seed: int, name: str, y: Floats, x: Floats) -> Floats:
        """Return the weight (0 outside, 0.5 on the border, 1 inside) on rows ``y`` and columns ``x``, km."""
        if self.kind == "everywhere":
            return np.ones((y.size, x.size))
        azimuth = np.radians(self.azimuth)
        east, north = x[None, :] - self.centre[0], y[:, None] - self.centre[1]
        inward = east * np.sin(azimuth) + north * np.cos(azimuth)
        if self.kind == "ellipse":
            beside = east * np.cos(azimuth) - north * np.sin(azimuth)
            inward = (1.0 - np.hypot(inward / self.radii[0], beside / self.radii[1])) * min(self.radii)
        amplitude, longest = self.wiggle
        if amplitude:
            inward = inward + amplitude * noise.fractal(seed, name, y, x, longest, longest / 8.0, 0.9)
        weight: Floats = 0.5 + 0.5 * np.tanh(inward / self.border)
        return weight

    @property
    def _margin(self) -> float:
        """How far outside the plain outline (km) the border can stray and still have a weight of 1e-6."""
        return 5.0 * self.wiggle[0] + 7.0 * self.border


@dataclass(frozen=True, slots=True)
class Province:
    """Crust without lineations inside an outline."""

    texture: Texture
    """What the crust is like."""
    outline: Outline = Outline()
    """Where it lies."""
    strength: float = 3.0
    """Typical magnetisation, A/m."""
    longest: float = 80.0
    """Longest wavelength of its variation; for patches the width of two of them, km. Shear bands are a third
    of it apart."""
    slope: float = 0.6
    """Exponent of the fractal (see `magxr.synthetic.noise.fractal`)."""
    bodies: float = 40.0
    """Mean distance between seamounts or intrusions, km."""
    azimuth: float = 0.0
    """Direction of the belts of a continent, of dykes and of shear bands, degrees from north."""


@dataclass(slots=True)
class Sources:
    """Source maps of a province on a window."""

    layer: Floats
    """Magnetisation of the crustal layer, A/m."""
    sheet: Floats | None = None
    """Moment per area of bodies on the sea floor, A/m km."""
    deep: Floats | None = None
    """Magnetisation of the deep crust, A/m."""


def sources(province: Province, seed: int, name: str, y: Floats, x: Floats, cell: float) -> Sources:
    """Return what a province is made of on rows ``y`` and columns ``x`` (km, evenly spaced)."""
    strength, longest = province.strength, province.longest
    shortest = max(4.0 * cell, 4.0)

    def rough(longest: float, slope: float) -> Floats:
        return noise.fractal(seed, f"{name}/rough", y, x, longest, min(shortest, longest), slope)

    match province.texture:
        case "fractal":
            return Sources(strength * rough(longest, province.slope))
        case "patches":
            blots = noise.fractal(seed, f"{name}/patches", y, x, longest, 0.5 * longest, 1.0)
            return Sources(strength * np.tanh(2.0 * blots))
        case "seamounts":
            sheet = np.zeros((y.size, x.size))
            for body in _bodies(province, seed, name, y, x, radius=(0.15, 0.45)):
                _cone(sheet, y, x, body)
            return Sources(0.5 * strength * rough(longest, province.slope), sheet=0.6 * sheet)
        case "plateau":
            sheet = np.zeros((y.size, x.size))
            for body in _bodies(province, seed, name, y, x, radius=(0.4, 0.7)):
                _cone(sheet, y, x, body)
            return Sources(strength * rough(1.5 * longest, 1.0), sheet=0.5 * sheet)
        case "continent":
            layer = 0.1 * strength * rough(longest, province.slope)
            for body in _bodies(province, seed, name, y, x, radius=(0.1, 0.35)):
                _disc(layer, y, x, body, stretch=1.0 + 4.0 * body.height)
            deep = 0.6 * strength * noise.fractal(seed, f"{name}/deep", y, x, 4.0 * longest, longest, 0.9)
            return Sources(layer, deep=deep)
        case "dykes":
            layer = 0.3 * strength * rough(longest, province.slope)
            for body in _bodies(province, seed, name, y, x, radius=(0.03, 0.08), fan=20.0):
                # as long as the lattice of bodies allows: they must not reach beyond two of its cells
                _disc(layer, y, x, body, stretch=1.3 * province.bodies / (1.5 * body.radius))
            return Sources(layer)
        case "shear":
            layer = 0.3 * strength * rough(longest, province.slope)
            return Sources(layer + strength * _bands(province, seed, name, y, x))
        case _:
            return Sources(0.05 * strength * rough(longest, province.slope))


@dataclass(frozen=True, slots=True)
class _Body:
    east: float
    north: float
    radius: float
    azimuth: float
    height: float
    """0..1."""
    moment: float
    """A/m, either sign."""


def _bands(province: Province, seed: int, name: str, y: Floats, x: Floats) -> Floats:
    """Return bands of either sign, -1..1, along a loose direction: they wander by their own distance."""
    apart = province.longest / 3.0
    azimuth = np.radians(province.azimuth)
    across = x[None, :] * np.cos(azimuth) - y[:, None] * np.sin(azimuth)
    course = noise.fractal(seed, f"{name}/course", y, x, 4.0 * apart, apart, 0.8)
    alive = noise.fractal(seed, f"{name}/alive", y, x, 5.0 * apart, 1.5 * apart, 0.8)
    bands: Floats = np.sin(2.0 * np.pi * (across / apart + 1.2 * course)) * (
        0.5 + 0.5 * np.tanh(3.0 * alive - 1.0)
    )
    return bands


def _bodies(
    province: Province,
    seed: int,
    name: str,
    y: Floats,
    x: Floats,
    radius: tuple[float, float],
    fan: float = 60.0,
) -> Iterator[_Body]:
    """Yield the bodies whose reach touches the window, one or none from each cell of a lattice."""
    step = province.bodies
    rows = int(np.floor(y[0] / step)) - 2, int(np.floor(y[-1] / step)) + 3
    cols = int(np.floor(x[0] / step)) - 2, int(np.floor(x[-1] / step)) + 3
    draw = [noise.white(seed, f"{name}/bodies{n}", rows, cols, "uniform") for n in range(7)]
    for i in range(rows[1] - rows[0]):
        for j in range(cols[1] - cols[0]):
            here, up, right, wide, tall, way, strong = (float(d[i, j]) for d in draw)
            if here < 0.65:
                yield _Body(
                    east=(cols[0] + j + right) * step,
                    north=(rows[0] + i + up) * step,
                    radius=step * (radius[0] + (radius[1] - radius[0]) * wide**3),
                    azimuth=province.azimuth + fan * (way - 0.5),
                    height=tall,
                    moment=province.strength * (0.6 + 1.4 * abs(2.0 * strong - 1.0)) * np.sign(strong - 0.4),
                )


def _window(centres: Floats, middle: float, reach: float) -> slice:
    first, last = np.searchsorted(centres, [middle - reach, middle + reach])
    return slice(int(first), int(last))


def _cone(sheet: Floats, y: Floats, x: Floats, body: _Body) -> None:
    """Add a cone with a rounded top, up to 3.5 km high, to a map of moment per area."""
    rows, cols = _window(y, body.north, body.radius), _window(x, body.east, body.radius)
    far = np.hypot(y[rows, None] - body.north, x[None, cols] - body.east) / body.radius
    shape = np.clip(1.0 - np.sqrt(far**2 + 0.04) + 0.02, 0.0, None)
    sheet[rows, cols] += body.moment * (0.5 + 3.0 * body.height) * shape


def _disc(layer: Floats, y: Floats, x: Floats, body: _Body, stretch: float) -> None:
    """Add an intrusion, an ellipse ``stretch`` times longer than wide, to a map of magnetisation."""
    reach = 1.5 * body.radius * stretch
    rows, cols = _window(y, body.north, reach), _window(x, body.east, reach)
    north, east = y[rows, None] - body.north, x[None, cols] - body.east
    azimuth = np.radians(body.azimuth)
    along = (east * np.sin(azimuth) + north * np.cos(azimuth)) / (body.radius * stretch)
    beside = (east * np.cos(azimuth) - north * np.sin(azimuth)) / body.radius
    layer[rows, cols] += 0.7 * body.moment * np.exp(-((along**2 + beside**2) ** 2))

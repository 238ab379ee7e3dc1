"""A synthetic world: everything that determines the map, and how to draw any window of it.

A world is plain data. `render` computes a window from the world alone, together with as much around it as
the window depends on, so that pieces rendered apart fit together.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from magxr.errors import ParameterError
from magxr.synthetic import forward, noise, provinces
from magxr.synthetic.survey import Survey, observe

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    from magxr.synthetic.plane import Plane
    from magxr.synthetic.ridge import Ridge

    Floats = NDArray[np.floating[Any]]
    Range = tuple[int, int]

REACH = 80.0
"""Reach of the forward operator, km: wavelengths beyond about 100 km are damped."""


@dataclass(frozen=True, slots=True)
class Plate:
    """Crust of one ridge: all that is nearer to ``nucleus`` than to any other plate's."""

    ridge: Ridge
    nucleus: tuple[float, float] = (0.0, 0.0)
    """Easting and northing, km."""


@dataclass(frozen=True, slots=True)
class World:
    """A region of sea floor and its survey."""

    seed: int
    plane: Plane
    plates: tuple[Plate, ...]
    provinces: tuple[provinces.Province, ...] = ()
    """Later ones lie on top."""
    survey: Survey = Survey()  # noqa: RUF009 (frozen)
    depth: float = 4.0
    """From the observer down to the top of the crust: water and altitude, km."""
    thickness: float = 0.5
    """Of the magnetised layer, km."""
    skewness: float = 0.0
    """Degrees, for stripes whose normal points ``toward``."""
    toward: float = 90.0
    """Azimuth, degrees."""
    rough: tuple[float, float] = (1.0, 60.0)
    """Crookedness of the isochrons: standard deviation and longest wavelength, km. Not in the strike."""
    patchy: float = 0.25
    """Relative variation of the stripes' magnetisation."""
    fabric: float = 0.5
    """Standard deviation of fractal magnetisation under the stripes, A/m."""

    def __post_init__(self) -> None:
        if not self.plates:
            msg = "plates is empty; a world needs at least one (give it no stripes with a 'quiet' province)"
            raise ParameterError(msg)
        if self.depth < 0.75 * max(self.plane.cell):
            msg = (
                f"depth {self.depth:g} km is less than 0.75 cells of {max(self.plane.cell):.3g} km: the grid "
                f"cannot hold the anomaly; observe from higher up or take a finer spacing"
            )
            raise ParameterError(msg)

    @property
    def layer(self) -> forward.Filter:
        """Filter of the crustal layer."""
        return forward.Filter(self.depth, self.thickness, self.skewness, self.toward)

    def described(self) -> str:
        """Return all parameters as JSON."""
        return json.dumps(asdict(self), separators=(",", ":"))


def render(
    world: World, rows: Range, cols: Range, replace: Callable[[Floats], Floats] | None = None
) -> dict[str, NDArray[np.float32]]:
    """Draw a window of a world.

    Parameters
    ----------
    world : World
        What to draw.
    rows, cols : (int, int)
        Half-open ranges of the grid's cells.
    replace : callable, optional
        Puts another field in the place of the computed one, without lineations. The piece it is given
        depends on the window, so use it on a whole grid only.

    Returns
    -------
    dict
        2-D float32 arrays on the window, south in row 0: ``anomaly`` (nT, NaN in gaps), ``clean`` (nT, the
        field without survey), ``linear`` (1 stripes, 0 none), ``strike`` (degrees, NaN where not linear),
        ``tracked`` (1 measured, 0 interpolated, -1 no data).
    """
    plane, survey = world.plane, world.survey
    anchor, halo = survey.anchor, survey.halo
    wide = tuple((low // anchor * anchor, -(-high // anchor) * anchor) for low, high in (rows, cols))
    reach = forward.reach_cells(plane.cell, REACH)
    margins = [halo + r for r in reach]
    y = plane.northing((wide[0][0] - margins[0], wide[0][1] + margins[0]))
    x = plane.easting((wide[1][0] - margins[1], wide[1][1] + margins[1]))
    layer, others, free = _sources(world, y, x)
    maps = [(layer, world.layer), *others]
    field = forward.anomaly(maps, plane.cell, REACH)
    high = None
    if replace is not None:
        field, free = replace(field), np.zeros_like(free)
    if any(patch.raised for patch in survey.patches):
        high = (
            forward.anomaly(maps, plane.cell, REACH, survey.height)
            if replace is None
            else forward.continued(field, plane.cell, survey.height)
        )
    grid, tracked = observe(survey, world.seed, plane, (wide[0], wide[1]), field, high)
    cut = tuple(slice(r[0] - w[0], r[1] - w[0]) for r, w in zip((rows, cols), wide, strict=True))
    core = tuple(
        slice(r[0] - w[0] + m, r[1] - w[0] + m) for r, w, m in zip((rows, cols), wide, margins, strict=True)
    )
    inner = tuple(slice(c.start + halo, c.stop + halo) for c in cut)
    linear, strike = _truth(world, y[core[0]], x[core[1]], free[core])
    return {
        "anomaly": grid[cut].astype(np.float32),
        "clean": field[inner].astype(np.float32),
        "linear": linear.astype(np.float32),
        "strike": strike.astype(np.float32),
        "tracked": tracked[cut].astype(np.float32),
    }


def _sources(
    world: World, y: Floats, x: Floats
) -> tuple[Floats, list[tuple[Floats, forward.Filter]], Floats]:
    """Return the layer's magnetisation, the other sources, and the share of crust that no province covers."""
    seed = world.seed
    bend = world.rough[0] * noise.fractal(seed, "rough", y, x, world.rough[1], 8.0, 0.8)
    layer = np.zeros((y.size, x.size))
    owner = _owner(world, y, x)
    for number, plate in enumerate(world.plates):
        mine = owner == number
        if np.any(mine):
            across = plate.ridge.across(x[None, :], y[:, None]) + bend
            layer = np.where(mine, plate.ridge.magnetisation(across), layer)
    layer *= 1.0 + world.patchy * noise.fractal(seed, "patchy", y, x, 120.0, 15.0, 0.3)
    if world.fabric:
        layer += world.fabric * noise.fractal(seed, "fabric", y, x, 40.0, 5.0, 0.2)
    others, free = overlay(world.provinces, seed, world.plane.cell, y, x, layer)
    filters = depths(world.depth, world.plane.cell, world.skewness, world.toward)
    return layer, [(found, filters[name]) for name, found in others.items()], free


def overlay(
    placed: Sequence[provinces.Province],
    seed: int,
    cell: tuple[float, float],
    y: Floats,
    x: Floats,
    layer: Floats,
) -> tuple[dict[str, Floats], Floats]:
    """Lay provinces over the crust; later ones on top.

    Parameters
    ----------
    placed : sequence of Province
        What lies where.
    seed : int
        Of their details.
    cell : (float, float)
        Height and width of a cell, km.
    y, x : numpy.ndarray
        Northings and eastings of the rows and columns, km.
    layer : numpy.ndarray
        Magnetisation of the layer, A/m; changed in place.

    Returns
    -------
    others : dict
        "sheet" (A/m km) and "deep" (A/m), those that are not 0 everywhere.
    free : numpy.ndarray
        Share of the crust that no province covers, 0 to 1.
    """
    free = np.ones_like(layer)
    sheet, deep = np.zeros_like(layer), np.zeros_like(layer)
    for number, province in enumerate(placed):
        part = province.outline.window(y, x)
        if part is None:
            continue
        place = y[part[0]], x[part[1]]
        weight = province.outline.weight(seed, f"outline{number}", *place)
        own = provinces.sources(province, seed, f"province{number}", *place, max(cell))
        free[part] *= 1.0 - weight
        for below, added in ((layer, own.layer), (sheet, own.sheet), (deep, own.deep)):
            below[part] += weight * ((0.0 if added is None else added) - below[part])
    return {name: found for name, found in (("sheet", sheet), ("deep", deep)) if found.any()}, free


def depths(
    depth: float, cell: tuple[float, float], skewness: float, toward: float
) -> dict[str, forward.Filter]:
    """Return the filters of what stands on crust ``depth`` km below ("sheet") and lies under it ("deep")."""
    return {
        "sheet": forward.Filter(max(depth - 1.0, 0.75 * max(cell)), 0.0, skewness, toward),
        "deep": forward.Filter(depth + 6.0, 12.0, skewness, toward),
    }


def _owner(world: World, y: Floats, x: Floats) -> NDArray[np.intp]:
    """Return the number of the plate to which each cell belongs."""
    owner = np.zeros((y.size, x.size), dtype=np.intp)
    if len(world.plates) == 1:
        return owner
    middle = 0.5 * (x[0] + x[-1]), 0.5 * (y[0] + y[-1])
    radius = 0.5 * np.hypot(x[-1] - x[0], y[-1] - y[0])
    away = [np.hypot(p.nucleus[0] - middle[0], p.nucleus[1] - middle[1]) for p in world.plates]
    nearest = np.full(owner.shape, np.inf)
    for number, plate in enumerate(world.plates):
        if away[number] - radius <= min(away) + radius:
            far = np.hypot(x[None, :] - plate.nucleus[0], y[:, None] - plate.nucleus[1])
            owner[far < nearest] = number
            np.minimum(nearest, far, out=nearest)
    return owner


def _truth(world: World, y: Floats, x: Floats, free: Floats) -> tuple[NDArray[np.bool_], Floats]:
    linear = np.zeros(free.shape, dtype=bool)
    strike = np.full(free.shape, np.nan)
    owner = _owner(world, y, x)
    for number, plate in enumerate(world.plates):
        mine = owner == number
        if np.any(mine):
            across = plate.ridge.across(x[None, :], y[:, None])
            linear |= mine & plate.ridge.striped(across) & (free > 0.5)
            strike = np.where(mine & linear, plate.ridge.strikes(x[None, :], y[:, None]), strike)
    return linear, strike

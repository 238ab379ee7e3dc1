"""Synthetic sea floor after a real place: its ages, isochrons and depth are real, all else is drawn.

The magnetisation of the crust follows the polarity time scale at the real age of every cell. Isochrons are
made crooked as in `magxr.synthetic.world`, crust of fracture zones is weak, and provinces without lineations
are laid over parts. The anomaly is computed for several depths of the crust and interpolated between them,
cell by cell, to the real depth.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from magxr.errors import ParameterError
from magxr.synthetic import forward, noise
from magxr.synthetic.crust import Crust, Patch, recorded
from magxr.synthetic.scenes import FIELDS
from magxr.synthetic.survey import Survey, observe
from magxr.synthetic.world import REACH, depths, overlay

if TYPE_CHECKING:
    import xarray as xr
    from numpy.typing import NDArray

    from magxr.synthetic.plane import Plane
    from magxr.synthetic.provinces import Province

    Floats = NDArray[np.floating[Any]]
    Range = tuple[int, int]

NEAR = 50.0
"""Crust is striped where a reversal was recorded within this distance, km; as `Ridge.striped` has it."""
_RATIO = 1.3
"""Between the depths for which the anomaly is computed."""
_BROKEN = 0.85
"""Share of its magnetisation that crust of a fracture zone has lost."""


@dataclass(frozen=True, eq=False)
class Replica:
    """A place: real crust, what lies on it, and its survey."""

    seed: int
    plane: Plane
    crust: Crust
    provinces: tuple[Province, ...] = ()
    """Later ones lie on top."""
    survey: Survey = Survey()  # noqa: RUF009 (frozen)
    altitude: float = 0.0
    """Of the observer above the sea, km."""
    thickness: float = 0.5
    """Of the magnetised layer, km."""
    skewness: float = 0.0
    """Degrees, for stripes whose normal points ``toward``."""
    toward: float = 90.0
    """Azimuth, degrees."""
    transition: float = 1.5
    """Standard deviation of the zone in which a reversal is recorded, km, at the typical half-rate."""
    intensity: tuple[float, float, float] = (8.0, 4.0, 10.0)
    """Magnetisation at the axis and of old crust, A/m, and the e-folding age between them, Myr."""
    rough: tuple[float, float] = (1.0, 60.0)
    """Crookedness of the isochrons: standard deviation and longest wavelength, km."""
    patchy: float = 0.25
    """Relative variation of the stripes' magnetisation."""
    fabric: float = 0.5
    """Standard deviation of fractal magnetisation under the stripes, A/m."""
    name: str = "replica"

    def described(self) -> str:
        """Return all parameters as JSON, the age grid by its hash."""
        plain = {
            k: asdict(v) if hasattr(v, "__dataclass_fields__") else v
            for k, v in self.__dict__.items()
            if k not in ("crust", "provinces")
        }
        plain["provinces"] = [asdict(p) for p in self.provinces]
        plain["ages"] = self.crust.grid.digest
        return json.dumps(plain, separators=(",", ":"), default=str)

    @property
    def digest(self) -> str:
        """Return the SHA-256 of `described`."""
        return hashlib.sha256(self.described().encode()).hexdigest()


def render(replica: Replica, rows: Range, cols: Range) -> dict[str, NDArray[np.float32]]:
    """Draw a window of a replica; pieces rendered apart fit together to rounding.

    Parameters
    ----------
    replica : Replica
        What to draw.
    rows, cols : (int, int)
        Half-open ranges of the grid's cells.

    Returns
    -------
    dict
        2-D float32 arrays on the window, south in row 0: those of `magxr.synthetic.world.render`
        (``anomaly``, ``clean``, ``linear``, ``strike``, ``tracked``), ``age`` (Myr, NaN where unknown) and
        ``depth`` (of the crust below the sea, km, as the anomaly was computed).

    Raises
    ------
    GridError
        If the window leaves the age grid.
    """
    plane, survey = replica.plane, replica.survey
    replica.crust.check(_degrees(plane, [rows, cols], 0), _degrees(plane, [rows, cols], 1))
    wide = tuple(
        (low // survey.anchor * survey.anchor, -(-high // survey.anchor) * survey.anchor)
        for low, high in (rows, cols)
    )
    margins = [survey.halo + r for r in forward.reach_cells(plane.cell, REACH)]
    around = [(w[0] - m, w[1] + m) for w, m in zip(wide, margins, strict=True)]
    y, x = plane.northing(around[0]), plane.easting(around[1])
    patch = replica.crust.at(_degrees(plane, around, 0), _degrees(plane, around, 1))
    layer, others, free, striped = _sources(replica, y, x, patch)
    reach = forward.reach_cells(plane.cell, REACH)
    inner = slice(reach[0], y.size - reach[0]), slice(reach[1], x.size - reach[1])
    top = np.clip(patch.basement, *_limits(replica))[inner]
    field = _field(replica, layer, others, top)
    grid, tracked = observe(survey, replica.seed, plane, (wide[0], wide[1]), field, None)
    cut = tuple(slice(r[0] - w[0], r[1] - w[0]) for r, w in zip((rows, cols), wide, strict=True))
    seen = tuple(slice(c.start + survey.halo, c.stop + survey.halo) for c in cut)
    core = tuple(slice(c.start + m, c.stop + m) for c, m in zip(cut, margins, strict=True))
    linear = striped[core] & (free[core] > 0.5)
    drawn = {
        "anomaly": grid[cut],
        "clean": field[seen],
        "linear": linear,
        "strike": np.where(linear, patch.strike[core], np.nan),
        "tracked": tracked[cut],
        "age": np.where(patch.known[core] > 0.5, patch.age[core], np.nan),
        "depth": top[seen],
    }
    return {name: values.astype(np.float32) for name, values in drawn.items()}


def dataset(replica: Replica) -> xr.Dataset:
    """Render a whole replica in one piece, with its truth.

    Returns
    -------
    xarray.Dataset
        On ``lat`` and ``lon``, numpy-backed: the variables of `magxr.synthetic.scenes.scene`, ``age``
        (float32, Myr) and ``depth`` (float32, km).
    """
    import xarray as xr

    plane = replica.plane
    drawn = render(replica, (0, plane.shape[0]), (0, plane.shape[1]))
    about = FIELDS | {
        "age": ("float32", {"units": "Myr", "long_name": "age of the sea floor"}),
        "depth": ("float32", {"units": "km", "long_name": "depth of the crust below the sea surface"}),
    }
    attrs = {
        "Conventions": "CF-1.11",
        "title": f"synthetic sea floor after {replica.name}",
        "seed": replica.seed,
        "parameters": replica.described(),
    }
    return xr.Dataset(
        {name: (("lat", "lon"), v.astype(about[name][0]), about[name][1]) for name, v in drawn.items()},
        coords={
            "lat": (
                "lat",
                plane.latitude,
                {"standard_name": "latitude", "units": "degrees_north", "axis": "Y"},
            ),
            "lon": (
                "lon",
                plane.longitude,
                {"standard_name": "longitude", "units": "degrees_east", "axis": "X"},
            ),
        },
        attrs=attrs,
    )


def _degrees(plane: Plane, around: list[Range], axis: int) -> Floats:
    places: Floats = plane.origin[axis] + plane.spacing * (np.arange(*around[axis]) + 0.5)
    return places


def _sources(
    replica: Replica, y: Floats, x: Floats, patch: Patch
) -> tuple[Floats, dict[str, Floats], Floats, NDArray[np.bool_]]:
    """Return the layer's magnetisation, the other sources, what no province covers, and what is striped."""
    seed = replica.seed
    bend = replica.rough[0] * noise.fractal(seed, "rough", y, x, replica.rough[1], 8.0, 0.8)
    typical = float(np.median(replica.crust.nodes.slowness))
    age = np.abs(patch.age + bend * patch.slowness)
    polarity, distance = recorded(age, patch.slowness, replica.transition * typical)
    young, old, fold = replica.intensity
    whole = patch.known * (1.0 - _BROKEN * patch.broken)
    layer = whole * polarity * (old + (young - old) * np.exp(-age / fold))
    layer *= 1.0 + replica.patchy * noise.fractal(seed, "patchy", y, x, 120.0, 15.0, 0.3)
    if replica.fabric:
        layer += replica.fabric * noise.fractal(seed, "fabric", y, x, 40.0, 5.0, 0.2)
    # Where there is no oceanic crust: land and margins, magnetised without a direction.
    layer += (1.0 - patch.known) * old * noise.fractal(seed, "land", y, x, 80.0, 8.0, 0.5)
    others, free = overlay(replica.provinces, seed, replica.plane.cell, y, x, layer)
    striped = (patch.known > 0.5) & (patch.broken < 0.5) & (distance <= NEAR)
    return layer, others, free, striped


def _limits(replica: Replica) -> tuple[float, float]:
    """Return the shallowest and deepest crust that the grid can show, km below the sea."""
    least = 0.75 * max(replica.plane.cell) - replica.altitude
    plane = replica.plane
    rows, cols = (
        np.flatnonzero((nodes >= start) & (nodes <= start + size * plane.spacing))
        for nodes, start, size in (
            (replica.crust.grid.latitude, plane.origin[0], plane.shape[0]),
            (replica.crust.grid.longitude, plane.origin[1], plane.shape[1]),
        )
    )
    if rows.size == 0 or cols.size == 0:
        msg = f"the region at {plane.origin} is smaller than a cell of the age grid; make it larger"
        raise ParameterError(msg)
    inside = replica.crust.nodes.basement[rows[0] : rows[-1] + 1, cols[0] : cols[-1] + 1]
    low = max(float(inside.min()), least, 0.3)
    return low, max(float(inside.max()), low + 0.1)


def _field(replica: Replica, layer: Floats, others: dict[str, Floats], top: Floats) -> Floats:
    """Return the anomaly, nT, of crust whose top lies at ``top`` km: between depths, linearly."""
    low, high = _limits(replica)
    count = 1 + int(np.ceil(np.log(high / low) / np.log(_RATIO)))
    levels = np.geomspace(low, high, count)
    cell = replica.plane.cell
    total: Floats = np.zeros_like(top)
    for number, level in enumerate(levels):
        weight = np.clip(1.0 - np.abs(np.interp(top, levels, np.arange(count)) - number), 0.0, None)
        if not weight.any():
            continue
        below = float(level) + replica.altitude
        how = (replica.skewness, replica.toward)
        filters = depths(below, cell, *how)
        maps = [(layer, forward.Filter(below, replica.thickness, *how))]
        maps += [(found, filters[name]) for name, found in others.items()]
        total += weight * forward.anomaly(maps, cell, REACH)
    return total

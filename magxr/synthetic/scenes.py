"""Scenes: maps of magnetic anomalies with the truth beside them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from magxr.synthetic import draw
from magxr.synthetic.fidelity import fidelity
from magxr.synthetic.phase_noise import isotropic_noise
from magxr.synthetic.plane import Plane, degrees
from magxr.synthetic.world import World, render

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    import xarray as xr
    from numpy.typing import NDArray

    from magxr.synthetic.draw_survey import Coverage

    Floats = NDArray[np.floating[Any]]

Kind = Literal["mixed", "linear", "nonlinear", "noise"]
KINDS: tuple[Kind, ...] = ("mixed", "linear", "nonlinear", "noise")
"""In the order of their share in `training_scenes`."""

FIDELITY_BOX = 100.0
"""Side of the box in which ``fidelity`` is measured, km."""

FIELDS: dict[str, tuple[str, dict[str, Any]]] = {
    "anomaly": (
        "float32",
        {"units": "nT", "long_name": "magnetic anomaly as surveyed", "registration": "pixel"},
    ),
    "clean": ("float32", {"units": "nT", "long_name": "true magnetic anomaly", "registration": "pixel"}),
    "linear": (
        "int8",
        {"long_name": "truth: lineations", "flag_values": [0, 1], "flag_meanings": "nonlinear linear"},
    ),
    "strike": (
        "float32",
        {"units": "degree", "long_name": "true azimuth of the isochrons, clockwise from north, 0 to 180"},
    ),
    "tracked": (
        "int8",
        {
            "long_name": "survey coverage",
            "flag_values": [-1, 0, 1],
            "flag_meanings": "no_data interpolated measured",
        },
    ),
}
"""Variable -> (dtype, attrs)."""


def scene(
    seed: int,
    shape: tuple[int, int] = (640, 640),
    spacing: str | float = "0.72 arcmin",
    origin: tuple[float, float] = (-20.0, -120.0),
    *,
    kind: Kind = "mixed",
    holes: bool = True,
    tracks: Coverage = "random",
    spikes: float = 2e-5,
    half_rates: tuple[float, float] | None = None,
    strike: float | None = None,
) -> xr.Dataset:
    """Make a map of random sea floor, with its truth.

    Parameters
    ----------
    seed : int
        The same seed and arguments give the same bits.
    shape : (int, int)
        Rows and columns.
    spacing : str or float
        Of the cells, e.g. ``"0.72 arcmin"``, or degrees.
    origin : (float, float)
        Latitude and longitude of the south-western corner, degrees.
    kind : {"mixed", "linear", "nonlinear", "noise"}
        Stripes with provinces without, stripes only, none, or isotropic noise with the spectrum of stripes.
    holes : bool
        Leave areas without data.
    tracks : {"random", "full", "dense", "sparse", "mixed"}
        Every cell measured, or ship tracks with interpolation between them; "mixed" is dense around a place
        and sparse elsewhere.
    spikes : float
        Share of cells that are spikes of 1e3 to 1e5 nT.
    half_rates : (float, float), optional
        Half-spreading rates of every ridge, left and right of its strike, km/Myr; drawn from 8-70 if absent.
    strike : float, optional
        Azimuth of every ridge, degrees; drawn if absent.

    Returns
    -------
    xarray.Dataset
        On ``lat`` and ``lon``, numpy-backed: ``anomaly`` (float32, nT, NaN in gaps), ``clean`` (float32, nT),
        ``linear`` (int8: 1 linear, 0 not), ``strike`` (float32, degrees, NaN where not linear), ``tracked``
        (int8: 1 measured, 0 interpolated, -1 no data) and ``fidelity`` (float32: correlation of ``anomaly``
        and ``clean`` in boxes of 100 km, low where stripes exist that the survey does not show).
        ``attrs["parameters"]`` holds everything as JSON.

    Raises
    ------
    ParameterError
        If an argument is out of range.

    Notes
    -----
    ``anomaly`` and ``clean`` are both in nT, so steps that look for the anomaly need ``variable="anomaly"``.
    Distances are those of a plane that touches the sphere in the middle of the region (see
    `magxr.synthetic.plane`).
    """
    plane = Plane(shape, origin, degrees(spacing))
    world = draw.world(
        seed,
        plane,
        kind="linear" if kind == "noise" else kind,
        holes=holes,
        tracks=tracks,
        spikes=spikes,
        half_rates=half_rates,
        strike=strike,
    )
    return from_world(world, phase_noise=kind == "noise").assign_attrs(kind=kind)


def training_scenes(
    seeds: Iterable[int],
    shape: tuple[int, int] = (640, 640),
    spacing: str | float = "0.72 arcmin",
    **kwargs: Any,
) -> Iterator[xr.Dataset]:
    """Yield varied scenes, one per seed, each as `scene` returns it.

    Half of them mix stripes and provinces without, a quarter shows stripes only, 15 % none, and 10 % are
    noise with the spectrum of stripes. Latitudes vary within 60 degrees, half-rates from 8 to 70 km/Myr,
    strikes over 180 degrees; the crust lies 2-11 km below the observer; coverage, holes, seams, levels
    and noise vary as `magxr.synthetic.draw` says.

    Parameters
    ----------
    seeds : iterable of int
        One scene each; a scene depends on its own seed only.
    shape, spacing
        As for `scene`.
    **kwargs
        Passed on to `scene`.
    """
    for seed in seeds:
        rng = np.random.Generator(np.random.PCG64(np.random.SeedSequence([seed, 0x7EA1])))
        latitude = float(rng.uniform(-60.0, 55.0))
        which = float(rng.random())
        kind = KINDS[int(np.searchsorted([0.5, 0.75, 0.9], which, side="right"))]
        arguments = {"kind": kind, "origin": (latitude, -120.0), **kwargs}
        yield scene(seed, shape, spacing, **arguments)


def from_world(world: World, *, phase_noise: bool = False) -> xr.Dataset:
    """Render a whole world in one piece.

    Parameters
    ----------
    world : World
        What to draw.
    phase_noise : bool
        Survey isotropic noise with the spectrum of the world's field in place of the field (see
        `magxr.synthetic.phase_noise`): nothing in it is linear.

    Returns
    -------
    xarray.Dataset
        As `scene` returns it.
    """
    rows, cols = world.plane.shape
    replace = _noise_like(world) if phase_noise else None
    drawn = render(world, (0, rows), (0, cols), replace)
    box = tuple(2 * round(0.5 * FIDELITY_BOX / length) + 1 for length in world.plane.cell)
    kept = fidelity(drawn["anomaly"], drawn["clean"], (box[0], box[1]))
    about = {
        "units": "1",
        "long_name": "correlation of the surveyed with the true anomaly nearby",
        "box_km": FIDELITY_BOX,
    }
    return labelled(world, drawn).assign(fidelity=(("lat", "lon"), kept, about))


def _noise_like(world: World) -> Callable[[Floats], Floats]:
    rng = np.random.Generator(np.random.PCG64(np.random.SeedSequence([world.seed, 0x9A5E])))
    return lambda field: isotropic_noise(field, world.plane.cell, rng)


def labelled(world: World, arrays: dict[str, Any]) -> xr.Dataset:
    """Put coordinates and attributes on a world's arrays."""
    import xarray as xr

    plane = world.plane
    fields = {
        name: (("lat", "lon"), arrays[name].astype(dtype), attrs) for name, (dtype, attrs) in FIELDS.items()
    }
    coords = {
        "lat": ("lat", plane.latitude, {"standard_name": "latitude", "units": "degrees_north", "axis": "Y"}),
        "lon": ("lon", plane.longitude, {"standard_name": "longitude", "units": "degrees_east", "axis": "X"}),
    }
    ridges = [plate.ridge for plate in world.plates]
    attrs = {
        "Conventions": "CF-1.11",
        "title": "synthetic sea floor",
        "seed": world.seed,
        "strikes": [ridge.strike for ridge in ridges],
        "half_rates_left": [ridge.half_rates[0] for ridge in ridges],
        "half_rates_right": [ridge.half_rates[1] for ridge in ridges],
        "depth_km": world.depth,
        "skewness": world.skewness,
        "provinces": [province.texture for province in world.provinces],
        "parameters": world.described(),
    }
    return xr.Dataset(fields, coords=coords, attrs=attrs)

"""Synthetic sea floor as lazy maps of any size, and the region that the demo shows.

A map is rendered on fixed tiles of `TILE` cells, counted from its south-western corner, and the chunks
asked for are put together from those: any chunking gives the same bits, since each tile is computed the
same way whoever needs it. Neighbouring tiles agree to rounding because the forward operator and the
gridding have a finite reach and a tile is rendered with that much around it.

Cost: at 0.72 arcmin a tile renders 632 x 632 cells where every cell was measured, 824 x 824 between tracks
(1.5 and 2.6 times its own area): about 1.5 and 2.5 seconds of one core per million cells, and some 100 MB a
thread. A tile is rendered once per computation, whatever the chunks; what is computed together shares it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from magxr.chunked.plan import rechunk
from magxr.synthetic import draw
from magxr.synthetic.plane import Plane, degrees
from magxr.synthetic.provinces import Outline, Province
from magxr.synthetic.ridge import Ridge
from magxr.synthetic.scenes import FIELDS, labelled
from magxr.synthetic.survey import Patch, Rectangle, Survey
from magxr.synthetic.world import Plate, World, render

if TYPE_CHECKING:
    import xarray as xr
    from numpy.typing import NDArray

    from magxr.synthetic.draw_survey import Coverage

TILE = 512
"""Side of the tiles that are rendered in one piece, cells."""


def sea_floor(
    seed: int,
    shape: tuple[int, int] = (10000, 10000),
    chunks: int | tuple[int, int] | None = None,
    spacing: str | float = "0.72 arcmin",
    origin: tuple[float, float] = (-60.0, -180.0),
    *,
    kind: draw.Kind = "mixed",
    holes: bool = True,
    tracks: Coverage = "full",
    spikes: float = 2e-5,
) -> xr.Dataset:
    """Make a lazy map of random sea floor, with its truth, of any size.

    Parameters
    ----------
    seed, shape, spacing, origin, kind, holes, tracks, spikes
        As for `magxr.synthetic.scenes.scene`.
    chunks : int or (int, int), optional
        Cells; default the tiles themselves (512), which costs least.

    Returns
    -------
    xarray.Dataset
        As `scene` returns it, Dask-backed; nothing is computed. The bits do not depend on ``chunks``.
    """
    plane = Plane(shape, origin, degrees(spacing))
    world = draw.world(seed, plane, kind=kind, holes=holes, tracks=tracks, spikes=spikes)
    return lazily(world, chunks).assign_attrs(kind=kind)


def lazily(world: World, chunks: int | tuple[int, int] | None = None) -> xr.Dataset:
    """Return a world as a lazy Dataset, rendered on fixed tiles; see `sea_floor`."""
    import dask.array as da
    from dask.base import tokenize

    shape = world.plane.shape
    tiles = da.core.normalize_chunks((TILE, TILE), shape)
    stack = da.map_blocks(
        _tile,
        world=world,
        chunks=((len(FIELDS),), *tiles),
        dtype=np.float32,
        meta=np.empty((0, 0, 0), dtype=np.float32),
        name=f"sea-floor-{tokenize(world.described())}",
    )
    wanted = tiles if chunks is None else da.core.normalize_chunks(chunks, shape)
    arrays = {
        name: rechunk(stack[number], wanted, why="from the fixed tiles of the synthetic sea floor")
        for number, name in enumerate(FIELDS)
    }
    return labelled(world, arrays)


def _tile(world: World, block_id: tuple[int, ...]) -> NDArray[np.float32]:
    (r0, r1), (c0, c1) = (
        (number * TILE, min((number + 1) * TILE, size))
        for number, size in zip(block_id[1:], world.plane.shape, strict=True)
    )
    drawn = render(world, (r0, r1), (c0, c1))
    return np.stack([drawn[name] for name in FIELDS])


def demo_region(
    shape: tuple[int, int] = (1000, 1000),
    chunks: int | tuple[int, int] | None = 500,
    spacing: str | float = "0.72 arcmin",
    origin: tuple[float, float] = (-40.0, -118.0),
    *,
    seed: int = 2026,
    truth: bool = True,
) -> xr.Dataset:
    """Make the region of the demo: a ridge with fracture zones, a plateau, seamounts, gaps and spikes.

    Parameters
    ----------
    shape, chunks, spacing, origin
        As for `sea_floor`; what lies where scales with the shape.
    seed : int
        Of the noise and the details.
    truth : bool
        Whether to return ``linear``, ``strike`` and ``tracked`` beside ``anomaly``. ``clean`` is left out, so
        that the anomaly is the only variable in nT.

    Returns
    -------
    xarray.Dataset
        Dask-backed, nothing is computed.
    """
    plane = Plane(shape, origin, degrees(spacing))
    found = lazily(demo_world(plane, seed), chunks).drop_vars("clean").assign_attrs(kind="demo")
    return found if truth else found[["anomaly"]]


def demo_world(plane: Plane, seed: int = 2026) -> World:
    """Return the world of `demo_region` on a plane."""
    height, width = plane.size
    rows, cols = plane.shape

    def at(east: float, north: float) -> tuple[float, float]:
        return east * width, north * height

    def box(west: float, south: float, east: float, north: float) -> Rectangle:
        return Rectangle((round(south * rows), round(north * rows)), (round(west * cols), round(east * cols)))

    ridge = Ridge(
        strike=18.0,
        half_rates=(24.0, 31.0),
        point=at(0.42, 0.5),
        fracture_zones=tuple(
            (place * height, offset)
            for place, offset in ((-0.37, 45.0), (-0.12, -80.0), (0.17, 110.0), (0.4, -30.0))
        ),
        wander=(5.0, 0.6 * height, 1.0),
        intensity=(11.0, 4.5, 8.0),
    )
    plateau = Outline(
        "ellipse", at(0.72, 0.32), (0.31 * width, 0.21 * width), 35.0, (0.025 * width, 0.25 * width), 8.0
    )
    cones = Outline(
        "ellipse", at(0.24, 0.74), (0.27 * width, 0.17 * width), 60.0, (0.03 * width, 0.3 * width), 8.0
    )
    blob = Outline("ellipse", at(0.62, 0.86), (0.035 * width, 0.022 * width), 20.0, (8.0, 60.0), 1.0)
    return World(
        seed=seed,
        plane=plane,
        plates=(Plate(ridge, at(0.5, 0.5)),),
        provinces=(
            Province("plateau", plateau, strength=4.0, longest=70.0, bodies=70.0),
            Province("seamounts", cones, strength=5.0, longest=60.0, slope=0.4, bodies=32.0),
        ),
        survey=Survey(
            patches=(
                Patch(box(0.66, 0.6, 0.98, 0.8), offset=15.0, tilt=(10.0, -10.0), raised=True),
                Patch(box(0.05, 0.06, 0.3, 0.26), offset=-12.0),
            ),
            height=3.0,
            holes=(box(0.1, 0.36, 0.155, 0.42), box(0.14, 0.4, 0.2, 0.45), box(0.5, 0.08, 0.54, 0.14), blob),
            regional=15.0,
            white=6.0,
            spikes=3e-5,
        ),
        depth=4.0,
        thickness=0.6,
        skewness=-35.0,
        toward=108.0,
        rough=(1.2, 60.0),
        patchy=0.25,
        fabric=0.6,
    )

"""Draw surveys at random: tracks, patches, holes, levels and noise."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import numpy as np

from magxr.synthetic.provinces import Outline
from magxr.synthetic.survey import Patch, Rectangle, Survey
from magxr.synthetic.tracks import Tracks

if TYPE_CHECKING:
    from magxr.synthetic.plane import Plane

Coverage = Literal["full", "dense", "sparse", "mixed", "random"]
COVERAGES: tuple[Coverage, ...] = ("full", "dense", "sparse", "mixed", "random")

Rng = np.random.Generator


def inside(rng: Rng, plane: Plane, margin: float = 0.0) -> tuple[float, float]:
    """Return an easting and a northing inside the region (or ``margin`` of its size beyond)."""
    east, north = rng.uniform(-margin, 1.0 + margin, 2)
    return float(east) * plane.size[1], float(north) * plane.size[0]


def survey(
    rng: Rng, plane: Plane, holes: bool, tracks: Coverage, spikes: float, strike: float, signal: float
) -> Survey:
    """Draw how a region was surveyed.

    Parameters
    ----------
    rng : numpy.random.Generator
        Source of the choices.
    plane : Plane
        The region.
    holes : bool
        Leave areas without data.
    tracks : {"random", "full", "dense", "sparse", "mixed"}
        Coverage.
    spikes : float
        Share of cells.
    strike : float
        Of the stripes, degrees: dense tracks run across.
    signal : float
        Standard deviation of the stripes, nT: levels and noise are shares of it.
    """
    return Survey(
        tracks=_tracks(rng, plane, tracks, strike, signal),
        fade=float(rng.choice([1.0, 1.0, rng.uniform(0.6, 0.95)])),
        patches=_patches(rng, plane, signal),
        height=float(rng.uniform(2.0, 8.0)),
        holes=_holes(rng, plane) if holes else (),
        regional=float(rng.choice([0.0, signal * rng.uniform(0.1, 0.8)])),
        white=float(signal * np.exp(rng.uniform(np.log(0.01), np.log(0.25)))),
        spikes=spikes,
    )


def _tracks(rng: Rng, plane: Plane, coverage: Coverage, strike: float, signal: float) -> tuple[Tracks, ...]:
    if coverage == "random":
        coverage = ("full", "dense", "sparse", "mixed")[int(rng.choice(4, p=[0.4, 0.25, 0.2, 0.15]))]
    if coverage == "full":
        return ()

    def family(
        spacing: float, azimuth: float, kept: float, disc: tuple[float, float, float] | None
    ) -> Tracks:
        return Tracks(
            azimuth=azimuth % 180.0,
            spacing=spacing,
            jitter=float(rng.uniform(0.2, 0.9)),
            meander=(float(rng.uniform(0.0, 0.2)) * spacing, float(rng.uniform(80.0, 400.0))),
            leg=float(rng.uniform(150.0, 600.0)),
            kept=kept,
            level=signal * float(rng.uniform(0.02, 0.3)),
            noise=signal * float(rng.uniform(0.01, 0.2)),
            disc=disc,
        )

    def sparse() -> list[Tracks]:
        spacing = np.exp(rng.uniform(np.log(9.0), np.log(36.0), 2)) * max(plane.cell) / 1.2
        found = [
            family(float(spacing[0]), float(rng.uniform(0.0, 180.0)), float(rng.uniform(0.6, 1.0)), None)
        ]
        found.append(family(2.0 * float(spacing[1]), float(rng.uniform(0.0, 180.0)), 0.7, None))
        return found

    def dense(disc: tuple[float, float, float] | None) -> Tracks:
        spacing = float(rng.uniform(3.5, 10.0)) * max(plane.cell) / 1.2
        return family(
            spacing, strike + 90.0 + float(rng.normal(0.0, 25.0)), float(rng.uniform(0.85, 1.0)), disc
        )

    if coverage == "dense":
        return (dense(None),)
    if coverage == "sparse":
        return tuple(sparse())
    radius = float(rng.uniform(0.25, 0.5)) * min(max(plane.size), 2000.0)
    return (*sparse(), dense((*inside(rng, plane), radius)))


def _rectangle(rng: Rng, plane: Plane, smallest: int, largest: int) -> Rectangle:
    height, width = (int(rng.integers(smallest, largest + 1)) for _ in range(2))
    row = int(rng.integers(-height // 2, plane.shape[0] - height // 2))
    col = int(rng.integers(-width // 2, plane.shape[1] - width // 2))
    return Rectangle((row, row + height), (col, col + width))


def _per_area(rng: Rng, plane: Plane, mean: float) -> int:
    """Return how many of a thing of which a region of 640 x 640 cells has ``mean``."""
    return int(rng.poisson(mean * plane.shape[0] * plane.shape[1] / 640.0**2))


def _patches(rng: Rng, plane: Plane, signal: float) -> tuple[Patch, ...]:
    """Draw a few patches, or (a third of the time) a patchwork that covers most of the region."""
    mean = float(rng.choice([1.5, 1.5, 12.0]))
    return tuple(
        Patch(
            _rectangle(rng, plane, 60, 320),
            offset=signal * float(rng.normal(0.0, 0.4)),
            tilt=(signal * float(rng.normal(0.0, 0.2)), signal * float(rng.normal(0.0, 0.2))),
            raised=bool(rng.random() < 0.4),
        )
        for _ in range(_per_area(rng, plane, mean))
    )


def _holes(rng: Rng, plane: Plane) -> tuple[Rectangle | Outline, ...]:
    """Draw rectangles, staircases of rectangles, and blobs."""
    found: list[Rectangle | Outline] = []
    cell = max(plane.cell)
    for _ in range(max(1, _per_area(rng, plane, 3.0))):
        what = int(rng.integers(3))
        if what == 0:
            found.append(_rectangle(rng, plane, 10, 110))
        elif what == 1:
            radii = rng.uniform(8.0, 60.0, 2) * cell
            found.append(
                Outline(
                    kind="ellipse",
                    centre=inside(rng, plane),
                    radii=(float(radii[0]), float(radii[1])),
                    azimuth=float(rng.uniform(0.0, 180.0)),
                    wiggle=(0.25 * float(radii.min()), 2.0 * float(radii.max())),
                    border=1.0,
                )
            )
        else:
            step = _rectangle(rng, plane, 12, 60)
            drift = rng.integers(-25, 26, 2)
            for k in range(int(rng.integers(3, 9))):
                grow = [int(g) for g in rng.integers(-10, 11, 2)]
                up, right = int(k * drift[0]), int(k * drift[1])
                found.append(
                    Rectangle(
                        (step.rows[0] + up - grow[0], step.rows[1] + up + grow[0]),
                        (step.cols[0] + right - grow[1], step.cols[1] + right + grow[1]),
                    )
                )
    return tuple(found)

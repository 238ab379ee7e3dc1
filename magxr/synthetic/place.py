"""A real place to be made up again: where it lies, how it was surveyed, what breaks its lines."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from magxr.errors import ParameterError
from magxr.synthetic import ages
from magxr.synthetic.crust import Crust
from magxr.synthetic.plane import Plane
from magxr.synthetic.provinces import Outline, Province, Texture
from magxr.synthetic.replica import Replica
from magxr.synthetic.survey import Survey
from magxr.synthetic.tracks import Tracks

if TYPE_CHECKING:
    from pathlib import Path

Bounds = tuple[float, float, float, float]
"""West, south, east, north, degrees."""


@dataclass(frozen=True, slots=True)
class Family:
    """Ship tracks; the numbers are those of `magxr.synthetic.tracks.Tracks`."""

    azimuth: float
    spacing: float
    kept: float
    disc: tuple[float, float, float] | None = None
    """Centre (shares of width and height) and radius (km) of the circle that was sailed."""

    def tracks(self, level: float, centre: tuple[float, float] | None) -> Tracks:
        """Return the tracks, with offsets of ``level`` nT; ``centre`` of the circle, km."""
        return Tracks(
            azimuth=self.azimuth % 180.0,
            spacing=self.spacing,
            meander=(0.1 * self.spacing, 200.0),
            kept=self.kept,
            level=level,
            noise=0.5 * level,
            disc=None if self.disc is None or centre is None else (*centre, self.disc[2]),
        )


@dataclass(frozen=True, slots=True)
class Island:
    """A province without lineations."""

    texture: Texture
    centre: tuple[float, float]
    """Shares of the region's width and height."""
    radii: tuple[float, float]
    """Along ``azimuth`` and across it, as shares of the region's height."""
    azimuth: float
    strength: float
    longest: float

    def province(self, centre: tuple[float, float], height: float) -> Province:
        """Return the province at ``centre`` (km) in a region ``height`` km high."""
        return Province(
            texture=self.texture,
            outline=Outline(
                "ellipse",
                centre,
                (self.radii[0] * height, self.radii[1] * height),
                self.azimuth,
                (0.04 * height, 0.3 * height),
                4.0,
            ),
            strength=self.strength,
            longest=self.longest,
            bodies=0.8 * self.longest,
            azimuth=self.azimuth,
        )


@dataclass(frozen=True, slots=True)
class Place:
    """One of the paper's areas."""

    name: str
    title: str
    bounds: Bounds
    """West, south, east, north, degrees."""
    spacing: float
    """Working spacing of the paper, arcmin."""
    width: float
    """Typical width of an anomaly, km, as the paper gives it."""
    families: tuple[Family, ...]
    islands: tuple[Island, ...]
    native: float = 1.0
    """Spacing of the data, arcmin."""
    components: int = 87
    """Singular values that the paper keeps (Table S3)."""
    level: float = 10.0
    """Standard deviation of the offsets of whole tracks, nT."""
    skewness: float = -30.0
    toward: float = Replica.toward
    altitude: float = Replica.altitude
    rough: tuple[float, float] = Replica.rough
    transition: float = Replica.transition

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns of the data."""
        west, south, east, north = self.bounds
        return round((north - south) * 60.0 / self.native), round((east - west) * 60.0 / self.native)

    def replica(self, folder: str | Path, seed: int = 0, bounds: Bounds | None = None) -> Replica:
        """Return the place, or a part of it, as a replica; see `magxr.synthetic.places.replica`."""
        whole = Plane(self.shape, (self.bounds[1], self.bounds[0]), self.native / 60.0)
        plane, shift = (whole, (0.0, 0.0)) if bounds is None else _part(self, whole, bounds)
        height, width = whole.size

        def at(share: tuple[float, float]) -> tuple[float, float]:
            return share[0] * width - shift[1], share[1] * height - shift[0]

        return Replica(
            seed=seed,
            plane=plane,
            crust=Crust(ages.read(folder, self.name)),
            provinces=tuple(i.province(at(i.centre), height) for i in self.islands),
            survey=Survey(
                tracks=tuple(
                    f.tracks(self.level, None if f.disc is None else at(f.disc[:2])) for f in self.families
                ),
                levels=1,
                regional=self.level,
                spikes=2e-5,
            ),
            altitude=self.altitude,
            skewness=self.skewness,
            toward=self.toward,
            transition=self.transition,
            rough=self.rough,
            name=self.name,
        )


def _part(
    chosen: Place, whole: Plane, bounds: tuple[float, float, float, float]
) -> tuple[Plane, tuple[float, float]]:
    west, south, east, north = (float(b) for b in bounds)
    inside = (
        chosen.bounds[0] <= west < east <= chosen.bounds[2]
        and chosen.bounds[1] <= south < north <= chosen.bounds[3]
    )
    if not inside:
        msg = (
            f"bounds={tuple(bounds)} (west, south, east, north) do not lie inside {chosen.name}, which "
            f"covers {chosen.bounds}"
        )
        raise ParameterError(msg)
    row, col = (
        round((low - start) / whole.spacing) for low, start in zip((south, west), whole.origin, strict=True)
    )
    shape = (
        max(1, round((north - south) / whole.spacing)),
        max(1, round((east - west) / whole.spacing)),
    )
    origin = (whole.origin[0] + row * whole.spacing, whole.origin[1] + col * whole.spacing)
    plane = Plane(shape, origin, whole.spacing)
    return plane, (row * plane.cell[0], col * plane.cell[1])

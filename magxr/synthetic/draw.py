"""Draw worlds at random: ridges and provinces as varied as the sea floor's, and a survey of them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import numpy as np

from magxr.errors import ParameterError
from magxr.synthetic import draw_survey
from magxr.synthetic.draw_survey import COVERAGES, Coverage, Rng, inside
from magxr.synthetic.forward import Filter, transfer
from magxr.synthetic.provinces import TEXTURES, Outline, Province
from magxr.synthetic.ridge import Ridge, profile
from magxr.synthetic.timescale import OLDEST
from magxr.synthetic.world import Plate, World

if TYPE_CHECKING:
    from magxr.synthetic.plane import Plane

Kind = Literal["mixed", "linear", "nonlinear"]
KINDS: tuple[Kind, ...] = ("mixed", "linear", "nonlinear")


def world(
    seed: int,
    plane: Plane,
    *,
    kind: Kind,
    holes: bool,
    tracks: Coverage,
    spikes: float,
    half_rates: tuple[float, float] | None = None,
    strike: float | None = None,
) -> World:
    """Draw a world; what is given is kept, the rest follows from the seed.

    Raises
    ------
    ParameterError
        If kind, tracks, seed or spikes are none of those that exist.
    """
    _check(seed, kind, tracks, spikes)
    rng = np.random.Generator(np.random.PCG64(np.random.SeedSequence([seed, 0x5EAF])))
    depth = max(
        float(rng.uniform(2.0, 5.5) + rng.choice([0.0, 0.0, 4.0 * rng.random(), 5.0])), 1.2 * max(plane.cell)
    )
    plates = _plates(rng, plane, half_rates, strike)
    across = (plates[0].ridge.strike + 90.0) % 360.0
    thickness = float(rng.uniform(0.4, 1.2))
    depth, signal = _visible(plates[0], depth, thickness, max(plane.cell))
    return World(
        seed=seed,
        plane=plane,
        plates=plates,
        provinces=_provinces(rng, plane, kind),
        survey=draw_survey.survey(rng, plane, holes, tracks, spikes, plates[0].ridge.strike, signal),
        depth=depth,
        thickness=thickness,
        skewness=float(rng.uniform(-90.0, 90.0)),
        toward=across,
        rough=(float(rng.uniform(0.3, 2.0)), float(rng.uniform(30.0, 90.0))),
        patchy=float(rng.uniform(0.1, 0.35)),
        fabric=float(rng.uniform(0.1, 1.2)),
    )


def _check(seed: int, kind: str, tracks: str, spikes: float) -> None:
    if int(seed) != seed or seed < 0:
        msg = f"seed is {seed!r}; it must be a whole number, 0 or more"
        raise ParameterError(msg)
    if kind not in KINDS:
        msg = f"kind {kind!r} is not one of {list(KINDS)}"
        raise ParameterError(msg)
    if tracks not in COVERAGES:
        msg = f"tracks {tracks!r} is not one of {list(COVERAGES)}"
        raise ParameterError(msg)
    if not 0.0 <= spikes <= 0.1:
        msg = f"spikes is {spikes!r}; the share of spiked cells must lie within 0..0.1"
        raise ParameterError(msg)


def _plates(
    rng: Rng, plane: Plane, half_rates: tuple[float, float] | None, strike: float | None
) -> tuple[Plate, ...]:
    """Draw one plate per 1.5 million km2 or so, often a second one in a small region."""
    expected = plane.size[0] * plane.size[1] / 1.5e6
    count = int(rng.poisson(expected)) if expected > 3.0 else int(1 + (rng.random() < 0.2))
    plates = []
    for _ in range(max(count, 1)):
        nucleus = inside(rng, plane)
        azimuth = float(rng.uniform(0.0, 180.0)) if strike is None else float(strike)
        rate = float(np.exp(rng.uniform(np.log(8.0), np.log(70.0))))
        uneven = float(rng.uniform(0.75, 1.33))
        rates = (rate, rate * uneven) if half_rates is None else half_rates
        plates.append(Plate(_ridge(rng, nucleus, azimuth, rates, max(plane.size)), nucleus))
    return tuple(plates)


def _ridge(
    rng: Rng, nucleus: tuple[float, float], strike: float, half_rates: tuple[float, float], size: float
) -> Ridge:
    """Draw a ridge such that the crust at ``nucleus`` has stripes."""
    # A third of the time the axis is in sight; else the crust is of any age with reversals.
    ages = [(0.0, 8.0), (2.0, 80.0), (124.0, 0.97 * OLDEST)]
    low, high = ages[int(rng.choice(3, p=[0.4, 0.45, 0.15]))]
    age = float(rng.uniform(low, high))
    right = bool(rng.random() < 0.5)
    far = age * half_rates[1] if right else -age * half_rates[0]
    azimuth = np.radians(strike)
    point = (nucleus[0] - far * np.cos(azimuth), nucleus[1] + far * np.sin(azimuth))
    # Segments of the axis stray from its course but come back to it; the one at the nucleus is on it.
    segment = float(np.exp(rng.uniform(np.log(60.0), np.log(600.0))))
    spread = float(rng.choice([10.0, 50.0]))
    position, stray, zones = -segment * float(rng.uniform(0.2, 0.8)), 0.0, []
    count = round(size / segment) + 1
    positions = position + segment * np.cumsum(rng.uniform(0.5, 1.5, 2 * count))
    positions -= positions[count] - position
    for number, position in enumerate(positions):
        new = 0.0 if number == count else float(rng.normal(0.0, spread))
        zones.append((float(position), new - stray))
        stray = new
    return Ridge(
        strike=strike,
        half_rates=half_rates,
        point=(float(point[0]), float(point[1])),
        obliquity=float(rng.choice([0.0, rng.normal(0.0, 12.0)])),
        jumps=tuple(
            (float(rng.uniform(0.5, 30.0)), float(rng.normal(0.0, 40.0))) for _ in range(rng.poisson(0.4))
        ),
        fracture_zones=tuple(zones),
        wander=(
            float(rng.uniform(0.0, 12.0)),
            float(rng.uniform(250.0, 900.0)),
            float(rng.uniform(0.0, 6.28)),
        ),
        transition=float(rng.uniform(0.5, 3.0)),
        intensity=(
            float(rng.uniform(6.0, 14.0)),
            float(rng.uniform(2.5, 6.0)),
            float(rng.uniform(3.0, 15.0)),
        ),
    )


def _province(rng: Rng, outline: Outline) -> Province:
    chosen = TEXTURES[int(rng.integers(len(TEXTURES)))]
    return Province(
        texture=chosen,
        outline=outline,
        strength=float(rng.uniform(1.5, 6.0)),
        longest=float(rng.uniform(20.0, 60.0) if chosen == "patches" else rng.uniform(40.0, 160.0)),
        slope=float(rng.uniform(0.0, 1.0)),
        bodies=float(rng.uniform(20.0, 60.0)),
        azimuth=float(rng.uniform(0.0, 180.0)),
    )


def _provinces(rng: Rng, plane: Plane, kind: Kind) -> tuple[Province, ...]:
    if kind == "linear":
        return ()
    found = []
    if kind == "nonlinear":
        found.append(_province(rng, Outline()))
    side = float(np.sqrt(plane.size[0] * plane.size[1]))
    scale = min(side, 900.0)
    count = max(1, round(float(rng.uniform(0.6, 2.6)) * (side / scale) ** 2))
    for _ in range(count):
        half = side == scale and rng.random() < 0.45
        shape = Outline(
            kind="half" if half else "ellipse",
            centre=inside(rng, plane, -0.15 if half else 0.0),
            radii=(float(rng.uniform(0.2, 0.45)) * scale, float(rng.uniform(0.15, 0.35)) * scale),
            azimuth=float(rng.uniform(0.0, 360.0)),
            wiggle=(float(rng.uniform(0.02, 0.07)) * scale, float(rng.uniform(0.2, 0.5)) * scale),
            border=float(rng.uniform(2.0, 15.0)),
        )
        found.append(_province(rng, shape))
    return tuple(found)


def _visible(plate: Plate, depth: float, thickness: float, cell: float) -> tuple[float, float]:
    """Return a depth from which the stripes around the nucleus can be seen, and their amplitude, nT."""
    u, _, magnetisation, _ = profile(plate.ridge)
    east, north = (np.array([[place]]) for place in plate.nucleus)
    middle = int(np.searchsorted(u, plate.ridge.across(east, north)[0, 0]))
    near = magnetisation[max(middle - 1024, 0) : middle + 1024]
    spectrum = np.fft.rfft((near - near.mean()) * np.hanning(near.size))
    wave = 2.0 * np.pi * np.fft.rfftfreq(near.size, u[1] - u[0])
    while True:
        response = transfer(Filter(depth, thickness), np.zeros_like(wave), wave)
        signal = 1.6 * float(np.fft.irfft(spectrum * response, near.size).std())
        if signal > 25.0 or depth < 1.5 * max(cell, 1.5):
            return depth, signal
        depth *= 0.8

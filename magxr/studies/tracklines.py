"""Scenes with hidden tracks: a true sea floor, and what parallel ship tracks would have seen of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from magxr.geogrid import describe
from magxr.synthetic.scenes import scene

if TYPE_CHECKING:
    import xarray as xr
    from numpy.typing import NDArray

_STREAM = 0x6A95


@dataclass(frozen=True, eq=False)
class Hidden:
    """A sea floor, and the part of it that was measured."""

    truth: xr.DataArray
    """The field without noise, nT."""
    surveyed: xr.DataArray
    """The field with noise, on every cell, nT."""
    across: NDArray[np.float64]
    """Distance of each cell along the strike, in cells of latitude: tracks lie across it."""

    def measured(self, width: int, track: int) -> xr.DataArray:
        """Return which cells were measured: tracks ``track`` cells wide, ``width`` cells between them."""
        return self.truth.copy(data=self.across % (width + track) < track).drop_attrs()


def hidden(
    seed: int,
    *,
    shape: tuple[int, int],
    spacing: str,
    crossing: float,
    noise: float,
    half_rates: tuple[float, float] | None = None,
) -> Hidden:
    """Draw a sea floor of stripes with one strike, to be surveyed by tracks.

    Parameters
    ----------
    seed : int
        The strike, the rates, the noise and where the first track runs follow from it.
    shape : (int, int)
        Rows and columns.
    spacing : str
        Of the cells, e.g. "0.72 arcmin".
    crossing : float
        Angle between tracks and stripes, degrees: 90 runs straight across them.
    noise : float
        Standard deviation of the white noise of a measured cell, as a share of the field's.
    half_rates : (float, float), optional
        As in `magxr.synthetic.scenes.scene`.
    """
    rng = np.random.Generator(np.random.PCG64(np.random.SeedSequence([seed, _STREAM])))
    strike = float(rng.uniform(0.0, 180.0))
    made = scene(
        seed,
        shape,
        spacing,
        kind="linear",
        holes=False,
        tracks="full",
        spikes=0.0,
        half_rates=half_rates,
        strike=strike,
    )
    truth = made["clean"].rename("anomaly")
    error = rng.standard_normal(shape) * noise * float(truth.std())
    surveyed = truth.copy(data=(truth.values + error).astype(np.float32))
    about, _ = describe(truth)
    height, width = about.cell_metres()
    normal = np.radians(strike + crossing - 90.0)  # azimuth across the tracks
    north = np.arange(shape[0])[:, None]
    east = np.arange(shape[1])[None, :] * float(width.mean()) / height
    across = north * np.cos(normal) + east * np.sin(normal) + rng.uniform(0.0, 1000.0)
    return Hidden(truth, surveyed, across)

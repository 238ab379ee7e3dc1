"""Noise that looks like a map in everything but its lines."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from magxr.errors import GridError
from magxr.kernels.rectangle import largest_rectangle
from magxr.labelled import apply, canonical
from magxr.steps.gridding import grid
from magxr.synthetic.phase_noise import isotropic_noise

if TYPE_CHECKING:
    import xarray as xr
    from numpy.typing import NDArray

    from magxr.geogrid import Grid

SMALLEST = 32
"""Shortest side of a part of a map that has a spectrum worth the name, cells."""
_STREAM = 0xA11CE


@dataclass(frozen=True, eq=False)
class Likeness:
    """A map whose spectrum is known, ready to have noise made in its likeness."""

    map: xr.DataArray
    """The anomaly, in memory, nT, NaN in its gaps."""
    sample: NDArray[np.floating[Any]]
    """Where the spectrum comes from: the largest rectangle without gaps, nT."""
    cell: tuple[float, float]
    """Height and width of a cell of the sample, km."""

    @classmethod
    def of(cls, da: xr.DataArray) -> Likeness:
        """Take the spectrum's sample from a map.

        Parameters
        ----------
        da : xarray.DataArray
            Anomaly in memory, nT; NaN in gaps.

        Raises
        ------
        GridError
            If the largest rectangle without gaps has a side of less than 32 cells, or is constant.

        Notes
        -----
        Gaps of up to 32 cells are filled by `magxr.grid` first, for the sample only: a map between ship
        tracks would have no sample else, and zeros in gaps would put the outline of the gaps into the
        spectrum. What is wider is not filled but left out.
        """
        whole = grid(da) if bool(da.isnull().any()) else da
        values, about, _ = canonical(whole)
        rows, columns = largest_rectangle(np.isfinite(values))
        sample = values[rows, columns].astype(np.float64)
        if min(sample.shape) < SMALLEST:
            size = f"{sample.shape[0]} x {sample.shape[1]}"
            fix = "cut out a part with fewer gaps, or fill wider ones with magxr.grid(max_gap=...)"
            msg = (
                f"the largest part without gaps is {size} cells, too little for a spectrum, which needs "
                f"{SMALLEST} x {SMALLEST}; {fix}"
            )
            raise GridError(msg)
        if not sample.std() > 0.0:
            msg = "the map is constant where it has no gaps: there is no spectrum to make noise from"
            raise GridError(msg)
        height, width = about.cell_metres()
        return cls(da, sample, (height / 1000.0, float(width[rows].mean()) / 1000.0))

    def noise(self, seed: int) -> xr.DataArray:
        """Return noise on the cells of the map, missing where the map is, with its dtype and coordinates."""
        rng = np.random.Generator(np.random.PCG64(np.random.SeedSequence([seed, _STREAM])))

        def work(values: Any, about: Grid) -> Any:
            made = isotropic_noise(self.sample, self.cell, rng, about.shape).astype(values.dtype)
            return np.where(np.isfinite(values), made, np.array(np.nan, values.dtype))

        return apply(self.map, work, step="isotropic_noise", parameters={"seed": seed})

"""Ways to clean a map that are compared: how wide the stripes are says which are worth trying."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, cast

from magxr.errors import ParameterError
from magxr.steps.diffusion import diffuse
from magxr.steps.ground import RHO, SIGMA
from magxr.steps.lowrank import denoise
from magxr.steps.schedule import STEPS, TAU

if TYPE_CHECKING:
    from collections.abc import Mapping

    import xarray as xr

OFF = "off"
"""No diffusion: what all others are compared with."""
NOISE_SCALE = 1 / 16
"""Of the wavelength: a Gaussian of this width leaves exp(-2 pi²/256) = 93 % of the slope of a stripe."""
LEAST_SIGMA = 0.5
"""Cells; gradients are taken between neighbours, so that less smooths nothing."""
INTEGRATION_SCALES = (1 / 4, 1 / 2)
"""Of the wavelength. The squared slope of a stripe comes and goes twice a wave; its Gaussian mean still does
by exp(-8 pi² (rho / wavelength)²): 29 % at an eighth, 0.7 % at a quarter, so that a quarter is the least at
which crests have the strike of their flanks. Half averages four times the area where noise is strong."""
LENGTHS = (1 / 8, 1 / 4, 1 / 2)
"""Of the wavelength: standard deviation of the mean along the stripes, sqrt(2 time). From what ripples across
a stripe to what is as long as a stripe is wide; stripes bend and end at fracture zones beyond."""
VARIANCES = (0.98, 0.95)
"""Shares of variance that are tried for the low-rank step; the paper's is the first."""


@dataclass(frozen=True)
class Candidate:
    """One way to clean a map: the low-rank step or not, diffusion or not."""

    name: str
    diffusion: Mapping[str, Any] | None = field(hash=False)
    """Arguments of `magxr.diffuse`; None for none."""
    variance: float | None = None
    """Share of variance that `magxr.denoise` keeps before; None for no such step."""

    def applied(self, da: xr.DataArray, scale: float | None = None) -> xr.DataArray:
        """Return the map cleaned this way; ``scale`` (nT) is that of the diffusion unless it has its own."""
        if self.variance is not None:
            da = cast("xr.DataArray", denoise(da, variance=self.variance))
        if self.diffusion is None:
            return da
        how = dict(self.diffusion)
        if scale is not None:
            how.setdefault("scale", scale)
        return diffuse(da, **how)


def by_rule(wavelength: float) -> dict[str, dict[str, Any]]:
    """Return the diffusions worth trying on stripes of a wavelength.

    Parameters
    ----------
    wavelength : float
        Dominant wavelength across the stripes, cells.

    Returns
    -------
    dict of str to dict
        Name -> arguments of `magxr.diffuse`: its defaults, and ``sigma`` = wavelength / 16 (at least half a
        cell), ``rho`` = wavelength / 4 or / 2, and ``steps`` that smooth along the stripes by a Gaussian of
        wavelength / 8, / 4 or / 2: its standard deviation L takes the time L² / 2, in steps of 0.25 cells².
        Lengths are rounded to a hundredth of a cell.

    Notes
    -----
    Why these fractions: see `NOISE_SCALE`, `INTEGRATION_SCALES` and `LENGTHS` in this module. The scheme is
    "fed", where ``steps`` says how long and three cycles take that time, since half a wavelength along wide
    stripes takes hundreds of steps.

    References
    ----------
    Weickert, J. (1999), Coherence-enhancing diffusion filtering, Int. J. Comput. Vis. 31, 111-127: rho
    "should be no less than the width of the texture".
    """
    sigma = round(max(LEAST_SIGMA, NOISE_SCALE * wavelength), 2)
    found: dict[str, dict[str, Any]] = {"defaults": {"sigma": SIGMA, "rho": RHO, "steps": STEPS}}
    for share in INTEGRATION_SCALES:
        for length in LENGTHS:
            steps = max(1, round(0.5 * (length * wavelength) ** 2 / TAU))
            name = f"rho 1/{round(1 / share)}, along 1/{round(1 / length)}"
            rho = round(share * wavelength, 2)
            found[name] = {"sigma": sigma, "rho": rho, "steps": steps, "scheme": "fed"}
    return found


def named(given: Mapping[str, Mapping[str, Any]], variance: float | None) -> list[Candidate]:
    """Return candidates by name, all after the same low-rank step.

    Raises
    ------
    ParameterError
        If there is none, one is called "off", or one is no mapping of arguments.
    """
    if not given or OFF in given:
        rule = f"must name at least one diffusion, and none {OFF!r}, which is always one"
        msg = f"candidates={sorted(given)} {rule}"
        raise ParameterError(msg)
    for name, how in given.items():
        if not hasattr(how, "keys") or "variable" in how:
            msg = (
                f"candidate {name!r} is {how!r}; give the arguments of magxr.diffuse but variable, "
                'e.g. {"sigma": 1, "rho": 8, "steps": 20}'
            )
            raise ParameterError(msg)
    return [Candidate(name, dict(how), variance) for name, how in given.items()]

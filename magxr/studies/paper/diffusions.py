"""The diffusions that the study compares, but for the one that each map chooses by itself.

The paper's sigma, rho and T are in its Table S3, which is not published with the text. Its rule is: sigma
against noise, rho equal to or larger than the texture, smallest for the East Pacific Rise and largest for
Shatsky Rise. "paper" here takes rho as wide as an anomaly, and the time after which a perfect stripe has been
averaged along itself over a standard deviation of one such width.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from magxr.errors import ParameterError

if TYPE_CHECKING:
    from magxr.synthetic.place import Place

_CYCLES = 5


def parameters(name: str, place: Place, height: float) -> dict[str, Any] | None:
    """Return the arguments of `magxr.diffuse`, or None for no diffusion.

    Parameters
    ----------
    name : str
        One of `magxr.studies.paper.settings.DIFFUSIONS` but "tuned", which depends on the map; see
        `magxr.studies.paper.ground.Ground.tuned`.
    place : Place
        Gives the width of an anomaly.
    height : float
        Of a cell, km.
    """
    if name == "off":
        return None
    if name == "default":
        return {"sigma": 1.0, "rho": 4.0, "steps": 20, "tau": 0.25}
    if name == "paper":
        width = place.width / height
        rho, time = round(max(width, 1.0), 3), round(0.5 * width**2, 3)
        return {"sigma": 1.0, "rho": rho, "time": time, "scheme": "fed", "cycles": _CYCLES}
    msg = f"unknown diffusion {name!r}; there are 'off', 'default' and 'paper'"
    raise ParameterError(msg)

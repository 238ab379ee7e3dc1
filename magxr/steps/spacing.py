"""Grid spacings as people write them, and the paper's two rules to choose one."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass

from magxr.errors import ParameterError
from magxr.geogrid import EARTH_RADIUS
from magxr.steps.arguments import is_number, is_whole

KM_PER_DEGREE = math.radians(1) * EARTH_RADIUS / 1000
"""Length of one degree along a meridian of the sphere, km."""

_DEGREES = {
    **dict.fromkeys(("deg", "degree", "degrees", "°"), 1.0),
    **dict.fromkeys(("arcmin", "arcminute", "arcminutes", "arc-minute", "arc-minutes", "'", "′"), 1 / 60),
    **dict.fromkeys(("arcsec", "arcsecond", "arcseconds", '"', "″"), 1 / 3600),
    **dict.fromkeys(("km", "kilometre", "kilometres", "kilometer", "kilometers"), 1 / KM_PER_DEGREE),
}


def degrees(length: object, what: str = "spacing") -> float:
    """Read a length such as ``"0.72 arcmin"``, ``"0.05 deg"`` or ``"1.5 km"`` as degrees of latitude.

    Parameters
    ----------
    length : str
        A positive number and its unit: deg, arcmin, arcsec or km (along a meridian).
    what : str
        Name of the argument, for the message.

    Returns
    -------
    float
        Degrees.

    Raises
    ------
    ParameterError
        If the number or the unit is missing, unknown or not positive.
    """
    if not isinstance(length, str):
        msg = f"{what}={length!r} has no unit; write it as text, e.g. '0.72 arcmin', '0.05 deg' or '1.5 km'"
        raise ParameterError(msg)
    found = re.fullmatch(r"\s*([-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?)\s*(\S*)\s*", length)
    unit = found.group(2).lower() if found else ""
    if found is None or unit not in _DEGREES:
        hint = " ('m' is arc-minutes in GMT and metres elsewhere)" if unit in ("m", "min") else ""
        msg = (
            f"{what}={length!r} is not a number and a unit{hint}; "
            "the units are deg, arcmin, arcsec and km, e.g. '0.72 arcmin'"
        )
        raise ParameterError(msg)
    value = float(found.group(1)) * _DEGREES[unit]
    if not (math.isfinite(value) and value > 0):
        msg = f"{what}={length!r} must be larger than zero"
        raise ParameterError(msg)
    return value


@dataclass(frozen=True, slots=True)
class SpacingAdvice:
    """A grid spacing and why; `str` of it is what ``grid(spacing=...)`` takes."""

    arcmin: float
    """Suggested spacing, minutes of arc."""
    between: tuple[float, float]
    """Finest and coarsest spacing that put the wanted number of anomalies into a window, minutes of arc."""
    nyquist: float
    """Coarsest spacing that still samples each anomaly twice, minutes of arc."""
    explanation: str
    """One sentence for a person."""

    def __str__(self) -> str:
        return f"{self.arcmin:g} arcmin"


def suggest_spacing(
    anomaly_width_km: float,
    *,
    latitude: float = 0.0,
    window: int = 250,
    anomalies: tuple[int, int] = (4, 6),
) -> SpacingAdvice:
    r"""Suggest a grid spacing by the two rules of the paper.

    Parameters
    ----------
    anomaly_width_km : float
        Width of the narrowest anomalies that matter (one stripe), km.
    latitude : float
        Where, degrees: a cell of as many degrees both ways is narrower by its cosine; the rules are applied
        to the geometric mean of its sides.
    window : int
        Side of the windows to be classified, pixels.
    anomalies : (int, int)
        Fewest and most anomalies that a window should hold.

    Returns
    -------
    SpacingAdvice
        Spacing (minutes of arc), its bounds and an explanation; pass ``str(advice)`` to `magxr.grid`.

    Raises
    ------
    ParameterError
        If an argument is out of range.

    Notes
    -----
    With the width :math:`w` and :math:`n` anomalies in :math:`N` pixels the spacing is :math:`n w / N`, for
    the middle of the wanted :math:`n` and rounded to 0.01 arcmin, and at most :math:`w / 2` (Nyquist), which
    binds only for windows of fewer than about twelve pixels.

    The spacings that the paper chose do not all follow its own rule of four to six (250 pixels, lengths
    along the meridian): Reykjanes, 0.24' over 20-30 km, 4 to 6 anomalies; Azores, 0.36' over 20-30 km,
    6 to 8; Shatsky, 0.72' over 40 km, 8; East Pacific Rise, 0.24' over 10 km, 11.

    References
    ----------
    Ghosh et al. (2026), Sci. Rep. 16, 1185: Methods, step 3.
    """
    if not (is_number(anomaly_width_km) and anomaly_width_km > 0):
        msg = f"anomaly_width_km={anomaly_width_km!r} must be larger than zero, e.g. 10 for 10 km"
        raise ParameterError(msg)
    if not (is_number(latitude) and -90 < latitude < 90):
        msg = f"latitude={latitude!r} must lie between -90 and 90 degrees, without the poles"
        raise ParameterError(msg)
    if not is_whole(window, 2):
        msg = f"window={window!r} must be a whole number of at least 2 pixels"
        raise ParameterError(msg)
    pair = isinstance(anomalies, (tuple, list)) and len(anomalies) == 2 and all(map(is_number, anomalies))
    if not pair or not 0 < anomalies[0] <= anomalies[1]:
        msg = f"anomalies={anomalies} must be the fewest and the most, both larger than zero, e.g. (4, 6)"
        raise ParameterError(msg)
    few, many = anomalies
    width = anomaly_width_km / (KM_PER_DEGREE / 60 * math.sqrt(math.cos(math.radians(latitude))))
    nyquist = width / 2
    low, high = few * width / window, many * width / window
    best = min((low + high) / 2, nyquist)
    arcmin = round(best, 2) or best
    if arcmin > nyquist:
        arcmin = nyquist
    held = window * arcmin / width
    explanation = (
        f"{arcmin:g} arcmin: a window of {window} pixels holds {held:.1f} anomalies of "
        f"{anomaly_width_km:g} km (wanted: {few} to {many}, that is {low:.3g} to {high:.3g} arcmin), and an "
        f"anomaly is sampled {width / arcmin:.0f} times (at least 2: no coarser than {nyquist:.3g} arcmin)"
    )
    return SpacingAdvice(arcmin, (low, high), nyquist, explanation)

"""The cells that a new spacing asks for, laid over the old ones."""

from __future__ import annotations

import warnings
from fractions import Fraction
from typing import TYPE_CHECKING

from magxr.chunked import respace
from magxr.errors import MagxrWarning, ParameterError
from magxr.steps.spacing import SpacingAdvice, degrees

if TYPE_CHECKING:
    from magxr.geogrid import Grid

FINEST = 100
"""Most new cells along the side of an old one: more is a slip of units, and would not fit anywhere."""


def both_ways(spacing: object) -> tuple[float, float] | None:
    """Read the argument ``spacing`` of `magxr.grid` as degrees along latitude and longitude."""
    if spacing is None:
        return None
    if isinstance(spacing, SpacingAdvice):
        spacing = str(spacing)
    if isinstance(spacing, (tuple, list)):
        if len(spacing) != 2:
            msg = f"spacing={spacing!r} has {len(spacing)} entries; give one, or (latitude, longitude)"
            raise ParameterError(msg)
        return degrees(spacing[0]), degrees(spacing[1])
    return degrees(spacing), degrees(spacing)


def written(spacing: object) -> object:
    """Return a spacing as the history tells it."""
    return [str(s) for s in spacing] if isinstance(spacing, (tuple, list)) else str(spacing)


def new_grid(old: Grid, steps: tuple[float, float]) -> tuple[Grid, tuple[respace.Axis, respace.Axis] | None]:
    """Lay the new cells over the old; no axes where they are the same.

    Parameters
    ----------
    old : Grid
        The cells as they are.
    steps : (float, float)
        Distance of the new cells along latitude and longitude, degrees.

    Raises
    ------
    ParameterError
        If they are far too fine, too coarse for the map, or do not close round the globe.
    """
    for new, was in zip(steps, old.spacing, strict=True):
        if was / new > FINEST:
            msg = (
                f"spacing of {_shown(new)} would cut every cell of {_shown(was)} into {was / new:.3g}; at "
                f"most {FINEST} are allowed: check the unit, or use {_shown(was / FINEST)} or more"
            )
            raise ParameterError(msg)
    ratios = [_ratio(new / was) for new, was in zip(steps, old.spacing, strict=True)]
    if ratios == [1, 1]:
        return old, None
    pixel = old.registration == "pixel"
    rows = respace.axis(old.shape[0], ratios[0], pixel=pixel)
    if old.wraps:
        count = round(360 / steps[1])
        if count < 1 or abs(360 / count / steps[1] - 1) > 1e-5:
            even = 360 / max(count, 1)
            msg = (
                f"spacing of {_shown(steps[1])} along longitude does not divide 360 degrees, which this grid "
                f"goes round; the nearest that does is {even * 60:.10g} arcmin ({even:.10g} deg)"
            )
            raise ParameterError(msg)
        steps = (steps[0], 360 / count)
        cols = respace.axis_around(old.shape[1], count, old.column0, pixel=pixel)
    else:
        cols = respace.axis(old.shape[1], ratios[1], pixel=pixel)
    if min(rows.size, cols.size) < 2:
        msg = (
            f"spacing of {_shown(steps[0])} x {_shown(steps[1])} leaves {rows.size} x {cols.size} cells on a "
            f"map of {old.shape[0]} x {old.shape[1]}; at least 2 x 2 are needed: use a finer spacing"
        )
        raise ParameterError(msg)
    origin = tuple(o + a.first * s for o, a, s in zip(old.origin, (rows, cols), old.spacing, strict=True))
    return old.resized((rows.size, cols.size), (origin[0], origin[1]), steps), (rows, cols)


def warn_if_coarser(old: Grid, new: Grid) -> None:
    """Warn, at the line that called `magxr.grid`, that what is narrow will alias."""
    axes = zip(("latitude", "longitude"), old.spacing, new.spacing, strict=True)
    coarser = [(name, was, now) for name, was, now in axes if now > was * 1.001]
    if coarser:
        names = " and ".join(name for name, _, _ in coarser)
        was, now = max(was for _, was, _ in coarser), max(now for _, _, now in coarser)
        msg = (
            f"the new cells are coarser along {names} ({_shown(now)}) than the data ({_shown(was)}): "
            f"anomalies narrower than {_shown(2 * now)} will alias; smooth them away first"
        )
        warnings.warn(msg, MagxrWarning, stacklevel=3)


def _ratio(value: float) -> Fraction:
    """Return a ratio of spacings as the simple fraction that it was meant to be, else a close one."""
    simple = Fraction(value).limit_denominator(1000)
    if abs(float(simple) / value - 1) < 1e-9:
        return simple
    return Fraction(value).limit_denominator(10**6) or Fraction(1, 10**6)


def _shown(step: float) -> str:
    return f"{step * 60:.6g} arcmin"

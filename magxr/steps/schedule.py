"""How long to diffuse and in which steps: ``steps``, ``tau``, ``time`` and ``cycles`` made to agree."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from magxr.errors import ParameterError
from magxr.kernels.cycles import plan_cycles
from magxr.steps.arguments import is_number, is_whole, number

if TYPE_CHECKING:
    from magxr.kernels.cycles import Cycles

STEPS = 20
"""Steps taken where neither ``steps`` nor ``time`` says otherwise."""
TAU = 0.25
"""Time step where ``tau`` does not say otherwise, heights² of a pixel."""
CYCLES = 3
"""Cycles of `fed` where ``cycles`` does not say otherwise: four times faster than as many explicit steps."""


@dataclass(frozen=True, slots=True)
class Schedule:
    """The steps to take, in heights² of a pixel."""

    time: float
    """Diffusion time."""
    tau: float | None
    """Step of an explicit scheme, None for cycles."""
    steps: int
    """Number of explicit steps, or of cycles."""
    cycles: Cycles | None = None
    """Step sizes by cycle, None for an explicit scheme."""


def schedule(
    scheme: str,
    *,
    steps: Any,
    tau: Any,
    time: Any,
    cycles: Any,
    largest: float,
    narrow: float,
    square: float,
    unit: str,
) -> Schedule:
    """Say which steps to take.

    Parameters
    ----------
    scheme : str
        Name of the scheme; "fed" takes cycles.
    steps, tau, time, cycles
        What the user asked for, None where nothing.
    largest : float
        Largest stable explicit step, heights².
    narrow : float
        How much shorter than on squares steps are for the pixels of the grid, 0 to 1.
    square : float
        One height², in ``unit``.
    unit : str
        Unit of ``tau`` and ``time``.

    Raises
    ------
    ParameterError
        If they are out of range or disagree.
    """
    if steps is not None and not (is_number(steps) and steps == int(steps) and steps >= 1):
        msg = f"steps={steps!r} must be a whole number of at least 1"
        raise ParameterError(msg)
    if time is not None:
        number("time", time, above=0, unit=unit)
    if tau is not None:
        most = None if scheme == "fed" else largest * square
        rule = unit if most is None else f"{unit} (the scheme is stable below about that)"
        number("tau", tau, above=0, most=most, unit=rule)
    if (
        steps is not None
        and tau is not None
        and time is not None
        and not math.isclose(time, steps * tau, rel_tol=1e-9)
    ):
        fix = "give one of them, or make them agree"
        msg = f"time={time:g} is not steps * tau = {steps} * {tau:g} = {steps * tau:g}; {fix}"
        raise ParameterError(msg)
    count = STEPS if steps is None else int(steps)
    length = None if tau is None else tau / square
    whole = count * (TAU if length is None else length) if time is None else time / square
    if scheme == "fed":
        return _cycles(whole, cycles, largest)
    if cycles is not None:
        msg = f"cycles={cycles!r} belongs to scheme='fed'; scheme={scheme!r} takes steps of tau"
        raise ParameterError(msg)
    if length is not None:
        if time is not None and steps is None:
            count = _whole_number(time, tau)
    elif time is not None and steps is not None:
        length = whole / count
        if length > largest:
            more = math.ceil(whole / largest)
            fix = f"take at least steps={more}, or leave steps out"
            msg = (
                f"time={time:g} in steps={steps} makes tau={time / steps:g}, "
                f"but the scheme is stable up to {largest * square:g} {unit}; {fix}"
            )
            raise ParameterError(msg)
    else:
        # On a grid whose pixels get narrow a step of the usual length takes several.
        count = max(1, math.ceil(whole / min(TAU * narrow, largest) - 1e-9))
        length = whole / count
    return Schedule(whole, length, count)


def _cycles(whole: float, cycles: Any, largest: float) -> Schedule:
    if cycles is not None and not is_whole(cycles, 1):
        msg = f"cycles={cycles!r} must be a whole number of at least 1"
        raise ParameterError(msg)
    count = CYCLES if cycles is None else int(cycles)
    return Schedule(whole, None, count, plan_cycles(whole, count, largest))


def _whole_number(time: float, tau: float) -> int:
    whole = round(time / tau)
    if whole < 1 or not math.isclose(time, whole * tau, rel_tol=1e-9):
        more = math.ceil(time / tau)
        fix = f"use tau={time / more:.6g}, which takes {more}, or leave tau out"
        msg = f"time={time:g} is not a whole number of steps of tau={tau:g}; {fix}"
        raise ParameterError(msg)
    return whole

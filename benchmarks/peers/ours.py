"""What is timed and weighed of this package: explicit steps, and time 5 by Fast Explicit Diffusion."""

from __future__ import annotations

import numpy as np
from rivals import RULE, Missing

from magxr.kernels import diffusion

TIME, CYCLES = 5.0, 5
"""Diffusion time, pixels², and tensors made for it."""


def explicit(u: np.ndarray, steps: int) -> np.ndarray:
    """Take explicit steps, with a tensor each."""
    return diffusion.diffuse(u, steps=steps, **RULE)


def gapped(u: np.ndarray, steps: int) -> np.ndarray:
    """Do the same with 2 % of the cells made gaps, in ``u`` itself."""
    u[::7, ::7] = np.nan
    return explicit(u, steps)


def plan() -> tuple[tuple[float, ...], ...]:
    """Return the step sizes of `fed`, cycle by cycle."""
    try:
        from magxr.kernels.cycles import plan_cycles
    except ImportError as reason:
        msg = "this magxr has no magxr.kernels.cycles: no row for fed"
        raise Missing(msg) from reason
    return plan_cycles(TIME, CYCLES, diffusion.TAU_MAX)


def fed(u: np.ndarray, _steps: int = 0) -> np.ndarray:
    """Cover `TIME` with `CYCLES` tensors."""
    cycles = plan()
    from magxr.kernels.fed import fed as kernel

    return kernel(u, cycles=cycles, **{k: v for k, v in RULE.items() if k != "tau"})

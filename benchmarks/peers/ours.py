"""What is timed and weighed of this package: explicit steps, frozen ones, and time 5 by cycles."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from rivals import RULE

from magxr.kernels import diffusion
from magxr.kernels import fed as kernel
from magxr.kernels.cycles import plan_cycles
from magxr.kernels.pixels import diffuse_pixels

if TYPE_CHECKING:
    from collections.abc import Callable

TIME = 5.0
"""Diffusion time, pixels²: that of 20 explicit steps of 0.25."""
FROZEN = {k: v for k, v in RULE.items() if k != "tau"}


def explicit(u: np.ndarray, steps: int) -> np.ndarray:
    """Take explicit steps, with a tensor each."""
    return diffusion.diffuse(u, steps=steps, **RULE)


def pixels(u: np.ndarray, steps: int, scheme: str) -> np.ndarray:
    """Take explicit steps of a scheme with the tensor at pixels."""
    return diffuse_pixels(u, scheme=scheme, steps=steps, **RULE)


def gapped(u: np.ndarray, steps: int) -> np.ndarray:
    """Do the same with 2 % of the cells made gaps, in ``u`` itself."""
    u[::7, ::7] = np.nan
    return explicit(u, steps)


def plan(cycles: int) -> tuple[tuple[float, ...], ...]:
    """Return the step sizes of `fed`, cycle by cycle."""
    return plan_cycles(TIME, cycles, diffusion.TAU_MAX)


def fed(u: np.ndarray, _steps: int = 0, *, cycles: int = 5) -> np.ndarray:
    """Cover `TIME` with as many tensors as there are cycles."""
    return kernel.fed(u, cycles=plan(cycles), **FROZEN)


def frozen(u: np.ndarray) -> Callable[[], None]:
    """Return four steps with a tensor that is there already, in one sweep through memory."""
    n, m = u.shape
    strips = -(-m // (kernel.STRIP - 1))
    tensor = kernel.pages.empty((n + 1, strips, 3 * kernel.STRIP), u.dtype)
    tensor[...] = 0.1
    old, new = kernel.pages.copied(u), kernel.pages.copied(u)
    gains, held = np.full((4, n), 0.05, u.dtype), np.zeros((1, 1), np.bool_)
    return lambda: kernel._flow(old, tensor, gains, held, (0, n), (0, m), new)

r"""The step sizes of Fast Explicit Diffusion: cycles of many small and a few large steps, stable as a whole.

.. math:: \tau_i = \frac{\tau_{max}}{2 \cos^2 (\pi (2 i + 1) / (4 n + 2))}, \quad i = 0 .. n - 1, \quad
          \sum_i \tau_i = \tau_{max} \frac{n^2 + n}{3}

A cycle of n steps covers a time that grows as n², where plain steps would cover :math:`n \tau_{max}`.

References
----------
Grewenig, S., Weickert, J. and Bruhn, A. (2010), From box filtering to fast explicit diffusion, DAGM, LNCS
6376, 533-542.
Weickert, J., Grewenig, S., Schroers, C. and Bruhn, A. (2016), Cyclic schemes for PDE-based image analysis,
Int. J. Comput. Vis. 118, 270-299.
"""

from __future__ import annotations

import math

GROWTH = 1.6
"""How much longer each cycle is than the one before: the tensor changes most at the beginning."""

Cycles = tuple[tuple[float, ...], ...]
"""Step sizes, cycle by cycle."""


def plan_cycles(time: float, count: int, tau_max: float) -> Cycles:
    """Split a diffusion time into cycles of stable length.

    Parameters
    ----------
    time : float
        Diffusion time, in the unit of ``tau_max``.
    count : int
        Number of cycles, with one diffusion tensor each.
    tau_max : float
        Largest stable explicit step.

    Returns
    -------
    tuple of tuples of float
        Step sizes of each cycle, ordered so that no part of a cycle amplifies rounding by much; their sum is
        ``time``. Cycles grow by `GROWTH`.
    """
    weights = [GROWTH**k for k in range(count)]
    return tuple(_cycle(time * w / math.fsum(weights), tau_max) for w in weights)


def _cycle(time: float, tau_max: float) -> tuple[float, ...]:
    # The least n with tau_max (n^2 + n) / 3 >= time; the steps are then scaled down to it.
    n = max(1, math.ceil(0.5 * (math.sqrt(1.0 + 12.0 * time / tau_max * (1 - 1e-12)) - 1.0)))
    whole = tau_max * (n * n + n) / 3.0
    steps = [
        tau_max / (2.0 * math.cos(math.pi * (2 * i + 1) / (4 * n + 2)) ** 2) * time / whole for i in range(n)
    ]
    return _leja(steps, 2.0 / tau_max)


def _leja(steps: list[float], fastest: float) -> tuple[float, ...]:
    """Order steps after Leja: the next one is where the polynomial of those taken is largest.

    ``1 / tau`` are the roots of the cycle's polynomial in the rate, which lie within 0 and ``fastest``.
    """
    roots = sorted((1.0 / tau for tau in steps), reverse=True)
    ordered = [roots.pop(0)]
    while roots:
        best = max(roots, key=lambda r: math.fsum(math.log(abs(r - o) / fastest) for o in ordered))
        roots.remove(best)
        ordered.append(best)
    return tuple(1.0 / r for r in ordered)

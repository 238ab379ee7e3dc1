"""The neighbour vote that settles uncertain predictions."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from magxr.kernels.areas import areas
from magxr.kernels.extremes import replace_by_extremes
from magxr.kernels.tally import (
    ABOVE,
    ANSWERED,
    BELOW,
    DOWN,
    KEEP,
    LINEAR,
    NONLINEAR,
    ROUNDING,
    UNCERTAIN,
    UP,
    decide,
    decide_in_areas,
    states,
)

if TYPE_CHECKING:
    from numpy.typing import NDArray

To = Literal["certain", "extreme"]
Ties = Literal["keep", "linear", "nonlinear"]
_TIES = {"keep": KEEP, "linear": LINEAR, "nonlinear": NONLINEAR}


def vote(
    probability: NDArray[np.float32],
    where: NDArray[Any] | None = None,
    sides: NDArray[Any] | None = None,
    *,
    neighbours: int,
    keep: tuple[float, float],
    majority: float,
    cut: float,
    to: To,
    ties: Ties,
) -> NDArray[np.float32]:
    """Replace uncertain predictions by what most of their neighbours say.

    Parameters
    ----------
    probability : (rows, columns) float32
        0 to 1; NaN is no answer, which neither votes nor is voted on.
    where : (rows, columns), optional
        Nonzero where predictions may be changed (NaN: not).
    sides : (rows, columns), optional
        Labels; only neighbours with the cell's own label vote. NaN is one label more.
    neighbours : int
        Side of the neighbourhood, odd; the cell itself is part of it.
    keep : (float, float)
        Predictions below the first or above the second stand.
    majority, cut : float
        A share of at least ``majority`` of the answers above ``cut`` makes a cell linear, of answers below
        ``cut`` nonlinear.
    to : {"certain", "extreme"}
        The new value: 1 or 0, or the largest or smallest answer of the neighbourhood.
    ties : {"keep", "linear", "nonlinear"}
        What to do where both shares reach ``majority``.

    Returns
    -------
    (rows, columns) float32
    """
    p = np.ascontiguousarray(probability)
    out = p.copy()
    state = states(p, *(p.dtype.type(v) for v in (*keep, cut)))
    if where is not None:
        state[np.nan_to_num(where) == 0] &= ~UNCERTAIN
    if not (state & UNCERTAIN).any():
        return out
    half, tie = neighbours // 2, _TIES[ties]
    parts = None if sides is None else areas(np.asarray(sides), state)
    if parts is None:
        verdict = decide(state, half, float(majority), tie)
    else:
        verdict = decide_in_areas(state, parts, half, float(majority), tie)
    for says, side, largest in ((UP, ABOVE, True), (DOWN, BELOW, False)):
        wanted = verdict == says
        if to == "extreme":
            # Whoever has a majority has a vote, unless none is needed.
            among = (state & (side if majority > ROUNDING else ANSWERED)) != 0
            replace_by_extremes(out, p, wanted, among, half, parts, largest=largest)
        else:
            out[wanted] = largest
    return out

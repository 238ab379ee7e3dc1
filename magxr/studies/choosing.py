"""Choose among candidates: by gain, by what they make up, and by a second look."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from magxr.studies.tuned import NOTHING

if TYPE_CHECKING:
    import xarray as xr

    from magxr.studies.candidates import Candidate
    from magxr.studies.judges import Judge, Verdict


def best_variance(judge: Judge, ranks: list[Candidate], found: list[Verdict], off: Candidate) -> float | None:
    """Return the share of variance that is shown to help, None for no low-rank step."""
    best = max(zip(ranks, found, strict=True), key=lambda pair: pair[1].gain, default=None)
    if best is None or not best[1].low > 0.0:
        return None
    again = judge.confirm(best[0], off) or best[1]
    return best[0].variance if again.low > 0.0 else None


def choose(
    judge: Judge,
    tried: list[Candidate],
    found: list[Verdict],
    table: xr.Dataset,
    base: Candidate,
    made_up: float,
) -> tuple[Candidate | None, tuple[float, float, float], str]:
    """Return the candidate that helps and makes up little, its gain and why; None where there is no such.

    Parameters
    ----------
    judge : Judge
    tried, found : list
        Candidates, and their gains over ``base``.
    table : xarray.Dataset
        With ``noise_high``, ``noise_after`` and ``map_after`` on ``candidate``, shares of the area.
    base : Candidate
        No diffusion.
    made_up : float
        Largest ``noise_high``.
    """
    order = np.argsort([-v.gain for v in found])
    helping = [n for n in order if found[n].low > 0.0]
    if not helping:
        best = tried[order[0]].name
        return (
            None,
            NOTHING,
            (
                f"No candidate's gain has an interval above 0; the best, {best!r}, gains "
                f"{_shown(found[order[0]])}. Diffusion is not shown to help."
            ),
        )
    high = table["noise_high"].values
    honest = [n for n in helping if high[n] <= made_up]
    if not honest:
        lowest = helping[int(np.argmin(high[helping]))]
        return (
            None,
            NOTHING,
            (
                f"{len(helping)} of {len(tried)} candidates gain, but all of them draw lines into more than "
                f"{100 * made_up:g} % of noise with the map's spectrum ({tried[lowest].name!r} into up to "
                f"{100 * high[lowest]:.1f} %)."
            ),
        )
    n = honest[0]
    again = judge.confirm(tried[n], base) or found[n]
    passed = [tried[k].name for k in helping[: helping.index(n)]]
    aside = f" Passed over, as they make up more: {', '.join(passed)}." if passed else ""
    if not again.low > 0.0:
        return (
            None,
            NOTHING,
            (
                f"{tried[n].name!r} gains {_shown(found[n])} where it was chosen, but {_shown(again)} on "
                f"cells that it was not chosen by. Diffusion is not shown to help.{aside}"
            ),
        )
    reason = (
        f"{tried[n].name!r} gains {_shown(again)} and leaves {100 * float(table['noise_after'][n]):.1f} % of "
        f"noise with the map's spectrum coherent, against {100 * float(table['map_after'][n]):.1f} % of the "
        f"map.{aside}"
    )
    return tried[n], (again.gain, again.low, again.high), reason


def _shown(verdict: Verdict) -> str:
    return f"{100 * verdict.gain:+.1f} % ({100 * verdict.low:+.1f} to {100 * verdict.high:+.1f} %)"

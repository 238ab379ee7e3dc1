"""Choose a diffusion for a map by what it gains and what it makes up, or say that none helps."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr

from magxr.errors import GridError, ParameterError
from magxr.labelled import anomaly
from magxr.steps.arguments import is_whole, number
from magxr.steps.diffusion import diffuse
from magxr.steps.outliers import summary
from magxr.studies.candidates import INTEGRATION_SCALES, NOISE_SCALE, OFF, VARIANCES, Candidate, by_rule, named
from magxr.studies.features import extractor
from magxr.studies.hiding import hold_outs
from magxr.studies.interval import checked_seeds
from magxr.studies.judges import HiddenCells, LabelledWindows, Verdict
from magxr.studies.meter import hallucination
from magxr.studies.stripes import best_part, stripes
from magxr.studies.tuned import NOTHING, Tuned

if TYPE_CHECKING:
    from collections.abc import Hashable, Iterable, Mapping
    from pathlib import Path

    from magxr.studies.judges import Features, Judge
    from magxr.studies.stripes import Stripes

SEEDS = (0, 1, 2)
"""Fields of noise for the meter."""
MADE_UP = 0.05
"""Share of noise that may be coherent after diffusion: one false alarm in twenty."""
_METER = ("noise_before", "noise_after", "noise_low", "noise_high", "map_before", "map_after")


def tune(
    obj: xr.Dataset | xr.DataArray,
    labels: str | Path | xr.Dataset | None = None,
    *,
    features: str | Features = "orientation",
    candidates: Mapping[str, Mapping[str, Any]] | None = None,
    variances: Iterable[float] = VARIANCES,
    made_up: float = MADE_UP,
    size: int = 250,
    stride: int = 50,
    side: int = 1024,
    folds: int = 5,
    block: int | None = None,
    seeds: Iterable[int] = SEEDS,
    variable: Hashable | None = None,
) -> Tuned:
    r"""Choose sigma, rho and steps of a diffusion for a map, or none where none is shown to help.

    Parameters
    ----------
    obj : xarray.Dataset or xarray.DataArray
        Anomaly as `magxr.grid` leaves it, nT, on latitude and longitude; before `magxr.denoise`. Cells that its
        coordinate ``filled`` says were interpolated do not judge.
    labels : path or Dataset, optional
        Label table of the map's windows of ``size`` at ``stride``, as `magxr.label_windows` takes it. Without,
        hidden cells of the map itself judge.
    features : {"orientation"}, str or callable
        With labels: what the head learns from. Seven numbers on coherence and strike of a window, without a
        network; or the name of a trunk, such as "vgg16-hed" (about 0.25 s a window and candidate on two
        cores); or a function of windows (n, size, size), nT, that returns (n, d).
    candidates : mapping, optional
        Name -> arguments of `magxr.diffuse`. Default: its own defaults and six from the width of the stripes,
        see Notes.
    variances : iterable of float
        Shares of variance that are tried for `magxr.denoise`; () for none.
    made_up : float
        Largest share of noise, 0 to 1, that may be coherent (above 0.7) after diffusion.
    size, stride : int
        Of the windows in which `magxr.wavelength` looks for stripes, and that labels are of; cells.
    side : int
        Longest side, cells, of the part that is looked at; of a larger map that with most windows of stripes.
        With labels the whole map is.
    folds : int
        With labels: parts of the cross-validation, at least 2.
    block : int, optional
        With labels: side of the squares of windows that stay together, cells; default ``size``.
    seeds : iterable of int
        Fields of noise, at least two; the first fixes the hidden discs, the folds and redraws too.
    variable : hashable, optional
        Name of the anomaly in a Dataset, where units do not tell.

    Returns
    -------
    Tuned
        ``chosen`` for ``diffuse(**chosen)`` or None, ``variance`` for `magxr.denoise` or None, ``reason``,
        ``gain`` with its interval, ``table`` (Dataset of all candidates), ``stripes``, ``report()`` (Markdown)
        and ``figure()``.

    Raises
    ------
    GridError
        If the map has no data, is smaller than a window, has too little without gaps for a spectrum, or hidden
        cells lie in fewer than 8 blocks.
    ParameterError
        If an argument, or one of a candidate, is out of range; if labels are of one class, belong to other
        windows, or lie in fewer blocks than folds.

    Notes
    -----
    Calling this computes, in memory, about twenty times the size of the part (with labels, of the map). On
    450 x 450 cells it takes seconds.

    **What is tried.** W is the median of `magxr.wavelength`, in cells. ``sigma`` = W / 16, at least half a cell:
    it leaves 93 % of a stripe's slope. ``rho`` = W / 4 or W / 2: the squared slope comes and goes twice a wave,
    and its mean still does by exp(-8 pi² (rho / W)²), 29 % at W / 8 but 0.7 % at W / 4. ``steps``: along a
    stripe the result is a Gaussian mean of standard deviation L = sqrt(2 time), W / 8, W / 4 or W / 2. And the
    defaults of `magxr.diffuse`.

    **What helps.** Without labels: discs with a radius of W / 8, a tenth of the map, are hidden and filled by
    splines; the gain is the share by which their rms error shrinks once the filled map is diffused. The noise
    of a cell is not seen by what foretells it, so that smoothing noise gains, smoothing stripes away loses, and
    a map without noise loses by any. With labels: a logistic head on the features, cross-validated by blocks
    that share no cell with what it is trained on; the gain is that in balanced accuracy. Intervals redraw
    blocks 2000 times.

    **What is chosen.** First `magxr.denoise`, then the diffusion after it. Of the candidates whose gain has an
    interval above 0 and that make up no more than ``made_up`` (the upper end over seeds of the coherent share
    in noise with the map's spectrum, `magxr.studies.hallucination`), the one with the largest gain. Without
    labels it is measured again on a second set of discs, which share no cell with the first, and stays only if
    that interval is above 0 too. With labels the intervals allow for the number of candidates (Bonferroni).

    What it does not see: an error that is smooth over a disc, such as levels of surveys or interpolation between
    tracks wider apart than W / 4. On 40 synthetic scenes it brought most of what the best fixed choice brings
    and did less harm (docs/howto/tune.md).

    References
    ----------
    Ghosh et al. (2026), Sci. Rep. 16, 1185: sigma, rho and T by area, chosen by eye (Table S3).
    Batson, J. and Royer, L. (2019), Noise2Self: blind denoising by self-supervision, ICML, PMLR 97, 524-533.
    """
    numbers = checked_seeds(seeds)
    number("made_up", made_up, least=0, most=1, unit="a share of the area")
    for name, value, least in (("side", side, size if is_whole(size, 1) else 1), ("folds", folds, 2)):
        if not is_whole(value, least):
            msg = f"{name}={value!r} must be a whole number of at least {least}"
            raise ParameterError(msg)
    if block is not None and not is_whole(block, 1):
        msg = f"block={block!r} must be a whole number of cells, at least 1"
        raise ParameterError(msg)
    shares = [number("variances", v, above=0, most=1, unit="a share of the variance") for v in variances]
    da = anomaly(obj, variable)
    own = None if candidates is None else named(candidates, None)
    for one in own or ():
        diffuse(da.chunk(), **dict(one.diffusion or {}))  # its graph is built, to be refused before any work
    part, found = best_part(da, size=size, stride=stride, side=side if labels is None else max(da.shape))
    if not np.isfinite(part.values).any():
        msg = "the map has no data at all: all cells are missing; give a part that has some"
        raise GridError(msg)
    width = stripes(found, part)
    told = {"made_up_limit": made_up, "size": size, "stride": stride, "seeds": numbers}
    sigma, rho = (1.0, 4.0)
    if width.answered:
        sigma, rho = max(0.5, NOISE_SCALE * width.cells), INTEGRATION_SCALES[0] * width.cells
    judge: Judge
    if labels is not None:
        how = extractor(features, sigma, rho)
        judge = LabelledWindows.of(
            part, labels, how, size=size, stride=stride, block=block, folds=folds, seed=numbers[0]
        )
    elif width.answered:
        scale = float(summary(part)["interquartile_range"])
        judge = HiddenCells(hold_outs(part, width.cells, scale, numbers[0]), numbers[0])
    else:
        reason = (
            f"None of {width.windows} windows has a dominant wavelength: there are no stripes to follow, and "
            "nothing says how wide the scales should be."
        )
        empty = _table([], [], None, told)
        return Tuned(None, None, reason, NOTHING, empty, _variances([], []), width)

    off = Candidate(OFF, None)
    ranks = [Candidate(f"variance {v:g}", None, v) for v in shares]
    by_rank = judge.compare(ranks, off)
    variance = _variance(judge, ranks, by_rank, off)
    base = Candidate(OFF, None, variance)
    if candidates is None:
        rule = by_rule(width.cells) if width.answered else {"defaults": {}}
        tried = named(rule, variance)
    else:
        tried = named(candidates, variance)
    verdicts = judge.compare(tried, base)
    cleaned = base.applied(part)
    meters = xr.concat([_meter(cleaned, c, numbers) for c in tried], dim="candidate")
    table = _table(tried, verdicts, meters, {**told, "measure": judge.measure})
    chosen, gain, reason = _chosen(judge, tried, verdicts, table, base, made_up)
    return Tuned(
        None if chosen is None else dict(chosen.diffusion or {}),
        variance,
        reason,
        gain,
        table,
        _variances(shares, by_rank),
        width,
    )


def _variance(
    judge: Judge, ranks: list[Candidate], found: list[Verdict], off: Candidate
) -> float | None:
    """Return the share of variance that is shown to help, None for no low-rank step."""
    best = max(zip(ranks, found, strict=True), key=lambda pair: pair[1].gain, default=None)
    if best is None or not best[1].low > 0.0:
        return None
    return best[0].variance if judge.confirm(best[0], off, best[1]).low > 0.0 else None


def _chosen(
    judge: Judge,
    tried: list[Candidate],
    found: list[Verdict],
    table: xr.Dataset,
    base: Candidate,
    made_up: float,
) -> tuple[Candidate | None, tuple[float, float, float], str]:
    order = np.argsort([-v.gain for v in found])
    helping = [n for n in order if found[n].low > 0.0]
    if not helping:
        best = tried[order[0]].name
        return None, NOTHING, (
            f"No candidate's gain has an interval above 0; the best, {best!r}, gains "
            f"{_shown(found[order[0]])}. Diffusion is not shown to help."
        )
    high = table["noise_high"].values
    honest = [n for n in helping if high[n] <= made_up]
    if not honest:
        lowest = helping[int(np.argmin(high[helping]))]
        return None, NOTHING, (
            f"{len(helping)} of {len(tried)} candidates gain, but all of them draw lines into more than "
            f"{100 * made_up:g} % of noise with the map's spectrum ({tried[lowest].name!r} into up to "
            f"{100 * high[lowest]:.1f} %)."
        )
    n = honest[0]
    again = judge.confirm(tried[n], base, found[n])
    passed = [tried[k].name for k in helping[: helping.index(n)]]
    aside = f" Passed over, as they make up more: {', '.join(passed)}." if passed else ""
    if not again.low > 0.0:
        return None, NOTHING, (
            f"{tried[n].name!r} gains {_shown(found[n])} where it was chosen, but {_shown(again)} on cells that it "
            f"was not chosen by. Diffusion is not shown to help.{aside}"
        )
    reason = (
        f"{tried[n].name!r} gains {_shown(again)} and leaves {100 * float(table['noise_after'][n]):.1f} % of noise "
        f"with the map's spectrum coherent, against {100 * float(table['map_after'][n]):.1f} % of the map.{aside}"
    )
    return tried[n], (again.gain, again.low, again.high), reason


def _shown(verdict: Verdict) -> str:
    return f"{100 * verdict.gain:+.1f} % ({100 * verdict.low:+.1f} to {100 * verdict.high:+.1f} %)"


def _meter(da: xr.DataArray, candidate: Candidate, seeds: list[int]) -> xr.Dataset:
    """Return the coherent shares of noise and map around one diffusion."""
    of = hallucination(da, seeds=seeds, **dict(candidate.diffusion or {})).shares
    noise, itself = of["coherent_share_interval"], of["map_coherent_share"]
    after = noise.sel(stage="after", drop=True)
    values = [
        noise.sel(stage="before", estimate="mean", drop=True),
        *(after.sel(estimate=e, drop=True) for e in ("mean", "low", "high")),
        *(itself.sel(stage=s, drop=True) for s in ("before", "after")),
    ]
    return xr.Dataset({k: ((), float(v), {"units": "1"}) for k, v in zip(_METER, values, strict=True)})


def _table(
    tried: list[Candidate], found: list[Verdict], meters: xr.Dataset | None, told: Mapping[str, Any]
) -> xr.Dataset:
    table = _gains(found, "candidate")
    if meters is None:
        table = table.assign({k: ("candidate", np.empty(0), {"units": "1"}) for k in _METER})
    else:
        table = table.assign(dict(meters.data_vars))
    text = [json.dumps(dict(c.diffusion or {}), default=lambda v: f"<{type(v).__name__}>") for c in tried]
    table = table.assign(diffuse=("candidate", np.array(text, dtype=object)))
    table = table.assign_coords(candidate=[c.name for c in tried])
    attrs: dict[str, Any] = {"measure": "none", **told}
    attrs["interval"] = "Intervals: 95 %, by redrawing blocks."
    attrs["made_up"] = (
        "share of the area with a coherence above 0.7 in noise with the map's spectrum, and in the map; the "
        f"interval is over {len(told['seeds'])} fields of noise."
    )
    return table.assign_attrs(attrs)


def _variances(shares: list[float], found: list[Verdict]) -> xr.Dataset:
    return _gains(found, "variance").assign_coords(variance=np.array(shares, np.float64))


def _gains(found: list[Verdict], dim: str) -> xr.Dataset:
    columns = {"gain": [v.gain for v in found], "gain_low": [v.low for v in found]}
    columns["gain_high"] = [v.high for v in found]
    if found and np.isfinite(found[0].score[0]):
        for n, end in enumerate(("", "_low", "_high")):
            columns[f"balanced_accuracy{end}"] = [v.score[n] for v in found]
    return xr.Dataset({k: (dim, np.array(v, np.float64), {"units": "1"}) for k, v in columns.items()})

"""Choose a diffusion for a map by what it gains and what it makes up, or say that none helps."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr

from magxr.errors import GridError, ParameterError
from magxr.labelled import anomaly
from magxr.steps.arguments import is_whole, number
from magxr.steps.cells import matched
from magxr.steps.diffusion import diffuse
from magxr.steps.outliers import summary
from magxr.studies import tallies
from magxr.studies.candidates import (
    OFF,
    VARIANCES,
    Candidate,
    by_rule,
    named,
)
from magxr.studies.choosing import best_variance, choose
from magxr.studies.features import extractor
from magxr.studies.hiding import hold_outs
from magxr.studies.interval import checked_seeds
from magxr.studies.judges import HiddenCells, LabelledWindows
from magxr.studies.stripes import best_part, stripes
from magxr.studies.tuned import NOTHING, Tuned

if TYPE_CHECKING:
    from collections.abc import Hashable, Iterable, Mapping
    from pathlib import Path

    from magxr.studies.features import Features
    from magxr.studies.judges import Judge

SEEDS = (0, 1, 2)
"""Fields of noise for the meter."""
MADE_UP = 0.05
"""Share of noise that may be coherent after diffusion: one false alarm in twenty."""


def tune(
    obj: xr.Dataset | xr.DataArray,
    labels: str | Path | xr.Dataset | None = None,
    *,
    features: str | Features = "alignment",
    candidates: Mapping[str, Mapping[str, Any]] | None = None,
    measured: xr.DataArray | None = None,
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
        Anomaly as `magxr.grid` leaves it, nT, on latitude and longitude; before `magxr.denoise`. Cells that
        its coordinate ``filled`` says were interpolated do not judge.
    labels : path or Dataset, optional
        Label table of the map's windows of ``size`` at ``stride``, as `magxr.label_windows` takes it.
        Without, hidden cells of the map itself judge.
    features : {"alignment"}, str or callable
        With labels: what the head learns from. How parallel the anomalies of a window are, without a network
        (`magxr.kernels.alignment`; sides of 64 cells or more, about 0.04 s a window of 250 and candidate); or
        the name of a trunk, such as "vgg16-hed" (about 0.25 s on two cores); or a function of windows
        (n, size, size), nT, that returns (n, d).
    candidates : mapping, optional
        Name -> arguments of `magxr.diffuse`. Default: its own defaults and six from the width of the stripes,
        see Notes.
    measured : xarray.DataArray of bool, optional
        Without labels: cells that ships measured, on the cells of the map. Where most of a map was
        interpolated between tracks, give it: what was interpolated cannot judge, and does then not.
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
        With labels: parts of the cross-validation, at least 3.
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
        ``gain`` with its interval, ``table`` (Dataset of all candidates), ``stripes``, ``report()``
        (Markdown) and ``figure()``.

    Raises
    ------
    GridError
        If the map has no data, is smaller than a window, has too little without gaps for a spectrum, or
        hidden cells lie in fewer than 8 blocks.
    ParameterError
        If an argument, or one of a candidate, is out of range; if labels belong to other windows, lie in
        fewer blocks than folds, or leave a fold without one of the classes.

    Notes
    -----
    Calling this computes, in memory: less than forty times the size of the part (with labels, of the map). It
    takes about as long as a hundred calls of `magxr.structure` on it, and more where gaps between tracks are
    filled anew.

    **What is tried.** W is the median of `magxr.wavelength`, in cells. ``sigma`` = W / 16, at least half a
    cell: it leaves 93 % of a stripe's slope. ``rho`` = W / 4 or W / 2: the squared slope comes and goes
    twice a wave, and its mean still does by exp(-8 pi² (rho / W)²), 29 % at W / 8 but 0.7 % at W / 4.
    ``steps``: along a stripe the result is a Gaussian mean of standard deviation L = sqrt(2 time), W / 8, W
    / 4 or W / 2. And the defaults of `magxr.diffuse`.

    **What helps.** Without labels: discs with a radius of W / 8, a tenth of the map, are hidden and filled by
    splines; the gain is the share by which their rms error shrinks once the filled map is diffused. The noise
    of a cell is not seen by what foretells it, so that smoothing noise gains and smoothing stripes away
    loses. With ``measured``, or where the coordinate ``filled`` says so, all else is interpolated anew
    without the discs; where less than half of the cells were measured the radius is W / 4. With labels: a
    logistic head on the features, trained as that of the model "transfer", cross-validated by
    blocks that share no cell with what it is trained on; the gain is that in balanced accuracy. Intervals
    redraw blocks 2000 times.

    **What is chosen.** First `magxr.denoise`, then the diffusion after it. Of the candidates whose gain has
    an interval above 0 and that make up no more than ``made_up`` (the upper end over seeds of the coherent
    share in noise with the map's spectrum, `magxr.studies.hallucination`), the one with the largest gain.
    Without labels it is measured again on a second set of discs, which share no cell with the first, and
    stays only if that interval is above 0 too. With labels the intervals allow for the number of candidates
    (Bonferroni).

    What it does not see: an error that is smooth over a disc, such as levels of surveys, or interpolation
    between tracks that ``measured`` does not tell of. It then says "off" where a mild diffusion would have
    helped: it errs to that side (figures in docs/howto/tune.md).

    References
    ----------
    Ghosh et al. (2026), Sci. Rep. 16, 1185: sigma, rho and T differ by area; rho must not be underestimated.
    Batson, J. and Royer, L. (2019), Noise2Self: blind denoising by self-supervision, ICML, PMLR 97, 524-533.
    """
    numbers = checked_seeds(seeds)
    number("made_up", made_up, least=0, most=1, unit="a share of the area")
    for name, value, least in (("side", side, size if is_whole(size, 1) else 1), ("folds", folds, 3)):
        if not is_whole(value, least):
            msg = f"{name}={value!r} must be a whole number of at least {least}"
            raise ParameterError(msg)
    if block is not None and not is_whole(block, 1):
        msg = f"block={block!r} must be a whole number of cells, at least 1"
        raise ParameterError(msg)
    shares = [number("variances", v, above=0, most=1, unit="a share of the variance") for v in variances]
    labelled = None
    if labels is not None:
        labelled = partial(
            LabelledWindows.of, labels=labels, features=extractor(features, size),
            size=size, stride=stride, block=block, folds=folds, seed=numbers[0],
        )  # fmt: skip
    da = anomaly(obj, variable)
    _check_measured(da, measured, labels)
    own = None if candidates is None else named(candidates, None)
    for one in own or ():
        diffuse(da.chunk(), **dict(one.diffusion or {}))  # its graph is built, to be refused before any work
    part, found = best_part(da, size=size, stride=stride, side=side if labels is None else max(da.shape))
    if not np.isfinite(part.values).any():
        msg = "the map has no data at all: all cells are missing; give a part that has some"
        raise GridError(msg)
    width = stripes(found, part)
    told: dict[str, Any] = {"made_up_limit": made_up, "size": size, "stride": stride, "seeds": numbers}
    judge: Judge
    if labelled is not None:
        judge = labelled(part)
    elif width.answered:
        scale = float(summary(part)["interquartile_range"])
        known = None if measured is None else np.asarray(matched(part, measured, "measured")) == 1
        judge = HiddenCells(hold_outs(part, width.cells, scale, numbers[0], known), numbers[0])
    else:
        reason = (
            f"None of {width.windows} windows has a dominant wavelength: there are no stripes to follow, and "
            "nothing says how wide the scales should be."
        )
        empty = tallies.by_candidate([], [], None, told)
        return Tuned(None, None, reason, NOTHING, empty, tallies.by_variance([], []), width)

    off = Candidate(OFF, None)
    ranks = [Candidate(f"variance {v:g}", None, v) for v in shares]
    by_rank = judge.compare(ranks, off)
    variance = best_variance(judge, ranks, by_rank, off)
    base = Candidate(OFF, None, variance)
    if candidates is None:
        rule = by_rule(width.cells) if width.answered else {"defaults": {}}
        tried = named(rule, variance)
    else:
        tried = named(candidates, variance)
    verdicts = judge.compare(tried, base)
    cleaned = base.applied(part)
    meters = xr.concat([tallies.made_up(cleaned, c, numbers) for c in tried], dim="candidate")
    told |= {"measure": judge.measure, "off": judge.compare([base], base)[0].score}
    table = tallies.by_candidate(tried, verdicts, meters, told)
    chosen, gain, reason = choose(judge, tried, verdicts, table, base, made_up)
    return Tuned(
        None if chosen is None else dict(chosen.diffusion or {}),
        variance,
        reason,
        gain,
        table,
        tallies.by_variance(shares, by_rank),
        width,
    )


def _check_measured(da: xr.DataArray, measured: Any, labels: Any) -> None:
    if measured is None:
        return
    if labels is not None:
        msg = (
            "measured= says which hidden cells judge, but labels were given and judge; leave one of them out"
        )
        raise ParameterError(msg)
    if getattr(measured, "dtype", None) != np.bool_ or not isinstance(measured, xr.DataArray):
        fix = "give True for measured cells, e.g. measured=tracks.notnull()"
        msg = f"measured must be a DataArray of truth values, not {type(measured).__name__}; {fix}"
        raise ParameterError(msg)
    matched(da, measured, "measured")

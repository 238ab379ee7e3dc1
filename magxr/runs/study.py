"""``magxr study``: prepare a map as a run does, study it, and leave a table and a picture."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from magxr.errors import ParameterError
from magxr.labelled import anomaly
from magxr.runs.config import configure
from magxr.runs.leave import StudyResult, free, leave
from magxr.runs.method import cleaned
from magxr.runs.source import check_values, open_source
from magxr.steps.arguments import is_whole
from magxr.studies.closing import VARIANTS, gap_closing
from magxr.studies.meter import MEASURES, hallucination
from magxr.studies.tuning import tune

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    import pandas as pd
    import xarray as xr


def study_hallucination(
    region: str,
    out: str | Path,
    *,
    seeds: int = 5,
    coherent: float = 0.7,
    model: str | None = None,
    stride: int = 50,
    parameters: Mapping[str, Any] | None = None,
    **source: Any,
) -> StudyResult:
    """Measure what diffusion makes up on a region, from the map that a run would diffuse.

    Parameters
    ----------
    region : str
        Name of a region of the catalog, or path of a grid.
    out : str or Path
        Folder to make for ``hallucination.csv``, ``.json`` and ``.png``; must not exist.
    seeds : int
        How many fields of noise.
    coherent, model, stride
        As in `magxr.studies.hallucination`.
    parameters : mapping, optional
        Of `magxr.diffuse`.
    **source
        What to read and how to prepare it: ``path``, ``variable``, ``units``, ``crs``, ``bounds`` and
        ``spacing`` of `magxr.runs.config.RunConfig`. Outliers are removed, gaps filled, and the low-rank
        step taken, as a run does by default.

    Returns
    -------
    StudyResult

    Raises
    ------
    MagxrError
        If the source, an argument or ``out`` cannot be used; then nothing is left.
    """
    folder = free(out)
    numbers = _numbers(seeds)
    _, denoised = _maps(region, folder, source)
    found = hallucination(
        denoised, coherent=coherent, seeds=numbers, model=model, stride=stride, **(parameters or {})
    )
    rows = [found.shares[list(_measures(found.shares))].to_dataframe().reset_index().assign(field="noise")]
    itself = found.shares[[f"map_{k}" for k in _measures(found.shares)]].to_dataframe().reset_index()
    rows.append(itself.rename(columns=lambda k: k.removeprefix("map_")).assign(field="map"))
    told = {"region": str(region), **found.shares.attrs}
    return _left(folder, "hallucination", rows, told, found)


def study_gaps(
    out: str | Path,
    *,
    seeds: int = 5,
    widths: Sequence[int] = (4, 8, 16, 32),
    side: int = 256,
    parameters: Mapping[str, Any] | None = None,
    **scenes: Any,
) -> StudyResult:
    """Measure what splines and diffusion bring back of synthetic sea floor between tracks.

    Parameters
    ----------
    out : str or Path
        Folder to make for ``gaps.csv``, ``.json`` and ``.png``; must not exist.
    seeds : int
        How many scenes.
    widths : sequence of int
        Gaps, cells.
    side : int
        Rows and columns of a scene.
    parameters : mapping, optional
        Of `magxr.diffuse`, for every variant that diffuses.
    **scenes
        ``track``, ``crossing``, ``noise`` of `magxr.studies.gap_closing`.

    Returns
    -------
    StudyResult

    Raises
    ------
    MagxrError
        If an argument or ``out`` cannot be used; then nothing is left.
    """
    folder = free(out)
    variants = {k: v if v is None else {**(parameters or {}), **v} for k, v in VARIANTS.items()}
    found = gap_closing(widths=widths, seeds=_numbers(seeds), variants=variants, shape=(side, side), **scenes)
    columns = ["correlation", "rms", "correlation_gain", "hidden_share", "unfilled_share"]
    rows = [found.scores[columns].to_dataframe().reset_index()]
    return _left(folder, "gaps", rows, found.scores.attrs, found)


def study_tune(
    region: str,
    out: str | Path,
    *,
    labels: str | Path | None = None,
    seeds: int = 3,
    options: Mapping[str, Any] | None = None,
    **source: Any,
) -> StudyResult:
    """Choose a diffusion for a region, from the map that a run would denoise.

    Parameters
    ----------
    region : str
        Name of a region of the catalog, or path of a grid.
    out : str or Path
        Folder to make for ``tune.csv``, ``.json``, ``.md`` (the report) and, where there was something to
        try, ``.png``; must not exist.
    labels : str or Path, optional
        Label table, as in `magxr.tune`.
    seeds : int
        How many fields of noise.
    options : mapping, optional
        ``features``, ``made_up``, ``size``, ``stride``, ``side``, ``folds`` and ``block`` of `magxr.tune`.
    **source
        What to read and how to prepare it, as in `study_hallucination`; the low-rank step is not taken.

    Returns
    -------
    StudyResult
        ``picture`` is the report where nothing was tried.

    Raises
    ------
    MagxrError
        If the source, an argument or ``out`` cannot be used; then nothing is left.
    """
    folder = free(out)
    numbers = _numbers(seeds)
    gridded, _ = _maps(region, folder, source)
    found = tune(gridded, labels, seeds=numbers, **(options or {}))
    rows = [found.table.to_dataframe().reset_index(), found.variances.to_dataframe().reset_index()]
    told = {"region": str(region), "chosen": found.chosen, "variance": found.variance, **found.table.attrs}
    return _left(folder, "tune", rows, told, found)


def _maps(region: str, folder: Path, source: Mapping[str, Any]) -> tuple[xr.DataArray, xr.DataArray]:
    """Read a region as a run does; return it gridded, and denoised as well; lazy."""
    config = configure(region, folder, **source)
    opened = open_source(config)
    check_values(opened)
    gridded, denoised = cleaned(opened, config)
    return anomaly(gridded), anomaly(denoised)


def _measures(shares: xr.Dataset) -> tuple[str, ...]:
    return tuple(k for k in (*MEASURES, "answered_windows") if k in shares)


def _numbers(seeds: Any) -> range:
    if not is_whole(seeds, 2):
        msg = f"seeds={seeds!r} must be a whole number of at least 2, or there is no interval; try 5"
        raise ParameterError(msg)
    return range(int(seeds))


def _left(
    folder: Path, name: str, rows: list[pd.DataFrame], told: Mapping[str, Any], found: Any
) -> StudyResult:
    """Put the rows into one table, what names a row first, and leave it."""
    import pandas as pd

    table = pd.concat(rows, ignore_index=True)
    first = [c for c in ("candidate", "variance", "field", "variant", "width", "seed", "stage") if c in table]
    table = table[[*first, *(c for c in table if c not in first)]]
    if "seed" in table:
        table["seed"] = table["seed"].astype("Int64")  # the map itself has none
    drawn = name != "tune" or found.table.sizes["candidate"] > 0
    return leave(folder, name, table, told, found, drawn=drawn)

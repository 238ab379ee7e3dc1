"""From a catalog entry to a store, pictures and a report: the whole method on one screen."""

from __future__ import annotations

import os
import time
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from magxr.errors import ChunkError
from magxr.io import store
from magxr.labelled import anomaly, canonical, check_labelled
from magxr.models.spec import load
from magxr.runs.cluster import computing
from magxr.runs.config import Preset, RunConfig, configure
from magxr.runs.output import check_target, publish, working_folder
from magxr.runs.present import Findings, present
from magxr.runs.progress import Meter, watch
from magxr.runs.source import check_values, check_window, open_source
from magxr.steps.calibrate import calibrate
from magxr.steps.classify import classify
from magxr.steps.diffusion import diffuse, structure
from magxr.steps.gridding import grid
from magxr.steps.lowrank import denoise
from magxr.steps.outliers import remove_outliers

if TYPE_CHECKING:
    from collections.abc import Iterator
    from contextlib import AbstractContextManager
    from pathlib import Path

    import xarray as xr

    from magxr.models.spec import ModelSpec

MAPS = "maps"
"""Group of the output store that holds the gridded maps; the predictions are in its root."""


@dataclass(frozen=True)
class RunResult:
    """What a run left behind."""

    store: Path
    """Zarr store: predictions on window centres in its root, the gridded maps in the group "maps"."""
    report: Path
    """Self-contained HTML page."""
    pictures: tuple[Path, ...]
    """PNG maps."""
    headline: str
    """One sentence: percent linear, share without an answer."""
    seconds: dict[str, float] = field(default_factory=dict)
    """Wall time by stage."""


def run(
    region: str | Path | xr.Dataset | xr.DataArray,
    out: str | Path,
    *,
    preset: Preset = "sound",
    progress: bool = False,
    **changes: Any,
) -> RunResult:
    """Run the whole workflow on a region and leave a store, pictures and a report.

    Parameters
    ----------
    region : str, Path, xarray.Dataset or xarray.DataArray
        Name of a region of the catalog, path of a grid (NetCDF, GMT, GeoTIFF, Zarr), or an anomaly in nT.
    out : str or Path
        Zarr store to write, e.g. ``"chile.zarr"``; ``chile.html`` and ``chile-*.png`` lie beside it.
    preset : {"sound", "paper"}
        Set of defaults; see `magxr.runs.config.RunConfig`.
    progress : bool
        Draw one progress line on standard error.
    **changes
        Any field of `magxr.runs.config.RunConfig`, e.g. ``stride=30, spacing="0.72 arcmin"``.

    Returns
    -------
    RunResult

    Raises
    ------
    MagxrError
        Of the kind that tells what is wrong, before anything is written. A run that fails later, or is
        interrupted, leaves nothing under the output's name.
    """
    if isinstance(region, os.PathLike):
        region = os.fspath(region)
    if not isinstance(region, str):
        check_labelled(region)
    given = None if isinstance(region, str) else region
    config = configure(region if isinstance(region, str) else "(dataset)", out, preset=preset, **changes)
    check_target(config)
    spec = load(config.model)
    source = open_source(config, given)
    with _chunks_of(config):
        maps = prepared(source, config)
        check_window(canonical(maps["anomaly"])[1], spec.window, config)
        predicted(maps, config, spec)  # building the graph checks every argument before work starts

    target = config.out
    seconds: dict[str, float] = {}
    with computing(config.scheduler) as client:

        def stage(name: str, *, writes: bool = False, windows: int = 0) -> Any:
            watching = watch(Meter(name, windows), client) if progress and writes else nullcontext()
            return _stage(name, seconds, watching)

        with stage("check"):
            check_values(source)
        with working_folder(target) as work:
            with stage("maps", writes=True):
                store.write(maps, work / "maps.zarr")
            stored = store.open(work / "maps.zarr")
            result = predicted(stored, config, spec)
            with stage("classify", writes=True, windows=result["linear"].size):
                store.write(result, work / "out.zarr")
            found = Findings(config, spec, source, stored, store.open(work / "out.zarr"), seconds)
            with stage("pictures"):
                report, pictures, headline = present(found, work)
            (work / "maps.zarr").rename(work / "out.zarr" / MAPS)
            publish(work, target)
    beside = target.parent
    return RunResult(target, beside / report, tuple(beside / p for p in pictures), headline, seconds)


def cleaned(source: xr.Dataset, config: RunConfig) -> tuple[xr.Dataset, xr.Dataset]:
    """Take steps 2 to 4: the map gridded, and denoised as the diffusion is given it; lazy."""
    spacing = config.spacing or source.attrs.get("working_spacing") or None
    gridded = grid(remove_outliers(source, k=config.outliers), spacing=spacing, max_gap=config.max_gap)
    rank: dict[str, Any] = {"variance": config.variance} if config.rank is None else {"k": config.rank}
    return gridded, denoise(gridded, mode=config.denoise, **rank)


def prepared(source: xr.Dataset, config: RunConfig) -> xr.Dataset:
    """Take steps 2 to 5: the diffused anomaly, what it was before, and its structure; lazy."""
    gridded, denoised = cleaned(source, config)
    scales: dict[str, Any] = {"sigma": config.sigma, "rho": config.rho}
    diffused = diffuse(denoised, steps=config.steps, scheme=config.scheme, metric=config.metric, **scales)
    name = anomaly(diffused).name
    before = {"gridded": anomaly(gridded), "denoised": anomaly(denoised)}
    bare = {
        k: v.drop_vars([c for c in v.coords if c not in v.dims], errors="ignore") for k, v in before.items()
    }
    # Not the strike's uncertainty: it holds for noise from cell to cell, which the diffusion has smoothed.
    oriented = structure(diffused, metric=config.metric)[["coherence", "strike"]]
    return diffused.rename({name: "anomaly"}).assign(bare).assign(oriented.data_vars)


def predicted(maps: xr.Dataset, config: RunConfig, spec: ModelSpec) -> xr.Dataset:
    """Take step 9: probabilities on window centres, after the vote; lazy."""
    raw = classify(
        maps["anomaly"],
        model=spec,
        stride=config.stride,
        max_missing=config.max_missing,
        edges=config.edges,
        check_spacing=config.check_spacing,
        doubt=config.doubt,
    )
    return calibrate(raw, neighbours=config.votes(spec.window))


@contextmanager
def _chunks_of(config: RunConfig) -> Iterator[None]:
    """Tell whoever asked for ``chunk`` that it is that which is too small."""
    try:
        yield
    except ChunkError as error:
        if config.chunk is None:
            raise
        rule = f"{error}"
        fix = "leave chunk (--chunk) out, which makes about 1024"
        if error.least is not None:
            fix += f", or give at least {2 * error.least}"
        msg = f"chunk={config.chunk} is too small: {rule.split('; use chunks')[0]}; {fix}"
        raise ChunkError(msg, error.least) from error


@contextmanager
def _stage(name: str, seconds: dict[str, float], watching: AbstractContextManager[None]) -> Iterator[None]:
    began = time.perf_counter()
    with watching:
        yield
    seconds[name] = time.perf_counter() - began

"""From a catalog entry to a store, pictures and a report: the whole method on one screen."""

from __future__ import annotations

import os
import time
from contextlib import contextmanager, nullcontext
from typing import TYPE_CHECKING, Any

from magxr.io import places, store
from magxr.io.reach import working
from magxr.labelled import canonical, check_labelled
from magxr.models.spec import load
from magxr.runs.blocks import run_blocks
from magxr.runs.cluster import computing
from magxr.runs.config import Preset, chunks_of, configure
from magxr.runs.method import predicted, prepared
from magxr.runs.output import RunResult, check_target, drawn_in, publish, working_folder
from magxr.runs.present import Findings, present
from magxr.runs.progress import Meter, watch
from magxr.runs.source import check_values, check_window, open_source

if TYPE_CHECKING:
    from collections.abc import Iterator
    from contextlib import AbstractContextManager
    from pathlib import Path

    import xarray as xr


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
        Name of a region of the catalog, path of a grid (NetCDF, GMT, GeoTIFF, Zarr) or URL of one (NetCDF-4,
        Zarr), or an anomaly in nT.
    out : str or Path
        Zarr store to write, e.g. ``"chile.zarr"`` or ``"s3://bucket/chile.zarr"``; ``chile.html`` and
        ``chile-*.png`` lie beside it.
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
    with chunks_of(config):
        maps = prepared(source, config)
        check_window(canonical(maps["anomaly"])[1], spec.window, config)
        predicted(maps, config, spec)  # building the graph checks every argument before work starts
    if config.engine == "blocks":
        return run_blocks(config, spec, source, maps, progress=progress)

    target = config.out
    seconds: dict[str, float] = {}
    with (
        working(config.out, config.path, config.region),
        computing(config, spec, progress=progress) as client,
    ):

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
            places.make_folder(work / "ready")
            with stage("pictures"), drawn_in(work / "ready") as desk:
                report, pictures, headline = present(found, desk)
            publish(work / "ready", work / "out.zarr", work / "maps.zarr", target)
    beside = target.parent
    return RunResult(target, beside / report, tuple(beside / p for p in pictures), headline, seconds)


@contextmanager
def _stage(name: str, seconds: dict[str, float], watching: AbstractContextManager[None]) -> Iterator[None]:
    began = time.perf_counter()
    with watching:
        yield
    seconds[name] = time.perf_counter() - began

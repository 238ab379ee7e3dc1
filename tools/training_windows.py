"""Windows of synthetic scenes, prepared as users prepare maps, and what is known of each.

Everything follows from the seeds. Training scenes count from 0, test scenes from 2,000,000: no training
window comes from those, and none of them was looked at while the models took shape.
"""

from __future__ import annotations

import json
import logging
import os
import sys
import time
import warnings
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

if TYPE_CHECKING:
    from collections.abc import Callable

    import xarray as xr
    from numpy.typing import NDArray

    Floats = NDArray[np.float32]
    Table = NDArray[np.float64]

_log = logging.getLogger("training_windows")

WINDOW = 250
STRIDE = 250
SPACINGS = (0.36, 0.5, 0.72, 0.72, 1.0)
"""Arcmin, each drawn alike: the paper's two larger ones, one between and one beyond."""
NATIVE = (1.0, 2.0)
"""Spacings, arcmin, of the surveys that half of the scenes are respaced from."""
SHARE = 0.7
"""The paper's rule: at least this share of a window linear, or nonlinear, else it is ambiguous."""
MISSING = 0.2
"""Windows with more missing or filled cells have no answer, here as in `magxr.classify`."""
VISIBLE = 0.7
"""Fidelity (correlation of the surveyed with the true field, mean over the window) below which nobody could
see its stripes: ambiguous."""
MEASURED = 0.5
"""Share of measured cells from which a window counts as adequately sampled."""
FIRST_TEST = 2_000_000
STAGES = ("gridded", "diffused")
PATCHWORK = 5
"""Patches of a survey from which it counts as a patchwork."""
COLUMNS = (
    "scene", "stage", "row", "column", "linear", "missing", "measured", "visible", "noise", "spacing",
    "native", "patchwork", "texture",
)  # fmt: skip
"""Of the table of windows, float64: scene's seed, number of the stage, first row and column, shares of
linear, missing or filled, and measured cells, fidelity, whether the scene is noise with the spectrum of
stripes, grid spacing in arcmin and that of the survey, whether that is a patchwork, and of a scene without
stripes the number of its province's texture (-1 for all others)."""


def prepared(seed: int, side: int) -> tuple[dict[str, xr.DataArray], dict[str, NDArray], dict[str, float]]:
    """Make one scene: maps by stage, truth on the same cells, and what the table says of a whole scene."""
    import magxr
    from magxr.synthetic.provinces import TEXTURES
    from magxr.synthetic.scenes import training_scenes

    rng = np.random.default_rng([seed, 0xD1FF])
    spacing = float(rng.choice(SPACINGS))
    coarser = [s for s in NATIVE if s > spacing]
    native = float(rng.choice(coarser)) if coarser and rng.random() < 0.5 else spacing
    gap = int(rng.choice([0, 16, 32]))
    cells = round(side * spacing / native)
    scene = next(iter(training_scenes([seed], (cells, cells), f"{native} arcmin")))
    gridded = magxr.grid(
        magxr.remove_outliers(scene[["anomaly"]]),
        spacing=None if native == spacing else f"{spacing} arcmin",
        max_gap=gap,
    )
    diffused = magxr.diffuse(
        magxr.denoise(gridded, variance=0.98),
        sigma=float(rng.uniform(0.5, 1.5)),
        rho=float(rng.uniform(2.0, 6.0)),
        steps=int(rng.integers(5, 41)),
    )
    places = {"lat": gridded["lat"], "lon": gridded["lon"]}
    names = ("linear", "tracked", "fidelity")
    truth = {name: scene[name].sel(places, method="nearest").values for name in names}
    maps = {"gridded": gridded["anomaly"], "diffused": diffused["anomaly"]}
    bare = scene.attrs["kind"] == "nonlinear"
    patches = json.loads(scene.attrs["parameters"])["survey"]["patches"]
    about = {
        "noise": float(scene.attrs["kind"] == "noise"),
        "spacing": spacing,
        "native": native,
        "patchwork": float(len(patches) >= PATCHWORK),
        "texture": float(TEXTURES.index(scene.attrs["provinces"][0])) if bare else -1.0,
    }
    return maps, truth, about


def scene_windows(
    seed: int, side: int, stride: int = STRIDE, only: tuple[str, ...] = STAGES
) -> tuple[Floats, Table]:
    """Return a scene's maps, one per stage, and the table of the windows of all, or of some stages."""
    maps, truth, about = prepared(seed, side)
    values = np.stack([maps[s].values.astype(np.float32) for s in STAGES])
    linear, measured = truth["linear"], truth["tracked"] == 1
    seen = np.nan_to_num(truth["fidelity"], nan=0.0)
    table = []
    for number, stage in enumerate(STAGES):
        if stage not in only:
            continue
        filled = maps[stage].coords.get("filled")
        gone = np.isnan(values[number]) | (False if filled is None else filled.values == 1)
        for row in range(0, values.shape[1] - WINDOW + 1, stride):
            for column in range(0, values.shape[2] - WINDOW + 1, stride):
                cut = (slice(row, row + WINDOW), slice(column, column + WINDOW))
                missing = float(gone[cut].mean())
                if missing > MISSING:
                    continue
                shares = (linear[cut].mean(), missing, measured[cut].mean(), seen[cut].mean())
                table.append((seed, number, row, column, *shares, *(about[c] for c in COLUMNS[8:])))
    return values, np.array(table, np.float64).reshape(-1, len(COLUMNS))


def cut(values: Floats, table: Table) -> Floats:
    """Return the windows of a scene that its table lists."""
    views = np.lib.stride_tricks.sliding_window_view(values, (WINDOW, WINDOW), axis=(1, 2))
    stage, row, column = table[:, 1:4].astype(int).T
    return views[stage, row, column]


def labels_of(table: Table, visible: float = VISIBLE) -> NDArray[np.int8]:
    """Return 1 linear, 0 nonlinear, -1 ambiguous: neither share reaches 70 %, or stripes nobody could see."""
    linear = table[:, COLUMNS.index("linear")]
    label = np.full(len(table), -1, np.int8)
    label[(linear >= SHARE) & (table[:, COLUMNS.index("visible")] >= visible)] = 1
    label[1.0 - linear >= SHARE] = 0
    return label


def columns(table: Table) -> dict[str, NDArray[np.float64]]:
    """Return the table by column."""
    return {name: table[:, i] for i, name in enumerate(COLUMNS)}


def for_each_scene(write: Callable[[Path, int], int], out: Path, seeds: list[int], workers: int) -> None:
    """Call ``write(out, seed)``, which tells how many windows it wrote, for all seeds not yet there."""
    out.mkdir(parents=True, exist_ok=True)
    todo = [s for s in seeds if not (out / f"scene-{s}.npz").exists()]
    for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NUMBA_NUM_THREADS"):
        os.environ[variable] = "1"
    start = time.monotonic()
    with ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as pool:
        found = pool.map(quietly, [write] * len(todo), [out] * len(todo), todo)
        for done, (seed, count) in enumerate(zip(todo, found, strict=True), 1):
            _log.info("scene %d: %d windows (%d of %d, %.0f s)", seed, count, done, len(todo),
                      time.monotonic() - start)  # fmt: skip


def quietly(write: Callable[[Path, int], int], out: Path, seed: int) -> int:
    """Call it on this thread alone; the steps' warnings on odd scenes are nobody's business here."""
    import dask

    with warnings.catch_warnings(), dask.config.set(scheduler="synchronous"):
        warnings.simplefilter("ignore")
        return write(out, seed)


def keep(out: Path, seed: int, **arrays: NDArray) -> None:
    """Write a scene's file in one go."""
    part = out / f".scene-{seed}.npz"
    with part.open("wb") as stream:
        np.savez(stream, **arrays)
    part.rename(out / f"scene-{seed}.npz")


def scenes(out: Path) -> list[Path]:
    """Return the files of all scenes in the order of their seeds."""
    return sorted(out.glob("scene-*.npz"), key=lambda p: int(p.stem.split("-")[1]))


def read(out: Path, *names: str) -> list[NDArray]:
    """Return arrays of all scenes in the order of their seeds, put together."""
    parts = []
    for file in scenes(out):
        with np.load(file, allow_pickle=False) as scene:
            parts.append([scene[name] for name in names])
    return [np.concatenate(p) for p in zip(*parts, strict=True)]

"""Make the model that comes with magxr, in three stages that can run on different machines.

::

    python tools/default_model.py maps     --out work --workers 2   # synthetic scenes, prepared as users do
    python tools/default_model.py features --out work               # the trunk over every window, once
    python tools/default_model.py head     --out work               # train, evaluate, write the model

Everything follows from the seeds: training scenes 0, 1, ... and test scenes 1,000,000, ... that no
training window comes from. ``maps`` needs no network library; ``features`` runs on whatever backend
``KERAS_BACKEND`` names, on a GPU if that has one; ``head`` needs numpy. The first two carry on where they
were interrupted.
"""

from __future__ import annotations

import argparse
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
    import xarray as xr
    from numpy.typing import NDArray

    Floats = NDArray[np.float32]

_log = logging.getLogger("default_model")

WINDOW = 250
STRIDE = 250
SIDE = 1000
"""Rows and columns of a scene on the grid that windows are cut from."""
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
FIRST_TEST = 1_000_000
STAGES = ("gridded", "diffused")
COLUMNS = ("scene", "stage", "row", "column", "linear", "missing", "measured", "visible", "noise", "spacing")
"""Of the table of windows, float64: scene's seed, number of the stage, first row and column, shares of
linear, missing or filled, and measured cells, fidelity, whether the scene is noise
with the spectrum of stripes, grid spacing in arcmin."""
LIMITS = (
    "Trained on synthetic maps only. On real maps expect it to be wrong more often than the table says.",
    "A stripe that no ship crossed cannot be told from noise; where few cells were measured, distrust both "
    "answers.",
    "Filled holes, the map's edges, survey seams and land can look like lines; windows with many missing or "
    "filled cells must be left without an answer.",
    "Diffusion draws lines into noise; the rate above is for the diffusion strengths above only.",
    f"Windows of {WINDOW} pixels at {min(SPACINGS):g} to {max(SPACINGS):g} arcmin; other sizes or spacings "
    "need a head of their own.",
)
SHARD = 7500
"""Windows in one file of features: just under 16 MiB."""


def prepared(seed: int) -> tuple[dict[str, xr.DataArray], dict[str, NDArray], str, float]:
    """Make one scene: maps by stage, truth on the same cells, kind of scene and spacing in arcmin."""
    import magxr
    from magxr.synthetic.scenes import training_scenes

    rng = np.random.default_rng([seed, 0xD1FF])
    spacing = float(rng.choice(SPACINGS))
    coarser = [s for s in NATIVE if s > spacing]
    native = float(rng.choice(coarser)) if coarser and rng.random() < 0.5 else spacing
    gap = int(rng.choice([0, 16, 32]))
    side = round(SIDE * spacing / native)
    scene = next(iter(training_scenes([seed], (side, side), f"{native} arcmin")))
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
    cells = {"lat": gridded["lat"], "lon": gridded["lon"]}
    names = ("linear", "tracked", "fidelity")
    truth = {name: scene[name].sel(cells, method="nearest").values for name in names}
    maps = {"gridded": gridded["anomaly"], "diffused": diffused["anomaly"]}
    return maps, truth, scene.attrs["kind"], spacing


def window_rows(seed: int) -> tuple[Floats, NDArray[np.float64]]:
    """Return a scene's maps, one per stage, and the table of the windows that can be cut from them."""
    maps, truth, kind, spacing = prepared(seed)
    values = np.stack([maps[s].values.astype(np.float32) for s in STAGES])
    linear, measured = truth["linear"], truth["tracked"] == 1
    seen = np.nan_to_num(truth["fidelity"], nan=0.0)
    noise = float(kind == "noise")
    table = []
    for number, stage in enumerate(STAGES):
        filled = maps[stage].coords.get("filled")
        gone = np.isnan(values[number]) | (False if filled is None else filled.values == 1)
        for row in range(0, values.shape[1] - WINDOW + 1, STRIDE):
            for column in range(0, values.shape[2] - WINDOW + 1, STRIDE):
                cut = (slice(row, row + WINDOW), slice(column, column + WINDOW))
                missing = float(gone[cut].mean())
                if missing > MISSING:
                    continue
                shares = (linear[cut].mean(), missing, measured[cut].mean(), seen[cut].mean())
                table.append((seed, number, row, column, *shares, noise, spacing))
    return values, np.array(table, np.float64).reshape(-1, len(COLUMNS))


def make_maps(out: Path, seeds: list[int], workers: int) -> None:
    """Write one file per scene: maps and table of windows."""
    out.mkdir(parents=True, exist_ok=True)
    todo = [s for s in seeds if not (out / f"scene-{s}.npz").exists()]
    for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NUMBA_NUM_THREADS"):
        os.environ[variable] = "1"
    start = time.monotonic()
    with ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as pool:
        for done, (seed, count) in enumerate(pool.map(_write_scene, [out] * len(todo), todo), 1):
            _log.info("scene %d: %d windows (%d of %d, %.0f s)", seed, count, done, len(todo),
                      time.monotonic() - start)  # fmt: skip


def _write_scene(out: Path, seed: int) -> tuple[int, int]:
    import dask

    with warnings.catch_warnings(), dask.config.set(scheduler="synchronous"):
        warnings.simplefilter("ignore")
        values, table = window_rows(seed)
    part = out / f".scene-{seed}.npz"
    with part.open("wb") as stream:
        np.savez(stream, maps=values, table=table)
    part.rename(out / f"scene-{seed}.npz")
    return seed, len(table)


def make_features(out: Path, batch: int) -> None:
    """Run the trunk over every window that has a label and write features (float16) and table in shards.

    Features are of order one; half precision keeps three digits of them, and the head is trained on what
    was kept.
    """
    from magxr.models import worker
    from magxr.models.backbones import EMBEDDED

    files = sorted(out.glob("scene-*.npz"), key=lambda p: int(p.stem.split("-")[1]))
    start, features, tables = time.monotonic(), [], []
    for number, file in enumerate(files, 1):
        cache = out / f"features-of-{file.name}"
        with np.load(file, allow_pickle=False) as scene:
            table = scene["table"]
            if not cache.exists() and len(table):
                views = np.lib.stride_tricks.sliding_window_view(scene["maps"], (WINDOW, WINDOW), axis=(1, 2))
                stage, row, column = table[:, 1:4].astype(int).T
                made = worker.features(EMBEDDED, views[stage, row, column], batch=batch)
                np.save(out / "part.npy", made.astype(np.float16))
                (out / "part.npy").rename(cache.with_suffix(".npy"))
        if len(table):
            features.append(np.load(cache.with_suffix(".npy"), allow_pickle=False))
            tables.append(table)
        _log.info("%s: %d windows (%d of %d, %.0f s)", file.stem, len(table), number, len(files),
                  time.monotonic() - start)  # fmt: skip
    values, table = np.concatenate(features), np.concatenate(tables)
    for part, first in enumerate(range(0, len(table), SHARD)):
        cut = slice(first, first + SHARD)
        np.savez(out / f"features-{part}.npz", features=values[cut], table=table[cut])


def labels_of(table: NDArray[np.float64], visible: float = VISIBLE) -> NDArray[np.int8]:
    """Return 1 linear, 0 nonlinear, -1 ambiguous: neither share reaches 70 %, or stripes nobody could see."""
    linear = table[:, COLUMNS.index("linear")]
    label = np.full(len(table), -1, np.int8)
    label[(linear >= SHARE) & (table[:, COLUMNS.index("visible")] >= visible)] = 1
    label[1.0 - linear >= SHARE] = 0
    return label


def read_features(out: Path) -> tuple[Floats, NDArray[np.float64]]:
    """Return all features and the table of their windows."""
    parts = []
    for file in sorted(out.glob("features-[0-9]*.npz")):
        with np.load(file, allow_pickle=False) as part:
            parts.append((part["features"].astype(np.float32), part["table"]))
    return np.concatenate([p[0] for p in parts]), np.concatenate([p[1] for p in parts])


def make_head(out: Path, to: Path, epochs: int, weight_decay: float) -> None:
    """Train on the training scenes, evaluate on the others, write head and card."""
    from magxr.models import card
    from magxr.models.evaluate import area_under_curve, block_interval, confusion, wilson
    from magxr.models.split import LEFT_OUT, TEST, TRAIN, VALIDATION, split_windows
    from magxr.models.train import Protocol, train_on_features

    features, table = read_features(out)
    column = {name: table[:, i] for i, name in enumerate(COLUMNS)}
    label = labels_of(table)
    fresh = column["scene"] >= FIRST_TEST
    codes = np.full(len(label), LEFT_OUT, np.int8)
    ours = (label >= 0) & ~fresh
    drawn = split_windows(label[ours], groups=column["scene"][ours], ratio=(6, 2, 2))
    codes[ours] = np.where(drawn == VALIDATION, VALIDATION, TRAIN)  # the unseen seeds are the test
    codes[(label >= 0) & fresh] = TEST
    protocol = Protocol(epochs=epochs, weight_decay=weight_decay, balanced=True)
    model = train_on_features(
        features,
        label,
        codes,
        protocol,
        window=WINDOW,
        how={"split": "scenes", "ratio": [8, 2, "unseen seeds"]},
    )
    probability = model.head.probability(features)
    test = codes == TEST
    model.report["test"]["balanced_interval_by_scene"] = block_interval(
        label[test], probability[test], column["scene"][test]
    )
    model.report["test"]["area_under_curve"] = area_under_curve(label[test], probability[test])
    subsets = {f"test, {name}": test & (column["stage"] == i) for i, name in enumerate(STAGES)}
    subsets |= {f"test, {s:g}'": test & (column["spacing"] == s) for s in sorted(set(SPACINGS))}
    sparse = column["measured"] < 0.5
    subsets |= {"test, half measured": test & ~sparse, "test, sparser": test & sparse}
    everything = labels_of(table, visible=-1.0)
    unseen = (everything == 1) & (label == -1) & fresh
    evaluation = {}
    for name, held in subsets.items():
        if held.any():
            evaluation[name] = confusion(label[held], probability[held]).report()
            evaluation[name]["balanced_interval_by_scene"] = block_interval(
                label[held], probability[held], column["scene"][held]
            )
    wider = labels_of(table, visible=0.5)
    held = (wider >= 0) & fresh
    evaluation["test, stripes from 0.5 correlation"] = confusion(wider[held], probability[held]).report()
    noise = test & (column["noise"] == 1)
    called = int(np.sum(probability[noise] >= 0.5))
    low, high = wilson(called, int(noise.sum()))
    scenes = [np.unique(column["scene"][codes == c]).size for c in (TRAIN, VALIDATION, TEST)]
    trained_on = (
        f"{int(np.sum(codes == TRAIN))} windows of {scenes[0]} synthetic scenes (magxr.synthetic), half "
        "after gridding, half after denoising and diffusion"
    )
    more = {
        "evaluation": evaluation,
        "data": {
            "scenes": f"{scenes[0]} to train, {scenes[1]} to validate, {scenes[2]} unseen to test, of "
            f"{SIDE} x {SIDE} cells; windows every {STRIDE} cells",
            "spacing": f"{sorted(set(SPACINGS))} arcmin; half of the scenes surveyed at one of {NATIVE}, "
            "where that is coarser, and respaced",
            "preparation": "remove_outliers, grid (max_gap 0, 16 or 32); then denoise (0.98) and diffuse "
            "(sigma 0.5 to 1.5, rho 2 to 6, 5 to 40 steps)",
            "labels": f"linear from {SHARE:g} of the truth mask, nonlinear up to {1 - SHARE:g}, else "
            "ambiguous and left out; so are stripes whose survey correlates less than "
            f"{VISIBLE:g} with the true field (mean of fidelity)",
            "left out": f"{int(np.sum(label[~fresh] < 0))} ambiguous windows in training, "
            f"{int(np.sum(label[fresh] < 0))} in test scenes",
            "chosen on the validation scenes": f"weight decay {weight_decay:g} of 0, 0.001, 0.01, 0.1; the "
            f"limit of {VISIBLE:g} on the correlation lies between the two tried, 0.5 (10 % of noise called "
            "linear there) and 0.8 (4 %); the test scenes chose nothing",
            "features": "float32, kept as float16; those shipped were computed with torch on a GPU, and "
            "TensorFlow on a CPU agreed to 0.1 % (the last bit of float16) on all 350 windows of 12 scenes",
            "made by": "python tools/default_model.py maps, features, head (see that file)",
        },
        "noise": {
            "called linear": f"{called} of {int(noise.sum())} windows of noise with the "
            "spectrum of stripes in "
            f"unseen scenes ({100 * low:.1f} to {100 * high:.1f} %)",
            "stripes nobody could see": f"{int(np.sum(probability[unseen] >= 0.5))} of "
            f"{int(unseen.sum())} windows that are linear in truth, but not in their survey, called linear",
        },
    }
    card.save(
        model,
        to,
        name="default",
        spacing=(min(SPACINGS), max(SPACINGS)),
        trained_on=trained_on,
        limits=LIMITS,
        overwrite=True,
        more=more,
    )
    _log.info("%s", (to / card.TEXT_FILE).read_text(encoding="utf-8"))


def main() -> None:
    """Read the command line and run a stage."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("stage", choices=("maps", "features", "head"))
    parser.add_argument("--out", type=Path, required=True, help="folder of scenes and features")
    parser.add_argument("--scenes", type=int, default=800, help="training scenes")
    parser.add_argument("--tests", type=int, default=200, help="test scenes")
    parser.add_argument("--workers", type=int, default=os.cpu_count() or 1, help="processes that make maps")
    parser.add_argument("--batch", type=int, default=8, help="windows the trunk takes at once")
    parser.add_argument("--epochs", type=int, default=25)
    parser.add_argument("--weight-decay", type=float, default=0.01)
    parser.add_argument(
        "--to", type=Path, default=ROOT / "magxr" / "models" / "default", help="where to write"
    )
    given = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    if given.stage == "maps":
        seeds = [*range(given.scenes), *range(FIRST_TEST, FIRST_TEST + given.tests)]
        make_maps(given.out, seeds, given.workers)
    elif given.stage == "features":
        make_features(given.out, given.batch)
    else:
        make_head(given.out, given.to, given.epochs, given.weight_decay)


if __name__ == "__main__":
    main()

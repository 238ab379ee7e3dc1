"""Make the head for the dense form that comes with the model "transfer": a logistic one on its VGG16 trunk.

::

    python tools/dense_model.py features --out work   # scenes, each run once through the trunk; resumable
    python tools/dense_model.py head --out work       # train, evaluate, put the head into the model

Every scene is one map: gridded where its seed is even, denoised and diffused where it is odd. One pass of the
trunk serves all of its windows, a step of 128 cells apart. Training scenes count from 0, those of the test
from 2,000,000, as for the other models; the latter chose nothing.
"""

from __future__ import annotations

import argparse
import logging
import time
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import judging
import numpy as np
import training_windows as tw
import xarray as xr

if TYPE_CHECKING:
    from numpy.typing import NDArray

_log = logging.getLogger("dense_model")

SIDE = 640
"""Of a scene, cells: 16 windows."""
STEP = 128
"""Cells from one window to the next; a multiple of the 8 that lie between cells of the dense map."""


def make_features(out: Path, seeds: list[int]) -> None:
    """Make scenes and the features of their labelled windows, one file a scene."""
    from magxr.steps.dense_features import dense_features

    out.mkdir(parents=True, exist_ok=True)
    start = time.monotonic()
    for number, seed in enumerate(seeds, 1):
        if (out / f"scene-{seed}.npz").exists():
            continue
        stage = seed % 2
        values, table = tw.scene_windows(seed, SIDE, STEP, tw.STAGES[stage : stage + 1])
        table = table[tw.labels_of(table) >= 0]
        features = np.empty((0, 1024), np.float32)
        if len(table):
            places = table[:, [tw.COLUMNS.index(c) for c in ("row", "column")]].astype(int)
            features = np.asarray(dense_features(_map(values[stage]), places, window=tw.WINDOW))
        tw.keep(out, seed, table=table, features=features)
        _log.info("scene %d: %d windows (%d of %d, %.0f s)", seed, len(table), number, len(seeds),
                  time.monotonic() - start)  # fmt: skip


def _map(values: NDArray[np.float32]) -> xr.DataArray:
    """Return a map somewhere: where it lies plays no part."""
    axes = {n: 0.01 * (np.arange(m) + 0.5) for n, m in zip(("lat", "lon"), values.shape, strict=True)}
    return xr.DataArray(values, axes, ("lat", "lon"), "anomaly", {"units": "nT"})


def make_head(out: Path, to: Path, weight_decay: float) -> None:
    """Train on the training scenes, evaluate on the others, and put the head beside the model's own."""
    from magxr.models import card
    from magxr.models.backbones import EMBEDDED
    from magxr.models.features import Features, InMemory, recipe
    from magxr.models.folds import fold_codes
    from magxr.models.origin import LOCAL
    from magxr.models.second import add_dense
    from magxr.models.train import Protocol, train_on_features

    values, table = tw.read(out, "features", "table")
    label, scene = tw.labels_of(table).astype(int), tw.columns(table)["scene"].astype(int)
    fresh = scene >= tw.FIRST_TEST
    known = values[~fresh]
    made = replace(recipe(tw.WINDOW, trunk=EMBEDDED), normalisation=LOCAL)
    place = np.column_stack([np.zeros(len(known), np.int64), np.arange(len(known))])
    features = Features(made, [InMemory(known)], place, known.shape[1], known.dtype)
    codes = fold_codes(label[~fresh], folds=5, groups=scene[~fresh])
    model = train_on_features(
        features, label[~fresh], codes, Protocol(weight_decay=weight_decay, balanced=True),
        how={"split": "scenes", "folds": 5},
    )  # fmt: skip
    probability = model.head.probability(values)
    counts = [np.unique(scene[m]).size for m in (~fresh, fresh)]
    model.report["about"] = {
        "trained on": f"{int(np.sum(~fresh))} windows of {counts[0]} synthetic scenes of {SIDE} x {SIDE} "
        f"cells, gridded (even seeds) or denoised and diffused (odd); {counts[1]} unseen scenes to test",
        "features": "mean and standard deviation over the 28 x 28 cells, 8 pixels apart, of a window",
        "chosen": f"nothing; the weight decay of {weight_decay:g} is that of the other head",
        "called linear": judging.noise_words(table[fresh], probability[fresh])["called linear"],
        "made by": "python tools/dense_model.py features, head (see that file)",
    }
    model.report["evaluation"] = {
        **judging.evaluation(table[~fresh], model.out_of_fold, "test"),
        **judging.evaluation(table[fresh], probability[fresh], "unseen"),
    }
    add_dense(to, model)
    _log.info("%s", (to / card.TEXT_FILE).read_text(encoding="utf-8"))


def main() -> None:
    """Read the command line and run a stage."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("stage", choices=("features", "head"))
    parser.add_argument("--out", type=Path, required=True, help="folder of scenes")
    parser.add_argument("--train", type=int, default=98, help="training scenes")
    parser.add_argument("--test", type=int, default=49, help="unseen scenes")
    parser.add_argument("--weight-decay", type=float, default=0.01)
    parser.add_argument("--to", type=Path, default=tw.ROOT / "magxr" / "models" / "transfer")
    given = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    if given.stage == "features":
        # in turns, so that what is there when it is interrupted is of both kinds
        pairs = [(i, tw.FIRST_TEST + i // 2) for i in range(given.train)]
        seeds = [s for a, b in pairs for s in ((a, b) if a % 2 == 0 and a // 2 < given.test else (a,))]
        make_features(given.out, list(dict.fromkeys(seeds)))
    else:
        make_head(given.out, given.to, given.weight_decay)


if __name__ == "__main__":
    main()

"""Make the transfer model that comes with magxr: a logistic head on the VGG16 trunk.

::

    python tools/default_model.py windows --out work     # the scenes, as for the default model
    python tools/transfer_model.py features --out work   # the trunk over every window, once; resumable
    python tools/transfer_model.py head --out work       # train, evaluate, write the model

``features`` runs on whatever backend ``KERAS_BACKEND`` names, on a GPU if that has one.
"""

from __future__ import annotations

import argparse
import logging
import time
from pathlib import Path
from typing import TYPE_CHECKING

import judging
import numpy as np
import training_windows as tw

if TYPE_CHECKING:
    from numpy.typing import NDArray

_log = logging.getLogger("transfer_model")

LIMITS = (
    "Trained on synthetic maps only. On real maps expect it to be wrong more often than the table says.",
    "A stripe that no ship crossed cannot be told from noise; where few cells were measured, distrust both "
    "answers.",
    "Filled holes, the map's edges, survey seams and land can look like lines; windows with many missing or "
    "filled cells must be left without an answer.",
    "Diffusion draws lines into noise; the rate above is for the diffusion strengths above only.",
    f"Windows of {tw.WINDOW} pixels at {min(tw.SPACINGS):g} to {max(tw.SPACINGS):g} arcmin; other sizes or "
    "spacings need a head of their own.",
)


def make_features(out: Path, batch: int, every: int) -> None:
    """Run the trunk over every window that has a label, of every so many scenes, and keep its features.

    Features are of order one; half precision keeps three digits of them, and the head is trained on what
    was kept.
    """
    from magxr.models import worker
    from magxr.models.backbones import EMBEDDED

    files = tw.scenes(out)[::every]
    start = time.monotonic()
    for number, file in enumerate(files, 1):
        cache = features_file(file)
        if not cache.exists():
            with np.load(file, allow_pickle=False) as scene:
                known = tw.labels_of(scene["table"]) >= 0
                windows = tw.cut(scene["maps"], scene["table"][known])
            made = worker.features(EMBEDDED, windows, batch=batch)
            with cache.with_suffix(".part").open("wb") as stream:
                np.save(stream, made.astype(np.float16))
            cache.with_suffix(".part").rename(cache)
        _log.info("%s (%d of %d, %.0f s)", file.stem, number, len(files), time.monotonic() - start)


def features_file(scene: Path) -> Path:
    """Return where the features of a scene's labelled windows are kept."""
    return scene.with_name(f"vgg16-{scene.stem}.npy")


def read_features(out: Path) -> tuple[NDArray[np.float32], tw.Table]:
    """Return the features of labelled windows, of all scenes that have some, and the table of them."""
    features, tables = [], []
    for file in tw.scenes(out):
        if features_file(file).exists():
            with np.load(file, allow_pickle=False) as scene:
                table = scene["table"]
            tables.append(table[tw.labels_of(table) >= 0])
            features.append(np.load(features_file(file), allow_pickle=False).astype(np.float32))
    return np.concatenate(features), np.concatenate(tables)


def make_head(out: Path, to: Path, weight_decay: float) -> None:
    """Train on the training scenes, evaluate on the others, write head and card."""
    from magxr.models import card
    from magxr.models.folds import fold_codes
    from magxr.models.train import Protocol, train_on_features

    features, table = read_features(out)
    label, scene = tw.labels_of(table).astype(int), tw.columns(table)["scene"].astype(int)
    fresh = scene >= tw.FIRST_TEST
    codes = fold_codes(label[~fresh], folds=5, groups=scene[~fresh])
    model = train_on_features(
        features[~fresh], label[~fresh], codes, Protocol(weight_decay=weight_decay, balanced=True),
        window=tw.WINDOW, how={"split": "scenes", "folds": 5},
    )  # fmt: skip
    probability = model.head.probability(features)
    counts = [np.unique(scene[m]).size for m in (~fresh, fresh)]
    more = {
        "evaluation": {
            **judging.evaluation(table[~fresh], model.out_of_fold, "test"),
            **judging.evaluation(table[fresh], probability[fresh], "unseen"),
        },
        "noise": judging.noise_words(table[fresh], probability[fresh]),
        "crust without stripes": judging.crust_words(table[fresh], probability[fresh]),
        "data": {"made by": "python tools/transfer_model.py features, head (see that file)"},
    }
    card.save(
        model,
        to,
        name="transfer",
        spacing=(min(tw.SPACINGS), max(tw.SPACINGS)),
        trained_on=f"{int(np.sum(~fresh))} windows of {counts[0]} synthetic scenes (magxr.synthetic), half "
        "after gridding, half after denoising and diffusion",
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
    parser.add_argument("stage", choices=("features", "head"))
    parser.add_argument("--out", type=Path, required=True, help="folder of scenes")
    parser.add_argument("--batch", type=int, default=8, help="windows the trunk takes at once")
    parser.add_argument("--every", type=int, default=1, help="take every so many scenes only")
    parser.add_argument("--weight-decay", type=float, default=0.01)
    parser.add_argument("--to", type=Path, default=tw.ROOT / "magxr" / "models" / "transfer")
    given = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    if given.stage == "features":
        make_features(given.out, given.batch, given.every)
    else:
        make_head(given.out, given.to, given.weight_decay)


if __name__ == "__main__":
    main()

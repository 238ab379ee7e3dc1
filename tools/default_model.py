"""Make the model that comes with magxr, in two stages.

::

    python tools/default_model.py windows --out work   # synthetic scenes, prepared and measured; resumable
    python tools/default_model.py model --out work     # train, evaluate, write the model

It is an ensemble of radial heads on how parallel anomalies are (`magxr.kernels.alignment`): no network.
What it is made of was chosen by cross-validation on the training scenes; the test scenes choose nothing.
"""

from __future__ import annotations

import argparse
import logging
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import judging
import numpy as np
import training_windows as tw

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from magxr.models.doubt import Doubt
    from magxr.models.trained import TrainedModel

_log = logging.getLogger("default_model")

SIDE = 500
"""Rows and columns of a scene: four windows, none of which overlap."""
FOLDS = 5
MISSED = 0.05
"""Share of either class whose prediction set may miss it."""
SHOWN = 300
"""Unseen scenes that examples are drawn from."""
LIMITS = (
    "Trained on synthetic maps only. On real maps expect it to be wrong more often than the table says; see "
    "docs/results.md for what it made of two real tiles.",
    "Swarms of parallel dykes and shear zones look like lineations to it more often than other crust does.",
    "A stripe that no ship crossed cannot be told from noise; where few cells were measured, distrust both "
    "answers.",
    "Where novelty is above 1 the window is unlike the training, and neither probability nor prediction set "
    "holds.",
    "Diffusion draws lines into noise; the rate above is for the diffusion strengths above only.",
    f"Windows of {tw.WINDOW} pixels at {min(tw.SPACINGS):g} to {max(tw.SPACINGS):g} arcmin; other sizes or "
    "spacings need a head of their own.",
)


def write_windows(out: Path, seed: int) -> int:
    """Write a scene's maps, windows and their features; return the number of windows."""
    from magxr.kernels.alignment import alignment

    values, table = tw.scene_windows(seed, SIDE)
    tw.keep(out, seed, maps=values, table=table, features=alignment(tw.cut(values, table)))
    return len(table)


def trained(features: NDArray[np.float32], table: tw.Table) -> tuple[TrainedModel, Doubt]:
    """Cross-validate by scene on labelled windows; return the ensemble and what it knows of its doubt."""
    from magxr.models.doubt import from_folds
    from magxr.models.folds import fold_codes
    from magxr.models.train import Protocol, train_on_features

    label, scene = tw.labels_of(table).astype(int), tw.columns(table)["scene"].astype(int)
    codes = fold_codes(label, folds=FOLDS, groups=scene)
    model = train_on_features(
        features, label, codes, Protocol(balanced=True), head="aligned",
        window=tw.WINDOW, how={"split": "scenes", "folds": FOLDS},
    )  # fmt: skip
    return model, from_folds(label, model.out_of_fold, features, scene, alpha=MISSED)


def doubt_words(
    doubt: Doubt, model: TrainedModel, features: NDArray[np.float32], table: tw.Table
) -> dict[str, str]:
    """Return how well doubt holds on windows the model has not seen."""
    label = tw.labels_of(table)
    known = label >= 0
    probability = model.head.probability(features)
    told = doubt.sets.report(label[known], probability[known])
    shares = ", ".join(
        f"{name.replace('_', ' ')} {100 * told[name]:.1f} %"
        for name in ("linear_only", "nonlinear_only", "both", "neither")
    )
    new = doubt.novelty.is_new(features)
    wrong = (probability >= 0.5) != (label == 1)

    def share(of: NDArray[np.bool_]) -> str:
        return f"{int(of.sum())} of {of.size} ({100 * of.sum() / max(of.size, 1):.1f} %)"

    return {
        "prediction sets": f"stated coverage {100 * (1 - MISSED):.0f} % of either class; found on unseen "
        f"scenes {100 * told['linear_coverage']:.1f} % of linear and "
        f"{100 * told['nonlinear_coverage']:.1f} % of nonlinear windows; {shares}",
        "novelty": f"above 1 (99 % of held-out training windows lie below): {share(new[known])} of the "
        f"labelled windows; wrong among those {share(wrong[known & new])}, among the others "
        f"{share(wrong[known & ~new])}",
    }


def examples(out: Path, model: TrainedModel) -> Any:
    """Return a figure of unseen windows, called right and called wrong."""
    from magxr.view.judged import examples_figure

    windows, labels, probability = [], [], []
    for file in [f for f in tw.scenes(out) if int(f.stem.split("-")[1]) >= tw.FIRST_TEST][:SHOWN]:
        with np.load(file, allow_pickle=False) as scene:
            table, label = scene["table"], tw.labels_of(scene["table"])
            well = (label >= 0) & (tw.columns(table)["measured"] >= tw.MEASURED)
            windows.append(tw.cut(scene["maps"], table[well]))
            probability.append(model.head.probability(scene["features"][well]))
        labels.append(label[well])
    return examples_figure(*(np.concatenate(part) for part in (windows, labels, probability)))


def make_model(out: Path, to: Path, pictures: Path) -> None:
    """Train, evaluate, write the model with its card, and the pictures of how right it is."""
    from magxr.models import card
    from magxr.models.bootstrap import interval
    from magxr.models.curves import precision_recall, roc
    from magxr.models.evaluate import confusion
    from magxr.models.reliability import reliability
    from magxr.view.learning import confusion_figure, reliability_figure, roc_figure

    features, table = tw.read(out, "features", "table")
    fresh = tw.columns(table)["scene"] >= tw.FIRST_TEST
    label = tw.labels_of(table)
    ours, unseen = (label >= 0) & ~fresh, (label >= 0) & fresh
    model, doubt = trained(features[ours], table[ours])
    model.report["test"]["balanced_interval_by_scene"] = judging.row(
        label[ours], model.out_of_fold, tw.columns(table[ours])["scene"]
    )["balanced_interval_by_scene"]
    probability = model.head.probability(features)
    scenes = [np.unique(table[m, 0]).size for m in (ours, unseen)]
    area = interval(label[unseen], probability[unseen], table[unseen, 0], "auc")
    error = interval(label[unseen], probability[unseen], table[unseen, 0], "ece")
    more = {
        "evaluation": {
            **judging.evaluation(table[ours], model.out_of_fold, "test"),
            **judging.evaluation(table[fresh], probability[fresh], "unseen"),
        },
        "data": {
            "scenes": f"{scenes[0]} to train and cross-validate, {scenes[1]} unseen, of {SIDE} x {SIDE} "
            "cells; windows do not overlap; each map gridded, and diffused too",
            "spacing": f"{sorted(set(tw.SPACINGS))} arcmin; half of the scenes surveyed at one of "
            f"{tw.NATIVE}, where that is coarser, and respaced",
            "preparation": "remove_outliers, grid (max_gap 0, 16 or 32); then denoise (0.98) and diffuse "
            "(sigma 0.5 to 1.5, rho 2 to 6, 5 to 40 steps)",
            "labels": f"linear from {tw.SHARE:g} of the truth mask, nonlinear up to {1 - tw.SHARE:g}, else "
            "ambiguous and left out; so are stripes whose survey correlates less than "
            f"{tw.VISIBLE:g} with the true field (mean of fidelity)",
            "half measured": f"at least {tw.MEASURED:g} of a window's cells were measured: what counts as "
            "adequately sampled",
            "left out": f"{int(np.sum(label[~fresh] < 0))} ambiguous windows in training, "
            f"{int(np.sum(label[fresh] < 0))} in unseen scenes",
            "rotation and polarity": "not augmented: the features do not change with either",
            "curves": f"unseen: area under the ROC curve {area.value:.3f} ({area.low:.3f} to "
            f"{area.high:.3f}), calibration error {error.value:.3f} ({error.low:.3f} to {error.high:.3f})",
            "made by": "python tools/default_model.py windows, model (see that file)",
        },
        "noise": judging.noise_words(table[fresh], probability[fresh]),
        "crust without stripes": judging.crust_words(table[unseen], probability[unseen]),
        "doubt": doubt_words(doubt, model, features[fresh], table[fresh]),
    }
    card.save(
        model,
        to,
        name="default",
        spacing=(min(tw.SPACINGS), max(tw.SPACINGS)),
        trained_on=f"{int(ours.sum())} windows of {scenes[0]} synthetic scenes (magxr.synthetic), half after "
        "gridding, half after denoising and diffusion",
        limits=LIMITS,
        overwrite=True,
        more=more,
        doubt=doubt,
    )
    pictures.mkdir(parents=True, exist_ok=True)
    well = tw.columns(table)["measured"] >= tw.MEASURED
    sets = {"half measured": unseen & well, "sparser": unseen & ~well}
    truth = {n: (label[m], probability[m]) for n, m in sets.items() if m.any()}
    for name, figure in (
        ("examples", examples(out, model)),
        ("roc", roc_figure({n: (roc(*t), precision_recall(*t)) for n, t in truth.items()})),
        ("reliability", reliability_figure({n: reliability(*t) for n, t in truth.items()})),
        ("counts", confusion_figure({n: confusion(*t) for n, t in truth.items()})),
    ):
        figure.savefig(pictures / f"default-{name}.png", dpi=100)
    _log.info("%s", (to / card.TEXT_FILE).read_text(encoding="utf-8"))


def main() -> None:
    """Read the command line and run a stage."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("stage", choices=("windows", "model"))
    parser.add_argument("--out", type=Path, required=True, help="folder of scenes")
    parser.add_argument("--scenes", type=int, default=2400, help="training scenes")
    parser.add_argument("--tests", type=int, default=800, help="unseen scenes")
    parser.add_argument("--workers", type=int, default=os.cpu_count() or 1, help="processes that make scenes")
    parser.add_argument("--to", type=Path, default=tw.ROOT / "magxr" / "models" / "default")
    parser.add_argument("--pictures", type=Path, default=tw.ROOT / "docs" / "pictures")
    given = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    if given.stage == "windows":
        seeds = [*range(given.scenes), *range(tw.FIRST_TEST, tw.FIRST_TEST + given.tests)]
        tw.for_each_scene(write_windows, given.out, seeds, given.workers)
    else:
        make_model(given.out, given.to, given.pictures)


if __name__ == "__main__":
    main()

"""All heads of a training: folds times members, put together, and the report of how it went."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import numpy as np

from magxr.kernels.blas import one_thread
from magxr.models import split as splits
from magxr.models.attempts import Attempt, Task, attempt
from magxr.models.checkpoint import fingerprint
from magxr.models.cnn_head import CnnHead
from magxr.models.ensemble import Ensemble
from magxr.models.evaluate import confusion
from magxr.models.radial_fit import OPTIMISER, told
from magxr.models.samples import Samples
from magxr.models.trained import TrainedModel

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from magxr.models.features import Features
    from magxr.models.heads import Head
    from magxr.models.protocol import Protocol


def learn(
    features: Features,
    labels: NDArray[Any],
    codes: NDArray[np.int8],
    protocol: Protocol,
    *,
    head: str,
    outputs: int,
    window: int | None,
    members: int,
    retries: int,
    memory: int,
    checkpoint: str | Path | None,
    how: dict[str, Any],
) -> TrainedModel:
    """Train ``members`` heads on each fold and return them as one model, with its report.

    Parameters are those of `magxr.models.train.train_on_features`, which checks them.
    """
    folds = np.atleast_2d(codes)
    task = Task(
        Samples(features, memory), labels, protocol, head, outputs, window, retries, checkpoint,
        about=_identity(features, labels) if checkpoint is not None else "",
    )  # fmt: skip
    made: list[list[Attempt]] = []
    runs = len(folds) * members
    with one_thread():  # the same bits on any machine, and after an interruption
        for f, own in enumerate(folds):
            seeds = [protocol.seed + f * members + m for m in range(members)]
            made.append([attempt(task, own, s, runs, f"{head}-fold{f}") for s in seeds])
    every = [a for fold in made for a in fold]
    heads = [a.head for a in every]
    whole: Head = heads[0] if runs == 1 else Ensemble(tuple(h for h in heads if not isinstance(h, CnnHead)))
    report: dict[str, Any] = {
        "protocol": told(protocol) if head == "radial" else asdict(protocol),
        "optimiser": OPTIMISER if head == "radial" else "Adam (0.9, 0.999, 1e-7), binary cross-entropy",
        "head": head,
        "parameters": whole.parameters,
        **how,
        **_told(made, protocol, features, task.samples, folds),
    }
    answers = [np.mean([a.probability for a in fold], axis=0) for fold in made]
    unseen = np.full(len(features), np.nan, np.float32)
    for own, answer in zip(folds, answers, strict=True):
        unseen[own == splits.TEST] = answer[own == splits.TEST]
    if len(folds) == 1:
        for side, name in ((splits.TRAIN, "train"), (splits.VALIDATION, "validation")):
            held = folds[0] == side
            if held.any():
                report[name] = confusion(labels[held], answers[0][held]).report()
    tested = np.isfinite(unseen)
    if tested.any():
        report["test"] = confusion(labels[tested], unseen[tested]).report()
    if len(folds) > 1:
        report["test_by_fold"] = [
            confusion(labels[o == splits.TEST], a[o == splits.TEST]).balanced_accuracy
            for o, a in zip(folds, answers, strict=True)
        ]
    return TrainedModel(whole, "", None, window, report, out_of_fold=unseen if tested.any() else None)


def _told(
    made: list[list[Attempt]],
    protocol: Protocol,
    features: Features,
    samples: Samples,
    folds: NDArray[np.int8],
) -> dict[str, Any]:
    """Return what the report says of attempts, histories and the order of windows."""
    several = len(made) * len(made[0]) > 1
    tried, histories = [], []
    for f, fold in enumerate(made):
        for m, one in enumerate(fold):
            where = {"fold": f, "member": m} if several else {}
            tried += [{**where, **t} for t in one.tried]
            best = {"best_epoch": one.progress.best_epoch} if protocol.patience is not None else {}
            histories.append({**where, **best, "history": one.progress.history})
    told: dict[str, Any] = {"attempts": tried, "history": histories[0]["history"]}
    if protocol.patience is not None:
        told["best_epoch"] = histories[0]["best_epoch"]
    if several:
        told |= {"members": len(histories), "histories": histories}
    if features.recipe is not None:
        told["features"] = {"kind": features.recipe.kind, "dtype": features.recipe.dtype}
    if not all(samples.fits(np.flatnonzero(own == splits.TRAIN)) for own in folds):
        told["streamed"] = f"in groups of at most {samples.memory // 2} bytes, shuffled within and across"
    return told


def _identity(features: Features, labels: NDArray[Any]) -> str:
    """Return a hash of what is learnt from: the keys of windows, or the features themselves."""
    if features.keys:
        return fingerprint(np.array(features.keys), labels)
    parts = [fingerprint(block) for block in features.blocks()]
    return fingerprint(np.array(parts), labels)

"""From trainings to the lines of a table: means over seeds, intervals, ties."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from magxr.errors import ParameterError
from magxr.models.bootstrap import interval
from magxr.models.compare import compare
from magxr.models.evaluate import confusion, wilson
from magxr.studies.paper.rows import PAPER

if TYPE_CHECKING:
    from collections.abc import Sequence

    from magxr.models.compare import Comparison
    from magxr.studies.paper.rows import Row

    Trainings = dict[tuple[Row, str], list[dict[str, Any]]]
    """Row and split -> one result a seed."""


def line(row: Row, split: str, results: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Return one line of the table, plain numbers; accuracies in percent.

    ``test`` is the mean over seeds, ``lowest`` and ``highest`` their range. ``wilson`` is the interval of the
    mean as if it were one test set of independent windows, as the paper has one; ``blocks`` redraws whole
    blocks of the test windows of all seeds, since windows that overlap stand or fall together.
    """
    found: dict[str, Any] = {
        "part": row.part,
        "name": row.name,
        "model": row.model,
        "diffusion": row.diffusion,
        "head": row.head,
        "backbone": "none" if row.head == "cnn" else row.trunk,
        "labels": row.labels,
        "split": split,
        "seeds": len(results),
        "failed": sum("failed" in r for r in results),
        "train_windows": _mean(r["windows"]["train"] for r in results),
        "test_windows": _mean(r["windows"]["test"] for r in results),
        "leakage": 100.0 * _mean(r["leakage"] for r in results),
        "paper": PAPER[row.model][2] if row.part == "fig9" else None,
    }
    good = [r for r in results if "failed" not in r]
    if not good:
        return found
    tests = [100.0 * r["test"] for r in good]
    count = max(1, round(found["test_windows"]))
    low, high = wilson(round(float(np.mean(tests)) / 100.0 * count), count)
    labels, probability, groups = _together(good)
    drawn = interval(labels, probability, groups, "accuracy")
    found |= {
        "train": 100.0 * _mean(r["train"] for r in good),
        "validation": 100.0 * _mean(r["validation"] for r in good),
        "test": float(np.mean(tests)),
        "lowest": min(tests),
        "highest": max(tests),
        "wilson_low": 100.0 * low,
        "wilson_high": 100.0 * high,
        "blocks_low": 100.0 * drawn.low,
        "blocks_high": 100.0 * drawn.high,
        "test_blocks": drawn.blocks,
        "restarts": sum(r["attempts"] - 1 for r in good),
        "parameters": good[0]["parameters"],
    }
    for area in good[0]["unseen"]:
        found |= {f"{area}_{k}": v for k, v in _strange([r["unseen"][area] for r in good]).items()}
    return found


def _strange(results: list[dict[str, Any]]) -> dict[str, float]:
    """Return how a row did on an unseen area: clear windows only, and the share called linear of all."""
    label = np.array(results[0]["label"])
    clear = label >= 0
    p = np.array([r["probability"] for r in results])
    called = 100.0 * float((p >= 0.5).mean())
    if not clear.any():  # nothing to be right or wrong about
        nothing = dict.fromkeys(("accuracy", "low", "high", "balanced", "linear"), float("nan"))
        return {**nothing, "windows": 0, "called_linear": called}
    scores = [confusion(label[clear], values[clear]) for values in p]
    block = np.tile(np.array(results[0]["block"])[clear], len(p))
    drawn = interval(np.tile(label[clear], len(p)), p[:, clear].ravel(), block, "accuracy")
    return {
        "accuracy": 100.0 * _mean(s.accuracy for s in scores),
        "low": 100.0 * drawn.low,
        "high": 100.0 * drawn.high,
        "balanced": 100.0 * _mean(s.balanced_accuracy for s in scores),
        "windows": int(clear.sum()),
        "called_linear": called,
        "linear": 100.0 * float((label[clear] == 1).mean()),
    }


def ties(trainings: Trainings, rows: Sequence[Row], split: str) -> Comparison | None:
    """Compare rows on the test windows of all seeds, the same for all, or None where there is nothing to."""
    held = {row.name: trainings[row, split] for row in rows if (row, split) in trainings}
    held = {name: r for name, r in held.items() if r and all("failed" not in one for one in r)}
    if len(held) < 2:
        return None
    tested = [[one["answers"]["window"] for one in r] for r in held.values()]
    if any(t != tested[0] for t in tested):
        msg = f"{', '.join(held)} were not tested on the same windows, so they cannot be compared"
        raise ParameterError(msg)
    together = {name: _together(r) for name, r in held.items()}
    labels, _, groups = next(iter(together.values()))
    return compare(labels, {name: t[1] for name, t in together.items()}, groups, "accuracy")


def _together(results: Sequence[dict[str, Any]]) -> tuple[list[int], list[float], list[int]]:
    answers = [r["answers"] for r in results]
    label, probability, block = (
        [v for a in answers for v in a[k]] for k in ("label", "probability", "block")
    )
    return label, probability, block


def _mean(values: Any) -> float:
    return float(np.mean(list(values)))

"""Tables of a model's card: how right it is on windows of synthetic scenes, and what it takes for stripes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import training_windows as tw

if TYPE_CHECKING:
    from numpy.typing import NDArray


def row(label: NDArray[Any], probability: NDArray[Any], scene: NDArray[Any]) -> dict[str, Any]:
    """Return one row of the card's table."""
    from magxr.models.evaluate import block_interval, confusion

    found = confusion(label, probability).report()
    return {**found, "balanced_interval_by_scene": block_interval(label, probability, scene)}


def evaluation(table: tw.Table, probability: NDArray[Any], name: str) -> dict[str, dict[str, Any]]:
    """Return the table's rows for labelled windows that the model has not seen."""
    label, column = tw.labels_of(table), tw.columns(table)
    well = column["measured"] >= tw.MEASURED
    parts = {"": well | True, ", half measured": well, ", sparser": ~well}
    parts |= {f", half measured, {s}": well & (column["stage"] == i) for i, s in enumerate(tw.STAGES)}
    parts |= {f", half measured, {s:g}'": well & (column["spacing"] == s) for s in sorted(set(tw.SPACINGS))}
    held = {n: m & (label >= 0) for n, m in parts.items()}
    return {
        f"{name}{n}": row(label[m], probability[m], column["scene"][m]) for n, m in held.items() if m.any()
    }


def noise_words(table: tw.Table, probability: NDArray[Any]) -> dict[str, str]:
    """Return what is called linear that is none, or that nobody could see."""
    from magxr.models.evaluate import wilson

    label, column = tw.labels_of(table), tw.columns(table)
    noise = (label == 0) & (column["noise"] == 1)
    called = int(np.sum(probability[noise] >= 0.5))
    low, high = wilson(called, int(noise.sum()))
    hidden = (tw.labels_of(table, visible=-1.0) == 1) & (label == -1)
    return {
        "called linear": f"{called} of {int(noise.sum())} windows of noise with the spectrum of stripes in "
        f"unseen scenes ({100 * low:.1f} to {100 * high:.1f} %)",
        "stripes nobody could see": f"{int(np.sum(probability[hidden] >= 0.5))} of {int(hidden.sum())} "
        "windows that are linear in truth, but not in their survey, called linear",
    }


def crust_words(table: tw.Table, probability: NDArray[Any]) -> dict[str, str]:
    """Return what is called linear of each kind of crust without stripes, where half was measured."""
    from magxr.synthetic.provinces import TEXTURES

    column = tw.columns(table)
    well = column["measured"] >= tw.MEASURED
    found = {}
    for number, texture in enumerate(TEXTURES):
        of = well & (column["texture"] == number)
        if of.any():
            found[texture] = f"{int(np.sum(probability[of] >= 0.5))} of {int(of.sum())} windows"
    return found

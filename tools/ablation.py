"""What each choice of the default model is worth, as one table.

::

    python tools/default_model.py windows --out work                 # the scenes
    python tools/transfer_model.py features --out work --every 6     # for the rows of VGG16
    python tools/ablation.py --out work --keep ablation              # all rows, or --rows 1 3 10

Every recipe is cross-validated by scene on the training scenes; no test scene is read. A recipe's answers to
windows it has not seen are kept, so that an interrupted run goes on, and compared pair by pair.
"""

from __future__ import annotations

import argparse
import importlib
import logging
import sys
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import ablation_tiles
import ablation_vgg
import numpy as np
import training_windows as tw
from ablation_judge import SHIPPED, Row, read, table, unseen

from magxr.kernels.alignment import NAMES
from magxr.kernels.stacks import STACKS
from magxr.kernels.strips import STRIPS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ablation_judge import Answers, Data, Mask

FAMILIES = {
    "the structure tensor": tuple(n for n in NAMES if "cells of" in n),
    "stacks": STACKS,
    "strips": STRIPS,
    "wave bands": tuple(n for n in NAMES if n.startswith(("power of", "direction of"))),
}
"""Names of the numbers, by what they are made from; two more are of the values alone."""
TENSOR = "the structure tensor"


def without(data: Data, family: str) -> Answers:
    """Leave a family of numbers out."""
    return unseen(data, features=data.features[:, [n not in FAMILIES[family] for n in NAMES]])


def alone(data: Data, family: str) -> Answers:
    """Take a family of numbers and no other."""
    return unseen(data, features=data.features[:, [n in FAMILIES[family] for n in NAMES]])


def one_spacing(data: Data) -> Mask:
    """Return the windows at the paper's middle spacing."""
    return data.column("spacing") == 0.72


def patchwork(data: Data) -> Mask:
    """Return the windows of surveys put together from patches."""
    return data.column("patchwork") == 1


def diffused(data: Data) -> Mask:
    """Return the windows of diffused maps."""
    return data.column("stage") == tw.STAGES.index("diffused")


def of_scenes(data: Data, windows: int) -> Mask:
    """Return the windows of scenes drawn at random, as many scenes as hold so many windows at most."""
    names, place, count = np.unique(data.scene, return_inverse=True, return_counts=True)
    order = np.random.default_rng(0).permutation(names.size)
    drawn = order[np.cumsum(count[order]) <= windows]
    return np.isin(place, drawn)


def as_many(data: Data, learn: Mask) -> Answers:
    """Learn from as many windows, of scenes drawn at random."""
    return unseen(data, learn=of_scenes(data, int(learn.sum())))


def share_of_scenes(data: Data, share: float) -> Answers:
    """Learn from a share of the scenes; a smaller one is part of a larger one."""
    return unseen(data, learn=of_scenes(data, round(share * data.label.size)))


@contextmanager
def no_cut() -> Iterator[None]:
    """Measure alignment without cutting extreme values."""
    kernel = importlib.import_module("magxr.kernels.alignment")
    extreme = kernel.EXTREME
    kernel.EXTREME = np.inf
    try:
        yield
    finally:
        kernel.EXTREME = extreme


def uncut(data: Data) -> Answers:
    """Measure the windows of every sixth scene again, with a seamount's full vote."""
    from magxr.kernels.alignment import alignment

    within = data.every(ablation_vgg.EVERY)
    features = np.zeros_like(data.features)
    with no_cut():
        features[within] = alignment(data.windows(ablation_vgg.EVERY))
    return unseen(data, features=features, within=within)


def sixth(data: Data) -> Answers:
    """Take the shipped recipe on every sixth scene."""
    return unseen(data, within=data.every(ablation_vgg.EVERY))


_SIXTH = "the shipped recipe, every sixth scene"
_HALF = "half of the scenes"
_PAIRED = "as many windows of all spacings"
_PATCHED = "as many windows, patchworks among them"
_GRIDDED = "trained on gridded maps alone"
_FROZEN = "VGG16, last block as it comes"


def _rows() -> list[Row]:
    bare = "no patchworks in training"
    without_patches = Row(5, bare, lambda d: unseen(d, learn=~patchwork(d)), _PATCHED)
    patched = Row(5, _PATCHED, lambda d: as_many(d, ~patchwork(d)))
    gridded = Row(6, _GRIDDED, lambda d: unseen(d, learn=~diffused(d)), _HALF)
    return [
        Row(1, SHIPPED, unseen),
        Row(2, "a plane alone", partial(unseen, head="pooled", decay=0.001)),
        *(Row(3, f"without {family}", partial(without, family=family)) for family in FAMILIES),
        Row(3, f"{TENSOR} alone", partial(alone, family=TENSOR)),
        Row(4, "0.72' alone in training", lambda d: unseen(d, learn=one_spacing(d)), _PAIRED),
        Row(4, _PAIRED, lambda d: as_many(d, one_spacing(d))),
        without_patches,
        patched,
        replace(without_patches, name=f"{bare}, judged on patchworks", on=patchwork, file=bare),
        replace(patched, name=f"{_PATCHED}, judged on patchworks", on=patchwork, file=_PATCHED),
        gridded,
        replace(gridded, name=f"{_GRIDDED}, judged on diffused ones", on=diffused, file=_GRIDDED),
        Row(7, "five members a fold", partial(unseen, members=5)),
        Row(8, _HALF, partial(share_of_scenes, share=0.5)),
        Row(8, "a quarter of the scenes", partial(share_of_scenes, share=0.25)),
        Row(9, _SIXTH, sixth),
        Row(9, "values not cut, every sixth scene", uncut, _SIXTH),
        Row(10, "VGG16, logistic", ablation_vgg.logistic, _SIXTH),
        Row(10, "both, mean of logits", ablation_vgg.voted, _SIXTH),
        Row(10, "both, in one radial head", ablation_vgg.joined, _SIXTH),
        Row(11, _FROZEN, lambda d: ablation_vgg.tuning(d)[0]),
        Row(11, "VGG16, last block tuned", lambda d: ablation_vgg.tuning(d)[1], _FROZEN),
        Row(12, "with the real tiles' own answers", ablation_tiles.self_trained),
    ]  # fmt: skip


ROWS = _rows()
"""Lines of the table, in order."""


def main() -> None:
    """Read the command line, make the rows and print the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--out", type=Path, required=True, help="folder of scenes, read only")
    parser.add_argument("--keep", type=Path, required=True, help="folder of answers")
    numbers = sorted({r.number for r in ROWS})
    parser.add_argument("--rows", type=int, nargs="+", choices=numbers, default=numbers)
    given = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    data = read(given.out, given.keep)
    chosen = [r for r in ROWS if r.number in given.rows]
    sys.stdout.write(table(data, chosen, {r.name: r for r in ROWS}) + "\n")
    tiles = given.keep / ablation_tiles.FIGURES
    if 12 in given.rows:
        sys.stdout.write("\n" + tiles.read_text(encoding="utf-8"))


if __name__ == "__main__":
    main()

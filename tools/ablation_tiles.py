"""Self-training for `tools/ablation.py`: the real tiles, labelled by the shipped model where it is sure."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import training_windows as tw
from ablation_judge import FOLDS

import magxr
from benchmarks import real_tiles
from magxr.models import split as splits

if TYPE_CHECKING:
    import xarray as xr
    from ablation_judge import Answers, Data
    from numpy.typing import NDArray

SURE = 0.9
"""Probability of either class from which the model's own answer becomes a label."""
STRIDE = 50
FIGURES = "tiles.md"
"""File of the tiles' figures, in the folder of answers."""


class Recorder:
    """The shipped model, which keeps the features of every window it answers."""

    def __init__(self) -> None:
        from magxr.models import spec
        from magxr.models.heads import read_head

        self.spec = spec.load("default")
        self.head = read_head(self.spec.head_file())
        self.window, self.batch, self.spacing = self.spec.window, self.spec.batch, self.spec.spacing
        self.features: list[NDArray[np.float32]] = []

    def predict(self, windows: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return probabilities, as the model does."""
        from magxr.kernels.alignment import alignment

        self.features.append(alignment(windows))
        return self.head.probability(self.features[-1])


def self_trained(data: Data) -> Answers:
    """Add the tiles' windows, with the model's own sure answers, to the training; tell what it says then."""
    from magxr.models import card
    from magxr.models.train import Protocol, train_on_features

    maps = {tile: _prepared(tile) for tile in real_tiles.TILES}
    features, label, codes, lines = [data.features], [data.label], [data.codes], []
    for number, (tile, values) in enumerate(maps.items()):
        recorder = Recorder()
        lines.append(f"- {tile}, shipped: {_figures(values, recorder)}")
        found = np.concatenate(recorder.features)
        probability = recorder.head.probability(found)
        sure = (probability >= SURE) | (probability <= 1 - SURE)
        features.append(found[sure])
        label.append((probability[sure] >= SURE).astype(int))
        codes.append(np.repeat(_block(number), int(sure.sum()), axis=1))
        lines.append(f"- {tile}: {int(sure.sum())} of {sure.size} windows labelled, "
                     f"{int(label[-1].sum())} of them linear")  # fmt: skip
    model = train_on_features(
        np.concatenate(features), np.concatenate(label), np.concatenate(codes, axis=1),
        Protocol(balanced=True), head="aligned", window=tw.WINDOW,
    )  # fmt: skip
    folder, spacing = data.keep / "self-trained", (min(tw.SPACINGS), max(tw.SPACINGS))
    card.save(model, folder, spacing=spacing, trained_on="scenes and real tiles", overwrite=True)
    lines += [f"- {tile}, self-trained: {_figures(values, folder)}" for tile, values in maps.items()]
    (data.keep / FIGURES).write_text("\n".join(lines) + "\n", encoding="utf-8")
    return np.asarray(model.out_of_fold[: data.label.size], np.float32)


def _block(number: int) -> NDArray[np.int8]:
    """Return the sets of a tile, shape (folds, 1): one block, tested in one fold."""
    codes = np.full((FOLDS, 1), splits.TRAIN, np.int8)
    codes[number], codes[number + 1] = splits.TEST, splits.VALIDATION
    return codes


def _prepared(tile: str) -> xr.Dataset:
    raw = real_tiles.read(Path(os.environ["MAGXR_TEST_DATA"]), tile)
    gridded = magxr.grid(magxr.remove_outliers(raw), spacing="0.72 arcmin")
    return magxr.diffuse(magxr.denoise(gridded)).compute()


def _figures(maps: xr.Dataset, model: Any) -> str:
    from magxr.io.picks import picks
    from magxr.studies import pick_recall

    published = picks(Path(os.environ["MAGXR_TEST_DATA"]) / "gsfml" / "picks")
    found = magxr.classify(maps["anomaly"], model=model, stride=STRIDE)
    result = magxr.calibrate(found).compute()
    return real_tiles.words(pick_recall(result, published, land=real_tiles.land(result["linear"])))

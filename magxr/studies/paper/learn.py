"""Train one row once, and test it: on windows of the training areas, and on areas that it never saw."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from magxr.errors import CollapseError
from magxr.kernels.minmax import minmax
from magxr.models import architectures, engine, weights
from magxr.models.backbones import backbone
from magxr.models.cnn_head import CnnHead
from magxr.models.features import of_windows
from magxr.models.protocol import Protocol
from magxr.models.split import TEST, TRAIN, VALIDATION
from magxr.models.train import train_on_features
from magxr.steps.features import features

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from magxr.models.heads import Head
    from magxr.studies.paper.ledger import Ledger
    from magxr.studies.paper.rows import Row
    from magxr.studies.paper.settings import Settings
    from magxr.studies.paper.windows import Chosen

    Floats = NDArray[np.floating[Any]]

_HELD = 3
"""Sets of features kept in memory: those of one row, of both training and unseen windows."""
_ROWS = 32
SETS = (("train", TRAIN), ("validation", VALIDATION), ("test", TEST))


@dataclass(eq=False)
class Desk:
    """All that training needs: windows by rule of labels, unseen areas, features as they are asked for."""

    settings: Settings
    ledger: Ledger
    chosen: dict[str, Chosen]
    """Rule of labels -> training windows."""
    strange: dict[str, Chosen]
    """Name of an unseen area -> its windows."""
    _held: dict[tuple[str, ...], Floats] = field(default_factory=dict)

    def cell(self, row: Row, split: str, seed: int) -> dict[str, Any]:
        """Return the result of one training, from the ledger or made now."""
        return self.ledger.cell(self._about(row, split, seed), lambda: self._trained(row, split, seed))

    def _about(self, row: Row, split: str, seed: int) -> dict[str, Any]:
        mine = self.chosen[row.labels]
        areas = [area for windows in (mine, *self.strange.values()) for area in windows.areas]
        about = {
            "piece": "training",
            "windows": mine.key,
            "unseen": {name: c.key for name, c in self.strange.items()},
            "diffusion": row.diffusion,
            "tuned": [a.diffusion("tuned") for a in areas] if row.diffusion == "tuned" else None,
            "head": row.head,
            "split": split,
            "seed": seed,
            "epochs": self.settings.epochs,
        }
        if row.head != "cnn":
            file = backbone(row.trunk).weights_file(self.settings.weights.get(row.trunk))
            about |= {"trunk": row.trunk, "trunk_sha256": weights.sha256(file)}
        return about

    def _trained(self, row: Row, split: str, seed: int) -> dict[str, Any]:
        mine = self.chosen[row.labels]
        codes, how = mine.split(split, seed)
        inputs = self._inputs(row, mine)
        report: dict[str, Any] = {
            **how,
            "windows": {name: int(np.sum(codes == side)) for name, side in SETS},
            "linear": int(np.sum(mine.label[codes == TRAIN] == 1)),
        }
        given = None if row.head == "cnn" else self.settings.weights.get(row.trunk)
        try:
            model = train_on_features(
                inputs,
                mine.label,
                codes,
                Protocol(epochs=self.settings.epochs, seed=seed),
                head=row.head,
                trunk=row.trunk,
                trunk_weights=given,
                window=self.settings.window,
            )
        except CollapseError as error:
            return {**report, "failed": str(error)}
        answer = _answers(model.head, self.settings.window)
        probability = answer(inputs)
        report["history"] = model.report["history"]
        report["attempts"] = len(model.report["attempts"])
        report["parameters"] = model.report["parameters"]
        for name, side in SETS:
            held = codes == side
            report[name] = float(np.mean((probability[held] >= 0.5) == (mine.label[held] == 1)))
        test = np.flatnonzero(codes == TEST)
        report["answers"] = {
            "window": test.tolist(),
            "label": mine.label[test].tolist(),
            "block": mine.blocks[test].tolist(),
            "probability": [round(float(p), 6) for p in probability[test]],
        }
        report["unseen"] = {}
        for name, other in self.strange.items():
            p = answer(self._inputs(row, other))
            report["unseen"][name] = {
                "label": other.label.tolist(),
                "block": other.blocks.tolist(),
                "probability": [round(float(v), 6) for v in p],
            }
        return report

    def _inputs(self, row: Row, windows: Chosen) -> Floats:
        """Return what a head learns from: features, or for the CNN windows, one row each."""
        flat = "cells" if row.head == "cnn" else "features"
        key = (flat, windows.key, row.diffusion, row.trunk)
        if key not in self._held:
            while len(self._held) >= _HELD:
                del self._held[next(iter(self._held))]
            self._held[key] = self._made(row, windows)
        values = self._held[key]
        return pooled(values, backbone(row.trunk).channels) if row.head == "pooled" else values

    def _made(self, row: Row, windows: Chosen) -> Floats:
        values = windows.values(row.diffusion)
        if row.head == "cnn":
            return of_windows(values).read()
        return features(
            values,
            trunk=row.trunk,
            trunk_weights=self.settings.weights.get(row.trunk),
            kind="flat",
            cache=self.ledger.folder / "features",
        ).read()


def _answers(head: Head, window: int) -> Callable[[Floats], Floats]:
    """Return a function from what a head learns from to probabilities, shape (n,)."""
    if not isinstance(head, CnnHead):
        return head.probability
    keras = engine.start()
    network = architectures.cnn(keras, window, outputs=head.outputs)
    head.put_into(network)
    run = engine.compiled(network)

    def answer(cells: Floats) -> Floats:
        found = []
        for first in range(0, len(cells), _ROWS):
            image = minmax(np.asarray(cells[first : first + _ROWS]).reshape(-1, window, window))
            empty = np.zeros((_ROWS - len(image), window, window), np.float32)  # one shape, compiled once
            found.append(run(np.concatenate([image, empty])[..., None])[: len(image), -1])
        return np.concatenate(found)

    return answer


def pooled(flat: Floats, channels: int) -> NDArray[np.float32]:
    """Return mean, then standard deviation, of every channel of flattened feature maps.

    The same as features of the kind "pooled", to float32 rounding, without running the backbone again.
    """
    fields = flat.reshape(len(flat), -1, channels)
    return np.concatenate([fields.mean(axis=1), fields.std(axis=1)], axis=1).astype(np.float32)

"""The rows of the study's tables: what is trained, on what."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from collections.abc import Sequence

    from magxr.studies.paper.settings import Settings

Part = Literal["fig9", "ablation", "backbone"]

PAPER = {"cnn": (88.0, 84.0, 78.0), "raw": (96.0, 95.0, 91.0), "diffused": (99.9, 98.8, 98.6)}
"""Model -> the paper's accuracies of training, validation and test set, percent (Fig. 9, Table S4)."""
_STAGE = {"cnn": "off", "raw": "off", "diffused": "paper"}


@dataclass(frozen=True, slots=True)
class Row:
    """One line of a table; trained once for each split and seed."""

    part: Part
    model: str
    """One of the three of Fig. 9; backbones and ablations are variants of "diffused"."""
    diffusion: str
    head: str
    """"dense", "pooled", or "cnn"."""
    trunk: str
    labels: str = "clear"
    trained: bool = True
    """Whether the backbone's weights were learnt from images."""

    @property
    def name(self) -> str:
        """What the tables call it."""
        if self.head == "cnn":
            return "CNN, not diffused"
        trunk = self.trunk if self.trained else f"{self.trunk} (untrained)"
        told = {"off": "not diffused", "default": "diffused (default)", "paper": "diffused (paper's rule)"}
        words = [trunk, f"{self.head} head", told.get(self.diffusion, "diffused (tuned)")]
        return ", ".join([*words, *([] if self.labels == "clear" else ["every window by majority"])])


def plan(settings: Settings) -> list[Row]:
    """Return the rows in the order in which they are worked on, each once."""
    trained = {
        name: settings.weights.get(name) != "untrained" for name in {*settings.backbones, settings.trunk}
    }
    own = (settings.trunk, "clear", trained[settings.trunk])
    rows = []
    for model in settings.models:
        heads = ("cnn",) if model == "cnn" else settings.heads
        rows += [Row("fig9", model, _STAGE[model], head, *own) for head in heads]
    if settings.ablations:
        for head in settings.heads:
            rows += [Row("ablation", "diffused", name, head, *own) for name in ("default", "tuned")]
            rows.append(Row("ablation", "diffused", "paper", head, settings.trunk, "majority", own[2]))
    if len(settings.backbones) > 1:
        for trunk in settings.backbones:
            rows += [
                Row("backbone", "diffused", "paper", head, trunk, "clear", trained[trunk])
                for head in settings.heads
            ]
    return rows


def comparable(rows: Sequence[Row], part: str) -> list[Row]:
    """Return the rows that are tested on the same windows, for one part of the account.

    Diffusions are compared with those of Fig. 9; labels by majority come with windows of their own.
    """
    if part != "ablation":
        return [row for row in rows if row.part == part]
    return [r for r in rows if r.part in ("fig9", part) and r.labels == "clear" and r.head != "cnn"]

"""What the study does, as plain data: sizes, models, diffusions."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

from magxr.errors import ParameterError
from magxr.models.backbones import EMBEDDED, backbone
from magxr.steps.arguments import is_whole

if TYPE_CHECKING:
    from collections.abc import Mapping

MODELS = ("cnn", "raw", "diffused")
"""The three of Fig. 9: a CNN on raw windows, a transfer head on raw ones, and one on diffused ones."""
HEADS = ("dense", "pooled")
SPLITS = ("random", "block")
DIFFUSIONS = ("off", "default", "paper", "tuned")
"""off: steps 2 to 4 only. default: `magxr.diffuse` as it is. paper: by its rule. tuned: by `magxr.tune`."""
LABELS = ("clear", "majority")
"""clear: the paper's 70 % and stripes that the survey shows. majority: every window, by half."""
SHARE = 277 / 851
"""Of the labelled windows, those of the East Pacific Rise."""


@dataclass(frozen=True, slots=True)
class Settings:
    """Sizes and choices; the defaults are the paper's, but for the CNN, which takes an hour on two cores."""

    windows: int = 851
    """Labelled windows of both training areas."""
    unseen: int = 200
    """Windows of each unseen area."""
    epochs: int = 25
    seeds: int = 5
    """Splits and trainings of every row."""
    models: tuple[str, ...] = ("raw", "diffused")
    heads: tuple[str, ...] = HEADS
    splits: tuple[str, ...] = SPLITS
    ablations: bool = True
    """Whether to train on the other diffusions and labels too."""
    weights: Mapping[str, str] = field(default_factory=dict)
    """Backbone -> its weights file, or "untrained"; beside the embedded one."""
    trunk: str = EMBEDDED
    """Backbone of the models of Fig. 9 and of the ablations."""
    seed: int = 0
    """Of the replicas and of the choice of windows."""
    shrink: int = 1
    """Take cells this many times wider, and windows of so many times fewer: the same ground, for trials."""

    def check(self) -> None:
        """Refuse what cannot be done.

        Raises
        ------
        ParameterError, ModelError
            Naming the value, the rule and the fix.
        """
        for name, least in (
            ("windows", 30),
            ("unseen", 0),
            ("epochs", 1),
            ("seeds", 1),
            ("shrink", 1),
            ("seed", 0),
        ):
            value = getattr(self, name)
            if not is_whole(value, least):
                msg = f"{name}={value!r} must be a whole number of at least {least}"
                raise ParameterError(msg)
        for name, known in (("models", MODELS), ("heads", HEADS), ("splits", SPLITS)):
            given = getattr(self, name)
            odd = [v for v in given if v not in known]
            if odd or not given or len(set(given)) < len(given):
                said = repr(odd[0]) if odd else f"{name}={list(given)}"
                msg = f"{said} is no choice of {name}; take one or more of {list(known)}, each once"
                raise ParameterError(msg)
        for name in dict.fromkeys((self.trunk, *self.backbones)):
            chosen = backbone(name)
            chosen.weights_file(self.weights.get(name))
            if self.window < chosen.smallest:
                msg = (
                    f"shrink={self.shrink} leaves windows of {self.window} cells, and {name!r} needs "
                    f"{chosen.smallest}; shrink by {250 // chosen.smallest} at most"
                )
                raise ParameterError(msg)

    @property
    def window(self) -> int:
        """Side of a window, cells: the paper's 250, less where shrunk."""
        return 250 // self.shrink

    @property
    def stride(self) -> int:
        """Cells between neighbouring windows: the paper's 50, less where shrunk."""
        return max(1, 50 // self.shrink)

    @property
    def block(self) -> int:
        """Side of a block of the blocked split, cells: two windows."""
        return 2 * self.window

    @property
    def backbones(self) -> tuple[str, ...]:
        """Names of the backbones that are compared: the embedded one and those with weights."""
        return tuple(dict.fromkeys((EMBEDDED, *self.weights)))

    @property
    def stages(self) -> tuple[str, ...]:
        """Diffusions of the training areas that are needed."""
        if self.ablations:
            return DIFFUSIONS
        return ("off", "paper") if "diffused" in self.models else ("off",)

    def described(self) -> dict[str, Any]:
        """Return everything as plain data."""
        return asdict(self)

"""How a head is trained, as plain numbers that go into its card."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from magxr.errors import ParameterError


@dataclass(frozen=True, slots=True)
class Protocol:
    """How a head is trained. The defaults are the paper's, but for ``guarded``."""

    epochs: int = 25
    batch_size: int = 32
    learning_rate: float = 1e-3
    seed: int = 0
    weight_decay: float = 0.0
    """Half the squared weights times this is added to the loss; the paper has none."""
    balanced: bool = False
    """Weigh the classes so that both count alike; the paper does not."""
    patience: int | None = None
    """Stop after so many epochs without a smaller loss on the validation set; the best epoch is kept."""
    dropout: float = 0.0
    """Share of the units of each hidden layer left out of a step; the paper's first transfer model has it."""
    guarded: bool = True
    """Standardise what a dense head reads, start as He et al. do; False: raw features, Keras' own start."""

    def check(self) -> None:
        """Refuse values out of range."""
        for name, value, good in (
            ("epochs", self.epochs, self.epochs >= 1),
            ("batch_size", self.batch_size, self.batch_size >= 1),
            ("learning_rate", self.learning_rate, 0 < self.learning_rate < np.inf),
            ("weight_decay", self.weight_decay, 0 <= self.weight_decay < np.inf),
        ):
            if not good:
                rule = "not negative" if name == "weight_decay" else "positive"
                msg = f"{name}={value} is out of range: it must be {rule} and finite"
                raise ParameterError(msg)
        if self.patience is not None and self.patience < 1:
            msg = f"patience={self.patience} is out of range: at least 1 epoch, or None to run all"
            raise ParameterError(msg)
        if not 0 <= self.dropout < 1:
            msg = f"dropout={self.dropout} is out of range: it must be at least 0 and below 1"
            raise ParameterError(msg)

"""A trunk as one family of files has it: how the input is scaled, and the network they hold weights for."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Literal, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable

    from magxr.models.trunks.sketch import Layer, Sketch

Files = Literal["keras", "torchvision"]
"""Whose files: those of keras.applications and Keras, or those of torchvision."""


class Scaling(NamedTuple):
    """What happens to a window in 0..1 before the first layer: ``(factor * x) * scale + offset``."""

    name: str
    factor: float
    scale: tuple[float, float, float]
    """One number for each of the three equal channels, in the order that the first layer reads them."""
    offset: tuple[float, float, float]
    description: str


def minus_mean(mean: tuple[float, float, float]) -> Scaling:
    """Return the scaling of Caffe's networks: 0..255, minus the mean of blue, green and red."""
    told = ", ".join(f"{m:g}" for m in mean)
    return Scaling(
        "caffe", 255.0, (1.0, 1.0, 1.0), (-mean[0], -mean[1], -mean[2]), f"BGR, 0..255 minus {told}"
    )


CAFFE = minus_mean((103.939, 116.779, 123.68))
"""Mean of ImageNet by blue, green, red, as keras.applications subtracts it."""
SYMMETRIC = Scaling("tf", 2.0, (1.0, 1.0, 1.0), (-1.0, -1.0, -1.0), "-1..1")
_MEAN, _DEVIATION = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
TORCH = Scaling(
    "torch",
    1.0,
    (1 / _DEVIATION[0], 1 / _DEVIATION[1], 1 / _DEVIATION[2]),
    (-_MEAN[0] / _DEVIATION[0], -_MEAN[1] / _DEVIATION[1], -_MEAN[2] / _DEVIATION[2]),
    "RGB, minus mean, over standard deviation of ImageNet",
)
"""As torchvision scales: mean and standard deviation of ImageNet by red, green, blue, on 0..1."""


@dataclass(frozen=True, slots=True)
class Form:
    """A trunk as one family of files has it."""

    files: Files
    scaling: Scaling
    draw: Callable[[], Sketch]
    """Draws the network; the same drawing every time."""

    @property
    def sketch(self) -> Sketch:
        """The network, drawn once a process."""
        return _drawn(self.draw)

    @property
    def layers(self) -> tuple[Layer, ...]:
        """Every layer with weights."""
        return self.sketch.layers


@lru_cache(maxsize=64)
def _drawn(draw: Callable[[], Sketch]) -> Sketch:
    return draw()

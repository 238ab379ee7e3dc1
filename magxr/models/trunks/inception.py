"""InceptionV3 as keras.applications has it: blocks of parallel branches.

Szegedy et al., Rethinking the Inception architecture for computer vision, CVPR 2016. Keras gives its layers
no names, only numbers in the order of drawing; so does this module, and the order of branches is Keras's.
"""

from __future__ import annotations

from typing import Literal

from magxr.models.trunks.form import SYMMETRIC, Form
from magxr.models.trunks.sketch import Sketch

Step = tuple[int, int, int] | tuple[int, int, int, int]
"""Channels, rows, columns of a convolution, and its stride if it is 2 (then without padding)."""
_DOUBLE = ((64, 1, 1), (96, 3, 3), (96, 3, 3))


class _Inception(Sketch):
    """A sketch whose convolutions are numbered and followed by norm and relu."""

    def __init__(self) -> None:
        super().__init__()
        self._count = 0

    def unit(self, x: int, step: Step, padding: Literal["same", "valid"] = "same") -> int:
        self._count += 1
        channels, rows, columns, *stride = step
        if stride:
            padding = "valid"
        x = self.convolution(
            x, f"conv2d_{self._count}", channels, (rows, columns), stride=stride[0] if stride else 1,
            padding=padding, bias=False,
        )  # fmt: skip
        x = self.norm(x, f"batch_normalization_{self._count}", epsilon=1e-3, scale=False)
        return self.relu(x, f"activation_{self._count}")

    def branch(self, x: int, *steps: Step) -> int:
        for step in steps:
            x = self.unit(x, step)
        return x

    def pooled(self, x: int, channels: int) -> int:
        mean = self.pool(x, f"average_pooling2d_{self._count}", 3, 1, kind="mean", padding="same")
        return self.unit(mean, (channels, 1, 1))

    def mixed(self, *branches: int, name: str) -> int:
        return self.join(branches, name)


def _draw() -> Sketch:
    s = _Inception()
    x = s.unit(0, (32, 3, 3, 2))
    x = s.unit(x, (32, 3, 3), "valid")
    x = s.pool(s.unit(x, (64, 3, 3)), "max_pooling2d_1", 3, 2)
    x = s.unit(x, (80, 1, 1), "valid")
    x = s.pool(s.unit(x, (192, 3, 3), "valid"), "max_pooling2d_2", 3, 2)
    for i, channels in enumerate((32, 64, 64)):
        x = s.mixed(
            s.branch(x, (64, 1, 1)), s.branch(x, (48, 1, 1), (64, 5, 5)), s.branch(x, *_DOUBLE),
            s.pooled(x, channels), name=f"mixed{i}",
        )  # fmt: skip
    x = s.mixed(
        s.branch(x, (384, 3, 3, 2)), s.branch(x, *_DOUBLE[:2], (96, 3, 3, 2)),
        s.pool(x, "max_pooling2d_3", 3, 2), name="mixed3",
    )  # fmt: skip
    for i, c in enumerate((128, 160, 160, 192), 4):
        x = s.mixed(
            s.branch(x, (192, 1, 1)),
            s.branch(x, (c, 1, 1), (c, 1, 7), (192, 7, 1)),
            s.branch(x, (c, 1, 1), (c, 7, 1), (c, 1, 7), (c, 7, 1), (192, 1, 7)),
            s.pooled(x, 192),
            name=f"mixed{i}",
        )
    x = s.mixed(
        s.branch(x, (192, 1, 1), (320, 3, 3, 2)),
        s.branch(x, (192, 1, 1), (192, 1, 7), (192, 7, 1), (192, 3, 3, 2)),
        s.pool(x, "max_pooling2d_4", 3, 2),
        name="mixed8",
    )
    for i in range(2):
        one = s.branch(x, (320, 1, 1))
        y = s.branch(x, (384, 1, 1))
        two = s.mixed(s.unit(y, (384, 1, 3)), s.unit(y, (384, 3, 1)), name=f"mixed9_{i}")
        y = s.branch(x, (448, 1, 1), (384, 3, 3))
        three = s.mixed(s.unit(y, (384, 1, 3)), s.unit(y, (384, 3, 1)), name=f"concatenate_{i + 1}")
        x = s.mixed(one, two, three, s.pooled(x, 192), name=f"mixed{9 + i}")
    return s


def forms() -> tuple[Form, ...]:
    """Return InceptionV3's only form: torchvision's has other blocks."""
    return (Form("keras", SYMMETRIC, _draw),)

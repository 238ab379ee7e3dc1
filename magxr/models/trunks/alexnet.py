"""AlexNet as torchvision has it: one tower, up to the last pool.

Krizhevsky, One weird trick for parallelizing convolutional neural networks, arXiv 1404.5997, 2014.
"""

from __future__ import annotations

from magxr.models.trunks.form import TORCH, Form
from magxr.models.trunks.sketch import Sketch


def _draw() -> Sketch:
    s = Sketch()
    x = s.zeros(0, "conv1_pad", 2, 2)
    x = s.convolution(x, "conv1", 64, 11, stride=4, padding="valid", relu=True, torch="features.0")
    x = s.pool(x, "pool1", 3, 2)
    x = s.convolution(x, "conv2", 192, 5, relu=True, torch="features.3")
    x = s.pool(x, "pool2", 3, 2)
    x = s.convolution(x, "conv3", 384, 3, relu=True, torch="features.6")
    x = s.convolution(x, "conv4", 256, 3, relu=True, torch="features.8")
    x = s.convolution(x, "conv5", 256, 3, relu=True, torch="features.10")
    s.pool(x, "pool5", 3, 2)
    return s


def forms() -> tuple[Form, ...]:
    """Return AlexNet's only form."""
    return (Form("torchvision", TORCH, _draw),)

"""VGG16 and VGG19: blocks of 3 x 3 convolutions, each block ending in a 2 x 2 maximum.

Simonyan & Zisserman, Very deep convolutional networks for large-scale image recognition, ICLR 2015.
"""

from __future__ import annotations

from functools import partial

from magxr.models.trunks.form import CAFFE, TORCH, Form, Scaling
from magxr.models.trunks.sketch import Sketch

_WIDTHS = (64, 128, 256, 512, 512)
VGG16 = (2, 2, 3, 3, 3)
VGG19 = (2, 2, 4, 4, 4)
"""Convolutions in each block."""


def _draw(convolutions: tuple[int, ...]) -> Sketch:
    s, x, place = Sketch(), 0, 0
    for block, (count, width) in enumerate(zip(convolutions, _WIDTHS, strict=True), 1):
        for i in range(count):
            # HED's file keeps convolutions by block; torchvision counts activations and pools as well
            hed = f"block{block}/layers/conv2d" + (f"_{i}" if i else "")
            name = f"block{block}_conv{i + 1}"
            x = s.convolution(x, name, width, relu=True, torch=f"features.{place}", groups=(hed,))
            place += 2
        x = s.pool(x, f"block{block}_pool", 2, 2)
        place += 1
    return s


def forms(convolutions: tuple[int, ...], scaling: Scaling = CAFFE) -> tuple[Form, ...]:
    """Return the forms of a VGG: both families of files have the same layers but scale differently."""
    draw = partial(_draw, convolutions)
    return Form("keras", scaling, draw), Form("torchvision", TORCH, draw)

"""ResNet18, 34, 50 and 101: blocks of convolutions added to what they started from.

He et al., Deep residual learning for image recognition, CVPR 2016. keras.applications strides in the
first convolution of a bottleneck, as that paper does, and gives convolutions a bias; torchvision strides in
the second and has none. So the deep ones have two forms, and a file's weights belong to one of them.
"""

from __future__ import annotations

from functools import partial

from magxr.models.trunks.form import CAFFE, TORCH, Form
from magxr.models.trunks.sketch import Padding, Sketch

_WIDTHS = (64, 128, 256, 512)
RESNET18 = (2, 2, 2, 2)
RESNET34 = RESNET50 = (3, 4, 6, 3)
RESNET101 = (3, 4, 23, 3)
"""Blocks in each of the four stages."""
_KERAS_EPSILON, _TORCH_EPSILON = 1.001e-5, 1e-5


def _keras(blocks: tuple[int, ...]) -> Sketch:
    s = Sketch()

    def unit(x: int, name: str, channels: int, size: int, stride: int = 1) -> int:
        padding: Padding = "same" if size > 1 else "valid"
        x = s.convolution(x, f"{name}_conv", channels, size, stride=stride, padding=padding)
        return s.norm(x, f"{name}_bn", epsilon=_KERAS_EPSILON)

    x = s.zeros(0, "conv1_pad", 3, 3)
    x = s.convolution(x, "conv1_conv", 64, 7, stride=2, padding="valid")
    x = s.norm(x, "conv1_bn", epsilon=_KERAS_EPSILON)
    x = s.relu(x, "conv1_relu")
    x = s.pool(s.zeros(x, "pool1_pad", 1, 1), "pool1_pool", 3, 2)
    for stage, (count, width) in enumerate(zip(blocks, _WIDTHS, strict=True), 2):
        for block in range(1, count + 1):
            name = f"conv{stage}_block{block}"
            stride = 2 if block == 1 and stage > 2 else 1
            short = unit(x, f"{name}_0", 4 * width, 1, stride) if block == 1 else x
            y = s.relu(unit(x, f"{name}_1", width, 1, stride), f"{name}_1_relu")
            y = s.relu(unit(y, f"{name}_2", width, 3), f"{name}_2_relu")
            y = unit(y, f"{name}_3", 4 * width, 1)
            x = s.relu(s.add(short, y, f"{name}_add"), f"{name}_out")
    return s


def _torchvision(blocks: tuple[int, ...], bottleneck: bool) -> Sketch:
    s = Sketch()

    def unit(x: int, conv: str, norm: str, channels: int, size: int, stride: int = 1) -> int:
        name = conv.replace(".", "_")
        if size > 1 and stride > 1:
            x = s.zeros(x, f"{name}_pad", size // 2, size // 2)
        padding: Padding = "same" if size > 1 and stride == 1 else "valid"
        x = s.convolution(x, name, channels, size, stride=stride, padding=padding, bias=False, torch=conv)
        return s.norm(x, norm.replace(".", "_"), epsilon=_TORCH_EPSILON, torch=norm)

    x = s.relu(unit(0, "conv1", "bn1", 64, 7, 2), "relu")
    x = s.pool(s.zeros(x, "maxpool_pad", 1, 1), "maxpool", 3, 2)
    before = 64
    for stage, (count, width) in enumerate(zip(blocks, _WIDTHS, strict=True), 1):
        for block in range(count):
            name, wide = f"layer{stage}.{block}", 4 * width if bottleneck else width
            plain = name.replace(".", "_")
            stride = 2 if block == 0 and stage > 1 else 1
            short = x
            if stride > 1 or before != wide:
                short = unit(x, f"{name}.downsample.0", f"{name}.downsample.1", wide, 1, stride)
            steps = ((width, 1, 1), (width, 3, stride), (wide, 1, 1))
            y = x
            for i, (channels, size, step) in enumerate(
                steps if bottleneck else ((width, 3, stride), (width, 3, 1)), 1
            ):
                y = unit(y if i == 1 else s.relu(y, f"{plain}_relu{i - 1}"), f"{name}.conv{i}",
                         f"{name}.bn{i}", channels, size, step)  # fmt: skip
            x = s.relu(s.add(short, y, f"{plain}_add"), f"{plain}_out")
            before = wide
    return s


def basic(blocks: tuple[int, ...]) -> tuple[Form, ...]:
    """Return the form of a shallow ResNet, two 3 x 3 convolutions a block."""
    return (Form("torchvision", TORCH, partial(_torchvision, blocks, bottleneck=False)),)


def bottleneck(blocks: tuple[int, ...]) -> tuple[Form, ...]:
    """Return the forms of a deep ResNet, a 3 x 3 convolution between two of 1 x 1 in each block."""
    return (
        Form("keras", CAFFE, partial(_keras, blocks)),
        Form("torchvision", TORCH, partial(_torchvision, blocks, bottleneck=True)),
    )

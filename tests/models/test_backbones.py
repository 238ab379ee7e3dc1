"""What is known of every trunk without building it, and where its weights come from."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from magxr.errors import ModelError
from magxr.models import imagenet, spec, untrained, weights
from magxr.models.backbones import BACKBONES, backbone
from tests.models import torch_bytes

# Kernels and biases as published, with mean and variance of norms: without the last, dense layers
PARAMETERS = {
    "vgg16-hed": 14_714_688, "vgg16": 14_714_688, "vgg19": 20_024_384, "inceptionv3": 21_802_784,
    "mobilenet": 3_228_864, "mobilenetv2": 2_257_984, "alexnet": 2_469_696, "resnet18": 11_176_512 + 9_600,
    "resnet34": 21_284_672 + 17_024, "resnet50": 23_587_712, "resnet101": 42_658_176,
}  # fmt: skip
UNTRAINED = {
    "vgg16": "6e713e690f4ede0be73faf71bc6b062377cc160c91a11c7a206bf21951e5cfdc",
    "vgg19": "85e3e72a26751c3ad1a8fb337bcfa9d66eb9d1f3b78a54ec1193b3e1fc411a38",
    "inceptionv3": "8f8d95345268ae97d275c3cd62026ed9ab16db2a07724b3cba9f5a93b972014c",
    "mobilenet": "1b473b33c7d58841a5a7bfd94bd8c1b2731b9942bccf5d1b4740d84ae6364605",
    "mobilenetv2": "72c86152527af43638e08522a045e138a0876beb30aeb8e029b58dd7e1880734",
    "alexnet": "a32029cc6521abe273e1533b83ca8d81b65ec15ec04b16d625f6f8e598edde95",
    "resnet18": "97e580c852ff683b4adf12a5509c66c97eec2823bbebc9ccfbc0f32434d9f331",
    "resnet34": "b378cdec62721e5ca1289e03f692390eba615c0a8437ae41176464b70a31d01c",
    "resnet50": "43208e0df37a1c712a16fe58cc746a2f512a7e3346406774b1df247f4dc38105",
    "resnet101": "7c57fe4573f6556d8feedca2005645a8be45ac5300d368bb98a2253f9b6cafc3",
}


def test_parameters_channels_and_strides():
    assert {n: b.parameters for n, b in BACKBONES.items()} == PARAMETERS
    assert {n: b.channels for n, b in BACKBONES.items()} == {
        "vgg16-hed": 512, "vgg16": 512, "vgg19": 512, "inceptionv3": 2048, "mobilenet": 1024,
        "mobilenetv2": 1280, "alexnet": 256, "resnet18": 512, "resnet34": 512, "resnet50": 2048,
        "resnet101": 2048,
    }  # fmt: skip
    assert {b.stride for b in BACKBONES.values()} == {32}
    assert {n: len(backbone(n).layers) for n in ("vgg16-hed", "vgg16", "vgg19")} == {
        "vgg16-hed": 13,
        "vgg16": 13,
        "vgg19": 16,
    }


def test_both_forms_of_a_trunk_end_in_the_same_map():
    for trunk in BACKBONES.values():
        for form in trunk.forms:
            assert (form.sketch.channels, form.sketch.stride) == (trunk.channels, trunk.stride)
            for window in (trunk.smallest, 96, 97, 250):
                assert form.sketch.cells(window) == trunk.cells(window) >= 1


def test_which_have_a_dense_form_and_why_not():
    without = {n: b.dense_reason for n, b in BACKBONES.items() if not b.dense}
    assert set(without) == {"inceptionv3", "alexnet"}
    assert all("no padding" in reason for reason in without.values())
    for name in without:  # a map that covers the inside only: fewer cells than strides fit
        assert backbone(name).cells(250) < 250 // backbone(name).stride
    assert all(b.cells(256) == 256 // b.stride for b in BACKBONES.values() if b.dense)


def test_trunks_without_weights_say_what_to_give(tmp_path):
    match = r"'vgg19' comes without weights; give a local file.*'imagenet' or 'untrained'"
    with pytest.raises(ModelError, match=match):
        backbone("vgg19").weights_file()
    with pytest.raises(ModelError, match=r"\.pth with torchvision's names\), trunk_weights='untrained', or"):
        backbone("resnet18").weights_file()
    with pytest.raises(ModelError, match=r"x.h5 for the trunk 'vgg19' does not exist"):
        backbone("vgg19").weights_file(tmp_path / "x.h5")
    with pytest.raises(ModelError, match=r"unknown trunk 'resnet'; there are \['alexnet', 'inceptionv3'"):
        backbone("resnet")
    with pytest.raises(ModelError, match="one trained file; for random weights use trunk='vgg16'"):
        backbone("vgg16-hed").weights_file("untrained")


def test_imagenet_weights_are_never_downloaded_by_the_way(tmp_path, monkeypatch):
    monkeypatch.setenv("KERAS_HOME", str(tmp_path))
    monkeypatch.setattr(imagenet, "_opened", lambda url: pytest.fail(f"opened {url}"))
    with pytest.raises(
        ModelError, match=r"models/resnet50_\w+_notop.h5 does not exist; get them with `magxr mo"
    ):
        backbone("resnet50").weights_file("imagenet")
    with pytest.raises(ModelError, match="no ImageNet weights for 'alexnet', only for"):
        backbone("alexnet").weights_file("imagenet")


def test_untrained_weights_are_the_same_everywhere():
    assert {n: untrained.sha256(n) for n in BACKBONES if n != "vgg16-hed"} == UNTRAINED
    path = backbone("resnet18").weights_file("untrained")
    assert not path.exists()
    assert weights.sha256(path) == UNTRAINED["resnet18"]
    assert backbone("resnet18").weights_file(str(path)) == path
    backbone("resnet18").check(path, UNTRAINED["resnet18"])
    with pytest.raises(ModelError, match="another magxr made other random weights"):
        backbone("resnet18").check(path, UNTRAINED["resnet34"])
    with pytest.raises(ModelError, match="untrained:resnet34 for the trunk 'resnet18' does not exist"):
        backbone("resnet18").weights_file("untrained:resnet34")


def test_untrained_kernels_have_the_spread_they_should():
    made = untrained.tensors("resnet18")
    for name, read, gain in (("conv1", 147, 2), ("layer3_1_conv1", 2304, 2), ("layer3_1_conv2", 2304, 1)):
        kernel = made[name][0]
        assert kernel.dtype == np.float32
        np.testing.assert_allclose(kernel.std(), np.sqrt(gain / read), rtol=0.02)
        assert abs(kernel.mean()) < 0.02 * kernel.std() + 3 * kernel.std() / np.sqrt(kernel.size)
        assert np.abs(kernel).max() <= np.float32(np.sqrt(3 * gain / read))
    assert set(made["bn1"][0]) == {1.0}
    assert set(made["layer3_1_bn2"][0]) == {np.float32(8**-0.5)}
    assert not np.array_equal(made["layer1_0_conv1"][0], made["layer1_0_conv2"][0])


def test_descriptions_tell_whose_weights():
    trunk = backbone("resnet50")
    assert "UNTRAINED: random weights" in trunk.described("untrained")
    assert "UNTRAINED" in trunk.described("untrained:resnet50")
    assert trunk.described("imagenet").endswith("ImageNet weights of keras.applications")
    assert trunk.described(Path("far/away/r.h5")).endswith("weights from r.h5")
    assert trunk.described() == trunk.description


def test_files_that_a_trunk_has_no_form_for(tmp_path):
    path = torch_bytes.stream(tmp_path / "m.pth", {"a.weight": np.zeros((2, 2), "f4")})
    for name in ("mobilenet", "inceptionv3", "vgg16-hed"):
        with pytest.raises(ModelError, match=f"for the trunk '{name}' magxr reads Keras files only"):
            backbone(name).form(path)
    assert backbone("mobilenetv2").form(path).files == "torchvision"
    assert backbone("resnet18").form(backbone("resnet18").weights_file("untrained")).files == "torchvision"


def test_a_model_on_an_untrained_trunk_says_so(tmp_path, random_head):
    from magxr.models.train import TrainedModel

    report = {"head": "pooled", "parameters": 1025, "protocol": {"epochs": 25}, "optimiser": "none"}
    made = TrainedModel(random_head, "resnet18", "untrained", 64, report)
    saved = made.save(tmp_path / "m", spacing=(0.5, 1.0), trained_on="nothing: a test")
    assert saved.trunk_sha256 == UNTRAINED["resnet18"]
    assert spec.load(tmp_path / "m") == saved
    assert "UNTRAINED: random weights" in (tmp_path / "m" / "card.md").read_text()


def test_nothing_here_starts_a_network_library():
    code = (
        "import sys, magxr; magxr.backbones(); from magxr.models.backbones import backbone as b\n"
        "b('resnet18').check(b('resnet18').weights_file('untrained'), "
        f"{UNTRAINED['resnet18']!r})\n"
        "print([m for m in ('keras', 'tensorflow', 'torch') if m in sys.modules])"
    )
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert out.stdout.strip() == "[]"

"""The ten trunks and the embedded one as networks: what known weights make of a known window."""

import numpy as np
import pytest

from magxr.errors import ModelError
from magxr.models import engine, spec, untrained, weights, worker
from magxr.models.backbones import BACKBONES, backbone, build
from magxr.models.train import train

pytestmark = pytest.mark.network_model

# Mean and deviation of the feature map; the largest value of its first cell, and in which channel
GOLDEN = {
    "vgg16-hed": (6.08706, 22.0155, 359.385, 155),
    "vgg16": (141.743, 146.185, 745.763, 0),
    "vgg19": (114.908, 114.714, 609.867, 299),
    "inceptionv3": (0.134273, 0.240152, 1.70515, 315),
    "mobilenet": (0.0558166, 0.0831589, 0.513619, 341),
    "mobilenetv2": (0.14285, 0.211328, 1.07998, 766),
    "alexnet": (3.42701, 2.24479, 10.7629, 226),
    "resnet18": (0.580561, 0.816543, 2.83942, 71),
    "resnet34": (0.718771, 0.987074, 3.41893, 126),
    "resnet50": (26.9425, 35.4213, 160.308, 674),
    "resnet101": (29.3279, 40.6428, 142.122, 1280),
}
WINDOW = dict.fromkeys(GOLDEN, 64) | {"inceptionv3": 80}


@pytest.fixture(scope="module")
def keras():
    return engine.start()


@pytest.mark.parametrize("name", GOLDEN)
def test_known_activations_of_the_embedded_and_the_untrained(keras, name):
    trunk, side = backbone(name), WINDOW[name]
    path = trunk.weights_file(None if trunk.sha256 else "untrained")
    model = build(keras, trunk, path, side)
    fields = np.asarray(model(np.random.default_rng(7).random((1, side, side, 1)).astype("f4")), "f8")
    assert fields.shape == (1, trunk.cells(side), trunk.cells(side), trunk.channels)
    assert model.count_params() == trunk.parameters
    assert not model.trainable_weights
    assert not any(isinstance(layer, keras.Model) for layer in model.layers)
    assert int(fields[0, 0, 0].argmax()) == GOLDEN[name][3]
    np.testing.assert_allclose(
        (fields.mean(), fields.std(), fields[0, 0, 0].max()), GOLDEN[name][:3], rtol=1e-4
    )


@pytest.mark.parametrize("name", ["alexnet", "inceptionv3", "mobilenetv2"])
def test_the_smallest_window(keras, name):
    trunk = backbone(name)
    path = untrained.path(name)
    fields = build(keras, trunk, path, trunk.smallest)(np.ones((1, trunk.smallest, trunk.smallest, 1), "f4"))
    assert fields.shape == (1, 1, 1, trunk.channels)
    match = f"window={trunk.smallest - 1} is smaller than the {trunk.smallest} pixels that the trunk '{name}'"
    with pytest.raises(ModelError, match=match):
        build(keras, trunk, path, trunk.smallest - 1)


def test_the_table_is_whole():
    assert set(BACKBONES) == set(GOLDEN)


@pytest.mark.parametrize(("name", "ending"), [("alexnet", ".weights.h5"), ("resnet18", ".keras")])
def test_files_that_keras_writes_of_our_own_trunks(keras, tmp_path, name, ending):
    trunk = backbone(name)
    model = build(keras, trunk, untrained.path(name), trunk.smallest)
    path = tmp_path / f"w{ending}"
    (model.save_weights if ending == ".weights.h5" else model.save)(path)
    assert weights.files(path) == "keras"
    image = np.random.default_rng(3).random((1, trunk.smallest, trunk.smallest, 1)).astype("f4")
    again = build(keras, trunk, path, trunk.smallest)
    np.testing.assert_array_equal(np.asarray(again(image)), np.asarray(model(image)))


def test_a_head_on_an_untrained_trunk_trains_saves_and_predicts(tmp_path):
    rng = np.random.default_rng(9)
    y, x = np.mgrid[:32, :32]
    labels = np.arange(60) % 2
    made = rng.normal(0, 1, (60, 32, 32)).astype("f4")
    for i in np.flatnonzero(labels):
        made[i] = 0.4 * made[i] + np.sin(2 * np.pi * (x * np.cos(i) + y * np.sin(i)) / rng.uniform(6, 10))
    model = train(made, labels, groups=np.arange(60) // 2, trunk="mobilenetv2", trunk_weights="untrained")
    saved = model.save(tmp_path / "m", spacing=(0.5, 1.0), trained_on="stripes and noise")
    again = spec.load(tmp_path / "m")
    assert again == saved
    wanted = model.head.probability(worker.features("mobilenetv2", made, trunk_weights="untrained"))
    assert np.ptp(wanted) > 0.05
    np.testing.assert_allclose(worker.predict(again, made), wanted, atol=1e-5)

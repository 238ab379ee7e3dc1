"""Trunks with weights from a Keras file are those of keras.applications with the same weights."""

import numpy as np
import pytest

from magxr.models import engine
from magxr.models.backbones import backbone, build

pytestmark = pytest.mark.network_model


@pytest.fixture(scope="module")
def keras():
    return engine.start()


def with_lively_norms(model, seed):
    """Give norms that do something to a model of Keras."""
    rng = np.random.default_rng(seed)
    for layer in model.layers:
        if type(layer).__name__ == "BatchNormalization":
            *gamma, beta, mean, variance = layer.get_weights()
            made = [rng.uniform(0.5, 1.5, g.shape) for g in gamma]
            made += [rng.normal(0, 0.1, beta.shape), rng.normal(0, 0.1, mean.shape)]
            layer.set_weights([*made, rng.uniform(0.5, 1.5, variance.shape)])
    return model


@pytest.mark.parametrize(
    ("name", "builder", "module", "ending"),
    [
        ("vgg16", "VGG16", "vgg16", ".keras"),
        ("inceptionv3", "InceptionV3", "inception_v3", ".h5"),
        ("mobilenet", "MobileNet", "mobilenet", ".weights.h5"),
        ("mobilenetv2", "MobileNetV2", "mobilenet_v2", ".h5"),
        ("resnet50", "ResNet50", "resnet", ".weights.h5"),
    ],
)
@pytest.mark.filterwarnings("ignore:You are saving your model as an HDF5 file")
def test_equal_to_keras_applications(keras, tmp_path, name, builder, module, ending):
    trunk = backbone(name)
    side = max(trunk.smallest, 33)  # odd: paddings of strides show
    keras.utils.set_random_seed(1)
    theirs = getattr(keras.applications, builder)(
        include_top=False, weights=None, input_shape=(side, side, 3)
    )
    with_lively_norms(theirs, 2)
    path = tmp_path / f"{name}{ending}"
    (theirs.save_weights if ending == ".weights.h5" else theirs.save)(path)
    image = np.random.default_rng(1).random((1, side, side, 1)).astype("f4")
    scaled = getattr(keras.applications, module).preprocess_input(255 * np.repeat(image, 3, axis=-1))
    wanted = np.asarray(theirs(scaled))
    assert np.ptp(wanted) > 0
    got = np.asarray(build(keras, trunk, path, side)(image))
    np.testing.assert_allclose(got, wanted, rtol=1e-4, atol=1e-5 * np.abs(wanted).max())
    assert theirs.count_params() == trunk.parameters


@pytest.mark.parametrize(("name", "builder"), [("resnet101", "ResNet101"), ("vgg19", "VGG19")])
def test_layers_are_named_and_ordered_as_keras_has_them(keras, name, builder):
    theirs = getattr(keras.applications, builder)(include_top=False, weights=None, input_shape=(32, 32, 3))
    ours = backbone(name).forms[0].sketch.stored_order()
    assert [layer.name for layer in theirs.layers if layer.weights] == [layer.name for layer in ours]
    shapes = [tuple(w.shape) for layer in theirs.layers for w in layer.weights]
    assert shapes == [t.shape for layer in ours for t in layer.tensors]

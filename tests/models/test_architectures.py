"""The paper's networks, layer by layer and parameter by parameter."""

import numpy as np
import pytest

from magxr.errors import ModelError, ParameterError
from magxr.models import architectures, engine
from magxr.models.dense_head import DenseHead

pytestmark = pytest.mark.network_model


@pytest.fixture(scope="module")
def keras():
    return engine.start()


def small_trunk(keras, size=32, channels=4):
    image = keras.Input((size, size, 1))
    x = keras.layers.Conv2D(channels, 3, strides=8, padding="same", activation="relu")(image)
    return keras.Model(image, x, name="small")


@pytest.mark.parametrize(("outputs", "parameters"), [(1, 24_690_157), (2, 24_690_190)])
def test_the_cnn_has_the_papers_24_69_million_parameters(keras, outputs, parameters):
    made = architectures.cnn(keras, 250, outputs=outputs)
    assert architectures.trainable_parameters(made) == made.count_params() == parameters
    kinds = [type(layer).__name__ for layer in made.layers]
    counted = {k: kinds.count(k) for k in ("Conv2D", "MaxPooling2D", "Dropout", "Dense")}
    assert counted == {"Conv2D": 4, "MaxPooling2D": 2, "Dropout": 3, "Dense": 5}  # four dense, and the output
    assert made.output.shape == (None, outputs)


def test_two_outputs_are_two_probabilities(keras):
    made = architectures.cnn(keras, 16, outputs=2)
    p = np.asarray(made(np.random.default_rng(0).random((3, 16, 16, 1)).astype("f4")))
    np.testing.assert_allclose(p.sum(axis=1), 1, atol=1e-6)


def test_the_seed_fixes_the_start(keras):
    first, again, other = (architectures.cnn(keras, 8, seed=s).get_weights()[0] for s in (1, 1, 2))
    np.testing.assert_array_equal(first, again)
    assert not np.array_equal(first, other)


def test_the_transfer_model_has_26_layers_or_29_and_2_52_million_parameters(keras):
    for dropout, layers in ((0.0, 26), (0.5, 29)):
        vgg19 = keras.applications.VGG19(include_top=False, weights=None, input_shape=(250, 250, 3))
        made = architectures.transfer(keras, vgg19, dropout=dropout)
        assert architectures.layer_count(made) == layers
        assert architectures.trainable_parameters(made) == 2_520_021
        assert made.count_params() == 2_520_021 + 20_024_384
        assert not any(isinstance(layer, keras.Model) for layer in made.layers)


def test_the_head_goes_onto_the_trunks_output(keras):
    trunk = small_trunk(keras)
    rng = np.random.default_rng(0)
    shapes = ((64, 5), (5, 3), (3, 1))
    head = DenseHead(
        tuple((rng.normal(size=s).astype("f4"), rng.normal(size=s[1]).astype("f4")) for s in shapes)
    )
    made = architectures.transfer(keras, trunk, head=head)
    image = rng.random((6, 32, 32, 1)).astype("f4")
    flat = np.asarray(architectures.flat_features(keras, trunk)(image))
    assert flat.shape == (6, 64)
    np.testing.assert_array_equal(flat, np.asarray(trunk(image)).reshape(6, -1))
    np.testing.assert_allclose(np.asarray(made(image))[:, 0], head.probability(flat), atol=1e-6)
    with pytest.raises(ModelError, match="takes 64 values but the trunk 'small' gives 36"):
        architectures.transfer(keras, small_trunk(keras, 24), head=head)


def test_numbers_out_of_range(keras):
    with pytest.raises(ParameterError, match="outputs=3"):
        architectures.cnn(keras, 8, outputs=3)
    with pytest.raises(ParameterError, match="window=3 is too small"):
        architectures.cnn(keras, 3)

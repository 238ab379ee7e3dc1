"""Steps of training against slow and obvious versions, and against Keras through the frozen trunk."""

import numpy as np
import pytest

from magxr.models import architectures, engine
from magxr.models.adam import Adam
from magxr.models.features import as_features
from magxr.models.fit import cross_entropy, fit
from magxr.models.learners import DenseLearner, PooledLearner
from magxr.models.protocol import Protocol
from magxr.models.samples import Samples
from magxr.models.spread import spread, spread_of

ONES = np.ones(6)


def toy(n=6, d=12, seed=0):
    rng = np.random.default_rng(seed)
    return rng.normal(2, 3, (n, d)).astype("f4"), (np.arange(n) % 2).astype(float)


def test_adam_is_the_published_algorithm():
    rng = np.random.default_rng(0)
    w = rng.normal(size=(7, 5))
    own, m, v = w.copy(), np.zeros_like(w), np.zeros_like(w)
    adam = Adam([own], 0.01)
    for t in range(1, 6):
        g = rng.normal(size=w.shape)
        adam.step([g])
        m, v = 0.9 * m + 0.1 * g, 0.999 * v + 0.001 * g**2
        w = w - 0.01 * (m / (1 - 0.9**t)) / (np.sqrt(v / (1 - 0.999**t)) + 1e-7 / np.sqrt(1 - 0.999**t))
    np.testing.assert_allclose(own, w, rtol=1e-12)


def test_adam_refuses_what_it_could_not_change():
    with pytest.raises(ValueError, match="contiguous"):
        Adam([np.zeros((4, 4))[:, :2]], 0.1)


@pytest.mark.parametrize("kind", ["pooled", "dense"])
def test_gradients_are_those_of_the_loss(kind):
    """A tiny step changes the loss by its gradient's length, along every weight tried."""
    x, y = toy()
    protocol = Protocol(weight_decay=0.1)
    mean, scale = spread(x)
    weight = np.linspace(0.5, 1.5, 6)

    def made():
        if kind == "pooled":
            learner = PooledLearner(mean, scale, protocol)
            learner.weights[:] = np.linspace(-1, 1, learner.weights.size)
            return learner, [learner.weights]
        learner = DenseLearner(mean, scale, protocol, 0, (5, 4))
        learner.layers = [(k.astype("f8"), b.astype("f8")) for k, b in learner.layers]
        return learner, [a for pair in learner.layers for a in pair]

    def loss(learner, arrays):
        logit = learner.logits(x)
        kernels = [a for a in arrays if a.ndim == 2] if kind == "dense" else [arrays[0][:-1]]
        decay = sum(float(np.sum(np.square(k, dtype="f8"))) for k in kernels)
        return float(np.mean(weight * (np.logaddexp(0, logit) - y * logit))) + 0.05 * decay

    learner, arrays = made()
    got = []
    learner.adam.step = lambda gradients: got.extend(np.array(g) for g in gradients)
    learner.step(x, y, weight, np.random.default_rng(0))
    eps = 1e-6
    for array, gradient in zip(arrays, got, strict=True):
        for i in range(0, array.size, max(1, array.size // 4)):
            before = array.flat[i]
            array.flat[i] = before + eps
            up = loss(learner, arrays)
            array.flat[i] = before - eps
            down = loss(learner, arrays)
            array.flat[i] = before
            assert (up - down) / (2 * eps) == pytest.approx(float(gradient.flat[i]), rel=1e-4, abs=1e-6)


def test_scaling_is_folded_into_the_first_layer():
    x, _ = toy(50, 30)
    x[:, 4] = 7.0  # constant: it must not matter
    learner = DenseLearner(*spread(x), Protocol(), 3, (8, 4))
    moved = x.copy()
    moved[:, 4] = 1e5
    p = learner.head().probability(x)
    np.testing.assert_allclose(p, 1 / (1 + np.exp(-learner.logits(x))), atol=1e-5)
    np.testing.assert_array_equal(learner.head().probability(moved), p)
    # whatever the number of features, what comes in has a length of about one
    assert np.linalg.norm(learner._standardise(x), axis=1).mean() == pytest.approx(1, abs=0.1)


def test_dropout_leaves_out_its_share_and_nothing_when_predicting():
    x, y = toy(6, 12)
    learners = [DenseLearner(*spread(x), Protocol(dropout=d), 0, (400, 4)) for d in (0.0, 0.5)]
    np.testing.assert_array_equal(learners[0].logits(x), learners[1].logits(x))
    grads = []
    for learner in learners:
        got = []
        learner.adam.step = lambda g, got=got: got.extend(g)
        learner.step(x, y, ONES, np.random.default_rng(1))
        grads.append(got[2])  # of the second kernel: a unit left out gives no gradient
    silent = [float(np.mean(np.all(g == 0, axis=1))) for g in grads]
    assert silent[1] > silent[0]


def test_spread_block_by_block_is_that_of_the_whole():
    x, _ = toy(103, 9)
    x[:, 2] = 0.1
    whole, parts = spread(x), spread_of([x[:10], x[10:64], x[64:]])
    for a, b in zip(whole, parts, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-6)
    np.testing.assert_allclose(whole[1][:2], x[:, :2].std(axis=0), rtol=1e-5)
    assert np.isinf(parts[1][2])


@pytest.mark.network_model
@pytest.mark.parametrize("guarded", [True, False])
def test_a_head_on_features_learns_what_keras_learns_through_the_frozen_trunk(guarded):
    keras = engine.start()
    rng = np.random.default_rng(2)
    image = keras.Input((32, 32, 1))
    conv = keras.layers.Conv2D(3, 3, strides=8, padding="same", activation="relu", kernel_initializer="zeros")
    trunk = keras.Model(image, conv(image), name="small")
    conv.set_weights([rng.normal(size=(3, 3, 1, 3)).astype("f4"), rng.normal(size=3).astype("f4")])
    windows = rng.random((40, 32, 32, 1)).astype("f4")
    labels = rng.integers(0, 2, 40)
    flat = np.asarray(architectures.flat_features(keras, trunk)(windows))
    protocol = Protocol(epochs=3, batch_size=8, guarded=guarded)
    learner = DenseLearner(*spread(flat), protocol, 5, (10, 6))

    frozen = keras.Model(image, trunk.output)
    conv.trainable = False
    x = keras.layers.Flatten()(frozen.output)
    inverse = learner.inverse.astype("f8")
    x = keras.layers.Rescaling(inverse, -learner.mean * inverse)(x)
    dense = [keras.layers.Dense(k.shape[1], activation="relu") for k, _ in learner.layers[:-1]]
    dense.append(keras.layers.Dense(1, activation="sigmoid"))
    for layer in dense:
        x = layer(x)
    model = keras.Model(image, x)
    for layer, pair in zip(dense, learner.layers, strict=True):
        layer.set_weights([a.copy() for a in pair])
    model.compile(optimizer=keras.optimizers.Adam(1e-3), loss="binary_crossentropy", jit_compile=False)
    order = np.random.default_rng(9)
    for _ in range(3):
        turn = order.permutation(40)
        for i in range(0, 40, 8):
            model.train_on_batch(windows[turn[i : i + 8]], labels[turn[i : i + 8]].astype("f4")[:, None])

    before = learner.head().probability(flat)
    fit(learner, Samples(as_features(flat)), labels, np.zeros(40, "i1"), protocol, 9)
    after = learner.head().probability(flat)
    assert np.abs(after - before).max() > 0.01
    np.testing.assert_allclose(after, np.asarray(model(windows))[:, 0], atol=2e-5)
    for layer, pair in zip(dense, learner.layers, strict=True):
        for a, b in zip(layer.get_weights(), pair, strict=True):
            np.testing.assert_allclose(a, b, atol=2e-5)


def test_loss_is_binary_cross_entropy():
    logit, y = np.array([2.0, -1.0, 800.0]), np.array([1.0, 1.0, 0.0])
    p = 1 / (1 + np.exp(-logit[:2]))
    assert cross_entropy(logit[:2], y[:2]) == pytest.approx(-np.log(p).mean())
    assert cross_entropy(logit, y) == pytest.approx((-np.log(p).sum() + 800) / 3)

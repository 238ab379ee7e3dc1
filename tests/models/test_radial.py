"""The radial head: what it can tell apart, what it does far from all it knows, its file."""

import numpy as np
import pytest

from magxr.errors import ModelError, ParameterError
from magxr.models import archive, radial_fit
from magxr.models.heads import read_head
from magxr.models.protocol import Protocol
from magxr.models.radial_head import RadialHead, closeness, from_arrays
from magxr.models.split import TEST, TRAIN
from magxr.models.train import train_on_features


def rings(count=400, seed=0):
    """Two classes that no plane parts: a disc, and the ring around it."""
    rng = np.random.default_rng(seed)
    labels = np.arange(count) % 2
    angle, radius = rng.uniform(0, 2 * np.pi, count), rng.uniform(0, 1, count) + 1.5 * labels
    values = np.stack([radius * np.cos(angle), radius * np.sin(angle), np.full(count, 3.0)], axis=1)
    return values.astype(np.float32), labels


def codes_of(labels):
    return np.where(np.arange(len(labels)) % 8 < 2, TEST, TRAIN).astype(np.int8)


def learnt(values, labels, **kwargs):
    return train_on_features(values, labels, codes_of(labels), head="aligned", window=64, **kwargs)


@pytest.fixture(scope="module")
def model():
    return learnt(*rings())


def test_it_parts_what_no_plane_parts(model):
    values, labels = rings(seed=1)
    assert ((model.head.probability(values) >= 0.5) == labels).mean() > 0.97
    assert model.report["test"]["accuracy"] > 0.97
    assert model.head.kind == "radial"
    assert "L-BFGS" in model.report["optimiser"]
    assert "epochs" not in model.report["protocol"]


def test_a_constant_feature_says_nothing(model):
    values, _ = rings(seed=2)
    moved = values.copy()
    moved[:, 2] = 77.0
    np.testing.assert_array_equal(model.head.probability(moved), model.head.probability(values))


def test_far_from_all_landmarks_the_plane_answers():
    rng = np.random.default_rng(3)
    values = rng.normal(size=(200, 2)).astype(np.float32)
    labels = (values[:, 0] > 0).astype(int)
    head = learnt(values, labels).head
    far = np.array([[40.0, 0.0], [-40.0, 0.0]], np.float32)
    assert closeness(head.standardise(far), head.landmarks, head.narrowness).max() < 1e-12
    right, left = head.probability(far)
    assert right > 0.99
    assert left < 0.01


def test_the_loss_is_the_least_there_is(model):
    values, labels = rings()
    rows = codes_of(labels) == TRAIN
    decay = 1.0 / (radial_fit.LENIENCE * rows.sum())

    def penalised(head):
        z = head.standardise(values[rows])
        near = closeness(z, head.landmarks, head.narrowness)
        logit = z @ head.weights + near @ head.heights + head.bias
        kernel = closeness(head.landmarks, head.landmarks, head.narrowness)
        norm = head.heights @ kernel @ head.heights + 2 * head.weights @ head.weights / radial_fit.FLATNESS
        y = labels[rows]
        return np.mean(np.logaddexp(0, logit) - y * logit) + 0.5 * decay * norm

    least = penalised(model.head)
    rng = np.random.default_rng(4)
    for size in (1e-2, 1e-1, 1.0):
        nudge = rng.normal(size=model.head.heights.shape).astype(np.float32) * np.float32(size)
        other = RadialHead(
            model.head.mean, model.head.scale, model.head.weights, model.head.landmarks,
            model.head.narrowness, model.head.heights + nudge, model.head.bias,
        )  # fmt: skip
        assert penalised(other) > least


def test_seeds_differ_by_their_landmarks_and_the_same_seed_gives_the_same_bits():
    values, labels = rings(3 * radial_fit.LANDMARKS)
    one, same, other = (learnt(values, labels, protocol=Protocol(seed=s)).head for s in (0, 0, 1))
    assert len(one.landmarks) == radial_fit.LANDMARKS
    assert one.to_bytes() == same.to_bytes()
    assert not np.array_equal(one.landmarks, other.landmarks)
    np.testing.assert_allclose(one.probability(values), other.probability(values), atol=0.2)


def test_answers_do_not_depend_on_what_came_with_them(model):
    values, _ = rings(seed=5)
    alone = np.concatenate([model.head.probability(v[None]) for v in values[:50]])
    np.testing.assert_array_equal(model.head.probability(values)[:50], alone)


def test_its_file(model, tmp_path):
    path = tmp_path / "head.npz"
    path.write_bytes(model.head.to_bytes())
    values, _ = rings(seed=6)
    np.testing.assert_array_equal(read_head(path).probability(values), model.head.probability(values))
    for name, array, told in (
        ("heights", np.zeros(3, np.float32), r"array 'landmarks' is float32 of \(\d+, 3\), expected"),
        ("narrowness", np.float32(-1), "array 'narrowness' has values no trained head has"),
        ("weights", np.full(3, np.nan, np.float32), "array 'weights' has values no trained head has"),
    ):
        with pytest.raises(ModelError, match=told):
            from_arrays({**model.head.arrays(), name: np.asarray(array)}, "here")
    arrays = model.head.arrays()
    del arrays["bias"]
    path.write_bytes(archive.pack(arrays))
    with pytest.raises(ModelError, match="is not a radial head"):
        read_head(path)


def test_what_does_not_fit_into_memory_is_refused():
    values, labels = rings(200)
    with pytest.raises(ParameterError, match="a radial head on 150 training windows needs"):
        learnt(values, labels, memory=100_000)


def test_patience_is_refused_since_nothing_goes_by_epochs():
    with pytest.raises(ParameterError, match="patience=3 is for heads that learn by epochs"):
        learnt(*rings(), protocol=Protocol(patience=3))

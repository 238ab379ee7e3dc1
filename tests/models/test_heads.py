"""The head's file: exact, plain, refused when it is anything else."""

import numpy as np
import pytest

from magxr.errors import ModelError
from magxr.models.heads import PooledHead, read_head, sigmoid
from magxr.models.spread import spread


@pytest.fixture
def head():
    rng = np.random.default_rng(0)
    return PooledHead(*(rng.uniform(0.1, 1, 6).astype("f4") for _ in range(3)), np.float32(-0.25).item())


def test_written_and_read_it_is_the_same(head, tmp_path):
    path = tmp_path / "head.npz"
    path.write_bytes(head.to_bytes())
    back = read_head(path)
    for name in ("mean", "scale", "weights", "bias"):
        np.testing.assert_array_equal(getattr(back, name), getattr(head, name))
    assert back.to_bytes() == head.to_bytes()
    assert head.parameters == 7


def test_probability_is_the_logistic_of_the_standardised_sum(head):
    features = np.random.default_rng(1).normal(size=(5, 6)).astype("f4")
    parts = list(zip(head.mean, head.scale, head.weights, strict=True))
    logit = [sum((f - m) / s * w for f, (m, s, w) in zip(row, parts, strict=True)) - 0.25 for row in features]
    np.testing.assert_allclose(head.probability(features), 1 / (1 + np.exp(-np.array(logit))), rtol=1e-5)


def test_sigmoid_does_not_overflow():
    np.testing.assert_array_equal(sigmoid(np.array([-1e4, 0, 1e4])), [0, 0.5, 1])


def test_a_constant_feature_says_nothing():
    features = np.random.default_rng(2).normal(size=(50, 3))
    features[:, 1] = 0.1
    mean, scale = spread(features)
    assert np.isinf(scale).tolist() == [False, True, False]
    made = PooledHead(mean, scale, np.ones(3, "f4"), 0.0)
    moved = features.copy()
    moved[:, 1] = 1e6
    np.testing.assert_array_equal(made.probability(features), made.probability(moved))


class Loud:
    def __reduce__(self):
        return print, ("code ran",)


def test_a_file_that_would_run_code_is_refused(head, tmp_path, capsys):
    path = tmp_path / "head.npz"
    arrays = {n: np.asarray(getattr(head, n)) for n in ("mean", "scale", "bias")}
    np.savez(path, weights=np.array([Loud()], dtype=object), **arrays)
    with pytest.raises(ModelError, match=r"cannot be read as a head.*allow_pickle"):
        read_head(path)
    assert "code ran" not in capsys.readouterr().out


@pytest.mark.parametrize(
    ("change", "match"),
    [
        ({"weights": np.ones(5, "f4")}, "array 'mean' is float32 of shape"),
        ({"weights": np.full(6, np.nan, "f4")}, "array 'weights' has values no trained head has"),
        ({"scale": np.zeros(6, "f4")}, "array 'scale' has values no trained head has"),
        ({"bias": np.ones(2, "f4")}, "array 'bias' is float32 of shape"),
        ({"mean": np.ones(6, int)}, "array .mean. is int64"),
    ],
)
def test_arrays_that_do_not_fit_are_refused(head, tmp_path, change, match):
    path = tmp_path / "head.npz"
    np.savez(
        path,
        **({n: np.asarray(getattr(head, n), "f4") for n in ("mean", "scale", "weights", "bias")} | change),
    )
    with pytest.raises(ModelError, match=match):
        read_head(path)


def test_foreign_and_damaged_files_are_refused(head, tmp_path):
    path = tmp_path / "head.npz"
    with pytest.raises(ModelError, match="does not exist"):
        read_head(path)
    np.savez(path, a=np.ones(2))
    with pytest.raises(ModelError, match=r"is not a pooled head: it has \['a'\] and lacks"):
        read_head(path)
    path.write_bytes(head.to_bytes()[:-40])
    with pytest.raises(ModelError, match="cannot be read as a head"):
        read_head(path)
    path.write_bytes(b"GIF89a")
    with pytest.raises(ModelError, match="cannot be read as a head"):
        read_head(path)

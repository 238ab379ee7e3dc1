"""Attribution: parts that sum to the logit, slopes against differences, sums kept on the way to pixels."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from magxr.errors import ModelError, ParameterError
from magxr.models import attribution
from magxr.models.explanation import Explanation, Part, combined
from magxr.models.heads import PooledHead


@pytest.fixture
def field():
    made = np.maximum(np.random.default_rng(0).normal(0.3, 1, (5, 7, 6)), 0)
    made[..., 4] = 0.7  # does not vary
    return made


@pytest.fixture
def head():
    rng = np.random.default_rng(1)
    scale = rng.uniform(0.5, 1.5, 12).astype("f4")
    scale[2] = np.inf  # left out
    return PooledHead(rng.normal(0, 1, 12).astype("f4"), scale, rng.normal(0, 1, 12).astype("f4"), 0.3)


def features(field):
    return np.concatenate([field.mean(axis=(0, 1)), field.std(axis=(0, 1))])


def logit(field, head):
    return float(head.standardise(features(field)[None])[0] @ head.weights.astype("f8")) + head.bias


def test_contributions_sum_to_the_logit_less_the_bias(field, head):
    cells = attribution.additive(field, head.mean, head.scale, head.weights)
    assert cells.shape == (5, 7)
    assert cells.sum() == pytest.approx(logit(field, head) - head.bias, rel=1e-12)


def test_the_part_of_the_means_is_their_weighed_features(field, head):
    weights = np.where(np.arange(12) < 6, head.weights, 0).astype("f4")
    cells = attribution.additive(field, np.zeros(12, "f4"), head.scale, weights)
    np.testing.assert_allclose(cells, field @ (weights / head.scale)[:6].astype("f8") / 35, rtol=1e-6)
    assert cells.sum() == pytest.approx(features(field)[:6] @ (weights / head.scale)[:6], rel=1e-6)


def test_the_part_of_a_deviation_lies_where_the_channel_departs(head):
    field = np.zeros((4, 4, 1))
    field[2, 1] = 8.0
    cells = attribution.additive(field, np.zeros(2, "f4"), np.ones(2, "f4"), np.array([0, 1], "f4"))
    assert cells[2, 1] == cells.max() > 0.9 * cells.sum()
    assert cells.sum() == pytest.approx(field.std())


def test_the_average_training_window_has_no_contributions():
    field = np.random.default_rng(2).normal(size=(4, 4, 3))
    cells = attribution.additive(field, features(field), np.ones(6), np.ones(6))
    assert cells.sum() == pytest.approx(0, abs=1e-12)


def test_the_slope_is_that_of_differences(field, head):
    slope = attribution.gradient(field, head.scale, head.weights)
    rng = np.random.default_rng(3)
    for _ in range(12):
        at = tuple(int(rng.integers(n)) for n in (5, 7, 6))
        if at[2] == 4:
            continue  # a kink: the deviation of a constant
        up, down = field.copy(), field.copy()
        up[at] += 1e-5
        down[at] -= 1e-5
        assert slope[at] == pytest.approx((logit(up, head) - logit(down, head)) / 2e-5, abs=1e-7)


def test_gradcam_is_channels_by_their_mean_slope_and_blind_to_deviations(field, head):
    slope = attribution.gradient(field, head.scale, head.weights)
    alpha = (head.weights / head.scale)[:6].astype("f8") / 35
    found = attribution.gradcam(field, slope)
    np.testing.assert_allclose(found, np.maximum(field @ alpha, 0), atol=1e-7)
    assert (found == 0).any()
    assert (found > 0).any()


def layers(sizes, seed):
    rng = np.random.default_rng(seed)
    return [
        (rng.normal(0, 0.5, (a, b)).astype("f4"), rng.normal(0, 0.5, b).astype("f4"))
        for a, b in pairwise(sizes)
    ]


def run(x, stack):
    for k, (kernel, bias) in enumerate(stack):
        x = x @ kernel.astype("f8") + bias
        x = x if k + 1 == len(stack) else np.maximum(x, 0)
    return float(x[0])


@pytest.mark.parametrize("sizes", [(24, 1), (24, 10, 1), (24, 10, 10, 5, 1)])
def test_dense_heads_by_their_slope(sizes):
    stack, field = layers(sizes, 4), np.random.default_rng(5).normal(size=(2, 4, 3))
    found, slope = attribution.dense_gradient(field.ravel(), stack)
    assert found == pytest.approx(run(field.ravel(), stack), rel=1e-10)
    for k in range(24):
        up, down = field.ravel().copy(), field.ravel().copy()
        up[k] += 1e-6
        down[k] -= 1e-6
        assert slope[k] == pytest.approx((run(up, stack) - run(down, stack)) / 2e-6, abs=1e-6)
    cells, rest = attribution.additive_dense(field, slope.reshape(field.shape), found)
    assert cells.shape == (2, 4)
    assert cells.sum() + rest == pytest.approx(found)
    if len(sizes) == 2:
        assert rest == pytest.approx(float(stack[0][1][0]))  # one layer: its bias


def test_dense_heads_of_other_shapes_are_refused():
    with pytest.raises(ModelError, match="layer 1 reads 9 values and is given 10"):
        attribution.dense_gradient(np.ones(24), [*layers((24, 10), 0), *layers((9, 1), 0)])
    with pytest.raises(ModelError, match="end in 2 values"):
        attribution.dense_gradient(np.ones(24), layers((24, 2), 0))
    with pytest.raises(ModelError, match="10 weights does not fit 6 channels: it needs 12"):
        attribution.gradient(np.ones((2, 2, 6)), np.ones(10), np.ones(10))


@given(st.integers(1, 6), st.integers(1, 6), st.integers(1, 9), st.integers(0, 8))
def test_pixels_sum_to_the_cells(m, n, stride, beyond):
    size = stride * max(m, n) + min(beyond, stride - 1)
    cells = np.random.default_rng(m + 10 * n).normal(size=(m, n))
    pixels = attribution.spread_out(cells, size, stride)
    assert pixels.shape == (size, size)
    assert pixels.sum() == pytest.approx(cells.sum(), abs=1e-9)


def test_pixels_lie_where_their_cells_do():
    cells = np.zeros((7, 7))
    cells[2, 5] = 1.0
    pixels = attribution.spread_out(cells, 250, 32)
    row, column = (np.average(np.arange(250), weights=pixels.sum(axis=k)) for k in (1, 0))
    assert (row, column) == pytest.approx((2 * 32 + 15.5, 5 * 32 + 15.5))
    even = attribution.spread_out(np.ones((7, 7)), 224, 32)
    np.testing.assert_allclose(even, 1 / 32**2)
    ramp = attribution.enlarged(np.add.outer(np.arange(7.0), np.zeros(7)), 250, 32)
    np.testing.assert_allclose(ramp[16:208, 0], (np.arange(16, 208) - 15.5) / 32)
    assert (ramp[208:] == 6).all()


def test_several_maps_of_one_window(field, head):
    rng = np.random.default_rng(6)
    finer = rng.random((10, 10, 2))
    own = rng.normal(size=(3, 4)).astype("f4")
    parts = [
        Part(field[:5, :5], 8, head.mean, head.scale, head.weights),
        Part(finer, 4, own[0], np.abs(own[1]) + 0.5, own[2]),
    ]
    found = combined(parts, 43, 0.3)
    wanted = logit(field[:5, :5], head) + own[2] @ ((features(finer) - own[0]) / parts[1].scale)
    assert found.logit == pytest.approx(wanted, rel=1e-5)
    assert found.cells.sum() + found.elsewhere == pytest.approx(found.logit, abs=1e-4)
    assert found.probability == pytest.approx(1 / (1 + np.exp(-found.logit)))
    classic = combined(parts, 43, 0.3, "gradcam")
    assert classic.logit == found.logit
    assert (classic.cells >= 0).all()
    with pytest.raises(ParameterError, match="method is 'lime'; use 'additive'"):
        combined(parts, 43, 0.3, "lime")
    assert Explanation(found.cells, 0.0, 0.0).probability == 0.5

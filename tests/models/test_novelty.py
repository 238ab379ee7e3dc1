"""Novelty: against the Mahalanobis distance itself, by false alarms on held-out blocks, by what is new."""

import numpy as np
import pytest

from magxr.errors import ModelError, ParameterError
from magxr.models.novelty import Novelty, fit_novelty


def features(seed, blocks=40, size=15, d=60, shift=0.0):
    """Few strong directions, noise in all, a constant feature; blocks have an offset of their own."""
    mix = np.random.default_rng(99).normal(0, 1, (5, d))
    rng = np.random.default_rng(seed)
    groups = np.repeat(np.arange(blocks), size)
    strength = rng.normal(0, 0.7, (blocks, 5))[groups] + rng.normal(0, 0.7, (groups.size, 5))
    made = strength @ mix + rng.normal(0, 0.5, (groups.size, d)) + shift
    made[:, 7] = 3.0
    return made.astype("f4"), groups


def test_with_all_directions_it_is_the_mahalanobis_distance():
    rng = np.random.default_rng(0)
    x = rng.normal(size=(300, 6)) @ rng.normal(size=(6, 6))
    found = fit_novelty(x, components=5)  # the one that is left keeps its own variance
    tamed = np.arcsinh(x / (0.03 * np.sqrt((x**2).mean(axis=0))))
    inverse = np.linalg.inv(np.cov(tamed.T, bias=True))
    off = tamed[:20] - tamed.mean(axis=0)
    wanted = np.sqrt(np.einsum("ni,ij,nj->n", off, inverse, off) / 6)
    np.testing.assert_allclose(found.distance(x[:20]), wanted, rtol=1e-3)


def test_without_directions_it_is_the_standardised_distance():
    x, _ = features(0)
    found = fit_novelty(x, components=0)
    live = np.delete(x, 7, axis=1).astype("f8")
    live = np.arcsinh(live / (0.03 * np.sqrt((live**2).mean(axis=0))))
    z = (live - live.mean(axis=0)) / live.std(axis=0)
    np.testing.assert_allclose(found.distance(x), np.sqrt((z**2).mean(axis=1)), rtol=1e-4)


def test_more_features_than_windows():
    x, _ = features(1, blocks=4, size=10)
    tall, wide = fit_novelty(x[:, :20], components=3), fit_novelty(x, components=3)
    assert wide.axes.shape == (3, 60)
    np.testing.assert_allclose(wide.axes @ wide.axes.T, np.eye(3), atol=1e-5)
    np.testing.assert_allclose(tall.axes @ tall.axes.T, np.eye(3), atol=1e-5)
    assert np.isfinite(wide.distance(x)).all()


def test_false_alarms_on_new_blocks_are_as_many_as_stated():
    alarms = []
    for seed in range(12):
        x, groups = features(seed)
        new, _ = features(100 + seed)
        alarms.append(fit_novelty(x, groups, components=5, quantile=0.95).is_new(new).mean())
    assert 0.03 <= np.mean(alarms) <= 0.08


def test_what_is_unlike_the_training_is_new():
    x, groups = features(0)
    found = fit_novelty(x, groups, components=5)
    assert found.is_new(features(1, shift=3.0)[0]).mean() > 0.95
    across = features(1)[0]
    across[:, :30] = across[:, :30][np.random.default_rng(0).permutation(len(across))]
    # each feature by itself is as usual; together they are not
    assert found.is_new(across).mean() > 0.3
    assert found.is_new(features(1)[0]).mean() < 0.1


def test_single_windows_of_a_block_held_out_would_make_the_threshold_too_small():
    x, groups = features(3, blocks=15, size=40)
    apart = fit_novelty(x, components=5, quantile=0.95)
    assert fit_novelty(x, groups, components=5, quantile=0.95).threshold > apart.threshold


def test_values_that_are_no_numbers_are_new():
    x, _ = features(0)
    found = fit_novelty(x, components=2)
    x[0, 0], x[1, 0] = np.nan, np.inf
    assert found.is_new(x[:2]).all()


def test_arrays_come_back_small_and_the_seed_fixes_them():
    x, groups = features(4, d=1024)
    found = fit_novelty(x, groups)
    arrays = found.to_arrays()
    assert {a.dtype for a in arrays.values()} == {np.dtype("f4")}
    assert found.nbytes == 4 * (1024 * 11 + 9 + 2)
    again = Novelty.from_arrays(arrays)
    np.testing.assert_array_equal(again.distance(x), found.distance(x))
    assert (again.threshold, again.quantile) == (found.threshold, found.quantile)
    for name, array in fit_novelty(x, groups).to_arrays().items():
        np.testing.assert_array_equal(array, arrays[name])


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"quantile": 99}, "quantile=99 is the share"),
        ({"folds": 1}, "folds=1 must be at least 2"),
        ({"folds": 50}, "at most the number of blocks, 40"),
        ({"components": 60}, "components=60 must lie between 0 and 59"),
        ({"groups": [0]}, "1 groups for 600 windows"),
        ({"features": np.full((600, 60), np.nan)}, "must be finite numbers"),
        ({"features": np.ones((600, 60))}, "0 of 60 are not constant"),
    ],
)
def test_refused(change, message):
    x, groups = features(0)
    with pytest.raises(ParameterError, match=message):
        fit_novelty(**{"features": x, "groups": groups} | change)


def test_features_of_another_model_and_damaged_arrays_are_refused():
    x, _ = features(0)
    found = fit_novelty(x)
    with pytest.raises(ParameterError, match=r"shape \(600, 59\); the model's are \(n, 60\)"):
        found.distance(x[:, 1:])
    arrays = found.to_arrays()
    for name, value in (
        ("novelty_axes", arrays["novelty_axes"][:, 1:]),
        ("novelty_mean", np.array([{}], object)),
        ("novelty_variance", -arrays["novelty_variance"]),
        ("novelty_threshold", np.array([np.nan, 0.5], "f4")),
    ):
        with pytest.raises(ModelError, match="restore the file"):
            Novelty.from_arrays({**arrays, name: value})
    with pytest.raises(ModelError, match="no novelty model"):
        Novelty.from_arrays({})


def test_a_few_large_features_do_not_drown_the_rest():
    """Features of relu layers: 0 and above, over powers of ten. Half of them out of proportion is new."""
    rng = np.random.default_rng(5)

    def drawn(count):
        return np.exp(rng.normal(0, 1, (count, 60)) + rng.normal(0, 1, (count, 1)))

    known, usual, odd = drawn(600), drawn(300), drawn(300)
    odd[:, ::2] *= 8

    def plain(x):
        return np.sqrt((((x - known.mean(axis=0)) / known.std(axis=0)) ** 2).mean(axis=1))

    found = fit_novelty(known, components=3, quantile=0.95)
    assert found.is_new(usual).mean() < 0.1
    assert found.is_new(odd).mean() > 0.9
    assert (plain(odd) > np.quantile(plain(known), 0.95)).mean() < 0.6


def test_a_feature_that_hardly_ever_varies_does_not_set_the_threshold():
    made, groups = features(4)
    made[:, 0] = 0.0
    made[::100, 0] = 1e-6
    made[groups == 9, 0] = 1.0  # next to constant without this block, which then lies very far out
    told = fit_novelty(made, groups, components=5)
    assert told.threshold < 2.0
    strange, _ = features(5, shift=4.0)
    strange[:, 0] = 0.0
    assert told.is_new(strange).mean() > 0.9

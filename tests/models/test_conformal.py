"""Conformal sets: the quantile by hand, and the stated coverage by simulation on new blocks."""

import math

import numpy as np
import pytest

from magxr.errors import ModelError, ParameterError
from magxr.models.conformal import BOTH, LINEAR, NEITHER, NO_ANSWER, NONLINEAR, ConformalSets, calibrate_sets


def sea(rng, blocks, size=15, block_effect=1.0):
    """Scores of windows, whole blocks of which are easy or hard, and blocks with few of a class."""
    groups = np.repeat(np.arange(blocks), size)
    labels = (rng.random(blocks * size) < rng.uniform(0.1, 0.9, blocks)[groups]).astype(int)
    score = (2 * labels - 1) * (1 + block_effect * rng.normal(0, 1, blocks)[groups])
    return labels, 1 / (1 + np.exp(-score - rng.normal(0, 1, labels.size))), groups


def test_the_quantile_of_independent_windows_by_hand():
    p = np.linspace(0.05, 0.95, 19)  # of 19 linear windows
    labels = np.ones(19, int)
    found = calibrate_sets(np.append(labels, np.zeros(19, int)), np.append(p, p), alpha=0.1)
    # ceil(20 * 0.9) = the 18th of 19 scores 1 - p, that is p at least the second smallest
    assert found.thresholds[1] == pytest.approx(1 - p[1])
    assert found.thresholds[0] == pytest.approx(p[17])
    assert found.windows == found.blocks == (19, 19)
    assert math.isclose(found.alpha, 0.1, rel_tol=1e-6)


def test_codes():
    wide = ConformalSets((0.7, 0.7), 0.1, (9, 9), (9, 9))
    assert wide.sets([0.2, 0.5, 0.8, np.nan]).tolist() == [NONLINEAR, BOTH, LINEAR, NO_ANSWER]
    sure = ConformalSets((0.3, 0.3), 0.1, (9, 9), (9, 9))
    assert sure.sets([[0.2, 0.5], [0.8, 0.3]]).tolist() == [[NONLINEAR, NEITHER], [LINEAR, NONLINEAR]]
    assert sure.sets(0.9) == LINEAR


@pytest.mark.parametrize(("alpha", "blocks"), [(0.1, 20), (0.2, 12)])
def test_windows_of_new_blocks_are_covered_as_stated(alpha, blocks):
    """On average over calibrations; with windows taken for independent it is less."""
    covered, naive, size = np.zeros((400, 2)), np.zeros((400, 2)), np.zeros((400, 2))
    for seed in range(400):
        rng = np.random.default_rng(seed)
        labels, p, groups = sea(rng, blocks + 5)
        known = groups < blocks
        for into, of in ((covered, groups[known]), (naive, None)):
            found = calibrate_sets(labels[known], p[known], of, alpha=alpha).sets(p[~known])
            new = labels[~known]
            for c, mine in enumerate((NONLINEAR, LINEAR)):
                into[seed, c] = np.isin(found[new == c], (mine, BOTH)).sum()
        size[seed] = np.sum(new == 0), np.sum(new == 1)
    share = covered.sum(axis=0) / size.sum(axis=0)
    assert (share >= 1 - alpha - 0.012).all()  # three standard errors of the simulation
    assert (share <= 1 - alpha + 2 / (blocks + 1) + 0.012).all()
    assert (naive.sum(axis=0) / size.sum(axis=0) < share).all()


def test_the_classes_are_covered_each_by_itself():
    """A model that leans to linear: one threshold for both would miss nonlinear windows."""
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 2, 4000)
    p = 1 / (1 + np.exp(-(1.5 * (2 * labels - 1) + 1.5 + rng.normal(0, 1, 4000))))
    found = calibrate_sets(labels[:2000], p[:2000], alpha=0.1)
    report = found.report(labels[2000:], p[2000:])
    assert report["linear_coverage"] == pytest.approx(0.9, abs=0.03)
    assert report["nonlinear_coverage"] == pytest.approx(0.9, abs=0.03)
    assert report["windows"] == 2000
    shares = [report[k] for k in ("linear_only", "nonlinear_only", "both", "neither")]
    assert sum(shares) == pytest.approx(1)
    assert math.isnan(found.report([1], [0.5])["nonlinear_coverage"])


def test_a_class_with_too_few_blocks_is_refused():
    labels, p, groups = [0] * 9 + [1] * 9, np.linspace(0, 1, 18), [*range(9), *[0] * 9]
    with pytest.raises(
        ParameterError, match=r"1 blocks with linear windows are too few for alpha=0\.1.*least 9"
    ):
        calibrate_sets(labels, p, groups, alpha=0.1)
    assert calibrate_sets(labels, p, alpha=0.1).blocks == (9, 9)
    with pytest.raises(ParameterError, match="0 blocks with nonlinear windows"):
        calibrate_sets([], [], alpha=0.5)
    with pytest.raises(ParameterError, match=r"alpha=1\.5 is the share that may be missed"):
        calibrate_sets(labels, p, alpha=1.5)


def test_arrays_come_back_and_thresholds_keep_their_windows():
    labels, p, groups = sea(np.random.default_rng(2), 30)
    found = calibrate_sets(labels, p, groups, alpha=0.15)
    arrays = found.to_arrays()
    assert {a.dtype for a in arrays.values()} == {np.dtype("f4")}
    again = ConformalSets.from_arrays(arrays)
    assert again == found
    np.testing.assert_array_equal(again.sets(p), found.sets(p))


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("conformal_thresholds", None),
        ("conformal_thresholds", np.array([0.5, 1.5], "f4")),
        ("conformal_thresholds", np.array([0.5], "f4")),
        ("conformal_alpha", np.array(0.0, "f4")),
        ("conformal_alpha", np.array(1, object)),
        ("conformal_counts", np.array([[1, 2], [0.5, 1]], "f4")),
    ],
)
def test_damaged_arrays_are_refused(name, value):
    arrays = dict(ConformalSets((0.5, 0.5), 0.1, (9, 9), (9, 9)).to_arrays())
    arrays[name] = value
    if value is None:
        del arrays[name]
    with pytest.raises(ModelError, match="restore the file"):
        ConformalSets.from_arrays(arrays)

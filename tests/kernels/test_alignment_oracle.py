"""The compiled numbers against NumPy's and SciPy's, on windows of every kind."""

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from magxr.errors import ParameterError
from magxr.kernels import alignment as module
from magxr.kernels.alignment import NAMES, alignment
from magxr.models import spec
from magxr.models.heads import read_head
from magxr.synthetic.scenes import scene
from tests.kernels import alignment_oracle as oracle

ROUNDING = 1e-6
"""Numbers are float32, up to about 7."""


def field(side, seed=0, smooth=3.0):
    values = gaussian_filter(np.random.default_rng(seed).standard_normal((side, side)), smooth)
    return 200.0 * values / values.std()


def holed(values, share, seed=1):
    return np.where(np.random.default_rng(seed).random(values.shape) < share, np.nan, values)


def along_tracks(values, every, wide=1):
    kept = np.full_like(values, np.nan)
    for first in range(wide):
        kept[:, first::every] = values[:, first::every]
    return kept


def agree(window):
    given = np.asarray(window)[None]
    found, expected = alignment(given), oracle.alignment(given)
    np.testing.assert_allclose(found, expected, atol=ROUNDING, rtol=0.0)
    return expected[0]


@pytest.fixture(scope="module")
def windows():
    """250 x 250 cells of six scenes, with their gaps, tracks and spikes."""
    cut = []
    for seed, kind in enumerate(["linear", "nonlinear", "mixed", "linear", "nonlinear", "mixed"]):
        values = scene(700 + seed, (490, 490), kind=kind)["anomaly"].values
        cut += [values[i : i + 250, j : j + 250] for i in range(0, 241, 40) for j in range(0, 241, 40)]
    return np.stack(cut)


def test_windows_of_scenes_give_the_same_numbers_and_probabilities(windows):
    found, expected = alignment(windows), oracle.alignment(windows)
    assert windows.dtype == np.float32
    assert np.isnan(windows).any(axis=(1, 2)).sum() > 10
    np.testing.assert_allclose(found, expected, atol=ROUNDING, rtol=0.0)
    head = read_head(spec.load("default").head_file())
    ours, theirs = head.probability(found), head.probability(expected)
    np.testing.assert_allclose(ours, theirs, atol=1e-5, rtol=0.0)
    assert 0.1 < np.mean(theirs > 0.5) < 0.9
    np.testing.assert_array_equal(ours > 0.5, theirs > 0.5)


@pytest.mark.parametrize("side", [8, 12, 33, 63, 64, 75, 76, 100, 187, 188, 250, 251, 300])
def test_any_size(side):
    assert agree(field(side)).any()
    agree(holed(field(side), 0.3))


@pytest.mark.parametrize(
    "window",
    [
        holed(field(250), 0.05),
        holed(field(250), 0.6),
        along_tracks(field(250), 3),
        along_tracks(field(250), 25, 4),
        np.where(np.arange(250) < 125, np.nan, field(250)),
        np.where(np.arange(250) < 230, np.nan, field(250)),
        np.where(field(250, 3) > 500.0, np.inf, field(250)),
        np.where(field(250, 3) > 500.0, 1e6, field(250)),
        (field(250) + 4e4).astype(np.float32),
        np.rint(field(250) / 30.0),
        (field(250) > 0.0).astype(float),
        np.where(np.arange(250) < 100, 5.0, 0.0) * np.ones((250, 1)),
        np.where(np.arange(250)[:, None] < 140, field(250), 0.0),
        1e-30 * field(250),
    ],
    ids=["gaps", "sparse", "tracks", "swaths", "half", "a rim", "infinite", "spikes", "far from zero",
         "whole numbers", "two values", "a step", "zeros", "tiny"],
)  # fmt: skip
def test_gaps_and_odd_values(window):
    assert agree(window).any()


@pytest.mark.parametrize(
    "window",
    [
        np.full((250, 250), np.nan),
        np.full((250, 250), 3.0, np.float32),
        np.where(np.arange(250) == 7, np.eye(250), np.nan) * np.eye(250)[7],
        3.0 + 1e-9 * field(250),
        np.where(np.arange(62500).reshape(250, 250) == 99, 5.0, 0.0),
    ],
    ids=["nothing", "constant", "next to nothing", "rounding", "one spike"],
)
def test_without_contrast(window):
    assert not agree(window).any()


def test_one_window_of_any_layout_and_type():
    window = field(120)
    expected = alignment(window[None])
    np.testing.assert_array_equal(alignment(np.asfortranarray(window)[None]), expected)
    np.testing.assert_array_equal(
        alignment(np.repeat(np.repeat(window, 2, 0), 3, 1)[None, ::2, ::3]), expected
    )
    np.testing.assert_allclose(alignment(window[None].astype(np.float32)), expected, atol=1e-5)
    assert alignment(np.zeros((0, 120, 120))).shape == (0, len(NAMES))


def test_what_the_window_before_left_changes_nothing():
    """Work space is shared by the windows of a call."""
    many = np.stack([holed(field(100, k), 0.2 * k) for k in range(4)] + [np.full((100, 100), np.nan)])
    alone = np.concatenate([alignment(w[None]) for w in many])
    np.testing.assert_array_equal(alignment(many[[3, 0, 4, 2, 1]]), alone[[3, 0, 4, 2, 1]])
    given = many.copy()
    alignment(given)
    np.testing.assert_array_equal(given, many)


def test_threads_do_not_share_work_space():
    many = np.stack([field(100, k) for k in range(8)])
    expected = alignment(many)
    with ThreadPoolExecutor(4) as pool:
        for found in pool.map(alignment, [many] * 8):
            np.testing.assert_array_equal(found, expected)


def test_it_runs_without_the_interpreters_lock():
    assert module._measure.targetoptions["nogil"]
    assert module._measure.signatures  # compiled, not interpreted


@pytest.mark.parametrize("shape", [(2, 7, 7), (1, 80, 70), (80, 80)])
def test_what_is_no_stack_of_windows_is_refused(shape):
    with pytest.raises(ParameterError, match="square windows of 64 cells a side or more"):
        alignment(np.zeros(shape))

"""Labelled windows that must not be trained on as they are."""

import numpy as np
import pytest

from magxr.errors import MagxrWarning, ModelError, ParameterError
from magxr.models import vet
from magxr.models.features import Features, InMemory, recipe
from magxr.models.train import train

RNG = np.random.default_rng(0)
WINDOWS = RNG.normal(size=(60, 8, 8)).astype("f4")
LABELS = np.arange(60) % 2
GROUPS = np.arange(60) // 4


@pytest.fixture(autouse=True)
def cheap_features(monkeypatch):
    """The windows themselves; no trunk runs here."""
    monkeypatch.setattr(
        "magxr.models.worker.features",
        lambda trunk, windows, **_: np.nan_to_num(windows).reshape(len(windows), -1),
    )


def test_one_window_labelled_both_ways_is_refused():
    windows = WINDOWS.copy()
    windows[11] = 4 * windows[2]  # another unit: the same to a network
    with pytest.raises(
        ParameterError, match="windows 2 and 11 are the same to the network, but one is labelled 0"
    ):
        train(windows, LABELS, split="random")
    places = np.column_stack([np.arange(60), np.zeros(60, int)])
    places[9] = places[4]
    with pytest.raises(ParameterError, match="windows 4 and 9 are the same window"):
        train(WINDOWS, LABELS, split="random", positions=places)


def test_a_copy_of_a_test_window_teaches_nothing_under_a_blocked_split():
    windows = WINDOWS.copy()
    windows[20:28] = windows[0:8]
    made = train(windows, LABELS, groups=GROUPS, seed=3)
    used = sum(made.report[k]["windows"] for k in ("train", "validation", "test"))
    codes = np.array([0, 0, 1, 1, 2, 2], "i1")
    np.testing.assert_array_equal(vet.leave_out_copies("abcdac", codes), [-1, 0, -1, 1, 2, 2])
    assert used <= 60
    assert train(windows, LABELS, split="random").report["train"]["windows"] == 36


def test_windows_that_are_mostly_missing_are_left_out_and_told():
    windows = WINDOWS.copy()
    windows[:5, :4] = np.nan
    with pytest.warns(MagxrWarning, match=r"5 of 60 labelled windows miss more than max_missing=0.2"):
        made = train(windows, LABELS, split="random")
    assert made.report["mostly_missing"] == 5
    assert sum(made.report[k]["windows"] for k in ("train", "validation", "test")) == 55
    train(windows, LABELS, split="random", max_missing=0.5)
    with pytest.raises(ParameterError, match=r"each of 60 labelled windows misses more.*raise max_missing"):
        train(np.full_like(windows, np.nan), LABELS, split="random")
    with pytest.raises(ParameterError, match="max_missing=2"):
        train(windows, LABELS, split="random", max_missing=2)


def given(kind="pooled", window=8, trunk="vgg16-hed"):
    made = recipe(window, kind=kind, trunk=trunk)
    values = WINDOWS.reshape(60, -1)
    place = np.column_stack([np.zeros(60, int), np.arange(60)])
    return Features(made, [InMemory(values)], place, 64, values.dtype, vet.names_of(WINDOWS))


def test_features_of_other_parameters_are_refused():
    with pytest.raises(ModelError, match=r"others than asked for: kind 'flat' instead of 'pooled'"):
        train(None, LABELS, split="random", features=given("flat"))
    with pytest.raises(ModelError, match="kind 'pooled' instead of 'flat'"):
        train(None, LABELS, split="random", features=given(), head="dense")
    with pytest.raises(ModelError, match="window 8 instead of 16"):
        train(np.zeros((60, 16, 16), "f4"), LABELS, split="random", features=given(), max_missing=1)
    with pytest.raises(ModelError, match="trunk 'vgg16-hed' instead of 'vgg19'"):
        train(None, LABELS, split="random", features=given(), trunk="vgg19")
    with pytest.raises(ParameterError, match="60 windows with features for 59 labels"):
        train(None, LABELS[:-1], split="random", features=given())
    with pytest.raises(ParameterError, match="neither windows nor features"):
        train(None, LABELS, split="random")
    flipped = LABELS.copy()
    made = given()
    same = Features(made.recipe, made.segments, made.place, 64, made.dtype, (made.keys[1], *made.keys[1:]))
    with pytest.raises(ParameterError, match="windows 0 and 1 are the same to the network"):
        train(None, flipped, split="random", features=same)


def test_a_trunk_that_changed_since_is_refused_when_saving(tmp_path):
    from dataclasses import replace

    made = train(None, LABELS, split="random", features=given())
    assert made.window == 8
    made.save(tmp_path / "good", spacing=(1, 1), trained_on="noise")
    changed = replace(made, trunk_sha256="0" * 64)
    with pytest.raises(ModelError, match=r"were computed with 0{64}; restore those weights, or train again"):
        changed.save(tmp_path / "bad", spacing=(1, 1), trained_on="noise")
    assert not (tmp_path / "bad").exists()

"""Training on features that can be separated, on features that cannot, and on nothing at all."""

import numpy as np
import pytest

from magxr.errors import MagxrWarning, ModelError, ParameterError
from magxr.models.split import split_windows
from magxr.models.train import Protocol, train, train_on_features


def toy(n=400, d=40, gap=2.0, seed=0):
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, 2, n)
    features = rng.normal(size=(n, d)).astype("f4")
    features[:, :5] += gap * (labels[:, None] - 0.5)
    return features * rng.uniform(0.01, 100, d).astype("f4"), labels


def test_learns_what_can_be_separated():
    features, labels = toy()
    codes = split_windows(labels, split="random")
    made = train_on_features(features, labels, codes)
    assert made.report["test"]["accuracy"] > 0.9
    assert made.report["train"]["windows"] == 240
    assert len(made.report["history"]) == 25
    losses = [h["loss"] for h in made.report["history"]]
    assert losses[-1] < 0.7 * losses[0]
    assert made.report["parameters"] == 41


def test_says_chance_where_labels_mean_nothing():
    features, labels = toy(gap=0.0, n=1000)
    made = train_on_features(features, labels, split_windows(labels, split="random"))
    low, high = made.report["test"]["accuracy_interval"]
    assert low < 0.5 < high


def test_the_seed_fixes_everything():
    features, labels = toy()
    codes = split_windows(labels, split="random")
    first, again, other = (train_on_features(features, labels, codes, Protocol(seed=s)) for s in (3, 3, 4))
    assert first.head.to_bytes() == again.head.to_bytes()
    assert first.report == again.report
    assert first.head.to_bytes() != other.head.to_bytes()


def test_test_windows_do_not_teach():
    features, labels = toy()
    codes = split_windows(labels, split="random")
    changed = features.copy()
    changed[codes == 2] = 1e3
    plain, spoilt = (train_on_features(f, labels, codes) for f in (features, changed))
    assert plain.head.to_bytes() == spoilt.head.to_bytes()


def test_collapse_is_told_and_another_seed_is_tried():
    features, labels = toy()
    codes = split_windows(labels, split="random")
    features[:] = 7.0  # nothing differs: every answer is the same
    with pytest.warns(MagxrWarning, match="seed . collapsed: every training window gets the same") as told, \
         pytest.raises(ModelError, match=r"collapsed with every seed of \[0, 1, 2\]"):  # fmt: skip
        train_on_features(features, labels, codes, retries=2)
    assert len(told) == 3


def test_a_loss_that_is_not_finite_is_told():
    features, labels = toy()
    codes = split_windows(labels, split="random")
    with (
        pytest.warns(MagxrWarning, match="not finite"),
        pytest.raises(ModelError, match="lower learning_rate"),
    ):
        train_on_features(
            features, labels, codes, Protocol(learning_rate=1e200, weight_decay=1e200), retries=0
        )


def test_one_collapsed_seed_is_on_record(monkeypatch):
    from magxr.models import attempts as module

    real, calls = module.collapsed, []

    def first_time(*a):
        calls.append(a)
        return "made to" if len(calls) == 1 else real(*a)

    monkeypatch.setattr(module, "collapsed", first_time)
    features, labels = toy()
    with pytest.warns(MagxrWarning, match="seed 5 collapsed: made to"):
        made = train_on_features(features, labels, split_windows(labels, split="random"), Protocol(seed=5))
    assert made.report["attempts"] == [{"seed": 5, "collapsed": "made to"}, {"seed": 6, "collapsed": None}]


def test_balanced_weights_help_the_rare_class():
    features, labels = toy(n=2000, gap=0.8)
    keep = (labels == 0) | (np.random.default_rng(1).random(2000) < 0.08)
    features, labels = features[keep], labels[keep]
    codes = split_windows(labels, split="random")
    recalls = [
        train_on_features(features, labels, codes, Protocol(balanced=b)).report["test"]["linear_right"]
        for b in (False, True)
    ]
    assert recalls[1] > recalls[0]


def test_weight_decay_shrinks():
    features, labels = toy()
    codes = split_windows(labels, split="random")
    free, held = (train_on_features(features, labels, codes, Protocol(weight_decay=w)) for w in (0, 3))
    assert np.abs(held.head.weights).sum() < 0.8 * np.abs(free.head.weights).sum()


@pytest.mark.parametrize(
    ("protocol", "match"),
    [
        (Protocol(epochs=0), "epochs=0"),
        (Protocol(batch_size=0), "batch_size=0"),
        (Protocol(learning_rate=-1), "learning_rate=-1 is out of range: it must be positive"),
        (Protocol(weight_decay=-1), "weight_decay=-1 is out of range: it must be not negative"),
    ],
)
def test_numbers_out_of_range(protocol, match):
    features, labels = toy(40)
    with pytest.raises(ParameterError, match=match):
        train_on_features(features, labels, split_windows(labels, split="random"), protocol)


def test_bad_input_is_told_before_the_trunk_runs():
    windows = np.zeros((4, 64, 64), "f4")
    with pytest.raises(ParameterError, match="4 windows for 3 labels"):
        train(windows, [0, 1, 1])
    with pytest.raises(ParameterError, match="all 4 labels are linear"):
        train(windows, [1, 1, 1, 1])
    with pytest.raises(ParameterError, match="epochs=-1"):
        train(windows, [0, 1, 0, 1], epochs=-1)
    touching = np.column_stack([np.zeros(40, int), 8 * np.arange(40)])
    with pytest.raises(
        ParameterError,
        match=r"(training|validation) set of \d+ windows.*larger blocks: \d+ windows that touch",
    ):
        train(np.zeros((40, 64, 64), "f4"), np.arange(40) % 2, groups=np.arange(40) // 2, positions=touching)
    with pytest.raises(ModelError, match="unknown head 'deep'"):
        train_on_features(*toy(40), np.zeros(40, "i1"), head="deep")
    with pytest.raises(ModelError, match="unknown trunk 'vgg11'; there are"):
        train_on_features(*toy(40), np.zeros(40, "i1"), trunk="vgg11")
    features, labels = toy(40)
    features[3, 0] = np.nan
    with pytest.raises(ModelError, match="the features of 1 of 40 windows"):
        train_on_features(features, labels, np.zeros(40, "i1"))

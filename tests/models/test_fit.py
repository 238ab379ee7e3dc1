"""The loop: early stopping, interruptions, more windows than memory, collapse."""

import warnings

import numpy as np
import pytest

from magxr.errors import MagxrWarning, ModelError, ParameterError, StoreError
from magxr.models import fit as module
from magxr.models.features import Features, InMemory, as_features
from magxr.models.protocol import Protocol
from magxr.models.samples import Samples
from magxr.models.split import split_windows
from magxr.models.train import train_on_features


def toy(n=200, d=60, gap=2.0, seed=0):
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, 2, n)
    features = rng.normal(size=(n, d)).astype("f4")
    features[:, :8] += gap * (labels[:, None] - 0.5)
    return features, labels, split_windows(labels, split="random", seed=seed)


def in_segments(values, rows=16):
    """The same features in many segments, and not in order."""
    order = np.random.default_rng(1).permutation(len(values))
    parts = [InMemory(values[order[i : i + rows]]) for i in range(0, len(values), rows)]
    place = np.empty((len(values), 2), np.int64)
    place[order] = [(i // rows, i % rows) for i in range(len(values))]
    return Features(None, parts, place, values.shape[1], values.dtype)


@pytest.mark.parametrize("head", ["pooled", "dense"])
def test_learns_what_can_be_separated(head):
    values, labels, codes = toy()
    made = train_on_features(values, labels, codes, Protocol(epochs=10), head=head)
    assert made.report["test"]["accuracy"] > 0.8
    assert made.head.kind == made.report["head"] == head
    assert made.features == {"pooled": "pooled", "dense": "flat"}[head]
    assert made.report["history"][-1]["loss"] < made.report["history"][0]["loss"]


def test_patience_keeps_the_best_epoch():
    values, labels, codes = toy(gap=1.0, n=120)
    rate = 0.02  # soon it knows the training windows by heart
    made = train_on_features(
        values, labels, codes, Protocol(epochs=60, patience=4, learning_rate=rate), head="dense"
    )
    losses = [h["val_loss"] for h in made.report["history"]]
    best = made.report["best_epoch"]
    assert best == int(np.argmin(losses)) + 1
    assert len(losses) == best + 4 < 60
    short = train_on_features(values, labels, codes, Protocol(epochs=best, learning_rate=rate), head="dense")
    assert made.head.to_bytes() == short.head.to_bytes()


def test_patience_needs_a_validation_set():
    values, labels, codes = toy()
    codes[codes == 1] = 0
    with pytest.raises(ParameterError, match="patience=3 needs a validation set"):
        train_on_features(values, labels, codes, Protocol(patience=3))


class Stop(Exception):
    pass


@pytest.mark.parametrize("head", ["pooled", "dense"])
def test_an_interrupted_training_ends_with_the_same_bits(head, tmp_path, monkeypatch):
    values, labels, codes = toy()
    protocol = Protocol(epochs=6, patience=3, dropout=0.2 if head == "dense" else 0.0, seed=3)
    whole = train_on_features(values, labels, codes, protocol, head=head)
    real, calls = module._epoch, []

    def dies(*args):
        calls.append(args)
        if len(calls) == 4:
            raise Stop
        return real(*args)

    monkeypatch.setattr(module, "_epoch", dies)
    with pytest.raises(Stop):
        train_on_features(values, labels, codes, protocol, head=head, checkpoint=tmp_path / "state")
    again = train_on_features(values, labels, codes, protocol, head=head, checkpoint=tmp_path / "state")
    assert len(calls) == 4 + len(whole.report["history"]) - 3  # three epochs were not done again
    assert again.head.to_bytes() == whole.head.to_bytes()
    assert again.report == whole.report
    assert not list((tmp_path / "state").glob(".*"))


def test_a_checkpoint_of_another_training_or_a_damaged_one_is_refused(tmp_path):
    values, labels, codes = toy()
    train_on_features(values, labels, codes, Protocol(epochs=2), checkpoint=tmp_path)
    with pytest.raises(ModelError, match="is of another training"):
        train_on_features(values, 1 - labels, codes, Protocol(epochs=2), checkpoint=tmp_path)
    with pytest.raises(ModelError, match="is of another training"):
        train_on_features(values + 1, labels, codes, Protocol(epochs=2), checkpoint=tmp_path)
    with pytest.raises(ModelError, match="is of another training"):
        train_on_features(values, labels, codes, Protocol(epochs=3), checkpoint=tmp_path)
    file = next(tmp_path.glob("*.npz"))
    file.write_bytes(file.read_bytes()[:100])
    with pytest.raises(ModelError, match=r"cannot be read .*remove it"):
        train_on_features(values, labels, codes, Protocol(epochs=2), checkpoint=tmp_path)
    with pytest.raises(StoreError, match="is a file"):
        train_on_features(values, labels, codes, Protocol(epochs=2), checkpoint=file)
    with pytest.raises(StoreError, match="does not exist; make it first"):
        train_on_features(values, labels, codes, checkpoint=tmp_path / "no" / "where")


def test_more_windows_than_memory_are_read_in_groups_each_once():
    values, _, _ = toy(500, 20)
    given = in_segments(values)
    samples = Samples(given, memory=100 * 20 * 4)
    rows = np.arange(0, 500, 2)
    orders = []
    for seed in (0, 1):
        groups = list(samples.shuffled(rows, np.random.default_rng(seed)))
        assert len(groups) >= 5
        assert max(len(g) for g, _, _ in groups) <= 50
        for group, read, order in groups:
            np.testing.assert_array_equal(read, values[group])
            assert sorted(order) == list(range(group.size))
        taken = np.concatenate([group[order] for group, _, order in groups])
        np.testing.assert_array_equal(np.sort(taken), rows)
        orders.append(taken)
    assert not np.array_equal(*orders)
    seen = np.concatenate([g for g, _ in samples.in_order(rows)])
    np.testing.assert_array_equal(np.sort(seen), rows)


def test_segments_in_memory_give_the_same_bits_as_one_array():
    values, labels, codes = toy()
    first, second = (
        train_on_features(v, labels, codes, Protocol(epochs=4)) for v in (values, in_segments(values))
    )
    assert first.head.to_bytes() == second.head.to_bytes()


@pytest.mark.parametrize("head", ["pooled", "dense"])
def test_streamed_training_learns_as_well(head):
    values, labels, codes = toy(600)
    protocol = Protocol(epochs=10)
    whole = train_on_features(values, labels, codes, protocol, head=head)
    streamed = train_on_features(in_segments(values), labels, codes, protocol, head=head, memory=100 * 60 * 4)
    assert "streamed" in streamed.report
    assert "streamed" not in whole.report
    assert streamed.report["test"]["accuracy"] > whole.report["test"]["accuracy"] - 0.04


def wide(seed=0, n=120, d=3000):
    """Features as a trunk's: many, none negative, of very different sizes, much the same in every window."""
    rng = np.random.default_rng(seed)
    labels = np.arange(n) % 2
    values = rng.normal(3, 1, (n, d))
    values[:, : d // 4] += 0.9 * labels[:, None]
    return (
        (np.maximum(values, 0) * rng.lognormal(3, 1, d)).astype("f4"),
        labels,
        split_windows(labels, split="random"),
    )


def trained(values, labels, codes, guarded):
    """Seeds, of six, whose head did not collapse, and the accuracies of those."""
    found = []
    for seed in range(6):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", MagxrWarning)
            try:
                made = train_on_features(
                    values,
                    labels,
                    codes,
                    Protocol(epochs=8, seed=seed, guarded=guarded),
                    head="dense",
                    retries=0,
                )
            except ModelError:
                continue
        found.append(made.report["test"]["accuracy"])
    return found


def test_an_unguarded_head_collapses_where_a_guarded_one_learns():
    data = wide()
    assert len(trained(*data, guarded=False)) < 6
    guarded = trained(*data, guarded=True)
    assert len(guarded) == 6
    assert min(guarded) > 0.6


def test_a_collapsed_seed_is_told_and_the_next_one_is_taken():
    values, labels, codes = wide()
    bad = next(s for s in range(6) if _collapses(values, labels, codes, s))
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always", MagxrWarning)
        made = train_on_features(
            values, labels, codes, Protocol(epochs=8, seed=bad, guarded=False), head="dense", retries=12
        )
    assert f"seed {bad} collapsed: every training window gets the same probability" in str(told[0].message)
    assert len(told) == len(made.report["attempts"]) - 1
    assert made.report["attempts"][0]["collapsed"] is not None
    assert made.report["attempts"][-1]["collapsed"] is None


def _collapses(values, labels, codes, seed):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", MagxrWarning)
        try:
            train_on_features(
                values, labels, codes, Protocol(epochs=8, seed=seed, guarded=False), head="dense", retries=0
            )
        except ModelError:
            return True
    return False


def test_a_loss_that_is_not_finite_stops_at_once_and_names_the_rate():
    values, labels, codes = toy()
    with (
        pytest.warns(MagxrWarning, match=r"not finite at learning_rate=1e\+30"),
        pytest.raises(ModelError, match=r"lower learning_rate=1e\+30"),
    ):
        train_on_features(values, labels, codes, Protocol(learning_rate=1e30), head="dense", retries=0)


def test_members_and_folds_make_an_ensemble():
    values, labels, codes = toy()
    made = train_on_features(values, labels, codes, Protocol(epochs=3), head="dense", members=3)
    assert len(made.head.members) == 3
    assert len({m.to_bytes() for m in made.head.members}) == 3
    each = made.head.by_member(values)
    np.testing.assert_allclose(made.head.probability(values), each.mean(axis=0), atol=1e-6)
    assert [a["seed"] for a in made.report["attempts"]] == [0, 1, 2]
    assert made.report["members"] == 3


def test_what_does_not_go_together_is_refused():
    values, labels, codes = toy()
    for more, match in (
        ({"members": 0}, "members=0"),
        ({"head": "cnn", "members": 2}, "a CNN is trained once"),
        ({"protocol": Protocol(dropout=0.5)}, "dropout=0.5 is for head='dense'"),
        ({"protocol": Protocol(patience=0)}, "patience=0"),
        ({"protocol": Protocol(dropout=1.0)}, "dropout=1.0"),
        (
            {"head": "cnn", "protocol": Protocol(weight_decay=0.1)},
            "weight_decay=0.1 is for heads on features",
        ),
    ):
        with pytest.raises(ParameterError, match=match):
            train_on_features(values, labels, codes, **more)
    with pytest.raises(ParameterError, match="200 windows, 199 labels"):
        train_on_features(values, labels[1:], codes)
    with pytest.raises(ModelError, match="features must be floats"):
        as_features(np.zeros(4))

"""Heads of every kind go to disk and predict there what they said when they were trained."""

import json
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from magxr.errors import ModelError
from magxr.models import spec, worker
from magxr.models.heads import CnnHead, DenseHead, Ensemble, PooledHead, read_head
from magxr.models.split import split_windows
from magxr.models.train import Protocol, train_on_features

RNG = np.random.default_rng(0)


def layers(*widths, seed=0):
    rng = np.random.default_rng(seed)
    return tuple(
        (rng.normal(size=(a, b)).astype("f4") / np.float32(a**0.5), rng.normal(size=b).astype("f4"))
        for a, b in pairwise(widths)
    )


def pooled(seed=0, d=6):
    rng = np.random.default_rng(seed)
    return PooledHead(*(rng.uniform(0.1, 1, d).astype("f4") for _ in range(3)), 0.25)


CNN = CnnHead(
    (
        (np.ones((3, 3, 1, 2), "f4"), np.zeros(2, "f4")),
        (np.ones((8, 3), "f4"), np.zeros(3, "f4")),
        (np.ones((3, 1), "f4"), np.zeros(1, "f4")),
    )
)


@pytest.mark.parametrize(
    "head",
    [
        pooled(),
        DenseHead(layers(6, 5, 4, 1)),
        CNN,
        Ensemble((pooled(0), pooled(1), pooled(2))),
        Ensemble((DenseHead(layers(6, 3, 1)), DenseHead(layers(6, 3, 1, seed=1)))),
    ],
    ids=["pooled", "dense", "cnn", "pooled ensemble", "dense ensemble"],
)
def test_written_and_read_it_is_the_same(head, tmp_path):
    path = tmp_path / "head.npz"
    path.write_bytes(head.to_bytes())
    back = read_head(path)
    assert type(back) is type(head)
    assert back.to_bytes() == head.to_bytes()
    assert (back.kind, back.parameters) == (head.kind, head.parameters)
    if not isinstance(head, CnnHead):
        x = RNG.normal(size=(700, 6)).astype("f4")
        np.testing.assert_array_equal(back.probability(x), head.probability(x))


def test_a_dense_head_is_its_layers():
    head = DenseHead(layers(6, 5, 4, 1))
    x = RNG.normal(size=(4, 6)).astype("f4")
    units = x.astype("f8")
    for kernel, bias in head.layers[:-1]:
        units = np.maximum(units @ kernel + bias, 0)
    kernel, bias = head.layers[-1]
    np.testing.assert_allclose(
        head.probability(x), 1 / (1 + np.exp(-(units @ kernel + bias)[:, 0])), rtol=1e-5
    )


@pytest.mark.parametrize(
    ("arrays", "match"),
    [
        ({"kernel0": np.ones((2, 3)), "bias0": np.ones(2)}, r"of \(2, 3\) and bias0 of \(2,\) make no layer"),
        ({"kernel0": np.ones((2, 3))}, "which are no layers; expected"),
        ({"kernel0": np.full((2, 1), np.nan), "bias0": np.ones(1)}, "layer 0 has values no trained head has"),
        ({"kernel0": np.ones((2, 2)), "bias0": np.ones(2)}, "is not a dense head"),
        ({"kernel0": np.ones((2, 3)), "bias0": np.ones(3), "kernel1": np.ones((2, 1)), "bias1": np.ones(1)},
         "layer 0 gives 3 values, layer 1 takes 2"),
        ({"kernel0": np.ones((3, 3, 1, 2)), "bias0": np.ones(2)}, "is not a CNN"),
        ({"member0.bias": np.float32(1), "member2.bias": np.float32(1)}, "is no ensemble"),
        ({"kernel0": np.array(["a"])}, "expected floats"),
    ],
)  # fmt: skip
def test_arrays_that_make_no_head_are_refused(arrays, match, tmp_path):
    np.savez(
        tmp_path / "head.npz",
        **{k: a if a.dtype.kind == "U" else np.asarray(a, "f4") for k, a in arrays.items()},
    )
    with pytest.raises(ModelError, match=match):
        read_head(tmp_path / "head.npz")


def test_members_of_different_kinds_are_refused(tmp_path):
    path = tmp_path / "head.npz"
    path.write_bytes(Ensemble((pooled(), DenseHead(layers(6, 3, 1)))).to_bytes())
    with pytest.raises(ModelError, match="members are of different kinds"):
        read_head(path)


def stripes(n=40, size=64):
    rng = np.random.default_rng(9)
    y, x = np.mgrid[:size, :size]
    labels = np.arange(n) % 2
    made = rng.normal(0, 1, (n, size, size))
    for i in np.flatnonzero(labels):
        made[i] = 0.3 * made[i] + np.sin(2 * np.pi * (x * np.cos(i) + y * np.sin(i)) / rng.uniform(8, 16))
    return made.astype("f4"), labels


@pytest.mark.network_model
def test_dense_heads_and_ensembles_predict_what_they_said(tmp_path):
    windows, labels = stripes(40, 32)
    values = {k: worker.features("vgg16-hed", windows, kind=k) for k in ("flat", "pooled")}
    codes = split_windows(labels, split="random")
    protocol = Protocol(epochs=4, batch_size=8)
    for head, kind, members in (("dense", "flat", 1), ("dense", "flat", 2), ("pooled", "pooled", 3)):
        made = train_on_features(
            values[kind],
            labels,
            codes,
            protocol,
            head=head,
            members=members,
            window=32,
        )
        folder = tmp_path / f"{head}{members}"
        saved = made.save(folder, spacing=(1, 2), trained_on="stripes")
        assert saved == spec.load(folder)
        assert (saved.head, saved.features) == (head, kind)
        np.testing.assert_allclose(
            worker.predict(saved, windows), made.head.probability(values[kind]), atol=1e-5
        )
        each = worker.predict_members(saved, windows)
        assert each.shape == (members, 40)
        np.testing.assert_allclose(each.mean(axis=0), worker.predict(saved, windows), atol=1e-6)
        assert members == 1 or np.ptp(each, axis=0).max() > 1e-4
        assert f"mean of {members}" in (folder / "card.md").read_text() or members == 1
    with pytest.raises(
        ModelError, match=r"takes 512 features, but the trunk 'vgg16-hed' gives 1024 'pooled' ones"
    ):
        worker.predict(replace(spec.load(tmp_path / "dense1"), features="pooled"), windows)
    with pytest.raises(ModelError, match=r"expected 1{64}"):
        worker.predict(replace(saved, trunk_sha256="1" * 64), windows)


def test_version_1_is_read_and_version_3_is_written(saved):
    folder = Path(saved.path).parent
    card = json.loads((folder / "card.json").read_text())
    assert card["format_version"] == 3
    card["format_version"] = 1
    for later in ("features", "form", "dense_sha256"):
        del card["spec"][later]
    (folder / "card.json").write_text(json.dumps(card))
    assert spec.load(folder) == saved
    assert spec.card()["format_version"] in (1, 2, 3)


def test_a_card_and_a_head_of_two_kinds_are_refused(saved):
    folder = Path(saved.path).parent
    card = json.loads((folder / "card.json").read_text())
    card["spec"]["head"] = "dense"
    (folder / "card.json").write_text(json.dumps(card))
    with pytest.raises(ModelError, match=r"the card says 'dense', head.npz is 'pooled'"):
        spec.load(folder)

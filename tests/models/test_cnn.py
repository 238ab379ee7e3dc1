"""The CNN: trained end to end in Keras, saved as plain arrays, interrupted and gone on with."""

from dataclasses import replace

import numpy as np
import pytest

from magxr.errors import ModelError
from magxr.models import spec, worker
from magxr.models.train import train


def ramps(n, size=16):
    """Windows that rise to the east (1) or to the north (0), with noise."""
    rng = np.random.default_rng(9)
    y, x = np.mgrid[:size, :size]
    labels = np.arange(n) % 2
    return np.stack([(x if i else y) + rng.normal(0, 2, x.shape) for i in labels]).astype("f4"), labels


@pytest.mark.network_model
@pytest.mark.parametrize("outputs", [1, 2])
def test_a_cnn_learns_saves_and_predicts(tmp_path, outputs):
    windows, labels = ramps(48)
    made = train(windows, labels, split="random", head="cnn", outputs=outputs, epochs=8, batch_size=8)
    assert (made.trunk, made.window) == ("none", 16)
    assert made.report["train"]["accuracy"] > 0.8
    saved = made.save(tmp_path / "cnn", spacing=(1, 2), trained_on="stripes")
    assert spec.load(tmp_path / "cnn") == saved
    p = worker.predict(saved, windows)
    tested = np.isfinite(made.out_of_fold)
    np.testing.assert_allclose(p[tested], made.out_of_fold[tested], atol=1e-5)
    assert "Trunk**: none" in (tmp_path / "cnn" / "card.md").read_text()
    with pytest.raises(ModelError, match="do not fit a network of"):
        worker.predict(replace(saved, window=32), np.zeros((1, 32, 32), "f4"))


@pytest.mark.network_model
def test_a_cnn_that_was_interrupted_ends_alike(tmp_path, monkeypatch):
    import dask.array as da

    from magxr.models import fit

    windows, labels = ramps(30, 12)
    how = {"split": "random", "head": "cnn", "epochs": 3, "batch_size": 8}
    whole = train(windows, labels, **how)
    lazy = train(da.from_array(windows, chunks=(7, 12, 12)), labels, **how)
    np.testing.assert_allclose(lazy.out_of_fold, whole.out_of_fold, atol=1e-6)
    real, calls = fit._epoch, []

    def dies(*args):
        calls.append(1)
        if len(calls) == 3:
            raise KeyboardInterrupt
        return real(*args)

    monkeypatch.setattr(fit, "_epoch", dies)
    with pytest.raises(KeyboardInterrupt):
        train(windows, labels, checkpoint=tmp_path / "state", **how)
    again = train(windows, labels, checkpoint=tmp_path / "state", **how)
    assert len(calls) == 4
    np.testing.assert_allclose(again.out_of_fold, whole.out_of_fold, atol=1e-5)

"""A model without a network: an ensemble on how parallel anomalies are, and what it knows of its doubt."""

import subprocess
import sys

import dask.array as da
import numpy as np
import pytest
import xarray as xr

import magxr
from magxr.errors import ModelError, ParameterError
from magxr.models import card, doubt, spec, worker
from magxr.models.conformal import calibrate_sets
from magxr.models.doubt import ANSWERS, Doubt
from magxr.models.novelty import fit_novelty
from magxr.models.occlusion import occluded
from magxr.models.train import train
from magxr.testing import nothing_computes

SIDE = 64


def window(seed, striped):
    from scipy.ndimage import gaussian_filter

    rng = np.random.default_rng(seed)
    y, x = np.mgrid[:SIDE, :SIDE]
    noise = gaussian_filter(rng.standard_normal((SIDE, SIDE)), 3.0)
    found = 40.0 * noise / noise.std()
    if striped:
        turn = rng.uniform(0, np.pi)
        found += 80.0 * np.sin(2 * np.pi * (x * np.cos(turn) + y * np.sin(turn)) / rng.uniform(9, 20))
    return found.astype(np.float32)


@pytest.fixture(scope="module")
def many():
    labels = np.arange(72) % 2
    return np.stack([window(k, bool(label)) for k, label in enumerate(labels)]), labels


@pytest.fixture(scope="module")
def trained(many):
    values, labels = many
    groups = np.arange(72) // 4
    return train(values, labels, groups=groups, folds=3, head="aligned", epochs=40, learning_rate=0.01)


@pytest.fixture(scope="module")
def saved(many, trained, tmp_path_factory):
    values, labels = many
    groups = np.arange(72) // 4
    knows = Doubt(
        calibrate_sets(labels, trained.out_of_fold, groups, alpha=0.2),
        fit_novelty(worker.features("none", values, kind="alignment"), groups, components=4),
    )
    folder = tmp_path_factory.mktemp("aligned") / "model"
    return card.save(trained, folder, spacing=(0.5, 1.0), trained_on="a test", doubt=knows)


def test_a_model_without_a_network_takes_windows_as_they_are(many, saved):
    windows = many[0][:5]
    assert worker.prepare(saved, windows) is windows


def test_it_learns_what_no_head_of_the_fold_had_seen(trained, many):
    assert trained.trunk == "none"
    assert trained.features == "alignment"
    right = (trained.out_of_fold >= 0.5) == (many[1] == 1)
    assert right.mean() > 0.9


def test_saved_and_loaded_it_says_the_same(saved, trained, many):
    loaded = spec.load(saved.path)
    expected = trained.head.probability(worker.features("none", many[0], kind="alignment"))
    np.testing.assert_array_equal(worker.predict(loaded, many[0]), expected)
    text = (loaded.head_file().with_name("card.md")).read_text()
    assert "how parallel anomalies are" in text
    assert "mean of 3" in text


def test_the_answer_does_not_depend_on_what_came_with_it(saved, many):
    alone = np.concatenate([worker.predict(saved, w[None]) for w in many[0][:5]])
    np.testing.assert_array_equal(worker.predict(saved, many[0])[:5], alone)


def test_no_network_is_started(saved, many, tmp_path):
    np.save(tmp_path / "windows.npy", many[0][:3])
    code = (
        "import sys, numpy as np; from magxr.models import spec, worker;"
        f"print(worker.predict(spec.load({saved.path!r}), np.load({str(tmp_path / 'windows.npy')!r})).shape);"
        "print([m for m in ('keras', 'tensorflow', 'torch', 'jax') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split("\n")[:2] == ["(3,)", "[]"]


def test_doubt_is_what_its_parts_say(saved, many):
    answers = worker.predict_with_doubt(saved, many[0])
    assert answers.shape == (len(ANSWERS), len(many[0]))
    members = worker.predict_members(saved, many[0])
    np.testing.assert_array_equal(answers[0], worker.predict(saved, many[0]))
    np.testing.assert_allclose(answers[1], members.std(axis=0), atol=1e-6)
    assert set(np.unique(answers[2])) <= {0, 1, 2, 3}
    sure = answers[2] < 2
    np.testing.assert_array_equal(answers[2][sure] == 1, answers[0][sure] >= 0.5)


def test_what_is_like_nothing_in_the_training_is_new(saved, many):
    checks = np.kron(np.indices((16, 16)).sum(axis=0) % 2, np.ones((4, 4))).astype(np.float32)
    known, new = worker.predict_with_doubt(saved, np.stack([many[0][1], checks]))[3]
    assert known < 1.0 < new


def test_doubt_read_again_is_the_same(saved):
    path = saved.doubt_file()
    assert doubt.read(path).to_bytes() == path.read_bytes()


def test_a_changed_or_missing_doubt_is_refused(trained, many, tmp_path, saved):
    knows = doubt.read(saved.doubt_file())
    own = card.save(trained, tmp_path / "own", spacing=(0.5, 1.0), trained_on="a test", doubt=knows)
    path = own.doubt_file()
    path.write_bytes(path.read_bytes()[:-40] + b"x" * 40)
    with pytest.raises(ModelError, match=r"doubt\.npz has the SHA-256 .* expected"):
        spec.load(tmp_path / "own")
    path.unlink()
    with pytest.raises(ModelError, match=r"cannot tell how sure it is: .*doubt\.npz is missing; restore it"):
        spec.load(tmp_path / "own")


def region(values):
    lat, lon = -20.0 + 0.012 * np.arange(values.shape[0]), 10.0 + 0.012 * np.arange(values.shape[1])
    attrs = {"units": "nT", "registration": "pixel"}
    return xr.DataArray(values, {"lat": lat, "lon": lon}, ("lat", "lon"), "anomaly", attrs)


@pytest.fixture(scope="module")
def scene():
    found = np.block([[window(1, True), window(2, False)], [window(4, False), window(3, True)]])
    found[:20, 60:] = np.nan
    return region(found)


def test_a_map_of_doubt_is_lazy_and_the_same_in_any_chunks(saved, scene):
    whole = magxr.classify(scene, model=saved, stride=8, doubt=True, max_missing=0.1)
    with nothing_computes():
        lazy = magxr.classify(scene.chunk(lat=50, lon=37), model=saved, stride=8, doubt=True, max_missing=0.1)
    assert isinstance(lazy.novelty.data, da.Array)
    xr.testing.assert_identical(lazy.compute(), whole)
    plain = magxr.classify(scene, model=saved, stride=8, max_missing=0.1)
    np.testing.assert_array_equal(whole.linear_probability, plain.linear_probability)
    gone = np.isnan(whole.linear_probability.values)
    assert 0 < gone.sum() < gone.size
    assert whole.prediction_set.dtype == np.int8
    np.testing.assert_array_equal(whole.prediction_set.values == -1, gone)
    np.testing.assert_array_equal(np.isnan(whole.spread.values), gone)
    assert magxr.calibrate(whole).linear.dtype == np.int8


def test_a_turned_map_has_the_turned_doubt(saved, scene):
    one = magxr.classify(scene, model=saved, stride=8, doubt=True)
    other = magxr.classify(scene[::-1].transpose("lon", "lat"), model=saved, stride=8, doubt=True)
    for name in ("spread", "prediction_set", "novelty"):
        np.testing.assert_array_equal(one[name].values, other[name].transpose("lat", "lon").values[::-1])


class _Certain:
    window, batch = SIDE, 4

    def predict(self, windows):
        return np.ones(len(windows), np.float32)


def test_a_model_that_does_not_know_its_doubt_is_told_before_any_work(scene):
    with nothing_computes():
        with pytest.raises(ModelError, match="a _Certain has no predict_with_doubt"):
            magxr.classify(scene.chunk(), model=_Certain(), stride=8, doubt=True)
        with pytest.raises(ParameterError, match="doubt is 'yes'; use True or False"):
            magxr.classify(scene.chunk(), model=_Certain(), stride=8, doubt="yes")


def test_the_stripes_of_half_a_window_speak_for_linear(saved):
    half = window(2, False)
    half[:, : SIDE // 2] = window(1, True)[:, : SIDE // 2]
    found = magxr.explain(region(half), -20.0 + 0.012 * 31.5, 10.0 + 0.012 * 31.5, model=saved)
    assert found.name == found.attrs["method"] == "occlusion"
    assert np.isnan(found.attrs["elsewhere"])
    assert float(found[:, : SIDE // 2].mean()) > float(found[:, SIDE // 2 :].mean())
    expected = float(worker.predict(saved, half[None])[0])
    assert found.attrs["probability"] == pytest.approx(expected, abs=1e-5)


def test_a_sum_is_refused_where_there_is_none(saved, scene):
    with pytest.raises(ModelError, match=r"'additive' cannot explain .*use method='occlusion'"):
        magxr.explain(scene, -19.3, 10.7, model=saved, method="additive")


def test_a_part_that_alone_decides_is_found_by_leaving_it_out():
    values = np.zeros((40, 40), np.float32)
    values[8:12, 20:24] = 5.0  # the part in row 2, column 5 of ten
    fall = occluded(values, lambda windows: np.nansum(windows, axis=(1, 2)).astype(float))
    assert (fall[8:12, 20:24] == 80.0).all()
    assert fall.sum() == 80.0 * 16

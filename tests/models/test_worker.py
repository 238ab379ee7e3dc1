"""The network itself: known activations, one load per process, the same answer whatever the batch."""

import subprocess
import sys
import threading
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from scipy.signal import correlate

from magxr.errors import ModelError
from magxr.kernels.minmax import minmax
from magxr.models import architectures, engine, spec, train, weights, worker
from magxr.models.backbones import backbone, build
from magxr.models.heads import PooledHead

network_model = pytest.mark.network_model


@pytest.fixture(scope="module")
def keras():
    return engine.start()


@pytest.fixture(scope="module")
def trunk(keras, trunk_file):
    return build(keras, backbone("vgg16-hed"), trunk_file, 64)


def layer_by_hand(image, kernel, bias):
    """One 3 x 3 convolution with zeros around and nothing below zero, by scipy."""
    out = np.empty((*image.shape[:2], kernel.shape[-1]))
    for o in range(kernel.shape[-1]):
        full = sum(
            correlate(np.pad(image[..., c], 1), kernel[..., c, o], mode="valid")
            for c in range(image.shape[-1])
        )
        out[..., o] = np.maximum(full + bias[o], 0)
    return out


@network_model
def test_first_layers_by_hand(keras, trunk, trunk_file):
    tensors = weights.read_layers(trunk_file, backbone("vgg16-hed").layers[:3])
    image = np.random.default_rng(0).random((1, 64, 64, 1)).astype("f4")
    x = 255 * np.repeat(image[0], 3, axis=-1).astype("f8") - [104.00699, 116.66877, 122.67892]
    for name in ("block1_conv1", "block1_conv2"):
        x = layer_by_hand(x, *(t.astype("f8") for t in tensors[name]))
        part = keras.Model(trunk.input, trunk.get_layer(name).output)
        np.testing.assert_allclose(np.asarray(part(image))[0], x, rtol=1e-4, atol=1e-2)
    x = x.reshape(32, 2, 32, 2, 64).max(axis=(1, 3))
    x = layer_by_hand(x, *(t.astype("f8") for t in tensors["block2_conv1"]))
    part = keras.Model(trunk.input, trunk.get_layer("block2_conv1").output)
    np.testing.assert_allclose(np.asarray(part(image))[0], x, rtol=1e-4, atol=1e-2)


@network_model
def test_the_whole_trunk_is_vgg16_as_keras_has_it(keras, trunk, trunk_file):
    theirs = keras.applications.VGG16(include_top=False, weights=None, input_shape=(64, 64, 3))
    tensors = weights.read_layers(trunk_file, backbone("vgg16-hed").layers)
    theirs.set_weights([t for layer in theirs.layers if layer.name in tensors for t in tensors[layer.name]])
    image = np.random.default_rng(1).random((2, 64, 64, 1)).astype("f4")
    scaled = 255 * np.repeat(image, 3, axis=-1) - np.array([104.00699, 116.66877, 122.67892], "f4")
    ours = np.asarray(trunk(image))
    assert ours.shape == (2, 2, 2, 512)
    np.testing.assert_allclose(ours, np.asarray(theirs(scaled)), rtol=1e-4, atol=1e-4)


@network_model
def test_vgg19_from_a_local_file_is_keras_own(keras, tmp_path):
    theirs = keras.applications.VGG19(include_top=False, weights=None, input_shape=(32, 32, 3))
    path = tmp_path / "vgg19.weights.h5"
    theirs.save_weights(path)
    ours = build(keras, backbone("vgg19"), path, 32)
    image = np.random.default_rng(1).random((1, 32, 32, 1)).astype("f4")
    wanted = theirs(keras.applications.vgg19.preprocess_input(255 * np.repeat(image, 3, axis=-1)))
    np.testing.assert_allclose(np.asarray(ours(image)), np.asarray(wanted), rtol=1e-4, atol=1e-5)


@network_model
def test_features_are_mean_and_deviation_of_the_feature_map(trunk, windows):
    fields = np.asarray(trunk(minmax(windows)[..., None])).astype("f8")
    wanted = np.concatenate([fields.mean(axis=(1, 2)), fields.std(axis=(1, 2))], axis=1)
    got = worker.features("vgg16-hed", windows)
    assert got.shape == (11, 1024)
    assert got.dtype == np.float32
    np.testing.assert_allclose(got, wanted, rtol=1e-3, atol=2e-4)


@network_model
def test_predict_is_the_head_on_the_features(saved, windows, random_head):
    got = worker.predict(saved, windows)
    wanted = random_head.probability(worker.features("vgg16-hed", windows))
    assert got.shape == (11,)
    assert got.dtype == np.float32
    assert np.ptp(wanted) > 0.05
    np.testing.assert_allclose(got, wanted, atol=1e-5)


@network_model
def test_the_answer_does_not_depend_on_the_batch(saved, windows):
    whole = worker.predict(saved, windows)
    for batch in (1, 4, 16):
        np.testing.assert_allclose(worker.predict(replace(saved, batch=batch), windows), whole, atol=1e-5)
    apart = np.concatenate([worker.predict(saved, windows[i : i + 3]) for i in range(0, 11, 3)])
    np.testing.assert_allclose(apart, whole, atol=1e-5)
    np.testing.assert_array_equal(worker.predict(saved, windows), whole)


@network_model
def test_unit_offset_and_holes_reach_the_network_scaled(saved, windows):
    whole = worker.predict(saved, windows)
    np.testing.assert_allclose(worker.predict(saved, 3 * windows + 7), whole, atol=1e-4)
    assert np.isfinite(whole).all()


@network_model
def test_loads_once_per_process_from_many_threads(saved, windows):
    own = replace(saved, path=str(Path(saved.path)))
    before = len(worker.loads)
    results = [None] * 6

    def work(i):
        results[i] = worker.predict(own, windows[:3])

    threads = [threading.Thread(target=work, args=(i,)) for i in range(6)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert len(worker.loads) == before + 1
    for r in results[1:]:
        np.testing.assert_array_equal(r, results[0])


def test_wrong_windows_are_refused_before_loading(saved):
    before = len(worker.loads)
    with pytest.raises(ModelError, match=r"\(n, 64, 64\), got float32 of \(2, 32, 32\)"):
        worker.predict(saved, np.zeros((2, 32, 32), "f4"))
    with pytest.raises(ModelError, match="got int64"):
        worker.predict(saved, np.zeros((2, 64, 64), int))
    with pytest.raises(ModelError, match="expected float windows"):
        worker.features("vgg16-hed", np.zeros((64, 64), "f4"))
    assert worker.predict(saved, np.zeros((0, 64, 64), "f4")).shape == (0,)
    assert worker.features("vgg16-hed", np.zeros((0, 64, 64), "f4")).shape == (0, 1024)
    assert len(worker.loads) == before


@network_model
def test_prepared_batches_have_the_same_answers(saved, windows):
    whole = worker.predict(saved, windows)
    parts = [windows[n : n + saved.batch] for n in range(0, len(windows), saved.batch)]
    assert len(parts[-1]) < saved.batch or len(parts) > 1
    prepared = [worker.prepare(saved, part) for part in parts]
    np.testing.assert_array_equal(np.concatenate([worker.predict(saved, p) for p in prepared]), whole)
    members = np.concatenate([worker.predict_members(saved, p) for p in prepared], axis=1)
    np.testing.assert_array_equal(members, worker.predict_members(saved, windows))


def test_nothing_is_loaded_to_prepare_and_wrong_windows_are_refused(saved):
    before = len(worker.loads)
    batch = worker.prepare(saved, np.ones((1, 64, 64), "f4"))
    assert batch.images.shape == (saved.batch, 64, 64, 1)
    with pytest.raises(ModelError, match=r"\(n, 64, 64\), got float32 of \(2, 32, 32\)"):
        worker.prepare(saved, np.zeros((2, 32, 32), "f4"))
    empty = worker.prepare(saved, np.zeros((0, 64, 64), "f4"))
    assert worker.predict(saved, empty).shape == (0,)
    assert len(worker.loads) == before


@network_model
def test_a_head_for_another_trunk_and_too_small_windows(keras, trunk, trunk_file):
    small = PooledHead(*(np.ones(8, "f4") for _ in range(3)), 0.0)
    with pytest.raises(ModelError, match="8 weights but the trunk 'vgg16_hed' gives 1024"):
        architectures.pooled(keras, trunk, small)
    with pytest.raises(ModelError, match="window=31 is smaller than the 32"):
        build(keras, backbone("vgg16-hed"), trunk_file, 31)


@network_model
def test_the_network_has_the_head_on_the_trunks_own_layers(keras, trunk, random_head):
    model = architectures.pooled(keras, trunk, random_head)
    names = [layer.name for layer in model.layers]
    assert "block5_conv3" in names
    assert "linear_probability" in names
    assert not any(isinstance(layer, keras.Model) for layer in model.layers)
    assert model.count_params() == 14_714_688 + 1025


@network_model
def test_a_changed_file_is_refused_at_loading(saved, windows):
    path = Path(saved.path)
    changed = bytearray(path.read_bytes())
    changed[len(changed) // 2] ^= 1
    path.write_bytes(bytes(changed))
    with pytest.raises(ModelError, match="damaged or another file"):
        worker.predict(saved, windows)


@network_model
def test_trained_from_windows_to_saved_model(windows, tmp_path):
    rng = np.random.default_rng(9)
    y, x = np.mgrid[:64, :64]
    labels = np.arange(60) % 2
    made = rng.normal(0, 1, (60, 64, 64))
    for i in np.flatnonzero(labels):
        made[i] = 0.4 * made[i] + np.sin(2 * np.pi * (x * np.cos(i) + y * np.sin(i)) / rng.uniform(8, 16))
    corners = np.column_stack([np.arange(60) // 2, np.zeros(60, int), 70 * (np.arange(60) % 2)])
    model = train.train(made.astype("f4"), labels, groups=np.arange(60) // 2, positions=corners)
    assert model.report["leakage"] == 0.0
    assert model.report["left_out"] == 0
    assert model.report["test"]["accuracy"] > 0.8
    made_spec = model.save(tmp_path / "stripes", spacing=(0.7, 0.8), trained_on="stripes and noise")
    again = spec.load(tmp_path / "stripes")
    assert again == made_spec
    wanted = model.head.probability(worker.features("vgg16-hed", made.astype("f4")))
    np.testing.assert_allclose(worker.predict(again, made.astype("f4")), wanted, atol=1e-5)


@network_model
@pytest.mark.slow
def test_the_default_model_knows_stripes_from_noise_and_agrees_with_another_process():
    code = (
        "import numpy as np; from magxr.models import spec, worker\n"
        "from magxr.testing import wavy_sea_floor\n"
        "p = worker.predict(spec.load(), np.stack([wavy_sea_floor((250, 250)).values,"
        " np.random.default_rng(0).normal(size=(250, 250)).astype('f4')]))\n"
        "print(*p.tolist(), len(worker.loads))"
    )
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    stripes, noise, loads = out.stdout.split()
    assert float(stripes) > 0.7
    assert float(noise) < 0.3
    assert loads == "1"

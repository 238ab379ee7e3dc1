"""Keras files: every way of naming finds the same tensors, any other file is refused, naming the tensor."""

import zipfile

import h5py
import numpy as np
import pytest

from magxr.errors import ModelError
from magxr.models import weights
from magxr.models.trunks.sketch import Sketch


def drawn(names):
    """Two convolutions and a shortcut with a third, which Keras stores in another order than drawn."""
    s = Sketch()
    short = s.convolution(0, names[0], 2, 1)
    x = s.convolution(0, names[1], 2, 3, groups=("own/c",))
    x = s.norm(x, names[2], epsilon=1e-3)
    x = s.depthwise(s.relu(x, "relu"), "deep")
    s.add(short, x, "add")
    return s


@pytest.fixture
def sketch():
    return drawn(("short", "long", "norm"))


@pytest.fixture
def values(sketch):
    rng = np.random.default_rng(3)
    return {x.name: tuple(rng.random(t.shape).astype("f4") for t in x.tensors) for x in sketch.layers}


PARTS = {"kernel": "kernel", "bias": "bias", "gamma": "gamma", "beta": "beta", "mean": "moving_mean",
         "variance": "moving_variance"}  # fmt: skip


def by_name(path, sketch, values, root=""):
    with h5py.File(path, "w") as file:
        for layer in sketch.layers:
            deep = "depthwise_" if layer.kind == "depthwise" else ""
            for t, value in zip(layer.tensors, values[layer.name], strict=True):
                file[f"{root}{layer.name}/{layer.name}/{deep}{PARTS[t.part]}:0"] = value
    return path


def whole_model(path, sketch, values):
    return by_name(path, sketch, values, "model_weights/")


def by_order(path, sketch, values, labels=False):
    classes = {"convolution": "conv2d", "depthwise": "depthwise_conv2d", "norm": "batch_normalization"}
    counts = dict.fromkeys(classes, 0)
    with h5py.File(path, "w") as file:
        for layer in sketch.stored_order():
            count = counts[layer.kind]
            counts[layer.kind] += 1
            group = file.create_group(
                f"layers/{classes[layer.kind]}" + (f"_{count}" if count else "") + "/vars"
            )
            if labels:
                group.attrs["name"] = layer.name
            for i, value in enumerate(values[layer.name]):
                group[str(i)] = value
    return path


def by_label(path, sketch, values):
    # names tell, whatever the numbers: as if the model had other layers before
    by_order(path, sketch, values, labels=True)
    with h5py.File(path, "r+") as file:
        file.move("layers/conv2d", "layers/conv2d_9")
    return path


def keras_archive(path, sketch, values):
    inner = by_order(path.with_suffix(".inner"), sketch, values)
    with zipfile.ZipFile(path, "w") as out:
        out.writestr("config.json", "{}")
        out.write(inner, "model.weights.h5")
    return path


def by_list(path, sketch, values):
    """An old file of a model whose layers had other names, among them some without weights."""
    names = {layer.name: f"layer_{i}" for i, layer in enumerate(sketch.stored_order()[::-1])}
    other = {names[k]: v for k, v in values.items()}
    with h5py.File(path, "w") as file:
        for layer in sketch.layers:
            deep = "depthwise_" if layer.kind == "depthwise" else ""
            at = names[layer.name]
            for t, value in zip(layer.tensors, other[at], strict=True):
                file[f"{at}/{at}/{deep}{PARTS[t.part]}:0"] = value
            file[at].attrs["weight_names"] = [f"{at}/{t.part}" for t in layer.tensors]
        file.create_group("input").attrs["weight_names"] = np.array([], "S1")
        order = ["input", *(names[layer.name] for layer in sketch.stored_order())]
        file.attrs["layer_names0"] = np.array(order[:2], "S")
        file.attrs["layer_names1"] = np.array(order[2:], "S")
    return path


WAYS = [by_name, whole_model, by_order, by_label, keras_archive, by_list]


@pytest.mark.parametrize("way", WAYS)
def test_every_way_of_naming(tmp_path, sketch, values, way):
    assert [layer.name for layer in sketch.stored_order()] == ["long", "norm", "short", "deep"]
    got = weights.read_layers(way(tmp_path / "w", sketch, values), sketch.layers, sketch.stored_order())
    assert list(got) == list(values)
    for name, tensors in values.items():
        for one, two in zip(got[name], tensors, strict=True):
            np.testing.assert_array_equal(one, two)


def test_layers_that_keras_only_numbers(tmp_path):
    sketch = drawn(("conv2d_1", "conv2d_2", "batch_normalization_1"))
    numbered = [layer for layer in sketch.layers if layer.name != "deep"]
    path = tmp_path / "w.h5"
    rng = np.random.default_rng(4)
    made = {layer.name: tuple(rng.random(t.shape) for t in layer.tensors) for layer in numbered}
    with h5py.File(
        path, "w"
    ) as file:  # not from 1 on, and 10 after 9: they were not the first of their session
        for layer, name in zip(numbered, ("conv2d_9", "conv2d_10", "batch_normalization"), strict=True):
            for t, value in zip(layer.tensors, made[layer.name], strict=True):
                file[f"{name}/{name}/{PARTS[t.part]}:0"] = value
    got = weights.read_layers(path, numbered)
    for name, tensors in made.items():
        for one, two in zip(got[name], tensors, strict=True):
            np.testing.assert_array_equal(one, two.astype("f4"))


@pytest.mark.parametrize("names", [np.zeros((3, 3), "S4"), np.zeros(20_000, "S1"), np.zeros(2, "S2000")])
def test_a_list_of_names_that_is_none(tmp_path, sketch, values, names):
    path = by_list(tmp_path / "w", sketch, values)
    with h5py.File(path, "r+") as file:
        file.attrs["layer_names"] = names
    with pytest.raises(
        ModelError, match=r"attribute layer_names, \(.*\) texts of \d+ bytes, is no list of names"
    ):
        weights.read_layers(path, sketch.layers, sketch.stored_order())


def test_the_oldest_names_of_kernel_and_bias(tmp_path, sketch, values):
    path = tmp_path / "old.h5"
    with h5py.File(path, "w") as file:
        for name in ("short", "long"):
            file[f"{name}/{name}_W_1:0"], file[f"{name}/{name}_b_1:0"] = values[name]
    got = weights.read_layers(path, sketch.layers[:2])
    np.testing.assert_array_equal(got["long"][0], values["long"][0])
    np.testing.assert_array_equal(got["long"][1], values["long"][1])


def change(file, what):
    at = "long/long"
    if what == "missing layer":
        del file["long"]
    elif what == "missing bias":
        del file[f"{at}/bias:0"]
    elif what == "shape":
        del file[f"{at}/kernel:0"]
        file[f"{at}/kernel:0"] = np.zeros((3, 3, 3, 4), "f4")
    elif what == "nan":
        file[f"{at}/bias:0"][0] = np.nan
    elif what == "text":
        del file[f"{at}/bias:0"]
        file[f"{at}/bias:0"] = np.array([b"a", b"b"])
    elif what == "number":
        del file["norm"]
        file["norm/norm"] = 3.0
    elif what == "soft link":
        del file["long"]
        file["long"] = h5py.SoftLink("/short")
    elif what == "other file":
        del file["long"]
        file["long"] = h5py.ExternalLink("/etc/passwd", "/")
    elif what == "linked folder":
        file.move("long/long", "away")
        file["long/long"] = h5py.ExternalLink("other.h5", "/long")
    else:
        del file[f"{at}/bias:0"]
        file.create_dataset(f"{at}/bias:0", (2,), "f4", external=[("/etc/hostname", 0, 8)])


@pytest.mark.parametrize(
    ("what", "match"),
    [
        (
            "missing layer",
            r"tensor long/kernel of shape \(3, 3, 3, 2\) \(expected under long or own/c or lay.*missing",
        ),
        ("missing bias", r"tensor long/bias of shape \(2,\) is missing"),
        ("shape", r"long/kernel has the shape \(3, 3, 3, 4\), expected \(3, 3, 3, 2\)"),
        ("nan", "long/bias holds values that are not finite"),
        ("text", r"long/bias holds \|S1, expected floating"),
        ("number", r"tensor norm/gamma of shape \(2,\) is missing"),
        ("soft link", r"'long' in the weights file is a link \(SoftLink\) to '/short'; refused"),
        ("other file", r"is a link \(ExternalLink\)|cannot be read as HDF5"),
        ("linked folder", r"is a link \(ExternalLink\) to 'other.h5'; refused"),
        ("other data", "long/bias lies in another file.*refused"),
    ],
)
def test_a_wrong_tensor_is_named(tmp_path, sketch, values, what, match):
    path = by_name(tmp_path / "w.h5", sketch, values)
    with h5py.File(path, "r+") as file:
        change(file, what)
    with pytest.raises(ModelError, match=match):
        weights.read_layers(path, sketch.layers)


def test_two_ways_of_naming_are_not_mixed(tmp_path, sketch, values):
    path = by_order(tmp_path / "w", sketch, values)
    with h5py.File(path, "r+") as file:
        for t, value in zip(("kernel", "bias"), values["short"], strict=True):
            file[f"short/short/{t}:0"] = value + 1
    got = weights.read_layers(path, sketch.layers, sketch.stored_order())
    np.testing.assert_array_equal(got["short"][0], values["short"][0])


def test_cut_short_anywhere_is_an_error_of_ours(tmp_path, sketch, values):
    for way in (by_name, keras_archive):
        whole = way(tmp_path / "w", sketch, values).read_bytes()
        for length in range(0, len(whole) - 60, 601):
            path = tmp_path / f"{way.__name__}{length}"
            path.write_bytes(whole[:length])
            with pytest.raises(ModelError, match="truncated"):
                weights.read_layers(path, sketch.layers, sketch.stored_order())


def test_archives_that_are_refused(tmp_path, sketch, values, monkeypatch):
    inner = by_order(tmp_path / "inner", sketch, values)
    path = tmp_path / "w.keras"
    with zipfile.ZipFile(path, "w") as out:
        out.write(inner, "model.weights.h5")
        out.writestr("assets/../../../etc/x", "x")
    with pytest.raises(ModelError, match=r"member 'assets/../../../etc/x' points out of the archive"):
        weights.read_layers(path, sketch.layers)
    with zipfile.ZipFile(path, "w") as out:
        out.writestr("model.weights.h5", "no HDF5")
    with pytest.raises(ModelError, match="cannot be read as HDF5"):
        weights.read_layers(path, sketch.layers)
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as out:
        out.writestr("model.weights.h5", bytes(10**6))
    monkeypatch.setattr("magxr.models.weightfiles.keras_h5._LARGEST", 10**5)
    with pytest.raises(ModelError, match=r"claims 1000000 bytes, more than 100000"):
        weights.read_layers(path, sketch.layers)

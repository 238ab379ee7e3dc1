"""Files that want more than to be read: each is refused in words, and what it wanted has not happened.

Only what no other test does; docs/security.md lists all.
"""

import base64
import io
import json
import marshal
import os
import pickle
import shutil
import struct
import zipfile
from pathlib import Path

import h5py
import numpy as np
import pytest

from magxr.errors import ModelError, StoreError
from magxr.io import store
from magxr.io.featurestore import open_features
from magxr.io.read import open_anomaly
from magxr.models import spec, weights
from magxr.models.heads import read_head
from magxr.models.trunks.sketch import Sketch
from magxr.testing import wavy_sea_floor
from tests.models import torch_bytes

CANARY = "EXECUTED"
COMMAND = f"touch {CANARY}"


@pytest.fixture(autouse=True)
def canary(tmp_path, monkeypatch):
    """Whatever runs would leave a file in this folder."""
    monkeypatch.chdir(tmp_path)
    yield
    assert not list(tmp_path.rglob(CANARY))


class Evil:
    def __reduce__(self):
        return (os.system, (COMMAND,))


def refused(read, match, error=ModelError):
    with pytest.raises(error, match=match) as caught:
        read()
    return str(caught.value)


def test_the_attack_works_where_nobody_is_careful(tmp_path):
    pickle.loads(pickle.dumps(Evil()))
    (tmp_path / CANARY).unlink()  # it is there: the canary sings


# ---- heads: .npz


def npy(array):
    made = io.BytesIO()
    np.lib.format.write_array(made, np.asarray(array))
    return made.getvalue()


def npz(path, members, how=zipfile.ZIP_DEFLATED):
    with zipfile.ZipFile(path, "w", how) as out:
        for name, content in members.items():
            out.writestr(name, content)
    return path


def a_pickle(path):
    path.write_bytes(pickle.dumps(Evil()))
    return path


def a_bare_array(path):
    path.write_bytes(npy(np.zeros(3)))
    return path


def a_pickle_in_an_archive(path):
    return npz(path, {"kernel0.npy": npy(np.array([Evil()], object))})


def a_member_that_is_no_array(path):
    return npz(path, {"kernel0.npy": npy(np.zeros(3, "f4")), "notes": b"cos\nsystem\n"})


def claiming(shape, held):
    told = f"{{'descr': '<f4', 'fortran_order': False, 'shape': {shape}, }}".encode()
    told += b" " * (-(10 + len(told) + 1) % 64) + b"\n"
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(told)) + told + bytes(held)


def a_bomb(path):
    return npz(path, {"kernel0.npy": claiming("(25000000,)", 100_000_000)})


def an_array_that_claims_more(path):
    return npz(path, {"kernel0.npy": claiming("(6000000000000000,)", 16)})


def a_damaged_archive(path):
    npz(path, {"kernel0.npy": npy(np.random.default_rng(0).random(100).astype("f4"))})
    content = bytearray(path.read_bytes())
    content[100] ^= 255
    path.write_bytes(content)
    return path


def a_program(path):
    """numpy reads headers with ast.literal_eval; a longer look would be eval."""
    text = "{'descr': '<f4', 'fortran_order': False, 'shape': (__import__('os').system('touch EXECUTED'),), }"
    told = text.encode() + b"\n"
    return npz(path, {"kernel0.npy": b"\x93NUMPY\x01\x00" + struct.pack("<H", len(told)) + told + bytes(64)})


@pytest.mark.parametrize(
    ("attack", "match"),
    [
        (a_pickle, "cannot be read as a head"),
        (a_bare_array, "cannot be read as a head"),
        (a_pickle_in_an_archive, "cannot be read as a head.*allow_pickle"),
        (a_member_that_is_no_array, "array 'notes' is no array, expected floats"),
        (a_bomb, r"is refused: its \d+ bytes claim to hold 1000\d+, more than \d+"),
        (an_array_that_claims_more, "cannot be read as a head"),
        (a_damaged_archive, "cannot be read as a head"),
        (a_program, "cannot be read as a head"),
    ],
)
def test_heads(tmp_path, attack, match):
    refused(lambda: read_head(attack(tmp_path / "head.npz")), match)


@pytest.mark.parametrize("name", ["../out.npy", "/tmp/out.npy", "a/../../out.npy"])
def test_names_in_a_head_are_names_of_arrays_and_not_of_files(tmp_path, name):
    inside = tmp_path / "inside"
    inside.mkdir()
    refused(lambda: read_head(npz(inside / "head.npz", {name: npy(np.zeros(3, "f4"))})), "head.npz")
    assert sorted(p.name for p in tmp_path.rglob("*")) == ["head.npz", "inside"]


def test_a_head_that_is_all_zeros_is_no_bomb(tmp_path):
    members = {"mean.npy": npy(np.zeros(1024, "f4")), "scale.npy": npy(np.ones(1024, "f4"))}
    members |= {"weights.npy": npy(np.zeros(1024, "f4")), "bias.npy": npy(np.zeros((), "f4"))}
    assert read_head(npz(tmp_path / "head.npz", members)).length == 1024


def test_a_card_that_is_nested_without_end(tmp_path):
    (tmp_path / "card.json").write_text("[" * 200_000)
    refused(lambda: spec.load(tmp_path), "card.json is not readable JSON")


@pytest.mark.parametrize(
    ("changed", "match"),
    [
        ({"spacing": 5}, "says spacing: 5, which is not two positive numbers; restore it"),
        ({"spacing": ["a", "b"]}, r"says spacing: \['a', 'b'\], which is not two positive numbers"),
        ({"versions": 5}, "versions: 5, which is not a list of names and versions"),
        ({"window": 10**9}, "window: 1000000000, which is not a whole number from 1 to 10000"),
        ({"batch": True}, "batch: True, which is not a whole number"),
        ({"sha256": 5}, "sha256: 5, which is not plain text"),
        ({"trunk": ["os", "system"]}, "trunk: .*, which is not plain text"),
        ({"name": "\x1b]0;seen\x07"}, "name: .*, which is not plain text"),
        ({"threshold": "x"}, "threshold: 'x', which is not a number"),
        ({"trunk_weights": {}}, "trunk_weights: {}, which is not plain text or null"),
        ({"evil": "x"}, "holds no complete specification"),
    ],
)
def test_cards_of_somebody_else(tmp_path, changed, match):
    folder = tmp_path / "model"
    shutil.copytree(Path(spec.__file__).parent / "default", folder)
    told = json.loads((folder / "card.json").read_text())
    told["spec"] |= changed
    (folder / "card.json").write_text(json.dumps(told))
    refused(lambda: spec.load(folder), match)


# ---- weights: Keras


@pytest.fixture
def sketch():
    s = Sketch()
    s.convolution(0, "a", 4, 3, torch="f.0")
    return s


def inner():
    made = io.BytesIO()
    with h5py.File(made, "w") as file:
        file["layers/conv2d/vars/0"] = np.ones((3, 3, 3, 4), "f4")
        file["layers/conv2d/vars/1"] = np.ones(4, "f4")
    return made.getvalue()


def keras(path, *layers, raw=None):
    told = {"module": "keras", "class_name": "Functional", "registered_name": "Functional"}
    told["config"] = {
        "name": "trunk",
        "layers": [{"module": "keras.layers", "class_name": "Conv2D"}, *layers],
    }
    with zipfile.ZipFile(path, "w") as out:
        out.writestr("metadata.json", "{}")
        out.writestr("config.json", json.dumps(told) if raw is None else raw)
        out.writestr("model.weights.h5", inner())
    return path


def code():
    """What Keras keeps of ``lambda x: os.system(...)``."""
    made = compile(f"lambda x: __import__('os').system({COMMAND!r})", "f", "eval")
    return base64.b64encode(marshal.dumps(made.co_consts[0])).decode()


def test_a_network_of_keras_alone_is_read(tmp_path, sketch):
    path = keras(tmp_path / "w.keras", {"module": "builtins", "class_name": "function", "config": "relu"})
    assert weights.read_layers(path, sketch.layers)["a"][0].shape == (3, 3, 3, 4)


@pytest.mark.parametrize(
    ("layer", "match"),
    [
        (
            {"module": "keras.layers", "class_name": "Lambda", "config": {"function": {
                "class_name": "__lambda__", "config": {"code": code(), "defaults": None, "closure": None}}}},
            "asks for the layer 'Lambda', which is code",
        ),
        ({"class_name": "Lambda", "config": {"function": [code(), None, None], "function_type": "lambda"}},
         "'Lambda', which is code"),
        ({"module": "keras.layers", "class_name": "Dense", "config": {"activation": {
            "module": "builtins", "class_name": "__lambda__", "config": {"code": code()}}}},
         "'__lambda__', which is code"),
        ({"module": "os", "class_name": "system", "config": COMMAND}, "'system' of the module 'os'"),
        ({"module": "keras_evil", "class_name": "Dense", "config": {}}, "of the module 'keras_evil'"),
        ({"module": None, "class_name": "Mine", "registered_name": "evil>Mine", "config": {}},
         "the registered class 'evil>Mine'"),
    ],
)  # fmt: skip
def test_networks_that_bring_code(tmp_path, sketch, layer, match):
    path = keras(tmp_path / "w.keras", layer)
    said = refused(lambda: weights.read_layers(path, sketch.layers), match)
    assert "is refused, and nothing of it was run" in said
    assert "model.save_weights(" in said


@pytest.mark.parametrize("raw", ["{", "[" * 200_000, b"\xff\xfe\x00"])
def test_networks_that_are_described_in_no_json(tmp_path, sketch, raw):
    path = keras(tmp_path / "w.keras", raw=raw)
    refused(lambda: weights.read_layers(path, sketch.layers), "its config.json is not readable JSON")


def test_a_lambda_in_an_old_file_is_not_looked_at(tmp_path, sketch):
    """A whole model in HDF5: its description is never read, its numbers are numbers."""
    path = tmp_path / "w.h5"
    with h5py.File(path, "w") as file:
        file["model_weights/a/a/kernel:0"] = np.ones((3, 3, 3, 4), "f4")
        file["model_weights/a/a/bias:0"] = np.ones(4, "f4")
        told = {"class_name": "Lambda", "config": {"function": [code(), None, None]}}
        file.attrs["model_config"] = json.dumps(told)
    assert weights.read_layers(path, sketch.layers)["a"][1].tolist() == [1, 1, 1, 1]


@pytest.mark.parametrize("name", ["a", "other/deep", "layers/conv2d"])
def test_no_other_file_is_opened(tmp_path, sketch, name):
    """The file that the link leads to is a pipe: who opened it would wait for ever."""
    os.mkfifo(tmp_path / "pipe")
    path = tmp_path / "w.h5"
    path.write_bytes(inner())
    with h5py.File(path, "r+") as file:
        if name in file:
            del file[name]
        file[name] = h5py.ExternalLink(str(tmp_path / "pipe"), "/")
    match = rf"{name!r} in the weights file is a link \(ExternalLink\) to '.*pipe'; refused"
    refused(lambda: weights.read_layers(path, sketch.layers), match)


# ---- weights: torch


def nested(depth):
    """Opcodes of a tuple of two of a tuple of two ...: little to write, without end to print or to hash."""
    return b"K\x01" + b"q\x00h\x00\x86" * depth


@pytest.mark.parametrize(
    ("content", "match"),
    [
        (b"}(" + nested(200) + b"K\x01u.", "a table has a tuple for a key"),
        (
            b"ccollections\nOrderedDict\n]" + nested(200) + b"K\x01\x86a\x85R.",
            "a table has a tuple for a key",
        ),
        (b"(" + nested(200) + b"K\x01K\x01K\x01K\x01tQ.", "refers to a tuple, which is no storage"),
        (nested(200) + b"K\x01\x85R.", "it calls a tuple"),
        (nested(200) + nested(200) + b"\x93.", "it names a.tuple.a.tuple"),
    ],
)
def test_torch_tables_that_would_take_for_ever(tmp_path, sketch, content, match):
    path = torch_bytes.archive(
        tmp_path / "w.pth", {"f.0.weight": np.zeros(3, "f4")}, content=b"\x80\x04" + content
    )
    refused(lambda: weights.read_layers(path, sketch.layers), match)


def test_a_torch_table_that_unpacks_to_a_thousand_times_its_size(tmp_path, sketch):
    with zipfile.ZipFile(tmp_path / "w.pth", "w", zipfile.ZIP_DEFLATED) as out:
        out.writestr("archive/data.pkl", b"\x80\x02" + bytes(2 * 10**7))
    refused(
        lambda: weights.read_layers(tmp_path / "w.pth", sketch.layers), "claims 20000002 bytes, more than"
    )


@pytest.mark.parametrize("name", ["archive/../../data/0", "/etc/data.pkl", "..\\data.pkl"])
def test_members_that_point_out_of_an_archive(tmp_path, sketch, name):
    path = npz(tmp_path / "w.pth", {"archive/data.pkl": b"\x80\x02}.", name: b"x"})
    refused(lambda: weights.read_layers(path, sketch.layers), "points out of the archive")


def test_a_tar_is_no_weights_file(tmp_path, sketch):
    import tarfile

    with tarfile.open(tmp_path / "w.pth", "w") as out:
        link = tarfile.TarInfo("data.pkl")
        link.type, link.linkname = tarfile.SYMTYPE, "/etc/passwd"
        out.addfile(link)
    refused(
        lambda: weights.read_layers(tmp_path / "w.pth", sketch.layers), "is no weights file that magxr reads"
    )


def test_a_link_in_an_archive_is_never_followed(tmp_path, sketch):
    """Members are read as bytes and none is written to disk, so a link is a short text."""
    path = torch_bytes.archive(tmp_path / "w.pth", {"f.0.weight": np.zeros((4, 3, 3, 3), "f4")})
    with zipfile.ZipFile(path, "a") as out:
        link = zipfile.ZipInfo("archive/data/7")
        link.external_attr = 0o120777 << 16
        out.writestr(link, "/etc/passwd")
    before = {p for p in tmp_path.rglob("*") if p.is_file()}
    refused(lambda: weights.read_layers(path, sketch.layers), r"f\.0\.bias of shape \(4,\) is missing")
    assert {p for p in tmp_path.rglob("*") if p.is_file()} == before


# ---- grids


@pytest.fixture
def sea(tmp_path):
    return wavy_sea_floor().drop_attrs(deep=False).assign_attrs(units="nT").to_dataset(name="anomaly")


@pytest.mark.parametrize("array", ["lat", "anomaly"])
@pytest.mark.parametrize(
    ("filters", "compressor"),
    [
        ([{"id": "vlen-utf8"}, {"id": "pickle"}], None),
        ([{"id": "vlen-utf8"}], {"id": "pickle", "protocol": 5}),
        ([{"id": "pickle"}], None),
        (None, {"id": "PICKLE"}),
    ],
)
def test_a_pickle_in_a_zarr_store(tmp_path, sea, monkeypatch, array, filters, compressor):
    from numcodecs import pickles

    if hasattr(pickles, "ALLOW_UNSAFE_PICKLE_DECODE"):  # as numcodecs was before it asked
        monkeypatch.setattr(pickles, "ALLOW_UNSAFE_PICKLE_DECODE", True)
    path = tmp_path / "sea.zarr"
    sea.to_zarr(path, zarr_format=2, consolidated=False)
    told = json.loads((path / array / ".zarray").read_text())
    told |= {"dtype": "|O", "filters": filters, "compressor": compressor, "fill_value": ""}
    (path / array / ".zarray").write_text(json.dumps(told))
    for chunk in (path / array).iterdir():
        if not chunk.name.startswith("."):
            chunk.write_bytes(pickle.dumps(np.array([Evil()], object)))
    for read in (open_anomaly, store.open):
        refused(
            lambda r=read: r(path),
            f"is refused: its array {array!r} is a pickle, which can run code",
            StoreError,
        )


def test_a_pickle_in_a_cache_of_features(tmp_path, monkeypatch):
    from numcodecs import pickles

    if hasattr(pickles, "ALLOW_UNSAFE_PICKLE_DECODE"):
        monkeypatch.setattr(pickles, "ALLOW_UNSAFE_PICKLE_DECODE", True)
    about = {"trunk": "toy", "kind": "flat", "window": 8, "dtype": "float32"}
    cache = open_features(tmp_path / "cache", about)
    made = cache.write(["a"], np.zeros((1, 4), "f4"))
    shutil.rmtree(made.path)
    made.path.mkdir()
    told = {
        "zarr_format": 2,
        "shape": [1, 4],
        "chunks": [1, 4],
        "dtype": "|O",
        "order": "C",
        "fill_value": "",
    }
    told |= {"filters": [{"id": "vlen-utf8"}, {"id": "pickle"}], "compressor": None}
    (made.path / ".zarray").write_text(json.dumps(told))
    (made.path / ".zattrs").write_text(json.dumps({"keys": ["a"]}))
    (made.path / "0.0").write_bytes(pickle.dumps(np.array([Evil()], object)))
    refused(made.read, "is damaged", StoreError)
    assert open_features(tmp_path / "cache", about).stored() == []


@pytest.mark.parametrize("how", ["link", "numbers", "virtual"])
def test_a_grid_that_lies_in_another_file(tmp_path, sea, how):
    path, secret = tmp_path / "sea.nc", tmp_path / "secret.h5"
    sea.to_netcdf(path, engine="h5netcdf")
    with h5py.File(secret, "w") as file:
        file["x"] = np.arange(3.0)
    with h5py.File(path, "r+") as file:
        if how == "link":
            file["more"] = h5py.ExternalLink(str(secret), "/x")
        elif how == "numbers":
            file.create_dataset("more", (3,), "f8", external=[(str(secret), 0, 24)])
        else:
            layout = h5py.VirtualLayout((3,), "f8")
            layout[:] = h5py.VirtualSource(str(secret), "x", (3,))
            file.create_virtual_dataset("more", layout)
    refused(lambda: open_anomaly(path), "is refused: 'more' in it lies in another file", StoreError)
    fsspec = pytest.importorskip("fsspec", reason="needs magxr[cloud]")
    pytest.importorskip("upath", reason="needs magxr[cloud]")
    fsspec.filesystem("memory").pipe_file("/seas/sea.nc", path.read_bytes())  # at a URL no better
    refused(lambda: open_anomaly("memory://seas/sea.nc"), "is refused: 'more' in it lies", StoreError)

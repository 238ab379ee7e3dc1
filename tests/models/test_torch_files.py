"""Torch and safetensors files: read as data, bounds checked, nothing in them ever run."""

import json
import os
import pickle
import struct
import zipfile

import numpy as np
import pytest

from magxr.errors import ModelError
from magxr.models import weights
from magxr.models.trunks.sketch import Sketch
from tests.models import torch_bytes


@pytest.fixture
def sketch():
    s = Sketch()
    x = s.convolution(0, "a", 4, 3, torch="f.0")
    x = s.norm(x, "b", epsilon=1e-5, torch="f.1")
    s.depthwise(x, "c", torch="f.2")
    return s


@pytest.fixture
def values(sketch):
    rng = np.random.default_rng(3)
    return {x.name: tuple(rng.random(t.shape).astype("f4") for t in x.tensors) for x in sketch.layers}


@pytest.fixture
def arrays(sketch, values):
    return torch_bytes.as_torchvision(sketch.layers, values)


def same(got, values):
    assert list(got) == list(values)
    for name, tensors in values.items():
        for one, two in zip(got[name], tensors, strict=True):
            np.testing.assert_array_equal(one, two)
            assert one.dtype == np.float32


@pytest.mark.parametrize("write", [torch_bytes.archive, torch_bytes.stream])
def test_both_kinds_of_torch_file(tmp_path, sketch, values, arrays, write):
    same(weights.read_layers(write(tmp_path / "w.pth", arrays), sketch.layers), values)


def test_names_of_several_gpus_and_of_checkpoints(tmp_path, sketch, values, arrays):
    inner = torch_bytes.table({f"module.{k}": v for k, v in arrays.items()})[2:-1]
    content = b"\x80\x02}(" + torch_bytes.text("epoch") + b"K\x03" + torch_bytes.text("state_dict") + inner
    path = torch_bytes.archive(tmp_path / "w.pt", arrays, content=content + b"u.")
    same(weights.read_layers(path, sketch.layers), values)


def test_half_and_double_precision_and_strides(tmp_path, sketch, values, arrays):
    low = {k: v.astype("<f2" if v.ndim == 4 else "<f8") if v.dtype == "f4" else v for k, v in arrays.items()}
    got = weights.read_layers(torch_bytes.archive(tmp_path / "w.pth", low), sketch.layers)
    np.testing.assert_array_equal(got["a"][0], values["a"][0].astype("f2").astype("f4"))
    np.testing.assert_array_equal(got["b"][3], values["b"][3])
    # the numbers of a "channels last" kernel lie in another order; its strides say which
    last = dict(arrays)
    turned = np.ascontiguousarray(arrays["f.0.weight"].transpose(0, 2, 3, 1))
    last["f.0.weight"] = turned.transpose(0, 3, 1, 2)
    path = tmp_path / "last.pth"
    torch_bytes.archive(path, last)
    with zipfile.ZipFile(path, "a") as out:
        raw = turned.tobytes()
        with pytest.warns(UserWarning, match="Duplicate name"):
            out.writestr("archive/data/0", raw)
    same(weights.read_layers(path, sketch.layers), values)


class Evil:
    def __reduce__(self):
        return (os.system, ("touch EXECUTED",))


@pytest.mark.parametrize("protocol", [2, 4])
@pytest.mark.parametrize("kind", ["archive", "stream"])
def test_a_malicious_pickle_is_refused_and_not_run(tmp_path, monkeypatch, sketch, arrays, kind, protocol):
    monkeypatch.chdir(tmp_path)
    content = pickle.dumps({"f.0.weight": Evil()}, protocol)
    path = tmp_path / "evil.pth"
    if kind == "archive":
        torch_bytes.archive(path, arrays, content=content)
    else:
        start = torch_bytes.MAGIC + pickle.dumps(1001, 2) + pickle.dumps({"little_endian": True}, 2)
        path.write_bytes(start + content)
    with pytest.raises(ModelError, match=r"refused, and nothing of it was run: it names \w+\.system"):
        weights.read_layers(path, sketch.layers)
    assert not (tmp_path / "EXECUTED").exists()


@pytest.mark.parametrize(
    ("content", "match"),
    [
        (b"\x80\x02cbuiltins\neval\nX\x01\x00\x00\x001\x85R.", "names builtins.eval"),
        (b"\x80\x02ctorch._utils\n_rebuild_tensor_v2\n(K\x01K\x02K\x03K\x04tR.", "calls Name"),
        (b"\x80\x02ctorch\nFloatStorage\n)\x81.", "instruction NEWOBJ"),
        (b"(S'x'\nios\nsystem\n.", "instruction (STRING|INST)"),
        (b"\x80\x02K\x01}b.", "sets the state of something that is no table"),
        (b"\x80\x02K\x01K\x02a.", "fills something"),
        (b"\x80\x02(X\x07\x00\x00\x00storagecos\nsystem\ntQ.", "names os.system"),
        (b"\x80\x02}(X\x01\x00\x00\x00aK\x01", "holds no whole table of weights"),
        (b"\x80\x02h\x05.", "holds no whole table of weights"),
        (b"", "holds no whole table of weights"),
        (b"\x80\x02}q\x00X\x01\x00\x00\x00ah\x00s.", r"no table"),  # a table in itself
        (b"\x80\x02}.", r"no table of tensors \(a state_dict\)"),
    ],
)
def test_a_table_that_is_none(tmp_path, sketch, arrays, content, match):
    path = torch_bytes.archive(tmp_path / "w.pth", arrays, content=content)
    with pytest.raises(ModelError, match=match):
        weights.read_layers(path, sketch.layers)


@pytest.mark.parametrize(
    ("how", "match"),
    [
        ({"length": 3}, r"f\.0\.weight of shape \(4, 3, 3, 3\).*ends at number 107 of 3"),
        ({"length": 10**9}, "over the 2147483648 bytes"),
        ({"length": 10**6}, r"f\.0\.weight of shape .*432 bytes of 4000000"),
        ({"offset": 1}, r"ends at number 108 of 108"),
        ({"offset": -1}, "strides"),
        ({"strides": [27, 9, 3, -1]}, "strides"),
        ({"strides": [27, 9, 3]}, "strides"),
        ({"strides": [10**6, 9, 3, 1]}, "ends at number 30000"),
        ({"byteorder": b"big"}, "big-endian"),
    ],
)
def test_a_tensor_that_reaches_out_of_its_storage(tmp_path, sketch, arrays, how, match):
    path = torch_bytes.archive(tmp_path / "w.pth", arrays, **how)
    with pytest.raises(ModelError, match=match):
        weights.read_layers(path, sketch.layers)


def change(arrays, what):
    if what == "missing":
        del arrays["f.1.running_var"]
    elif what == "shape":
        arrays["f.2.weight"] = np.zeros((4, 1, 5, 5), "f4")
    else:
        arrays["f.1.weight"][0] = np.nan


@pytest.mark.parametrize(
    ("what", "match"),
    [
        ("missing", r"tensor f\.1\.running_var of shape \(4,\) is missing"),
        ("shape", r"f\.2\.weight has the shape \(4, 1, 5, 5\), expected \(4, 1, 3, 3\)"),
        ("nan", r"f\.1\.weight holds values that are not finite"),
    ],
)
@pytest.mark.parametrize("write", [torch_bytes.archive, torch_bytes.stream])
def test_a_wrong_tensor_is_named(tmp_path, sketch, arrays, write, what, match):
    change(arrays, what)
    with pytest.raises(ModelError, match=match):
        weights.read_layers(write(tmp_path / "w.pth", arrays), sketch.layers)


def test_cut_short_anywhere_is_an_error_of_ours(tmp_path, sketch, arrays):
    for write in (torch_bytes.archive, torch_bytes.stream, safetensors):
        whole = write(tmp_path / "w", arrays).read_bytes()
        for length in range(0, len(whole) - 1, 97):
            path = tmp_path / f"{write.__name__}{length}"
            path.write_bytes(whole[:length])
            with pytest.raises(ModelError, match=r"truncated|whole"):
                weights.read_layers(path, sketch.layers)


def test_random_damage_never_gets_past_our_errors(tmp_path, sketch, arrays):
    rng = np.random.default_rng(0)
    path = tmp_path / "w"
    for write in (torch_bytes.archive, torch_bytes.stream, safetensors):
        whole = write(path, arrays).read_bytes()
        read = 0
        for _ in range(150):
            damaged = bytearray(whole)
            for place in rng.integers(0, len(whole), 3):
                damaged[place] = rng.integers(256)
            path.write_bytes(damaged)
            try:
                weights.read_layers(path, sketch.layers)
                read += 1  # only numbers were hit, or what nobody reads
            except ModelError:
                pass
        assert read < 150, write.__name__


def test_tables_in_each_other_end(tmp_path, sketch):
    path = tmp_path / "w.pth"
    ring = b"\x80\x02}q\x00X\x01\x00\x00\x00ah\x00s."
    start = torch_bytes.MAGIC + pickle.dumps(1001, 2) + pickle.dumps({"little_endian": True}, 2)
    path.write_bytes(start + ring + pickle.dumps(3, 2))
    with pytest.raises(ModelError, match="no table of tensors"):
        weights.read_layers(path, sketch.layers)


def test_old_big_endian_files_are_refused(tmp_path, sketch, arrays):
    with pytest.raises(ModelError, match="big-endian"):
        weights.read_layers(torch_bytes.stream(tmp_path / "w.pth", arrays, little=False), sketch.layers)


def safetensors(path, arrays, *, changed=None, header=None, types=None):
    names = {"<f4": "F32", "<f2": "F16", "<i8": "I64", "<u2": "BF16"}
    told, content = {"__metadata__": {"format": "pt"}}, b""
    for name, a in arrays.items():
        told[name] = {
            "dtype": names[a.dtype.str],
            "shape": list(a.shape),
            "data_offsets": [len(content), len(content) + a.nbytes],
        }
        content += a.tobytes()
    for name, fields in (changed or {}).items():
        told[name] |= fields
    raw = json.dumps(told).encode() if header is None else header
    path.write_bytes(struct.pack("<Q", len(raw)) + raw + content)
    return path


def test_safetensors(tmp_path, sketch, values, arrays):
    same(weights.read_layers(safetensors(tmp_path / "w.safetensors", arrays), sketch.layers), values)
    half = {k: v.astype("<f2") if v.dtype == "f4" else v for k, v in arrays.items()}
    got = weights.read_layers(safetensors(tmp_path / "h", half), sketch.layers)
    np.testing.assert_array_equal(got["a"][0], values["a"][0].astype("f2").astype("f4"))
    upper = {k: (v.view("<u4") >> 16).astype("<u2") if v.dtype == "f4" else v for k, v in arrays.items()}
    got = weights.read_layers(safetensors(tmp_path / "b", upper), sketch.layers)
    np.testing.assert_array_equal(got["a"][0].view("u4"), values["a"][0].view("u4") >> 16 << 16)


@pytest.mark.parametrize(
    ("changed", "match"),
    [
        ({"data_offsets": [0, 10**9]}, r"f\.0\.weight .*bytes 0 to 1000000000 of"),
        ({"data_offsets": [-8, 424]}, r"f\.0\.weight .*bytes -8 to 424"),
        ({"data_offsets": [432, 0]}, r"bytes 432 to 0"),
        ({"data_offsets": [0, 428]}, "cannot be 428 bytes long"),
        ({"data_offsets": [0]}, "wrongly"),
        ({"data_offsets": None}, "wrongly"),
        ({"shape": [4, 3, 3, "x"]}, "wrongly"),
        ({"shape": [3, 4, 3, 3]}, r"has the shape \(3, 4, 3, 3\), expected \(4, 3, 3, 3\)"),
        ({"dtype": "F8_E4M3"}, "type 'F8_E4M3'; magxr reads F64, F32, F16, BF16"),
    ],
)
def test_safetensors_with_a_wrong_entry(tmp_path, sketch, arrays, changed, match):
    path = safetensors(tmp_path / "w", arrays, changed={"f.0.weight": changed})
    with pytest.raises(ModelError, match=match):
        weights.read_layers(path, sketch.layers)


@pytest.mark.parametrize(
    ("header", "match"),
    [
        (b"{not json", "not readable JSON"),
        (b"{" + b'"a":[' * 100_000, "not readable JSON"),
        (b'{"f.0.weight": 3}', r"describes tensor f\.0\.weight wrongly"),
        (b"{}", r"tensor f\.0\.weight of shape \(4, 3, 3, 3\) is missing"),
    ],
)
def test_safetensors_with_a_wrong_header(tmp_path, sketch, arrays, header, match):
    with pytest.raises(ModelError, match=match):
        weights.read_layers(safetensors(tmp_path / "w", arrays, header=header), sketch.layers)


def test_safetensors_whose_header_claims_more_than_the_file(tmp_path, sketch):
    path = tmp_path / "w"
    path.write_bytes(struct.pack("<Q", 2**60) + b"{}" + bytes(40))
    with pytest.raises(ModelError, match="header claims 1152921504606846976 bytes of 50"):
        weights.read_layers(path, sketch.layers)


def test_an_archive_of_something_else(tmp_path, sketch):
    for name, match in (("x.txt", "without weights"), ("../data.pkl", "points out of the archive")):
        path = tmp_path / "a.zip"
        with zipfile.ZipFile(path, "w") as out:
            out.writestr(name, "x")
        with pytest.raises(ModelError, match=match):
            weights.read_layers(path, sketch.layers)


def test_layers_without_a_counterpart(tmp_path, arrays):
    s = Sketch()
    s.convolution(0, "a", 4, 3)
    with pytest.raises(ModelError, match="no counterpart in files of torchvision"):
        weights.read_layers(torch_bytes.archive(tmp_path / "w.pth", arrays), s.layers)

"""Torch files made by hand, opcode by opcode: torch is not needed to write what only torch would write."""

import io
import pickle
import struct
import zipfile

import numpy as np

TYPES = {"<f4": b"FloatStorage", "<f2": b"HalfStorage", "<f8": b"DoubleStorage", "<i8": b"LongStorage"}
ORDERED = b"ccollections\nOrderedDict\n)R"
MAGIC = b"\x80\x02\x8a\x0al\xfc\x9cF\xf9 j\xa8P\x19."


def text(value):
    raw = value.encode()
    return b"X" + struct.pack("<I", len(raw)) + raw


def number(value):
    return b"J" + struct.pack("<i", value)


def tensor(key, array, *, more=b"", offset=0, strides=None, length=None):
    """Opcodes of one tensor; ``more`` goes into the storage's tuple (old files have a sixth entry)."""
    steps = strides or [s // array.itemsize for s in array.strides]
    kind = b"ctorch\n" + TYPES[array.dtype.str] + b"\n"
    held = array.size if length is None else length
    storage = b"(" + text("storage") + kind + text(str(key)) + text("cpu") + number(held) + more + b"tQ"
    shape = b"(" + b"".join(map(number, array.shape)) + b"t"
    stride = b"(" + b"".join(map(number, steps)) + b"t"
    call = b"ctorch._utils\n_rebuild_tensor_v2\n(" + storage + number(offset) + shape + stride
    return call + b"\x89" + ORDERED + b"tR"


def table(arrays, **how):
    """Opcodes of a state_dict, with the notes (``_metadata``) that torch hangs on it, and memo opcodes."""
    rows = b"".join(text(name) + tensor(i, a, **how) for i, (name, a) in enumerate(arrays.items()))
    notes = b"}" + text("_metadata") + b"h\x00" + b"s"
    return b"\x80\x02" + ORDERED + b"q\x00(" + rows + b"u" + notes + b"b."


def archive(path, arrays, *, content=None, folder="archive", byteorder=b"little", **how):
    """Write a file as torch does since 1.6."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as out:
        out.writestr(f"{folder}/data.pkl", table(arrays, **how) if content is None else content)
        out.writestr(f"{folder}/byteorder", byteorder)
        for i, a in enumerate(arrays.values()):
            out.writestr(f"{folder}/data/{i}", np.ascontiguousarray(a).tobytes())
    return path


def stream(path, arrays, *, little=True):
    """Write a file as torch did before 1.6: five pickles, then the numbers in the order of their keys."""
    keys = [str(i) for i in range(len(arrays))][::-1]
    out = io.BytesIO()
    out.write(MAGIC)
    out.write(pickle.dumps(1001, protocol=2))
    out.write(pickle.dumps({"protocol_version": 1001, "little_endian": little, "type_sizes": {"int": 4}}, 2))
    out.write(table(arrays, more=b"N"))
    out.write(pickle.dumps(keys, 2))
    values = list(arrays.values())
    for key in keys:
        out.write(struct.pack("<q", values[int(key)].size) + np.ascontiguousarray(values[int(key)]).tobytes())
    path.write_bytes(out.getvalue())
    return path


def as_torchvision(layers, values):
    """A trunk's tensors, given in Keras's layout, by torchvision's names and in its layout."""
    suffix = dict(kernel="weight", bias="bias", gamma="weight", beta="bias", mean="running_mean",
                  variance="running_var")  # fmt: skip
    made = {}
    for layer in layers:
        for t, value in zip(layer.tensors, values[layer.name], strict=True):
            if t.part == "kernel":
                value = value.transpose((3, 2, 0, 1) if layer.kind == "convolution" else (2, 3, 0, 1))
            made[f"{layer.torch}.{suffix[t.part]}"] = np.ascontiguousarray(value)
        if layer.kind == "norm":
            made[f"{layer.torch}.num_batches_tracked"] = np.array(7, "<i8")
    return made

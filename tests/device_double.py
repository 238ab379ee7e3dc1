"""A stand-in for CuPy where there is no GPU: arrays that numpy may not touch, and kernels run by the CPU.

`Array` behaves as `cupy.ndarray` does at its border: it never becomes a numpy array by itself, and takes part
in no operation with one. `Module` is the array library, `CudaModule` one that also has ``RawModule``, which
compiles the CUDA source with the C++ compiler of this machine and runs thread after thread.
"""

import ctypes
import hashlib
import re
import shutil
import subprocess
import tempfile
from pathlib import Path

import numpy as np
import pytest

from magxr.kernels import device


class Array(np.lib.mixins.NDArrayOperatorsMixin):
    __module__ = "device_double.core"

    def __init__(self, host):
        assert isinstance(host, np.ndarray)
        self.memory = host

    def __array__(self, *_, **__):
        msg = "Implicit conversion to a NumPy array is not allowed"
        raise TypeError(msg)

    def get(self):
        return self.memory.copy()

    def __array_ufunc__(self, ufunc, method, *inputs, **kwargs):
        return wrapped(getattr(ufunc, method)(*bare(inputs), **bare(kwargs)))

    def __array_function__(self, func, types, args, kwargs):
        return wrapped(func(*bare(args), **bare(kwargs)))

    def __getattr__(self, name):
        if name.startswith("_") or name == "memory":
            raise AttributeError(name)
        found = getattr(self.memory, name)
        return calling(found) if callable(found) else wrapped(found)

    def __getitem__(self, at):
        return wrapped(self.memory[bare(at)])

    def __setitem__(self, at, value):
        self.memory[bare(at)] = bare(value)

    def __len__(self):
        return len(self.memory)

    def __float__(self):
        return float(self.memory)

    def __int__(self):
        return int(self.memory)

    def __bool__(self):
        return bool(self.memory)


def bare(x):
    """Take the memory out of device arrays; refuse numpy's."""
    if isinstance(x, Array):
        return x.memory
    if isinstance(x, np.ndarray):
        msg = f"Unsupported type {type(x)}"
        raise TypeError(msg)
    if isinstance(x, (tuple, list)):
        return type(x)(bare(v) for v in x)
    return {k: bare(v) for k, v in x.items()} if isinstance(x, dict) else x


def wrapped(x):
    """Put arrays back on the device, also scalars: CuPy returns arrays without dimensions."""
    if isinstance(x, (np.ndarray, np.generic)):
        return Array(np.asarray(x))
    return type(x)(wrapped(v) for v in x) if type(x) in (tuple, list) else x


def calling(function):
    return lambda *args, **kwargs: wrapped(function(*bare(args), **bare(kwargs)))


class Module:
    """Numpy's functions for device arrays; `asarray` is the way there."""

    def asarray(self, x, dtype=None):
        return Array(np.array(x.memory if isinstance(x, Array) else x, dtype=dtype))

    def __getattr__(self, name):
        found = getattr(np, name)
        return calling(found)


class CudaModule(Module):
    def __init__(self):
        self.started = []
        """Names of the kernels, in order."""

    def RawModule(self, *, code, options):
        return Compiled(self, code, options)


class Compiled:
    """What `cupy.RawModule` is, on a CPU."""

    BEFORE = """
    #include <cmath>
    using std::sqrt; using std::exp;
    struct Index { unsigned int x; };
    static Index blockIdx, blockDim, threadIdx;
    #define __global__
    #define __device__ static
    """

    def __init__(self, module, code, options):
        self.module = module
        self.real = next(o for o in options if o.startswith("-DREAL=")).partition("=")[2]
        assert "--fmad=false" in options
        self.signatures = {
            name: [p.strip().rpartition(" ") for p in parameters.split(",")]
            for name, parameters in re.findall(r'extern "C" __global__ void (\w+)\(([^)]*)\)', code)
        }
        after = "".join(
            f'extern "C" void start_{name}(unsigned grid, unsigned block, '
            f"{', '.join(' '.join((kind, x)) for kind, _, x in p)}) {{ blockDim.x = block;"
            "for (blockIdx.x = 0; blockIdx.x < grid; ++blockIdx.x)"
            "for (threadIdx.x = 0; threadIdx.x < block; ++threadIdx.x)"
            f"{name}({', '.join(x for _, _, x in p)}); }}\n"
            for name, p in self.signatures.items()
        )
        self.library = ctypes.CDLL(str(compiled(self.BEFORE + code + after, self.real)))

    def get_function(self, name):
        start, signature = getattr(self.library, f"start_{name}"), self.signatures[name]
        real = np.dtype("f4" if self.real == "float" else "f8")
        kinds = {
            "real": (real, ctypes.c_float if real == "f4" else ctypes.c_double),
            "whole": (np.dtype("i8"), ctypes.c_longlong),
        }

        def run(grid, block, args):
            assert len(args) == len(signature)
            passed = []
            for arg, (kind, _, label) in zip(args, signature, strict=True):
                if kind.endswith("*"):
                    assert isinstance(arg, Array), label
                    assert arg.flags.c_contiguous, label
                    # An optional array that is not there has the address of another.
                    if not (kind == "const bool*" and arg is args[0]):
                        assert arg.dtype == {"real": real, "bool": bool}[kind.split()[-1][:-1]], label
                    passed.append(ctypes.c_void_p(arg.memory.ctypes.data))
                else:
                    assert isinstance(arg, np.generic), label
                    assert arg.dtype == kinds[kind][0], label
                    passed.append(kinds[kind][1](arg))
            start(*(ctypes.c_uint(n) for n in (*grid, *block)), *passed)
            self.module.started.append(name)

        return run


def compiled(source, real):
    compiler = shutil.which("g++") or shutil.which("clang++")
    if compiler is None:
        pytest.skip("no C++ compiler here to run the CUDA source with")
    folder = Path(tempfile.gettempdir()) / "magxr-cuda-source"
    folder.mkdir(exist_ok=True)
    digest = hashlib.sha256(f"{real} {source}".encode()).hexdigest()[:16]
    library = folder / f"{digest}.so"
    if not library.exists():
        with tempfile.TemporaryDirectory(dir=folder) as own:
            file, made = Path(own) / "kernels.cpp", Path(own) / "kernels.so"
            file.write_text(source)
            command = [
                compiler,
                "-std=c++14",
                "-O2",
                "-ffp-contract=off",
                "-shared",
                "-fPIC",
                f"-DREAL={real}",
            ]
            subprocess.run([*command, str(file), "-o", str(made)], check=True)
            made.replace(library)
    return library


def installed(monkeypatch, module):
    """Make `magxr` take `Array` for the arrays of ``module``."""
    monkeypatch.setitem(device.MODULES, "device_double", lambda: module)
    return module

"""Which library an array belongs to, and copies that stay with it."""

import subprocess
import sys

import numpy as np
import pytest

from magxr.kernels import device, pages
from tests.device_double import Array, Module, installed


def test_numpy_is_the_library_of_whatever_no_other_claims(monkeypatch):
    x = np.ones(3)
    assert device.array_module(x) is np
    assert not device.on_device(x)
    assert device.on_host(x) is x
    module = installed(monkeypatch, Module())
    there = module.asarray(x)
    assert device.array_module(there) is module
    assert device.on_device(there)
    assert type(device.on_host(there)) is np.ndarray


def test_a_look_at_numpy_blocks_does_not_import_cupy():
    code = (
        "import sys, numpy as np; from magxr.kernels import diffusion_array, pages; u = np.eye(9);"
        "pages.copied(u); diffusion_array.diffuse(u, steps=1, tau=.2, sigma=1, rho=1, alpha=.1, contrast=1,"
        "scale=1); assert 'cupy' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_the_type_of_cupys_arrays_is_recognised():
    cupy = pytest.importorskip("cupy", reason="CuPy is not installed (the extra cuda)", exc_type=ImportError)
    assert cupy.ndarray.__module__.partition(".")[0] in device.MODULES
    assert device.MODULES["cupy"]() is cupy
    assert hasattr(cupy, "RawModule")


def test_copies_stay_on_the_device(monkeypatch):
    module = installed(monkeypatch, Module())
    x = np.arange(12.0).reshape(3, 4)
    copy = pages.copied(module.asarray(x).T, "f4")
    assert type(copy) is Array
    assert copy.dtype == "f4"
    assert copy.flags.c_contiguous
    np.testing.assert_array_equal(copy.get(), x.T)


def test_the_stand_in_refuses_what_cupy_refuses():
    there = Module().asarray(np.ones(3))
    for forbidden in (
        lambda: np.asarray(there),
        lambda: there + np.ones(3),
        lambda: np.stack([there, np.ones(3)]),
    ):
        with pytest.raises(TypeError):
            forbidden()

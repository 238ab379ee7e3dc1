"""The accessor: the functions under their names, signatures and documentation, and no state."""

import inspect
import subprocess
import sys

import pytest
import xarray as xr

import magxr
from magxr.accessor import Mag
from magxr.testing import wavy_sea_floor

METHODS = [name for name, _ in inspect.getmembers(Mag, inspect.isfunction) if not name.startswith("_")]


@pytest.mark.parametrize("name", METHODS)
def test_signatures_equal_the_functions(name):
    def arguments(function):
        return [(p.name, p.kind, p.default) for p in inspect.signature(function).parameters.values()][1:]

    assert arguments(getattr(Mag, name)) == arguments(getattr(magxr, name))


@pytest.mark.parametrize("name", METHODS)
def test_help_is_the_functions(name):
    method, function = getattr(wavy_sea_floor((8, 8)).mag, name), getattr(magxr, name)
    assert inspect.ismethod(method)
    assert inspect.getdoc(method) == inspect.getdoc(function)
    bound = list(inspect.signature(method).parameters)
    assert bound == list(inspect.signature(function).parameters)[1:]


def test_looking_for_methods_loads_none():
    code = "import xarray, magxr; assert 'grid' in dir(xarray.Dataset().mag)"
    loaded = subprocess.run(
        [sys.executable, "-c", f"{code}\nimport sys; print(*sys.modules)"],
        capture_output=True, text=True, check=True,
    ).stdout.split()  # fmt: skip
    assert not [m for m in loaded if m.startswith("magxr.steps")]


def test_every_step_has_a_method():
    assert set(METHODS) == {
        "summary", "remove_outliers", "grid", "denoise", "diffuse", "structure", "windows", "classify",
        "calibrate", "plot", "wavelength", "explain",
        "tune", "estimate",
    }  # fmt: skip


def test_method_and_function_agree_and_the_accessor_has_no_state():
    da = wavy_sea_floor((40, 50))
    for obj in (da, da.to_dataset()):
        xr.testing.assert_identical(obj.mag.remove_outliers(k=1.0), magxr.remove_outliers(obj, k=1.0))
        assert set(vars(obj.mag)) == {"_obj"}

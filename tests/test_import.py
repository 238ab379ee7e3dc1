"""`import magxr` stays light."""

import subprocess
import sys

import pytest

HEAVY = ("tensorflow", "keras", "intake", "xbatcher", "distributed", "numba", "matplotlib", "verde", "torch")


def _loaded_by(code: str) -> set[str]:
    out = subprocess.run(
        [sys.executable, "-c", f"{code}\nimport sys; print(*sys.modules)"],
        capture_output=True,
        text=True,
        check=True,
    )
    return {name.split(".")[0] for name in out.stdout.split()}


def test_import_loads_nothing_heavy():
    loaded = _loaded_by("import magxr")
    assert "xarray" in loaded
    assert not loaded & set(HEAVY)


def test_import_adds_little_to_xarray_and_dask():
    # Counted in modules, which a busy machine cannot change; benchmarks/import_time.py has the seconds.
    base = _loaded_by("import xarray, dask.array")
    ours = _loaded_by("import xarray, dask.array, magxr")
    assert ours - base <= {"magxr", "_opcode", "opcode"} | set(sys.stdlib_module_names)


@pytest.mark.parametrize("name", ["errors", "open_region", "run", "diffuse", "grid"])
def test_public_names_exist(name):
    import magxr

    assert name in dir(magxr)
    assert getattr(magxr, name) is not None


def test_unknown_name():
    import magxr

    with pytest.raises(AttributeError, match="no attribute 'nonsense'"):
        magxr.nonsense  # noqa: B018

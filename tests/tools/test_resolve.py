"""What the check of the extra `cuda` finds wrong; pip itself is asked by `make resolve-cuda`."""

import json
import subprocess

import pytest


@pytest.fixture(scope="module")
def resolve(script):
    return script("resolve")


def packages(**changed):
    versions = {"dask": "2026.7.1", "dask-cuda": "26.10.0", "cuda-bindings": "12.9.1", "magxr": "1"} | changed
    found = [{"name": n.replace("-", "_"), "version": v} for n, v in versions.items() if v]
    rule = ["dask<2026.7.2,>=2026.7.1", 'dask>=3000; extra == "test"', "bokeh<3.10"]
    return [*found, {"name": "rapids-dask-dependency", "version": "26.10.0", "requires_dist": rule}]


def faults(resolve, found, release="2026.7.1", pinned="2026.7.1"):
    return resolve.faults(found, release, {"dask": pinned})


def test_an_extra_that_holds_together_has_no_faults(resolve):
    assert faults(resolve, packages()) == []


@pytest.mark.parametrize(
    ("changed", "others", "told"),
    [
        ({"dask": "2026.8.0"}, {}, r"dask 2026.8.0 (resolved) is outside of what dask-cuda takes"),
        ({}, {"release": "2026.8.0"}, "dask 2026.8.0 (Makefile) is outside"),
        ({}, {"pinned": "2026.6.0"}, "dask 2026.6.0 (images) is outside"),
        ({"dask": None}, {}, "dask None (resolved) is outside"),
        ({"cuda-bindings": None}, {}, "(None)"),
        ({"cuda-bindings": "13.0.1"}, {}, "cuda-bindings for CUDA 12, CuPy's, are not among"),
    ],
)
def test_each_fault_is_told(resolve, changed, others, told):
    (fault,) = faults(resolve, packages(**changed), **others)
    assert told in fault


def test_a_rule_that_went_elsewhere_is_told(resolve):
    found = [p for p in packages() if p["name"] != "rapids-dask-dependency"]
    assert "no longer says which Dask" in faults(resolve, found)[0]


def test_pins_are_named_as_the_index_does(resolve):
    assert resolve.pins(packages()) == {
        "cuda-bindings": "12.9.1",
        "dask": "2026.7.1",
        "dask-cuda": "26.10.0",
        "rapids-dask-dependency": "26.10.0",
    }


def test_what_stands_in_the_tree_is_read(resolve):
    assert resolve.tested() == resolve.locked()["dask"]
    assert len(resolve.locked()) > 100


def test_pips_error_ends_the_program(resolve, monkeypatch):
    def refuses(command, **kwargs):
        return subprocess.CompletedProcess(command, 1, "", "ERROR: ResolutionImpossible")

    monkeypatch.setattr(subprocess, "run", refuses)
    with pytest.raises(SystemExit, match=r"cannot resolve \.\[cuda\]:\nERROR: ResolutionImpossible"):
        resolve.report((".[cuda]",))


def test_pip_is_asked_and_nothing_is_installed(resolve, monkeypatch):
    asked = []

    def answers(command, **kwargs):
        asked.extend(command)
        with open(command[command.index("--report") + 1], "w") as told:  # noqa: PTH123
            json.dump({"install": [{"metadata": {"name": "dask", "version": "1"}}]}, told)
        return subprocess.CompletedProcess(command, 0, "", "")

    monkeypatch.setattr(subprocess, "run", answers)
    assert resolve.report((".[cuda]",)) == [{"name": "dask", "version": "1"}]
    assert "--dry-run" in asked

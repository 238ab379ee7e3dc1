"""The doctor: what a fine machine looks like, and that every trouble is one line with what to do."""

import builtins
import json
import os
import subprocess
import sys
from importlib import metadata
from pathlib import Path

import dask
import distributed
import pytest

from magxr import cli
from magxr.errors import MissingExtraError
from magxr.io import store
from magxr.runs.doctor import apart, cluster, data, examine, gpu, machine, network, packages
from magxr.runs.doctor.finding import Finding, guarded
from magxr.synthetic.seafloor import demo_region
from tests.deploy.tls_cluster import environment


def by_subject(findings):
    found = {}
    for finding in findings:
        assert finding.subject not in found, finding
        assert finding.state in ("ok", "note", "problem")
        assert finding.seen
        assert finding.fix or finding.state == "ok", finding
        found[finding.subject] = finding
    return found


@pytest.fixture
def quick(monkeypatch):
    """Leave out what takes a process of its own."""
    monkeypatch.setattr(network, "answer_of", lambda code, patience: (GOOD, ""))


GOOD = {"keras": "3", "backend": "tensorflow", "version": "2", "value": 3.0, "accelerated": False}


# ---- the command


@pytest.mark.slow
def test_a_fine_machine(tmp_path):
    """In a process that is empty before and must not hold TensorFlow after."""
    script = (
        "import sys; from magxr.cli import main; status = main(['doctor', '--json', '--out', sys.argv[1]])\n"
        "print([m for m in ('tensorflow', 'keras', 'torch', 'distributed') if m in sys.modules],\n"
        "      file=sys.stderr); sys.exit(status)"
    )
    command = [sys.executable, "-c", script, str(tmp_path / "out.zarr")]
    done = subprocess.run(command, env=environment(), capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stderr.splitlines()[-1] == "[]"
    told = json.loads(done.stdout)
    assert told["problems"] == 0
    found = by_subject(Finding(**f) for f in told["findings"])
    assert {"Python", "magxr", "dask", "cores", "memory", "kernels", "GPU", "networks"} <= set(found)
    assert {"model default", "model transfer", "trunks", "regions", "output"} <= set(found)
    assert found["networks"].seen.startswith("Keras 3.")
    assert found["dask"].seen == dask.__version__
    assert "free" in found["output"].seen
    assert list(tmp_path.iterdir()) == []


def test_lines_are_aligned_and_the_status_tells(quick, tmp_path, capsys):
    assert cli.main(["doctor"]) == 0
    rows = capsys.readouterr().out.splitlines()
    assert {row[:8].strip() for row in rows[:-2]} <= {"ok", "note", ""}
    assert all(row[8:27].strip() for row in rows[:-2] if row[:8].strip())
    assert rows[-1].startswith("no problems, ")
    assert cli.main(["doctor", "--store", str(tmp_path / "none.zarr")]) == 1
    rows = capsys.readouterr().out.splitlines()
    assert rows[-1].startswith("1 problem, ")
    assert any(row.startswith("problem store") and "there is no Zarr store" in row for row in rows)
    assert rows[rows.index(next(r for r in rows if r.startswith("problem"))) + 1].strip() == "check the path"


def test_whatever_breaks_is_one_finding(monkeypatch, quick):
    def broken():
        raise RuntimeError("no\nluck")
        yield

    monkeypatch.setattr(machine, "cores", broken)
    found = by_subject(examine.examine())
    assert found["cores"].state == "problem"
    assert found["cores"].seen == "could not be looked at (RuntimeError: no luck)"
    assert found["memory"].state == "ok"


def test_what_needs_an_extra_is_a_note():
    def look():
        raise MissingExtraError("intake", "catalog", "listing regions")
        yield

    assert list(guarded("regions", look)) == [
        Finding("regions", "note", "not looked at: intake is not installed", "pip install 'magxr[catalog]'")
    ]


# ---- packages


def with_versions(monkeypatch, **told):
    """Have metadata give other versions; None: not installed."""
    real = metadata.version

    def version(name):
        if name in told:
            if told[name] is None:
                raise metadata.PackageNotFoundError(name)
            return told[name]
        return real(name)

    monkeypatch.setattr(metadata, "version", version)


def test_every_extra_is_explained():
    known = {e for e in metadata.metadata("magxr").get_all("Provides-Extra")} - {"all", "test", "dev"}
    assert set(packages.EXTRAS) == known


def test_an_old_dask(monkeypatch):
    with_versions(monkeypatch, dask="2024.1.0")
    found = by_subject(packages.look())
    assert found["dask"].state == "problem"
    assert found["dask"].seen == "2024.1.0, but magxr needs >=2026.7.1"
    assert found["dask"].fix == "pip install -U 'dask[array]>=2026.7.1'"
    twins = found["distributed"]
    assert (twins.state, twins.fix) == ("problem", "pip install 'distributed==2024.1.0'")
    assert "must be the same release" in twins.seen


def test_a_missing_extra_and_one_that_is_too_old(monkeypatch):
    with_versions(monkeypatch, intake=None, matplotlib="3.1")
    found = by_subject(packages.look())
    assert found["extra catalog"].state == "note"
    assert found["extra catalog"].seen == "without intake; for regions by name"
    assert found["extra catalog"].fix == "pip install 'magxr[catalog]', if you need it"
    assert found["extra plot"].state == "ok"
    assert found["matplotlib"].seen == "3.1, but magxr needs >=3.9"


def test_a_missing_dependency(monkeypatch):
    with_versions(monkeypatch, scipy=None)
    found = by_subject(packages.look())
    assert (found["scipy"].state, found["scipy"].fix) == ("problem", "pip install 'scipy>=1.13'")


def test_a_checkout_that_is_not_installed(monkeypatch):
    def nothing(_):
        raise metadata.PackageNotFoundError

    monkeypatch.setattr(metadata, "requires", nothing)
    assert by_subject(packages.look())["packages"].state == "note"


MISSING = {
    "distributed": (), "keras": ("networks",), "tensorflow": ("networks",), "intake": ("regions",),
    "h5py": ("model transfer",), "matplotlib": (), "xbatcher": (), "verde": (),
}  # fmt: skip


@pytest.mark.parametrize("package", MISSING)
def test_no_extra_is_needed(monkeypatch, package, quick):
    """As if it were not installed: its import fails, and nobody finds it."""
    import importlib.util

    real, spec = builtins.__import__, importlib.util.find_spec

    def absent(name, *more, **keywords):
        if name.split(".")[0] == package:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)
        return real(name, *more, **keywords)

    monkeypatch.setattr(builtins, "__import__", absent)
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda n, *a: None if n.split(".")[0] == package else spec(n, *a)
    )
    with_versions(monkeypatch, **{package: None})
    found = by_subject(examine.examine("tcp://127.0.0.1:9"))
    troubled = {name for name, f in found.items() if f.state == "problem"}
    assert troubled <= {"cluster"}, [found[n] for n in troubled]
    for subject in MISSING[package]:
        if subject != "model transfer":  # its weights are only checked by their hash, which needs no h5py
            assert found[subject].state == "note", found[subject]
            assert "pip install 'magxr[" in found[subject].fix
    if package == "distributed":
        assert found["cluster"].fix == "pip install 'magxr[distributed]'"


# ---- the machine


def test_more_workers_than_cores(monkeypatch, tmp_path):
    (tmp_path / "cpu.max").write_text("150000 100000\n")
    monkeypatch.setattr(machine, "_QUOTA", tmp_path / "cpu.max")
    with dask.config.set(num_workers=64):
        (found,) = machine.cores()
    assert found.state == "note"
    assert "of which cgroup gives 1.5; 64 blocks in work at a time, more than there are cores" in found.seen
    assert found.fix in ("export DASK_NUM_WORKERS=2", "export DASK_NUM_WORKERS=1")
    (tmp_path / "cpu.max").write_text("max 100000\n")
    with dask.config.set(num_workers=1):
        (found,) = machine.cores()
    assert (found.state, "cgroup" in found.seen) == ("ok", False)


def test_little_memory(monkeypatch):
    monkeypatch.setattr("magxr.runs.memory.available", lambda: 600 * 2**20)
    with dask.config.set(num_workers=4):
        (found,) = machine.room()
    assert found.state == "note"
    assert "0.586 GiB" in found.seen
    assert "--chunk" in found.fix


def test_an_output(tmp_path, monkeypatch):
    (found,) = machine.disk(str(tmp_path / "nowhere" / "out.zarr"))
    assert (found.state, found.fix) == ("problem", "make it first")
    assert "does not exist" in found.seen
    (tmp_path / "out.zarr").mkdir()
    (found,) = machine.disk(str(tmp_path / "out.zarr"))
    assert found.state == "problem"  # a folder that is no store is never replaced
    assert "is not a Zarr store" in found.seen
    (tmp_path / "out.zarr" / "zarr.json").write_text("{}")
    (found,) = machine.disk(str(tmp_path / "out.zarr"))
    assert (found.state, "--overwrite" in found.fix) == ("note", True)
    (found,) = machine.disk(str(tmp_path / "new.zarr"))
    assert (found.state, found.fix) == ("ok", "")

    def full(**_):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("tempfile.NamedTemporaryFile", full)
    (found,) = machine.disk(str(tmp_path / "new.zarr"))
    assert found.seen == f"{tmp_path} cannot be written to (Permission denied)"
    assert (found.state, found.fix) == ("problem", "choose a folder that you may write to")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_a_folder_that_is_not_writable(tmp_path):
    tmp_path.chmod(0o500)
    (found,) = machine.disk(str(tmp_path / "new.zarr"))
    assert found.state == "problem"


def test_where_kernels_are_kept(monkeypatch, tmp_path):
    monkeypatch.setenv("NUMBA_CACHE_DIR", str(tmp_path / "made" / "later"))
    (found,) = machine.kernels()
    assert (found.state, str(tmp_path) in found.seen) == ("ok", True)
    (tmp_path / "made" / "later").mkdir(parents=True)
    (tmp_path / "made" / "later").chmod(0o777)
    (found,) = machine.kernels()
    assert (found.state, "where others can put theirs, which would be run" in found.seen) == ("problem", True)
    monkeypatch.setattr(machine, "_writable", lambda folder: False)
    (found,) = machine.kernels()
    assert found.state == "problem"
    assert found.seen.endswith(f"no {tmp_path / 'made' / 'later'} can be written to")
    monkeypatch.delenv("NUMBA_CACHE_DIR")
    (found,) = machine.kernels()
    assert "neither" in found.seen
    assert found.fix.startswith("export NUMBA_CACHE_DIR=")


# ---- GPUs: programs that say what a driver says


def driver(tmp_path, monkeypatch, script):
    program = tmp_path / "bin" / "nvidia-smi"
    program.parent.mkdir(exist_ok=True)
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(program.parent), prepend=os.pathsep)


def test_gpus(tmp_path, monkeypatch):
    devices = tmp_path / "dev"
    devices.mkdir()
    monkeypatch.setattr(gpu, "_DEVICES", devices)
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    assert by_subject(gpu.look())["GPU"].seen == "none (no nvidia-smi); everything runs without one"
    driver(tmp_path, monkeypatch, "echo 'No devices were found'; exit 6")
    assert by_subject(gpu.look())["GPU"].seen.startswith("none (No devices were found)")
    (devices / "nvidia0").touch()
    found = by_subject(gpu.look())["GPU"]
    assert (found.state, "does not answer (No devices were found)" in found.seen) == ("note", True)
    driver(tmp_path, monkeypatch, "echo 'NVIDIA X1, 999.1, 1234 MiB'")
    found = by_subject(gpu.look())
    assert (found["GPU"].state, found["GPU"].seen) == ("ok", "NVIDIA X1, 999.1, 1234 MiB")
    if metadata.packages_distributions().get("cupy") is None:
        assert found["CuPy"].fix == "pip install 'magxr[cuda]'"
    with_versions(monkeypatch, **{"cupy-cuda12x": "14.2", "cupy": None, "cupy-cuda13x": None})
    monkeypatch.setattr(gpu, "answer_of", lambda code, patience: ({}, "CUDARuntimeError: no device"))
    found = by_subject(gpu.look())["CuPy"]
    assert found.state == "problem"
    assert found.seen == "cupy-cuda12x 14.2 does not work (CUDARuntimeError: no device)"
    monkeypatch.setattr(gpu, "answer_of", lambda code, patience: ({"devices": 2}, ""))
    assert by_subject(gpu.look())["CuPy"].seen == "cupy-cuda12x 14.2 reaches 2 devices"
    with_versions(monkeypatch, **{"cupy-cuda12x": "14.2", "cupy": "14.2", "cupy-cuda13x": None})
    assert by_subject(gpu.look())["CuPy"].fix.startswith("pip uninstall cupy cupy-cuda12x")


# ---- networks


@pytest.mark.parametrize(
    ("code", "match"),
    [
        ("raise OSError('libcuda.so.1: no such file')", "OSError: libcuda.so.1: no such file"),
        ("import os; os.abort()", "ended by signal 6"),
        ("import os; os._exit(3)", "exit status 3"),
        ("import time; time.sleep(60)", "no answer within 2 s"),
    ],
)
def test_what_crashes_apart_is_told(code, match):
    assert apart.answer_of(code, 2) == ({}, match)
    assert apart.answer_of("print('noise'); answer = {'a': 1}", 30) == ({"a": 1}, "")


def test_networks_that_do_not_work(monkeypatch):
    monkeypatch.setattr(network, "answer_of", lambda code, patience: ({}, "ended by signal 11"))
    (found,) = network.keras()
    assert (found.state, found.seen) == ("problem", "Keras does not start (ended by signal 11)")
    monkeypatch.setattr(network, "answer_of", lambda code, patience: (GOOD | {"value": 2.9}, ""))
    (found,) = network.keras()
    assert (found.state, found.seen) == ("problem", "a layer that adds three ones says 2.9")
    monkeypatch.setenv("KERAS_BACKEND", "jax")
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None if name == "jax" else name)
    (found,) = network.keras()
    assert (found.state, found.fix) == (
        "problem",
        "pip install jax, or unset KERAS_BACKEND to use TensorFlow",
    )


def test_weights(monkeypatch, tmp_path):
    monkeypatch.setenv("KERAS_HOME", str(tmp_path))
    found = by_subject(network.weights())
    assert found["model default"].seen == "can be used offline"
    assert found["trunks"].seen.startswith("offline: vgg16-hed; to be fetched: vgg16, vgg19")
    assert "magxr models --fetch vgg16" in found["trunks"].fix
    monkeypatch.setattr("magxr.models.weights.HED_PACKAGE", "no-such-package-of-weights")
    found = by_subject(network.weights())
    assert found["model transfer"].state == "note"
    assert "pip install" in found["model transfer"].fix
    assert (found["trunks"].state, found["trunks"].seen.startswith("offline: none")) == ("note", True)


# ---- data


def test_regions(monkeypatch, tmp_path):
    for name in [v for v in os.environ if v.startswith("MAGXR_")]:
        monkeypatch.delenv(name)
    assert by_subject(data.regions())["regions"].seen == "here: demo; 8 others are not"
    bad = tmp_path / "azores.nc"
    bad.write_bytes(b"\x89HDF not at all")
    monkeypatch.setenv("MAGXR_REGION_AZORES", str(bad))
    monkeypatch.setenv("MAGXR_REGION_REYKJANES", str(tmp_path / "gone.nc"))
    monkeypatch.setenv("MAGXR_DATA", str(tmp_path / "no-folder"))
    found = by_subject(data.regions())
    assert found["regions"].seen == "here: demo; 6 others are not"
    assert (found["region azores"].state, found["region azores"].fix) == ("problem", "fetch or make it anew")
    assert "there is no file or folder" in found["region reykjanes"].seen
    assert found["data"].seen == f"MAGXR_DATA={tmp_path / 'no-folder'} is no folder"


def test_a_store(tmp_path):
    path = store.write(demo_region((40, 50), chunks=20)[["anomaly"]], tmp_path / "sea.zarr")
    (found,) = data.reached(str(path))
    assert (found.state, "anomaly (40 lat x 50 lon)" in found.seen) == ("ok", True)
    (found,) = data.reached(str(tmp_path))
    assert (found.state, found.fix) == ("problem", "give the folder of one")


# ---- clusters


@pytest.fixture(scope="module")
def two():
    rules = {"host": "127.0.0.1", "dashboard_address": None, "threads_per_worker": 1}
    rules["scheduler_kwargs"] = {"dashboard_address": "127.0.0.1:0"}
    with distributed.LocalCluster(n_workers=2, processes=True, **rules) as made:
        yield made


def test_a_fine_cluster(two, tmp_path):
    path = store.write(demo_region((40, 50), chunks=20)[["anomaly"]], tmp_path / "sea.zarr")
    found = by_subject(cluster.look(two.scheduler_address, str(path), str(tmp_path / "out.zarr")))
    assert {f.state for f in found.values()} == {"ok"}
    assert f"{two.scheduler_address}: 2 workers on 1 machines, 2 threads" in found["cluster"].seen
    assert found["workers"].seen == "2 have the versions that are here"
    assert found["workers' store"].seen == f"2 workers reach {path}"
    assert found["workers' output"].seen.startswith("2 workers reach")


def test_workers_that_see_less(two, tmp_path):
    found = by_subject(cluster.look(two.scheduler_address, str(tmp_path / "x"), str(tmp_path / "y" / "z")))
    assert found["workers' store"].state == found["workers' output"].state == "problem"
    assert "2 of 2 workers: there is no Zarr store" in found["workers' store"].seen
    assert "under the same path" in found["workers' store"].fix


def test_workers_with_other_versions(two, monkeypatch):
    here = cluster.versions()
    monkeypatch.setattr(cluster, "versions", lambda: here | {"xarray": "1.0", "magxr": "9.9"})
    found = by_subject(cluster.look(two.scheduler_address))
    assert (found["magxr"].state, found["xarray"].state) == ("problem", "note")
    assert found["magxr"].seen == f"2 workers have {here['magxr']}, here is 9.9"
    assert "workers" not in found


def unable(*_):
    raise ModuleNotFoundError("No module named 'magxr'")


def test_workers_without_magxr(two, monkeypatch):
    monkeypatch.setattr(cluster, "report", unable)
    found = by_subject(cluster.look(two.scheduler_address, "x"))
    assert found["workers"].seen == "2 cannot run magxr (ModuleNotFoundError: No module named 'magxr')"


def test_a_cluster_without_workers():
    rules = {"host": "127.0.0.1", "dashboard_address": None}
    rules["scheduler_kwargs"] = {"dashboard_address": "127.0.0.1:0"}
    with distributed.LocalCluster(n_workers=0, **rules) as empty:
        found = by_subject(cluster.look(empty.scheduler_address))
    assert (found["cluster"].state, "has no workers" in found["cluster"].seen) == ("problem", True)


@pytest.mark.parametrize(
    ("address", "match"),
    [
        ("nonsense", "cluster='nonsense' is neither a kind"),
        ("tls://127.0.0.1:1", "needs a certificate, but distributed.comm.tls.ca-file"),
        pytest.param(
            "tcp://127.0.0.1:1", "no Dask scheduler answers at tcp://127.0.0.1:1", marks=pytest.mark.slow
        ),
    ],
)
def test_a_cluster_that_cannot_be_reached(address, match):
    found = by_subject(cluster.look(address))
    assert list(found) == ["cluster"]
    assert found["cluster"].state == "problem"
    assert match in found["cluster"].seen


def test_a_cluster_that_is_started_for_it(tmp_path):
    found = by_subject(
        cluster.look({"kind": "local", "workers": 1, "cores": 1}, out=str(tmp_path / "o.zarr"))
    )
    assert {f.state for f in found.values()} == {"ok"}
    assert "1 workers on 1 machines, 1 threads" in found["cluster"].seen
    assert set(found) == {"cluster", "workers", "workers' output"}


def test_nothing_of_the_doctor_loads_a_network():
    folder = Path(examine.__file__).parent
    for path in folder.glob("*.py"):
        assert "import tensorflow" not in path.read_text(encoding="utf-8")

"""A cluster is described by a word, an address, a file, Dask's configuration or flags, and refused early."""

import dask
import pytest

import magxr
from magxr.cli import main
from magxr.clusters.description import Cluster
from magxr.clusters.reading import described
from magxr.errors import ParameterError, StoreError
from magxr.runs.config import configure


def test_a_word_is_enough():
    assert described("local") == Cluster("local")
    assert described("slurm", workers=4, memory="8 GiB").workers == 4
    assert described("tcp://127.0.0.1:8786").address == "tcp://127.0.0.1:8786"


def test_a_file_says_the_rest(tmp_path):
    path = tmp_path / "ours.yaml"
    path.write_text(
        "kind: slurm\nworkers: 2-8\ncores: 4\nmemory: 16 GiB\nwalltime: '1-04:00:00'\n"
        "environment: {MAGXR_THREADS: '4'}\nsetup: [module load python]\n"
    )
    found = described(path)
    assert found == described(str(path))
    assert found.workers == (2, 8)
    assert found.setup == ("module load python",)
    assert found.environment == {"MAGXR_THREADS": "4"}
    assert described(path, workers="3", memory=None).workers == 3
    assert described(path, workers="3", memory=None).memory == "16 GiB"


def test_dask_s_configuration_fills_in():
    with dask.config.set({"magxr.cluster": {"kind": "slurm", "queue": "long", "cores": 8}}):
        assert described("slurm").queue == "long"
        assert described("slurm", cores=2).cores == 2
        assert described("local").cores is None  # of another kind
    with dask.config.set({"magxr.cluster": {"workers": 4}}):
        assert described("tcp://127.0.0.1:1").workers is None  # it is what it is
    with (
        dask.config.set({"magxr.cluster": "slurm"}),
        pytest.raises(ParameterError, match="is 'slurm'; it must"),
    ):
        described("local")
    with dask.config.set({"magxr.cluster": {"que": "long"}}), pytest.raises(ParameterError, match="'queue'"):
        described("slurm")


@pytest.mark.parametrize(
    ("asked", "changes", "says"),
    [
        ("pbs", {}, r"'pbs' is neither a kind \(local, slurm, cuda, kubernetes\), nor an address"),
        (7, {}, "cluster=7 is neither"),
        ("local", {"worker": 2}, r"no field 'worker' \(did you mean 'workers'\?\)"),
        ({}, {}, "does not say its kind"),
        ("local", {"workers": 0}, "workers=0 must be a whole number, at least 1"),
        ("local", {"workers": (3, 2)}, r"workers=\(3, 2\) must be"),
        ("local", {"workers": "many"}, "workers='many' must be"),
        ("local", {"cores": 1.5}, "cores=1.5 must be a whole number"),
        ("local", {"memory": "lots"}, "memory='lots' must be an amount with its unit"),
        ("local", {"memory": "8"}, "memory='8' must be an amount with its unit"),
        ("local", {"walltime": "01:00:00"}, r"walltime='01:00:00' is of no use to a cluster of kind 'local'"),
        ("slurm", {"walltime": "4h"}, "walltime='4h' must be HH:MM:SS"),
        ("slurm", {"walltime": "00:00:30"}, "shorter than a minute"),
        ("slurm", {"gpus": 2}, "gpus=2: a worker is one process and has one GPU"),
        ("slurm", {"queue": "a\nb"}, r"queue='a\\nb' must be one line"),
        ("slurm", {"setup": "module load python"}, "setup='module load python' must be shell lines"),
        ("slurm", {"environment": {"A B": "1"}}, "'A B' is no name of an environment variable"),
        ("slurm", {"environment": {"THREADS": 4}}, "the value of 'THREADS' in environment must be one line"),
        ("slurm", {"wait": 0}, "wait=0 must be seconds"),
        ("tcp://127.0.0.1:1", {"workers": 2}, "workers of the cluster at tcp://127.0.0.1:1 is what it is"),
        ({"kind": "address", "address": "here"}, {}, "address='here' is not one of a Dask scheduler"),
    ],
)
def test_what_cannot_be_is_refused(asked, changes, says):
    with pytest.raises(ParameterError, match=says):
        described(asked, **changes)


def test_a_secret_is_not_for_the_environment():
    with pytest.raises(ParameterError, match="environment holds AWS_SECRET_ACCESS_KEY") as found:
        described("slurm", environment={"AWS_SECRET_ACCESS_KEY": "hush"})
    assert "hush" not in str(found.value)


def test_a_value_of_the_environment_is_not_told():
    with pytest.raises(ParameterError) as found:
        described("slurm", environment={"NAME": "hush\nhush"})
    assert "hush" not in str(found.value)


@pytest.mark.parametrize(
    ("text", "error", "says"),
    [
        (None, StoreError, "cannot be read"),
        ("kind: [", ParameterError, "is not YAML"),
        ("- slurm", ParameterError, "does not describe a cluster"),
        ("kind: slurm\nnodes: 3", ParameterError, "ours.yaml' has no field 'nodes'"),
        ("workers: 3", ParameterError, "does not say its kind"),
        ("kind: !!python/object/apply:os.system ['true']", ParameterError, "is not YAML"),
    ],
)
def test_files_that_are_none(tmp_path, text, error, says):
    path = tmp_path / "ours.yaml"
    if text is not None:
        path.write_text(text)
    with pytest.raises(error, match=says):
        described(path)


def test_a_run_takes_one_place(tmp_path):
    out = tmp_path / "out.zarr"
    assert configure("demo", out, cluster={"kind": "local", "workers": 2}).cluster == Cluster(
        "local", workers=2
    )
    assert configure("demo", out, scheduler="tcp://127.0.0.1:1").cluster.kind == "address"
    assert configure("demo", out, scheduler="tcp://127.0.0.1:1").scheduler is None
    with pytest.raises(ParameterError, match="both say where to compute"):
        configure("demo", out, scheduler="threads", cluster="local")


def test_where_it_runs_is_told_without_its_environment(tmp_path):
    asked = {"kind": "slurm", "environment": {"NAME": "hush"}}
    told = configure("demo", tmp_path / "out.zarr", cluster=asked).parameters()
    assert told["cluster"] == "slurm"
    assert "hush" not in str(told)


def test_flags_describe_one(tmp_path, monkeypatch, capsys):
    given = {}
    monkeypatch.setattr(
        "magxr.runs.pipeline.run", lambda region, out, **changes: given.update(changes) or 1 / 0
    )
    words = [
        "--cluster",
        "slurm",
        "--workers",
        "1-4",
        "--memory",
        "8 GiB",
        "--queue",
        "long",
        "--interface",
        "lo",
    ]
    with pytest.raises(ZeroDivisionError):
        main(["run", "demo", "--out", str(tmp_path / "out.zarr"), *words])
    assert given["cluster"] == Cluster("slurm", workers=(1, 4), memory="8 GiB", queue="long", interface="lo")
    assert main(["run", "demo", "--out", str(tmp_path / "out.zarr"), "--queue", "long"]) == 1
    assert "add --cluster" in capsys.readouterr().err


def test_a_worker_that_cannot_hold_a_block_is_refused_before_it_is_asked_for(tmp_path):
    with pytest.raises(ParameterError, match=r"of memory; use .*chunk|fewer workers"):
        magxr.run("demo", tmp_path / "o.zarr", engine="blocks", cluster={"kind": "local", "memory": "64 MiB"})

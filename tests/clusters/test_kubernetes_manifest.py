"""What is asked for stands in the manifest, which the operator still knows to the last field."""

import copy
import importlib.util

import pytest

from magxr.clusters.kubernetes import manifest, read
from magxr.errors import ParameterError, StoreError
from tests.deploy.manifests import FOLDER, complaints, option

BASE = read(FOLDER / "cluster.yaml")


def container(described, role):
    return described["spec"][role]["spec"]["containers"][0]


def test_without_arguments_nothing_changes():
    assert manifest(BASE) == BASE


def test_all_is_written_in_and_the_base_is_left_alone():
    before = copy.deepcopy(BASE)
    out = manifest(
        BASE,
        name="chile",
        workers=(2, 9),
        image="registry.example.org:5000/magxr:7-cpu",
        memory="16 GiB",
        cores=8,
        environment={"MAGXR_THREADS": "2"},
    )
    assert before == BASE
    assert out["metadata"]["name"] == "chile"
    assert out["spec"]["scheduler"]["service"]["selector"]["dask.org/cluster-name"] == "chile"
    assert out["spec"]["worker"]["replicas"] == 2
    for role in ("scheduler", "worker"):
        assert container(out, role)["image"] == "registry.example.org:5000/magxr:7-cpu"
        assert {"name": "MAGXR_THREADS", "value": "2"} in container(out, role)["env"]
    worker, was = container(out, "worker"), container(BASE, "worker")
    assert worker["resources"]["limits"] == worker["resources"]["requests"]
    assert worker["resources"]["limits"] == was["resources"]["limits"] | {"cpu": "8", "memory": "16Gi"}
    assert option(worker["args"], "--nthreads") == "8"
    assert option(worker["args"], "--nworkers") == "1"
    assert option(worker["args"], "--memory-limit") == "16GiB"
    assert sorted(set(worker["args"]) ^ set(was["args"])) == ["16GiB", "4", "8", "8GiB"]
    assert len(worker["args"]) == len(was["args"])
    assert container(out, "scheduler")["resources"] == container(BASE, "scheduler")["resources"]
    assert container(out, "scheduler")["args"] == container(BASE, "scheduler")["args"]
    if importlib.util.find_spec("dask_kubernetes"):
        assert complaints(out) == []


def test_a_variable_replaces_one_of_the_same_name():
    routes, failures = container(BASE, "scheduler")["env"]
    out = manifest(manifest(BASE, environment={routes["name"]: "a"}), environment={routes["name"]: "b"})
    assert container(out, "scheduler")["env"] == [failures, {"name": routes["name"], "value": "b"}]


def test_options_of_one_word_are_replaced_too():
    base = copy.deepcopy(BASE)
    container(base, "worker")["args"] = ["dask", "worker", "--nthreads=3", "--memory-limit=1GiB"]
    args = container(manifest(base, cores=2, memory="4Gi"), "worker")["args"]
    assert args == ["dask", "worker", "--nthreads=2", "--memory-limit=4GiB", "--nworkers", "1"]


@pytest.mark.parametrize(
    ("asked", "written"), [("8Gi", "8Gi"), ("8 GB", "7629Mi"), ("1.5 GiB", "1536Mi"), ("2TiB", "2048Gi")]
)
def test_memory_is_written_as_kubernetes_and_dask_read_it(asked, written):
    worker = container(manifest(BASE, memory=asked), "worker")
    assert worker["resources"]["limits"]["memory"] == written
    assert option(worker["args"], "--memory-limit") == f"{written}B"


def test_a_worker_with_a_gpu_has_one_thread():
    worker = container(manifest(BASE, cores=6, gpus=1), "worker")
    assert worker["resources"]["limits"]["nvidia.com/gpu"] == "1"
    assert worker["resources"]["limits"]["cpu"] == "6"
    assert option(worker["args"], "--nthreads") == "1"


def test_a_manifest_without_resources_gets_some():
    base = copy.deepcopy(BASE)
    del container(base, "worker")["resources"]
    worker = container(manifest(base, memory="512Mi"), "worker")
    assert worker["resources"] == {"requests": {"memory": "512Mi"}, "limits": {"memory": "512Mi"}}


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        ({"name": "Chile Margin"}, r"named 'Chile Margin'; take a name of at most 53 small letters"),
        ({"name": "-chile"}, "named '-chile'"),
        ({"name": "a" * 54}, "at most 53"),
        ({"workers": 0}, r"workers=0 must be a whole number, at least 1"),
        ({"workers": (5, 2)}, r"workers=\(5, 2\) must be"),
        ({"workers": True}, "workers=True must be"),
        ({"workers": (1, 2, 3)}, "the fewest and the most"),
        ({"workers": (0, 0)}, r"workers=\(0, 0\)"),
        ({"gpus": 2}, "gpus=2: a worker is one process and has one GPU"),
        ({"gpus": True}, "gpus=True"),
        ({"image": "magxr"}, "image='magxr' does not say which"),
        ({"image": "magxr:latest"}, "other than 'latest'"),
        ({"image": "registry:5000/magxr"}, "does not say which"),
        ({"image": "magxr:1 --privileged"}, "does not say which"),
        ({"memory": "8"}, "memory='8' must be an amount with its unit, at least 1 MiB, e.g. '8 GiB'"),
        ({"memory": "8 elephants"}, "memory='8 elephants'"),
        ({"memory": "-1 GiB"}, "memory='-1 GiB'"),
        ({"memory": 8}, "memory=8 must"),
        ({"cores": 0.5}, "cores=0.5 must be a whole number"),
        ({"environment": {"A-B": "1"}}, "'A-B' is no name of an environment variable"),
        ({"environment": {"THREADS": 1}}, "the value of 'THREADS' in environment must be"),
    ],
)
def test_what_cannot_be_is_refused(asked, message):
    with pytest.raises(ParameterError, match=message):
        manifest(BASE, **asked)


@pytest.mark.parametrize(
    "name", ["AWS_SECRET_ACCESS_KEY", "AWS_ACCESS_KEY_ID", "aws_session_token", "DB_PASSWORD"]
)
def test_secrets_are_refused_and_not_repeated(name):
    with pytest.raises(ParameterError, match=f"environment holds {name}.*in a Secret") as caught:
        manifest(BASE, environment={name: "hunter2"})
    assert "hunter2" not in str(caught.value)


def test_a_digest_says_which_image():
    image = "registry.example.org/magxr@sha256:" + 64 * "0"
    assert container(manifest(BASE, image=image), "worker")["image"] == image


def broken(change):
    base = copy.deepcopy(BASE)
    change(base)
    return base


@pytest.mark.parametrize(
    ("base", "message"),
    [
        ({}, "describes a None of None; it must be a DaskCluster of kubernetes.dask.org/v1"),
        (broken(lambda b: b.update(kind="DaskJob")), "describes a DaskJob"),
        (broken(lambda b: b["spec"].pop("worker")), r"no metadata and spec.worker.spec.containers\[0\]"),
        (broken(lambda b: b["spec"]["scheduler"]["spec"].update(containers=[])), "spec.scheduler"),
        (broken(lambda b: b.pop("metadata")), "no metadata"),
        (broken(lambda b: b["metadata"].pop("name")), "cannot be named None"),
        (broken(lambda b: container(b, "worker").pop("args")), "has no args"),
    ],
)
def test_a_manifest_of_something_else_is_refused(base, message):
    with pytest.raises(ParameterError, match=message):
        manifest(base, cores=2)


def test_files_that_hold_no_cluster_are_refused(tmp_path):
    with pytest.raises(StoreError, match=r"the manifest '.*nothing\.yaml' cannot be read"):
        read(tmp_path / "nothing.yaml")
    path = tmp_path / "some.yaml"
    for text, message in (
        ("a: [", "is not YAML"),
        ("a: 1\n---\nb: 2\n", "holds 2 documents"),
        ("text", "holds 1"),
    ):
        path.write_text(text)
        with pytest.raises(ParameterError, match=message):
            read(path)
    path.write_text("a: !!python/object/apply:os.system [echo]\n")
    with pytest.raises(ParameterError, match="is not YAML"):  # and nothing was run
        read(path)

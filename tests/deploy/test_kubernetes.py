"""The manifests: known to the operator's schemas to the last field, and as safe and as large as they say."""

import copy
import importlib.util
import re

import pytest
from dask.utils import parse_bytes

from magxr._version import __version__
from magxr.cli import _parser
from magxr.runs import memory
from magxr.runs.planning import LONGEST
from tests.deploy.manifests import (
    FILES,
    FOLDER,
    ROOT,
    all_pods,
    complaints,
    documents,
    one,
    option,
    schemas,
)

if importlib.util.find_spec("dask_kubernetes") is None:
    pytest.skip("dask-kubernetes, whose schemas judge here, is not installed", allow_module_level=True)
pytest.importorskip("jsonschema", reason="jsonschema, which judges here, is not installed")

LABEL = ("app.kubernetes.io/part-of", "magxr")
PODS = all_pods()
CONTAINERS = [
    (f"{name}-{c['name']}", role, pod, c)
    for name, role, pod in PODS
    for c in pod["containers"] + pod.get("initContainers", [])
]
WORKERS = [(name, c) for name, role, _, c in CONTAINERS if role == "worker"]
every_pod = pytest.mark.parametrize(("name", "role", "pod"), PODS, ids=[p[0] for p in PODS])
every_container = pytest.mark.parametrize(
    ("name", "role", "pod", "container"), CONTAINERS, ids=[c[0] for c in CONTAINERS]
)
every_worker = pytest.mark.parametrize(("name", "container"), WORKERS, ids=[w[0] for w in WORKERS])


def dask_share(key):
    import dask
    import distributed  # its settings

    assert distributed
    return dask.config.get(f"distributed.worker.memory.{key}")


@pytest.mark.parametrize("path", FILES, ids=lambda p: p.name)
def test_the_operator_knows_every_field(path):
    for document in documents(path):
        assert complaints(document) == []


def test_there_is_a_manifest_of_every_kind():
    kinds = [d["kind"] for path in FILES for d in documents(path)]
    assert set(kinds) == {*schemas(), "NetworkPolicy"}
    assert set(schemas()) == {"DaskCluster", "DaskWorkerGroup", "DaskAutoscaler", "DaskJob"}


@pytest.mark.parametrize(
    ("file", "where", "wrong"),
    [
        ("cluster.yaml", ("spec", "scheduler", "spec", "containers", 0), "resource"),
        ("cluster.yaml", ("spec", "worker", "spec", "securityContext"), "runAsNotRoot"),
        ("cluster.yaml", ("spec", "worker"), "replica"),
        ("cluster.yaml", ("spec", "scheduler", "service", "ports", 0), "targetport"),
        ("autoscaler.yaml", ("spec",), "minimun"),
        ("gpu-workers.yaml", ("spec", "worker", "spec", "tolerations", 0), "efect"),
        ("job.yaml", ("spec", "job", "spec", "initContainers", 0, "volumeMounts", 0), "mountpath"),
        ("job.yaml", ("spec",), "jobs"),
        ("network-policy.yaml", ("spec", "ingress", 0, "from", 0), "podSelectors"),
        ("network-policy.yaml", ("spec",), "policyType"),
        ("network-policy.yaml", ("metadata",), "lables"),
        ("cluster.yaml", ("metadata",), "label"),
        ("cluster.yaml", (), "specs"),
    ],
)
def test_a_misspelt_field_is_found(file, where, wrong):
    document = copy.deepcopy(documents(FOLDER / file)[0])
    part = document
    for step in where:
        part = part[step]
    part[wrong] = "1"
    found = complaints(document)
    assert found
    assert all(wrong in complaint for complaint in found)


def test_a_wrong_type_and_a_missing_field_are_found():
    document = copy.deepcopy(one("cluster.yaml"))
    document["spec"]["worker"]["replicas"] = "two"
    del document["spec"]["scheduler"]["service"]
    told = "\n".join(complaints(document))
    assert "$.spec.worker.replicas" in told
    assert "'service' is a required property" in told
    policy = copy.deepcopy(documents(FOLDER / "network-policy.yaml")[1])
    policy["spec"]["ingress"][0]["ports"] = {"port": 8787}
    policy["spec"]["policyTypes"] = [1]
    assert len(complaints(policy)) == 2


@every_pod
def test_no_pod_runs_as_root_or_holds_a_token(name, role, pod):
    context = pod["securityContext"]
    assert context["runAsNonRoot"] is True
    assert context["runAsUser"] == context["runAsGroup"] == context["fsGroup"] == user_of_the_image()
    assert context["seccompProfile"] == {"type": "RuntimeDefault"}
    assert pod["automountServiceAccountToken"] is False
    assert not any(pod.get(k) for k in ("hostNetwork", "hostPID", "hostIPC", "shareProcessNamespace"))
    assert all("emptyDir" in v for v in pod["volumes"])


def user_of_the_image():
    dockerfile = (ROOT / "deploy" / "docker" / "Dockerfile").read_text(encoding="utf-8")
    (user,) = set(re.findall(r"^USER (\d+):\1$", dockerfile, re.MULTILINE))
    return int(user)


@every_container
def test_no_container_gains_rights_or_writes_to_its_root(name, role, pod, container):
    assert container["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }
    assert [m["mountPath"] for m in container["volumeMounts"]] == ["/tmp"]  # where the image writes
    limits = container["resources"]["limits"]
    assert container["resources"]["requests"] == limits
    assert {"cpu", "memory", "ephemeral-storage"} <= set(limits)
    (volume,) = pod["volumes"]
    assert "medium" not in volume["emptyDir"]
    if container["name"] != "wait":
        assert volume["emptyDir"]["sizeLimit"] == limits["ephemeral-storage"]


@every_container
def test_images_are_ours_and_pinned(name, role, pod, container):
    tag = f"{__version__}-{'cuda' if 'nvidia.com/gpu' in container['resources']['limits'] else 'cpu'}"
    assert container["image"] == f"registry.example.org/magxr:{tag}"


@every_container
def test_no_credential_is_written_down(name, role, pod, container):
    for variable in container.get("env", ()):
        assert not re.search("KEY|SECRET|TOKEN|PASSW", variable["name"]), variable
    secrets = [s["secretRef"]["name"] for s in container.get("envFrom", ())]
    needs = role in {"worker", "runner"} and container["name"] != "wait"
    assert secrets == (["magxr-object-store"] if needs else [])


@every_worker
def test_threads_fit_the_cores(name, container):
    cores = int(container["resources"]["limits"]["cpu"])
    processes, threads = (int(option(container["args"], f"--{n}")) for n in ("nworkers", "nthreads"))
    if "nvidia.com/gpu" in container["resources"]["limits"]:
        assert (processes, threads) == (1, 1)
        (network,) = [v["value"] for v in container["env"] if v["name"] == "MAGXR_THREADS"]
        assert int(network) <= cores
    else:
        assert processes * threads == cores


@every_worker
def test_memory_holds_what_a_run_by_blocks_takes(name, container):
    limit = parse_bytes(container["resources"]["limits"]["memory"])
    args = container["args"]
    assert parse_bytes(option(args, "--memory-limit")) == limit
    processes, threads = (int(option(args, f"--{n}")) for n in ("nworkers", "nthreads"))
    takes = memory.needed(LONGEST**2, processes * threads, processes, network=True)
    assert takes <= dask_share("target") * limit  # Dask spills nothing
    assert takes > 0.2 * limit  # nor is most of it paid for in vain
    watcher = memory.PROCESS // 2
    assert (1 - dask_share("terminate")) * limit >= watcher  # Dask is there before the kernel


def test_the_comment_on_memory_tells_what_the_model_says():
    text = (FOLDER / "cluster.yaml").read_text(encoding="utf-8")
    (told,) = re.findall(r"that is ([\d.]+) GiB", text)
    assert f"{memory.needed(LONGEST**2, 4, network=True) / 2**30:.1f}" == told


def test_the_runner_holds_a_plan_with_a_block_a_core():
    (runner,) = [c for _, role, _, c in CONTAINERS if c["name"] == "runner"]
    limits = runner["resources"]["limits"]
    takes = memory.needed(LONGEST**2, int(limits["cpu"]), network=True)
    assert takes <= parse_bytes(limits["memory"])


def test_a_gpu_is_asked_for_whole_and_without_a_pool():
    (container,) = one("gpu-workers.yaml")["spec"]["worker"]["spec"]["containers"]
    assert container["resources"]["limits"]["nvidia.com/gpu"] == "1"
    assert not [a for a in container["args"] if "rmm" in a]


def test_the_scheduler_is_reached_from_inside_only():
    job = one("job.yaml")
    for cluster, name in (
        (one("cluster.yaml")["spec"], "magxr"),
        (job["spec"]["cluster"]["spec"], "magxr-run"),
    ):
        service = cluster["scheduler"]["service"]
        assert service["type"] == "ClusterIP"
        assert not any(k for p in service["ports"] for k in p if k == "nodePort")
        assert service["selector"] == {"dask.org/cluster-name": name, "dask.org/component": "scheduler"}
    assert "magxr-run-scheduler:8786" in str(job["spec"]["job"]["spec"]["initContainers"][0]["args"])


def test_policies_shut_out_all_but_our_pods_and_the_operator():
    for path in FILES:
        for document in documents(path):
            if document["kind"] in {"DaskCluster", "DaskJob", "DaskWorkerGroup"}:
                assert document["metadata"]["labels"] == dict([LABEL])  # what the operator hands to pods
    own, operator = documents(FOLDER / "network-policy.yaml")
    ours = {"matchLabels": dict([LABEL])}
    assert own["spec"]["podSelector"] == ours
    assert own["spec"]["ingress"] == [{"from": [{"podSelector": ours}]}]
    (rule,) = operator["spec"]["ingress"]
    assert rule["ports"] == [{"protocol": "TCP", "port": 8787}]  # not 8786, where code goes
    (who,) = rule["from"]  # both selectors in one entry: this pod, in this namespace
    assert set(who) == {"namespaceSelector", "podSelector"}
    for policy in (own, operator):
        assert policy["spec"]["policyTypes"] == ["Ingress"]


def test_the_jobs_cluster_is_the_cluster():
    cluster, job = one("cluster.yaml")["spec"], one("job.yaml")["spec"]["cluster"]["spec"]
    there = copy.deepcopy(job)
    there["scheduler"]["service"]["selector"]["dask.org/cluster-name"] = "magxr"
    assert there == {k: v for k, v in cluster.items() if k != "idleTimeout"}


def test_the_job_runs_a_command_that_exists():
    (runner,) = [c for _, role, _, c in CONTAINERS if c["name"] == "runner"]
    assert runner["args"][0] == "magxr"
    told = _parser().parse_args(runner["args"][1:])
    assert told.call
    assert (told.engine, told.resume, told.scheduler) == ("blocks", True, "$(DASK_SCHEDULER_ADDRESS)")
    assert told.region.startswith("s3://")
    assert told.out.startswith("s3://")


def test_groups_and_autoscaler_belong_to_the_cluster():
    name = one("cluster.yaml")["metadata"]["name"]
    assert one("gpu-workers.yaml")["spec"]["cluster"] == one("autoscaler.yaml")["spec"]["cluster"] == name
    assert one("autoscaler.yaml")["metadata"]["name"] == name
    bounds = one("autoscaler.yaml")["spec"]
    assert 0 < bounds["minimum"] <= one("cluster.yaml")["spec"]["worker"]["replicas"] <= bounds["maximum"]

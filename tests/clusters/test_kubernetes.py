"""Starting a cluster: what is asked of Kubernetes, and one error for all that can be in the way."""

import importlib.util
import json
import re
import socket
import sys

import pytest

from magxr.clusters import kubernetes
from magxr.clusters.description import Cluster
from magxr.clusters.reading import described
from magxr.errors import ClusterError, MissingExtraError, ParameterError
from tests.clusters.fake_kubernetes import AUTOSCALERS, CLUSTERS, KUBECONFIG, Kubernetes, serving
from tests.deploy.manifests import FOLDER
from tests.deploy.processes import running_scheduler, running_worker

MANIFEST = FOLDER / "cluster.yaml"
needs_operator = pytest.mark.skipif(
    importlib.util.find_spec("dask_kubernetes") is None, reason="dask-kubernetes is not installed"
)


class Made:
    """In the place of a KubeCluster: remembers what it was made of and told."""

    def __init__(self, described, namespace, patience):
        self.described, self.namespace, self.patience, self.told = described, namespace, patience, []

    def adapt(self, minimum, maximum):
        self.told.append(("adapt", minimum, maximum))

    def close(self):
        self.told.append("close")

    def __enter__(self):
        return self

    def __exit__(self, *error):
        self.close()


@pytest.fixture
def seam(monkeypatch):
    """Put `Made` where dask-kubernetes is called; nobody is asked whether the cluster exists."""

    async def absent(name, namespace):
        return False

    monkeypatch.setattr(kubernetes, "_operator", lambda: Made)
    monkeypatch.setattr(kubernetes, "_asked", absent)


@pytest.fixture
def api(tmp_path, monkeypatch):
    """Return what starts a server on loopback and has the kubeconfig point at it."""
    with_server = []

    def start(**known):
        there = Kubernetes(**known)
        server = serving(there)
        port = server.__enter__()
        with_server.append(server)
        point_at(tmp_path, monkeypatch, port)
        return there

    yield start
    for server in with_server:
        server.__exit__(None, None, None)


def point_at(folder, monkeypatch, port):
    (folder / "kubeconfig").write_text(KUBECONFIG.format(port=port))
    monkeypatch.setenv("KUBECONFIG", str(folder / "kubeconfig"))


@needs_operator
@pytest.mark.usefixtures("seam")
def test_the_cluster_is_made_of_the_manifest_and_ended():
    asked = {"name": "chile", "workers": 3, "memory": "16Gi", "cores": 8, "environment": {"A": "b"}}
    with kubernetes.create(MANIFEST, namespace="sea", patience=5, **asked) as cluster:
        assert cluster.described == kubernetes.manifest(kubernetes.read(MANIFEST), **asked)
        assert (cluster.namespace, cluster.patience) == ("sea", 5)
        assert cluster.told == []
    assert cluster.told == ["close"]


@needs_operator
@pytest.mark.usefixtures("seam")
def test_two_numbers_of_workers_have_it_adapt():
    with kubernetes.create(MANIFEST, workers=(2, 9)) as cluster:
        assert cluster.described["spec"]["worker"]["replicas"] == 2
        assert cluster.told == [("adapt", 2, 9)]


@needs_operator
@pytest.mark.usefixtures("seam")
def test_a_cluster_is_ended_when_the_work_fails():
    with pytest.raises(ZeroDivisionError), kubernetes.create(MANIFEST) as cluster:
        raise ZeroDivisionError
    assert cluster.told == ["close"]


@needs_operator
@pytest.mark.usefixtures("seam")
def test_a_description_is_followed_under_a_name_of_its_own(tmp_path):
    given = {"workers": (0, 8), "cores": 2, "memory": "6 GB", "gpus": 1, "environment": {"A": "b"}}
    asked = Cluster("kubernetes", manifest=str(MANIFEST), image="magxr:7-cuda", wait=7.0, **given)
    with kubernetes.start(asked) as one, kubernetes.start(asked) as two:
        name = one.described["metadata"]["name"]
        assert re.fullmatch(r"magxr-[0-9a-f]{6}", name)
        assert name != two.described["metadata"]["name"]
        base = kubernetes.read(MANIFEST)
        assert one.described == kubernetes.manifest(base, name=name, image="magxr:7-cuda", **given)
        assert (one.namespace, one.patience, one.told) == (None, 7.0, [("adapt", 0, 8)])
    assert one.told[-1] == two.told[-1] == "close"
    long = tmp_path / "long.yaml"
    long.write_text(MANIFEST.read_text().replace("name: magxr\n", f"name: {'a' * 53}\n", 1))
    with kubernetes.start(Cluster("kubernetes", manifest=str(long))) as cluster:
        assert len(cluster.described["metadata"]["name"]) == 53
    with (
        pytest.raises(ParameterError, match=r"is made of a manifest, and none is named"),
        kubernetes.start(Cluster("kubernetes")),
    ):
        pass


@needs_operator
@pytest.mark.usefixtures("seam")
def test_the_description_that_lies_beside_the_manifests_works(monkeypatch):
    monkeypatch.chdir(FOLDER.parents[1])
    asked = described("deploy/kubernetes/run.yaml")
    base = kubernetes.read(asked.manifest)
    with kubernetes.start(asked) as cluster:
        out = cluster.described
        assert out["spec"] == kubernetes.manifest(base, name=out["metadata"]["name"])["spec"]  # all as it was
        assert cluster.told == [("adapt", 2, 8)]


@needs_operator
def test_a_cluster_is_ended_when_it_cannot_adapt(seam, monkeypatch):
    made = []

    def fails(self, **bounds):
        made.append(self)
        raise ValueError

    monkeypatch.setattr(Made, "adapt", fails)
    with pytest.raises(ClusterError, match="does not start"):
        kubernetes.create(MANIFEST, workers=(1, 2))
    assert made[0].told == ["close"]


@pytest.mark.usefixtures("seam")
def test_bad_arguments_are_refused_before_anybody_is_asked(monkeypatch):
    monkeypatch.setattr(kubernetes, "_operator", lambda: pytest.fail("asked"))
    with pytest.raises(ParameterError, match="workers=0"), kubernetes.create(MANIFEST, workers=0):
        pass


def test_without_dask_kubernetes_the_extra_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "dask_kubernetes.operator", None)
    with (
        pytest.raises(MissingExtraError, match=r"dask-kubernetes.*pip install 'magxr\[kubernetes\]'"),
        kubernetes.create(MANIFEST),
    ):
        pass


@needs_operator
def test_a_closed_port_gives_one_error(tmp_path, monkeypatch):
    with socket.socket() as taken:  # bound, and nobody listens
        taken.bind(("127.0.0.1", 0))
        point_at(tmp_path, monkeypatch, taken.getsockname()[1])
        with (
            pytest.raises(ClusterError, match=r"no Kubernetes answers .*KUBECONFIG"),
            kubernetes.create(MANIFEST),
        ):
            pass


@needs_operator
def test_a_machine_without_kubeconfig_gives_the_same_error(tmp_path, monkeypatch):
    monkeypatch.setenv("KUBECONFIG", str(tmp_path / "nothing"))
    monkeypatch.setenv("HOME", str(tmp_path))
    with pytest.raises(ClusterError, match="no Kubernetes answers"), kubernetes.create(MANIFEST):
        pass


@needs_operator
def test_a_server_that_never_answers_is_given_up(tmp_path, monkeypatch):
    monkeypatch.setattr(kubernetes, "SOON", 0.5)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        point_at(tmp_path, monkeypatch, silent.getsockname()[1])
        with (
            pytest.raises(ClusterError, match=r"no Kubernetes answers within 0\.5 s"),
            kubernetes.create(MANIFEST),
        ):
            pass


@needs_operator
def test_a_kubernetes_without_the_operator_says_so(api):
    there = api(operator=False)
    with pytest.raises(ClusterError, match="operator of Dask is not installed; install it"):
        kubernetes.create(MANIFEST)
    assert there.names("POST") == []


@needs_operator
def test_a_cluster_that_exists_is_left_alone(api):
    there = api()
    there.clusters["magxr"] = kubernetes.read(MANIFEST)
    with pytest.raises(ParameterError, match="'magxr' exists already and is not ours to end"):
        kubernetes.create(MANIFEST)
    assert there.names("POST") == there.names("DELETE") == []


@needs_operator
def test_who_may_not_make_clusters_is_told(api):
    there = api(forbidden=True)
    with pytest.raises(ClusterError, match=r"refuses the cluster 'magxr' \(403.*ask for the rights"):
        kubernetes.create(MANIFEST)
    assert there.names("POST")
    assert there.names("DELETE") == []


@needs_operator
@pytest.mark.parametrize("phase", [None, "Running"], ids=["operator asleep", "no scheduler"])
def test_a_scheduler_that_does_not_come_is_given_up_and_the_cluster_deleted(api, phase):
    there = api(phase=phase)
    with pytest.raises(ClusterError, match=r"did not answer within 2 s.*kubectl describe pods"):
        kubernetes.create(MANIFEST, patience=2)
    assert there.names("POST") == [CLUSTERS]
    assert there.names("DELETE") == [f"{CLUSTERS}/magxr"]
    assert there.clusters == {}


@needs_operator
def test_a_scheduler_that_goes_again_is_told(api):
    there = api(phase="Running", scheduler="goes")
    with pytest.raises(ClusterError, match=r"scheduler of 'magxr' does not start .*kubectl describe pods"):
        kubernetes.create(MANIFEST, patience=30)
    assert there.clusters == {}


@needs_operator
def test_a_client_works_on_the_cluster_until_it_is_deleted(api, monkeypatch, tmp_path):
    from dask_kubernetes.operator.kubecluster import kubecluster
    from distributed import Client

    there = api(phase="Running", scheduler=True)
    with running_scheduler(tmp_path) as (port, _), running_worker("cluster.yaml", port, tmp_path):

        async def address(*args, **more):  # in the place of a port that is forwarded
            return f"tcp://127.0.0.1:{port}"

        monkeypatch.setattr(kubecluster, "get_scheduler_address", address)
        with kubernetes.create(MANIFEST, workers=(1, 4), patience=60) as cluster:
            assert list(there.clusters) == ["magxr"]
            assert there.names("POST") == [CLUSTERS, AUTOSCALERS]
            with Client(cluster, set_as_default=False) as client:
                assert client.submit(sum, [1, 2]).result(60) == 3
            assert there.names("DELETE") == []
        assert there.names("DELETE") == [f"{CLUSTERS}/magxr"]
        assert there.clusters == {}


@needs_operator
def test_what_is_sent_is_what_was_described(api, monkeypatch):
    there = api(phase="Running")
    sent = []
    answer = there.answer
    monkeypatch.setattr(there, "answer", lambda m, p, b: (m == "POST" and sent.append(b)) or answer(m, p, b))
    with pytest.raises(ClusterError):
        kubernetes.create(MANIFEST, name="chile", workers=4, patience=1)
    (document,) = map(json.loads, sent)
    asked = kubernetes.manifest(kubernetes.read(MANIFEST), name="chile", workers=4)
    assert document["spec"] == asked["spec"]
    assert document["metadata"]["name"] == "chile"
    assert document["metadata"]["labels"] == asked["metadata"]["labels"]

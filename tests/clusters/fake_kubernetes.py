"""A small Kubernetes on loopback: it knows versions, clusters and pods, and has no operator."""

import json
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

KUBECONFIG = """\
apiVersion: v1
kind: Config
clusters: [{{name: c, cluster: {{server: "http://127.0.0.1:{port}"}}}}]
users: [{{name: u, user: {{}}}}]
contexts: [{{name: x, context: {{cluster: c, user: u, namespace: sea}}}}]
current-context: x
"""
GROUP = "/apis/kubernetes.dask.org/v1"
CLUSTERS = f"{GROUP}/namespaces/sea/daskclusters"


SERVICES = "/api/v1/namespaces/sea/services"
KINDS = {
    "/api": {"kind": "APIVersions", "versions": ["v1"]},
    "/apis": {"kind": "APIGroupList", "apiVersion": "v1", "groups": []},
    "/api/v1": {
        "kind": "APIResourceList",
        "groupVersion": "v1",
        "resources": [
            {"name": "pods", "singularName": "pod", "namespaced": True, "kind": "Pod", "verbs": ["get"]}
        ],
    },
}
"""What a client asks before it asks for pods."""
AUTOSCALERS = f"{GROUP}/namespaces/sea/daskautoscalers"
POD = {
    "apiVersion": "v1",
    "kind": "Pod",
    "metadata": {"name": "magxr-scheduler-1", "namespace": "sea"},
    "spec": {},
    "status": {
        "phase": "Running",
        "conditions": [{"type": t, "status": "True"} for t in ("Ready", "ContainersReady")],
    },
}
SERVICE = {
    "apiVersion": "v1",
    "kind": "Service",
    "metadata": {"name": "magxr-scheduler", "namespace": "sea"},
    "spec": {"type": "ClusterIP", "ports": [], "selector": {"dask.org/component": "scheduler"}},
    "status": {"loadBalancer": {}},
}


class Kubernetes:
    """What the server knows and was told.

    Parameters
    ----------
    operator : bool
        Whether the kinds of the operator are installed.
    phase : str, optional
        The phase that a cluster gets when it is made: "Running" is what the operator says.
    forbidden : bool
        Whether clusters may not be made.
    scheduler : bool or "goes"
        Whether a pod and a service of the scheduler are there, or were.
    """

    def __init__(self, *, operator=True, phase=None, forbidden=False, scheduler=False):
        self.operator, self.phase, self.forbidden = operator, phase, forbidden
        self.scheduler, self.scheduler_gone = scheduler, scheduler == "goes"
        self.clusters, self.calls = {}, []

    def answer(self, method, path, body):
        path = path.partition("?")[0].rstrip("/")
        self.calls.append((method, path))
        if path == "/version":
            return 200, {"major": "1", "minor": "33", "gitVersion": "v1.33.1"}
        if path in KINDS:
            return 200, KINDS[path]
        if path.endswith("/pods"):
            items = [POD] if self.scheduler else []
            return 200, {"apiVersion": "v1", "kind": "PodList", "metadata": {}, "items": items}
        if path.endswith("/pods/magxr-scheduler-1") and not self.scheduler_gone:
            return 200, POD
        if path == f"{SERVICES}/magxr-scheduler" and self.scheduler:
            return 200, SERVICE
        if path == SERVICES:
            items = [SERVICE] if self.scheduler else []
            return 200, {"apiVersion": "v1", "kind": "ServiceList", "metadata": {}, "items": items}
        if path == AUTOSCALERS and method == "POST":
            return 201, json.loads(body)
        if path == GROUP and self.operator:
            return 200, {"kind": "APIResourceList", "groupVersion": "kubernetes.dask.org/v1", "resources": []}
        if path == CLUSTERS and method == "POST" and self.operator:
            if self.forbidden:
                return 403, refusal(403, "daskclusters.kubernetes.dask.org is forbidden")
            made = json.loads(body) | ({"status": {"phase": self.phase}} if self.phase else {})
            self.clusters[made["metadata"]["name"]] = made
            return 201, made
        name = path.removeprefix(f"{CLUSTERS}/")
        if name in self.clusters:
            return 200, self.clusters.pop(name) if method == "DELETE" else self.clusters[name]
        if path == CLUSTERS and method == "GET" and self.operator:
            items = list(self.clusters.values())
            return 200, {"apiVersion": GROUP[6:], "kind": "DaskClusterList", "metadata": {}, "items": items}
        return 404, refusal(404, f"{path} not found")

    def names(self, method):
        """Return which paths were called with a method."""
        return [path for m, path in self.calls if m == method]


def refusal(code, message):
    return {"kind": "Status", "apiVersion": "v1", "status": "Failure", "code": code, "message": message}


@contextmanager
def serving(kubernetes):
    """Yield the port on which a server answers for ``kubernetes``."""

    class Handler(BaseHTTPRequestHandler):
        def reply(self):
            body = self.rfile.read(int(self.headers.get("content-length") or 0))
            code, answer = kubernetes.answer(self.command, self.path, body)
            text = json.dumps(answer).encode()
            self.send_response(code)
            self.send_header("content-type", "application/json")
            self.send_header("content-length", str(len(text)))
            self.end_headers()
            self.wfile.write(text)

        do_GET = do_POST = do_DELETE = do_PATCH = reply

        def log_message(self, *args):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield server.server_port
    finally:
        server.shutdown()
        server.server_close()
        thread.join()

"""The commands of the manifests as processes of this machine: they start, and the operator is answered."""

import asyncio
import copy
import importlib.util
import logging
import os
import re
import socket
import subprocess
import sys
import time
import urllib.request
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.deploy.manifests import one, pods

if importlib.util.find_spec("distributed") is None:
    pytest.skip("distributed is not installed", allow_module_level=True)

needs_operator = pytest.mark.skipif(
    importlib.util.find_spec("dask_kubernetes") is None, reason="dask-kubernetes is not installed"
)
PATIENCE = 120
"""Seconds; processes start in two or three where nothing else runs."""


def container(file, role, place=0, kind="containers"):
    return dict(pods(one(file)))[role][kind][place]


@contextmanager
def process(container, folder, *more, **environment):
    """Run a container's command with other ports; what manifest and operator set is set."""
    told = {v["name"]: v["value"] for v in container.get("env", ())} | environment
    args = [re.sub(r"\$\((\w+)\)", lambda m: told[m[1]], word) for word in container["args"]]
    args = [word.replace("/tmp/", f"{folder}/") for word in args]
    assert args[0] in {"dask", "python"}
    start = [sys.executable, *(["-m", "dask"] if args[0] == "dask" else [])]
    log = folder / f"{container['name']}.log"
    with log.open("w") as out:
        running = subprocess.Popen(
            [*start, *args[1:], *more], stdout=out, stderr=out, cwd=folder, env=os.environ | told
        )
        try:
            yield running, log
        finally:
            running.terminate()
            running.wait(PATIENCE)


def free_port():
    with socket.create_server(("127.0.0.1", 0)) as taken:
        return taken.getsockname()[1]


def asked(url, log):
    """Return what a server answers once it is there; the probes of the manifests ask so."""
    for _ in range(PATIENCE * 5):
        try:
            with urllib.request.urlopen(url, timeout=5) as answer:
                return answer.read().decode()
        except OSError:
            time.sleep(0.2)
    pytest.fail(f"{url} does not answer:\n{log.read_text()}")


def probe(container, port, log):
    there = container["livenessProbe"]["httpGet"]
    assert there["port"] in {p["name"] for p in container["ports"]}
    return asked(f"http://127.0.0.1:{port}{there['path']}", log)


@pytest.fixture(scope="module")
def scheduler(tmp_path_factory):
    """Run the scheduler of the cluster; return its two ports."""
    port, pages = free_port(), free_port()
    told = container("cluster.yaml", "scheduler")
    where = ["--host", "127.0.0.1", "--port", str(port), "--dashboard-address", f"127.0.0.1:{pages}"]
    folder = tmp_path_factory.mktemp("scheduler")
    with process(told, folder, *where) as (running, log):
        assert probe(told, pages, log) == "ok"
        assert running.poll() is None
        yield port, pages


@pytest.mark.parametrize(
    ("file", "threads", "gigabytes"), [("cluster.yaml", 4, 8), ("gpu-workers.yaml", 1, 12)]
)
def test_a_worker_starts_with_what_it_is_given(file, threads, gigabytes, scheduler, tmp_path):
    from distributed import Client
    from distributed.system import MEMORY_LIMIT

    port, pages = scheduler
    health, told = free_port(), container(file, "worker")
    where = ["--host", "127.0.0.1", "--dashboard-address", f"127.0.0.1:{health}"]
    from_operator = {"DASK_WORKER_NAME": file, "DASK_SCHEDULER_ADDRESS": f"tcp://127.0.0.1:{port}"}
    with process(told, tmp_path, *where, **from_operator) as (_, log):
        assert probe(told, health, log) == "ok"  # also without pages
        with Client(f"tcp://127.0.0.1:{port}", timeout=PATIENCE, set_as_default=False) as client:
            client.wait_for_workers(1, timeout=PATIENCE)
            (worker,) = client.scheduler_info()["workers"].values()
            assert (worker["name"], worker["nthreads"]) == (file, threads)
            assert worker["memory_limit"] == min(gigabytes * 2**30, MEMORY_LIMIT)  # of this machine
            assert Path(worker["local_directory"]).is_relative_to(tmp_path)
            assert client.submit(sum, [1, 2]).result(PATIENCE) == 3
            if importlib.util.find_spec("dask_kubernetes"):
                assert retired(port, pages) == [file]  # the name is that of the pod that it will delete


def operator(monkeypatch, pages):
    """Return the operator's code, with an address for its HTTP and none for code."""
    from dask_kubernetes.operator.controller import controller

    async def address(service, namespace, port_name="tcp-comm", **more):
        assert port_name == "http-dashboard", "the operator speaks Dask's protocol, which the policy forbids"
        return f"http://127.0.0.1:{pages}"

    monkeypatch.setattr(controller, "get_scheduler_address", address)
    return controller


def retired(port, pages):
    with pytest.MonkeyPatch.context() as patch:
        there = operator(patch, pages)
        log = logging.getLogger("test")
        return asyncio.run(there.retire_workers(1, "magxr-scheduler", "magxr-default", "sea", log))


@needs_operator
def test_the_operator_learns_over_http_what_it_needs(scheduler, monkeypatch):
    _, pages = scheduler
    there = operator(monkeypatch, pages)
    assert asyncio.run(there.get_desired_workers("magxr-scheduler", "sea")) == 0  # nothing to do
    idle = asyncio.run(there.check_scheduler_idle("magxr-scheduler", "sea", logging.getLogger("test")))
    assert idle == pytest.approx(time.time(), abs=PATIENCE * 10) or idle == 0


def test_the_routes_are_those_of_distributed_and_one_more():
    import ast

    import dask
    import distributed  # its settings

    assert distributed
    (routes,) = [ast.literal_eval(v["value"]) for v in container("cluster.yaml", "scheduler")["env"]]
    assert routes == [*dask.config.get("distributed.scheduler.http.routes"), "distributed.http.scheduler.api"]


def test_the_jobs_first_step_waits_for_the_scheduler(tmp_path):
    wait = copy.deepcopy(container("job.yaml", "runner", kind="initContainers"))
    port = free_port()
    wait["args"][-1] = wait["args"][-1].replace("magxr-run-scheduler:8786", f"127.0.0.1:{port}")
    told = container("job.yaml", "scheduler")
    where = ["--host", "127.0.0.1", "--port", str(port), "--dashboard-address", "127.0.0.1:0"]
    with process(wait, tmp_path) as (waiting, log):
        with pytest.raises(subprocess.TimeoutExpired):
            waiting.wait(5)  # nobody is there yet, and it does not give up
        with process(told, tmp_path, *where):
            assert waiting.wait(PATIENCE) == 0, log.read_text()

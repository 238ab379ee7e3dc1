"""The commands of the manifests as processes of this machine: they start, and the operator is answered."""

import asyncio
import copy
import importlib.util
import logging
import subprocess
import time
from pathlib import Path

import pytest

from tests.deploy.processes import PATIENCE, container, free_port, process, running_scheduler, running_worker

if importlib.util.find_spec("distributed") is None:
    pytest.skip("distributed is not installed", allow_module_level=True)

needs_operator = pytest.mark.skipif(
    importlib.util.find_spec("dask_kubernetes") is None, reason="dask-kubernetes is not installed"
)


@pytest.fixture(scope="module")
def scheduler(tmp_path_factory):
    """Run the scheduler of the cluster; return its two ports."""
    with running_scheduler(tmp_path_factory.mktemp("scheduler")) as ports:
        yield ports


@pytest.mark.parametrize(
    ("file", "threads", "gigabytes"), [("cluster.yaml", 4, 8), ("gpu-workers.yaml", 1, 12)]
)
def test_a_worker_starts_with_what_it_is_given(file, threads, gigabytes, scheduler, tmp_path):
    from distributed import Client
    from distributed.system import MEMORY_LIMIT

    port, pages = scheduler
    with (
        running_worker(file, port, tmp_path),
        Client(f"tcp://127.0.0.1:{port}", timeout=PATIENCE, set_as_default=False) as client,
    ):
        client.wait_for_workers(1, timeout=PATIENCE)
        (worker,) = client.scheduler_info()["workers"].values()
        assert (worker["name"], worker["nthreads"]) == (file, threads)
        assert worker["memory_limit"] == min(gigabytes * 2**30, MEMORY_LIMIT)  # of this machine
        assert Path(worker["local_directory"]).is_relative_to(tmp_path)
        assert client.submit(sum, [1, 2]).result(PATIENCE) == 3
        if importlib.util.find_spec("dask_kubernetes"):
            assert retired(pages) == [file]  # the name is that of the pod that it will delete


def operator(monkeypatch, pages):
    """Return the operator's code, with an address for its HTTP and none for code."""
    from dask_kubernetes.operator.controller import controller

    async def address(service, namespace, port_name="tcp-comm", **more):
        assert port_name == "http-dashboard", "the operator speaks Dask's protocol, which the policy forbids"
        return f"http://127.0.0.1:{pages}"

    monkeypatch.setattr(controller, "get_scheduler_address", address)
    return controller


def retired(pages):
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

    import distributed
    import yaml

    defaults = yaml.safe_load(Path(distributed.__file__).with_name("distributed.yaml").read_text())
    (routes,) = [
        ast.literal_eval(v["value"])
        for v in container("cluster.yaml", "scheduler")["env"]
        if v["name"].endswith("ROUTES")
    ]
    usual = defaults["distributed"]["scheduler"]["http"]["routes"]  # others may have changed those of Dask
    assert routes == [*usual, "distributed.http.scheduler.api"]


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

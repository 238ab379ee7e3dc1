"""The commands of the manifests as processes of this machine, on its loopback."""

import os
import re
import socket
import subprocess
import sys
import time
import urllib.request
from contextlib import contextmanager

import pytest

from tests.deploy.manifests import one, pods

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


@contextmanager
def running_scheduler(folder):
    """Run the scheduler of `cluster.yaml`; yield its two ports."""
    port, pages = free_port(), free_port()
    told = container("cluster.yaml", "scheduler")
    where = ["--host", "127.0.0.1", "--port", str(port), "--dashboard-address", f"127.0.0.1:{pages}"]
    with process(told, folder, *where) as (running, log):
        assert probe(told, pages, log) == "ok"
        assert running.poll() is None
        yield port, pages


@contextmanager
def running_worker(file, port, folder):
    """Run a worker of a manifest for the scheduler at ``port``, when it answers as its probe asks."""
    health, told = free_port(), container(file, "worker")
    where = ["--host", "127.0.0.1", "--dashboard-address", f"127.0.0.1:{health}"]
    from_operator = {"DASK_WORKER_NAME": file, "DASK_SCHEDULER_ADDRESS": f"tcp://127.0.0.1:{port}"}
    with process(told, folder, *where, **from_operator) as (_, log):
        assert probe(told, health, log) == "ok"  # also without pages
        yield

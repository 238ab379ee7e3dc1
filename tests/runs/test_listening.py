"""What magxr starts listens on this machine only: ports of schedulers and workers run what they are sent."""

import os
import socket
import subprocess
import sys
from pathlib import Path

import dask
import psutil
import pytest

from magxr.runs.config import configure
from magxr.runs.crew import crew
from magxr.synthetic.seafloor import demo_region
from tests.deploy.tls_cluster import certificates, environment, until

ROOT = Path(__file__).parents[2]


def listening(pid):
    """Where a process and all that it started listen, and how many processes that are."""
    family = [psutil.Process(pid)]
    family += family[0].children(recursive=True)
    found = set()
    for process in family:
        try:
            held = process.net_connections("inet")
        except psutil.NoSuchProcess:
            continue
        found |= {c.laddr for c in held if c.status == psutil.CONN_LISTEN or c.type == socket.SOCK_DGRAM}
    return found, len(family)


@pytest.fixture(scope="module")
def sea(tmp_path_factory):
    path = tmp_path_factory.mktemp("sea") / "sea.nc"
    demo_region((260, 270), chunks=(200, 210))[["anomaly"]].load().to_netcdf(path)
    return path


PROCESSES = configure("demo", "out.zarr", engine="blocks", scheduler="processes")


def test_workers_of_this_machine_and_their_scheduler():
    before, _ = listening(os.getpid())
    with dask.config.set(num_workers=2), crew(PROCESSES) as found:
        assert sorted(found.each(abs, [(-1,), (-2,), (-3,)])) == [1, 2, 3]
        now, family = listening(os.getpid())
        assert family >= 3
        places = {place.ip for place in now - before}
        assert len(now - before) >= 4  # the scheduler, its server, two workers at the least
        assert places == {"127.0.0.1"}
    assert listening(os.getpid())[0] <= before | {p for p in now if p.ip == "127.0.0.1"}


def test_settings_of_a_cluster_do_not_open_them(monkeypatch):
    """Somebody's own Dask settings name the dashboard's address for all networks."""
    before, _ = listening(os.getpid())
    wide = {"distributed.scheduler.dashboard.address": "0.0.0.0:0", "distributed.dashboard.link": "x"}
    with dask.config.set(wide | {"num_workers": 1}), crew(PROCESSES) as found:
        assert list(found.each(abs, [(-1,)])) == [1]
        assert {place.ip for place in listening(os.getpid())[0] - before} == {"127.0.0.1"}


@pytest.mark.slow
@pytest.mark.parametrize("scheduler", ["threads", "processes"])
def test_a_run(sea, tmp_path, scheduler):
    small = ["--stride", "60", "--steps", "2", "--chunk", "140", "--max-gap", "2"]
    script = "import sys; from magxr.cli import main; sys.exit(main())"
    command = [sys.executable, "-c", script, "run", str(sea), "--out", str(tmp_path / "out.zarr"), *small]
    command += ["--engine", "blocks", "--scheduler", scheduler]
    run = subprocess.Popen(command, env=environment() | {"DASK_NUM_WORKERS": "2"}, stderr=subprocess.PIPE)
    seen, most = set(), 0

    def watched():
        nonlocal most
        try:
            found, family = listening(run.pid)
        except psutil.NoSuchProcess:
            return True
        seen.update(found)
        most = max(most, family)
        return run.poll() is not None

    try:
        until(watched, 600)
    finally:
        run.kill()
        said = run.communicate()[1]
    assert run.returncode == 0, said
    if scheduler == "threads":
        assert seen == set()
    else:
        assert most >= 3
        assert len(seen) >= 4
        assert {place.ip for place in seen} == {"127.0.0.1"}


def test_workers_of_this_machine_where_encryption_is_required(tmp_path):
    """Whose DASK_CONFIG is that of a TLS cluster can still use the processes of his own machine."""
    folder = tmp_path / "tls"
    assert certificates(folder).returncode == 0
    script = (
        "from magxr.runs.config import configure\n"
        "from magxr.runs.crew import crew\n"
        "if __name__ == '__main__':\n"
        "    processes = configure('demo', 'out.zarr', engine='blocks', scheduler='processes')\n"
        "    with crew(processes) as found:\n"
        "        print(found.client.scheduler_info()['address'], sum(found.each(abs, [(-1,), (-2,)])))\n"
    )
    path = tmp_path / "script.py"
    path.write_text(script)
    env = environment(folder) | {"DASK_NUM_WORKERS": "1"}
    done = subprocess.run([sys.executable, str(path)], env=env, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("tls://127.0.0.1:")
    assert done.stdout.split()[-1] == "3"


def test_nothing_in_the_package_listens_by_itself():
    """Where a server is written, its test belongs into this module."""
    words = ("http.server", "socketserver", "HTTPServer", ".bind((", "create_server", "0.0.0.0")
    for path in sorted((ROOT / "magxr").rglob("*.py")):
        source = path.read_text(encoding="utf-8")
        assert not [w for w in words if w in source], path

"""Workers as jobs of a real SLURM: `tests/slurm/slurm.sh` starts one."""

import os
import re
import shutil
import signal
import subprocess
import threading
import time

import pytest

import magxr
from magxr.cli import main
from magxr.clusters import slurm
from magxr.clusters.opening import opened
from magxr.clusters.reading import described
from magxr.errors import ClusterError, ParameterError, StoreError
from magxr.runs.crew import Crew
from magxr.runs.ledger import of_output
from magxr.synthetic.seafloor import demo_region
from tests.runs.test_blocks import assert_same_stores
from tests.runs.test_survival import COMMAND

pytest.importorskip("dask_jobqueue", reason="needs magxr[slurm]")

SMALL = {"stride": 60, "steps": 2, "chunk": 140, "max_gap": 2, "engine": "blocks"}
PATIENCE = 120


def asks(*command):
    return subprocess.run(command, capture_output=True, text=True, check=False)


def answers():
    if shutil.which("sinfo") is None:
        return False
    return any(
        state in asks("sinfo", "--noheader", "--format=%T").stdout for state in ("idle", "mix", "alloc")
    )


pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not answers(), reason="no SLURM answers here: tests/slurm/slurm.sh starts one"),
]


def jobs(*states):
    """Return the numbers of the jobs that SLURM knows, of some states."""
    found = asks("squeue", "--noheader", "--states=all", "--format=%i %T").stdout.split("\n")
    pairs = [line.split() for line in found if line.strip()]
    return [number for number, state in pairs if not states or state in states]


def until(happens):
    end = time.monotonic() + PATIENCE
    while not (found := happens()):
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.05)
    return found


@pytest.fixture(autouse=True)
def nothing_left():
    """Every test leaves the queue as it found it."""
    yield
    until(lambda: not jobs("PENDING", "RUNNING", "CONFIGURING", "COMPLETING"))


@pytest.fixture
def cluster(tmp_path):
    """Two workers of one core, as a user would describe them."""
    return described(
        {"kind": "slurm", "workers": 2, "cores": 1, "memory": "1 GiB", "interface": "lo"},
        folder=str(tmp_path / "slurm"),
        wait=60,
    )


@pytest.fixture(scope="module")
def sea(tmp_path_factory):
    path = tmp_path_factory.mktemp("sea") / "sea.nc"
    demo_region((260, 270), chunks=(200, 210))[["anomaly"]].load().to_netcdf(path)
    return path


@pytest.fixture
def bare(monkeypatch):
    monkeypatch.setattr("magxr.runs.finish.present", lambda found, folder: ("none.html", [], "none"))


@pytest.fixture(scope="module")
def whole(sea, tmp_path_factory):
    """The same run in this thread."""
    out = tmp_path_factory.mktemp("whole") / "whole.zarr"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("magxr.runs.finish.present", lambda found, folder: ("none.html", [], "none"))
        magxr.run(sea, out, scheduler="sync", **SMALL)
    return out


def test_the_same_as_here(sea, whole, tmp_path, bare, cluster, capfd):
    magxr.run(sea, tmp_path / "out.zarr", cluster=cluster, progress=True, **SMALL)
    assert_same_stores(tmp_path / "out.zarr", whole)
    magxr.run(sea, tmp_path / "lazy.zarr", cluster=cluster, **SMALL | {"engine": "graph"})
    assert_same_stores(tmp_path / "lazy.zarr", whole)


def test_jobs_that_are_cancelled(sea, whole, tmp_path, bare, cluster):
    """`scancel` takes a worker in the middle of a block: another job comes, and nothing is missing."""
    out = tmp_path / "out.zarr"
    cancelled = []

    def cancel():
        until(lambda: len(list(of_output(out).folder.glob("ledger/*/*.json"))) >= 3)
        cancelled.extend(jobs("RUNNING"))
        asks("scancel", *cancelled)

    thread = threading.Thread(target=cancel)
    thread.start()
    magxr.run(sea, out, cluster=cluster, **SMALL)
    thread.join()
    assert cancelled
    assert_same_stores(out, whole)


def heard():
    """Return where this worker's process listens."""
    import psutil

    held = psutil.Process().net_connections("tcp")
    return {c.laddr.ip for c in held if c.status == psutil.CONN_LISTEN}


def test_workers_listen_where_they_are_told(cluster):
    """On the network of the nodes for the scheduler, which lets nobody in without a certificate."""
    with opened(cluster) as client:
        assert client.scheduler.address.startswith("tls://127.0.0.1:")
        found = client.run(heard)
        assert set().union(*found.values()) == {"127.0.0.1"}
        with pytest.raises(StoreError), opened(described(client.scheduler.address, wait=5)):
            pass


def test_the_doctor_starts_it_and_ends_it(cluster, tmp_path, capsys):
    path = tmp_path / "ours.yaml"
    path.write_text(f"kind: slurm\nmemory: 1 GiB\ninterface: lo\nfolder: {cluster.folder}\nwait: 60\n")
    main(["doctor", "--cluster", str(path), "--out", str(tmp_path / "out.zarr")])
    said = capsys.readouterr().out
    assert "tls://127.0.0.1:" in said
    assert "1 have the versions that are here" in said
    assert "1 workers reach" in said


def slowly(number, seconds):
    time.sleep(seconds)
    return number, os.environ["SLURM_JOB_ID"]


def test_wall_time_ends_in_the_middle(cluster):
    """Workers hand over before SLURM ends their jobs, new ones go on: nothing is lost or made twice."""
    short = described(cluster, walltime="00:01:00")
    before = set(jobs())
    with opened(short) as client:
        items = [(number, 1.0) for number in range(140)]
        results = list(Crew(2, client).each(slowly, items))
    assert sorted(number for number, _ in results) == list(range(140))
    assert len({job for _, job in results}) >= 4  # two, and those that went on
    mine = {f"{job}" for job in set(jobs()) - before}
    assert not mine & set(jobs("TIMEOUT", "FAILED"))


def test_workers_come_with_the_work_and_go(cluster):
    with opened(described(cluster, workers="0-2")) as client:
        assert client.scheduler_info(n_workers=-1)["workers"] == {}
        results = list(Crew(2, client).each(slowly, [(number, 0.5) for number in range(12)]))
        assert len(results) == 12
        until(lambda: not jobs("RUNNING", "PENDING"))


def refused(asked):
    """Return why a cluster cannot be had."""
    with pytest.raises(ClusterError) as found, opened(asked):
        pass
    return str(found.value)


def test_a_queue_that_does_not_exist(cluster):
    before = jobs()
    said = refused(described(cluster, queue="fast"))
    assert said.startswith("SLURM does not take such a job: ")
    assert "nvalid partition" in said
    assert "`sinfo` lists queues" in said
    assert jobs() == before


def test_more_than_the_nodes_have(cluster):
    assert "node configuration is not available" in refused(described(cluster, memory="9000 GiB"))


def test_jobs_that_may_never_run(cluster):
    """SLURM takes a job that is longer than its queue allows, and never begins it."""
    said = refused(described(cluster, walltime="02:00:00"))
    assert said.startswith("no worker comes: SLURM says: ")
    assert "PENDING (PartitionTimeLimit)" in said


@pytest.mark.parametrize(("queue", "reason"), [("closed", "PartitionDown"), ("short", "Resources|Priority")])
def test_a_queue_that_stays_full(cluster, queue, reason):
    """The time-out says what SLURM says."""
    script = "#!/bin/sh\nsleep 600\n"
    subprocess.run(["sbatch", "--exclusive", "--output=/dev/null"], input=script, text=True, check=True)
    until(lambda: jobs("RUNNING"))
    try:
        said = refused(described(cluster, queue=queue, wait=4))
    finally:
        asks("scancel", "--user", str(os.getuid()))
    assert said.startswith("0 of 1 workers came within 4 s; SLURM says: ")
    assert re.search(rf"job \d+ PENDING \({reason}\)", said)


def test_jobs_that_end_before_their_workers_come(cluster):
    """The log of the job is what helps, so it is in the error; jobs are not submitted for ever."""
    before = len(jobs())
    said = refused(described(cluster, setup=("echo no such module >&2; exit 1",)))
    assert re.fullmatch(r"no worker comes: job \d+ ended; the last line of .*\.err: no such module", said)
    assert len(jobs()) - before <= 2 * 4


def test_an_interface_must_be_named(cluster):
    with pytest.raises(ParameterError, match=r"'nowhere0' is not one of this machine, which has .*lo"):
        slurm.options(described(cluster, interface="nowhere0"))
    nameless = {"kind": "slurm", "memory": "1 GiB", "folder": cluster.folder}
    with pytest.raises(ParameterError, match=r"interface of the cluster is not said.*--interface"):
        slurm.options(described(nameless))


def test_ctrl_c_takes_the_jobs_along(sea, whole, tmp_path, bare, cluster):
    """Nothing runs on after the command has ended, and another cluster finishes what it began."""
    out = tmp_path / "out.zarr"
    arguments = [str(sea), "--out", str(out), "--engine", "blocks"]
    for name in ("stride", "steps", "chunk", "max_gap"):
        arguments += [f"--{name.replace('_', '-')}", str(SMALL[name])]
    told = ["--cluster", "slurm", "--workers", "2", "--memory", "1 GiB", "--interface", "lo"]
    run = subprocess.Popen(
        [*COMMAND, *arguments, *told], start_new_session=True, stderr=subprocess.PIPE, text=True
    )
    try:
        until(lambda: list(of_output(out).folder.glob("ledger/*/*.json")) or run.poll() is not None)
        run.send_signal(signal.SIGINT)
        said = run.communicate(timeout=PATIENCE)[1]
    finally:
        run.kill()
    assert run.returncode == 130, said
    assert "--resume" in said.splitlines()[-1]
    until(lambda: not jobs("RUNNING", "PENDING"))
    assert main(["run", *arguments, "--resume"]) == 0
    assert_same_stores(out, whole)

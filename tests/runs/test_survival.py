"""What a run by blocks survives: killed workers, killed runs, full disks, others on its store, signals."""

import contextlib
import hashlib
import json
import os
import random
import re
import shutil
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import dask.array as da
import numpy as np
import psutil
import pytest
import xarray as xr

import magxr
from magxr.cli import main
from magxr.clusters.local import RULES
from magxr.errors import ChunkError, ClusterError, StoreError
from magxr.io.template import checksum, lay_out, read_region, write_block
from magxr.runs import blocks, interrupt
from magxr.runs.interrupt import listening
from magxr.runs.ledger import of_output
from magxr.synthetic.seafloor import demo_region
from tests.runs.test_blocks import assert_same_stores

pytestmark = pytest.mark.slow

SMALL = {"stride": 60, "steps": 2, "chunk": 140, "max_gap": 2}
BLOCKS = 4 * 4 + 2
"""Blocks that all stages of the run make: four stages of four, one block of answers, one of votes."""
PATIENCE = 120
"""Seconds after which something that must happen will not."""


class Nursery:
    """Runs that are forked ready to go, by a process of their own (`nursery.py`)."""

    def __init__(self, sea, *before):
        self.sea = sea
        script = Path(__file__).with_name("nursery.py")
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
        self.process = subprocess.Popen([*before, sys.executable, str(script)], **pipes)

    def ask(self, do, **command):
        self.process.stdin.write(json.dumps({"do": do} | command) + "\n")
        self.process.stdin.flush()
        return json.loads(self.process.stdout.readline())

    def start(self, out, deadly=0, **changes):
        changes = SMALL | {"scheduler": "sync"} | changes
        report = f"{report_of(out)}"
        return self.ask("start", region=self.sea, out=str(out), report=report, changes=changes, deadly=deadly)

    def wait(self, pid):
        return self.ask("wait", pid=pid)

    def finish(self, out, **changes):
        assert self.wait(self.start(out, **changes)) == 0
        return json.loads(report_of(out).read_text())["made"]

    def load(self, out):
        found = self.ask("load", region=self.sea, out=str(out), changes=SMALL | {"scheduler": "sync"})
        assert found["status"] == 0

    def close(self):
        self.process.stdin.close()
        self.process.wait(PATIENCE)


def report_of(out):
    """Where a run of the nursery writes what it did; on no disk that may be full."""
    return Path(os.environ["PYTEST_REPORTS"]) / f"{out.stem}.json"


@pytest.fixture(scope="module", autouse=True)
def reports(tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTEST_REPORTS", str(tmp_path_factory.mktemp("reports")))
        yield


@pytest.fixture(scope="module")
def sea(tmp_path_factory):
    """The file that all runs read."""
    path = tmp_path_factory.mktemp("sea") / "sea.nc"
    demo_region((260, 270), chunks=(200, 210))[["anomaly"]].load().to_netcdf(path)
    return str(path)


@pytest.fixture(scope="module")
def nursery(sea, tmp_path_factory):
    found = Nursery(sea)
    try:
        found.load(tmp_path_factory.mktemp("load") / "load.zarr")
        yield found
    finally:
        found.close()


@pytest.fixture(scope="module")
def whole(nursery, tmp_path_factory):
    """What a run leaves that nothing disturbs."""
    out = tmp_path_factory.mktemp("whole") / "whole.zarr"
    assert len(nursery.finish(out)) == BLOCKS
    return out


@pytest.fixture
def bare(monkeypatch):
    """Leave the pictures out: they are the same whichever way the numbers came."""
    monkeypatch.setattr("magxr.runs.finish.present", lambda found, folder: ("none.html", [], "none"))


def files(store):
    """Every file of a store by its contents."""
    found = (path for path in sorted(store.rglob("*")) if path.is_file())
    return {str(f.relative_to(store)): hashlib.sha256(f.read_bytes()).hexdigest() for f in found}


def assert_equal(out, whole):
    """The same files, byte for byte, and so the same values and attrs."""
    if files(out) != files(whole):
        assert_same_stores(out, whole)  # tells what differs, if it is more than how it is stored
    assert files(out) == files(whole)


def entries(out):
    return sorted(of_output(out).folder.glob("ledger/*/*.json"))


def until(happens):
    """Wait for something, and fail where it does not come."""
    end = time.monotonic() + PATIENCE
    while not (found := happens()):
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.005)
    return found


# ---- killed workers


LOCAL = {"host": "127.0.0.1", "dashboard_address": None}
LOCAL |= {"processes": True, "scheduler_kwargs": {"dashboard_address": "127.0.0.1:0"}}


@pytest.fixture(scope="module")
def cluster():
    """Two workers that are processes, begun again when they are killed."""
    import dask
    from distributed import LocalCluster

    rules = RULES | {"distributed.scheduler.allowed-failures": 1, "distributed.logging.distributed": 50}
    with (
        dask.config.set(rules),
        LocalCluster(n_workers=2, threads_per_worker=1, **LOCAL) as made,
    ):
        yield made


def standing(cluster):
    """Return the nannies of workers that have begun: distributed begins none anew that dies before."""
    nannies = [(nanny, nanny.process) for nanny in cluster.workers.values()]
    return [nanny for nanny, process in nannies if process and process.status.name == "running"]


def busy(cluster):
    """Return the nannies of workers that have something to do."""
    states = [(nanny, cluster.scheduler.workers.get(nanny.worker_address)) for nanny in standing(cluster)]
    return [nanny for nanny, state in states if state is not None and state.processing]


def kill_one(cluster, choose, at_work):
    """Kill a worker, or with ``at_work`` the next that has something to do; return whether it had."""
    end = time.monotonic() + 5
    while not (found := busy(cluster)) and at_work and time.monotonic() < end:
        time.sleep(0.001)
    nanny = choose(found if found and at_work else standing(cluster))
    with contextlib.suppress(ProcessLookupError):
        os.kill(nanny.pid, signal.SIGKILL)
    return nanny in found


def test_workers_killed_at_random_moments(cluster, sea, whole, tmp_path, bare):
    def run(out):
        began = time.monotonic()
        magxr.run(sea, out, engine="blocks", scheduler=cluster.scheduler_address, **SMALL)
        return time.monotonic() - began

    luck = random.Random(5)
    run(tmp_path / "first.zarr")
    lasts = run(tmp_path / "second.zarr")
    hit = []
    for number in range(20):
        out = tmp_path / f"{number}.zarr"
        until(lambda: standing(cluster))
        moment = luck.uniform(0.1, 0.9) * lasts
        at_work = number % 2 == 0  # many a moment passes between blocks
        timer = threading.Timer(moment, lambda w=at_work: hit.append(kill_one(cluster, luck.choice, w)))
        timer.start()
        run(out)
        timer.join()
        assert_equal(out, whole)
        assert not of_output(out).folder.exists()
    assert len(hit) == 20
    assert sum(hit) >= 6  # had something to do when they were killed


def test_a_block_that_kills_every_worker(cluster, sea, tmp_path, bare):
    from distributed.diagnostics.plugin import SchedulerPlugin

    class Deadly(SchedulerPlugin):
        def transition(self, key, start, finish, *_, **__):
            if finish == "processing" and re.fullmatch(r"magxr-block-.*-2", str(key)):
                self.strike(cluster.scheduler.tasks[key].processing_on.address)

        def strike(self, where):
            """Kill the worker there, but not before its nanny knows that it has begun: see `standing`."""
            struck = [nanny.pid for nanny in standing(cluster) if nanny.worker_address == where]
            if struck:
                os.kill(struck[0], signal.SIGKILL)
            elif where in cluster.scheduler.workers and "deadly" in cluster.scheduler.plugins:
                cluster.loop.call_later(0.005, self.strike, where)

    out = tmp_path / "out.zarr"
    until(lambda: standing(cluster))
    cluster.scheduler.add_plugin(Deadly(), name="deadly")
    try:
        with pytest.raises(ChunkError, match=r"a block ended 2 workers.*smaller chunk") as caught:
            magxr.run(sea, out, engine="blocks", scheduler=cluster.scheduler_address, **SMALL)
    finally:
        cluster.scheduler.remove_plugin(name="deadly")
    assert "--resume" in str(caught.value.__cause__.__notes__)
    until(lambda: standing(cluster))
    magxr.run(sea, out, engine="blocks", scheduler=cluster.scheduler_address, resume=True, **SMALL)


def test_no_worker_is_left(sea, tmp_path, bare):
    import dask
    from distributed import LocalCluster
    from distributed.diagnostics.plugin import SchedulerPlugin

    class Leaving(SchedulerPlugin):
        def transition(self, key, start, finish, *_, **__):
            if finish == "processing" and re.fullmatch(r"magxr-block-.*-2", str(key)):
                cluster.scale(0)

    rules = {"distributed.scheduler.no-workers-timeout": "100ms"}
    with (
        dask.config.set(rules),
        LocalCluster(n_workers=1, threads_per_worker=1, **LOCAL) as cluster,
    ):
        cluster.scheduler.add_plugin(Leaving())
        where = cluster.scheduler_address
        with pytest.raises(ChunkError, match=r"no worker is left.*more memory"):
            magxr.run(sea, tmp_path / "out.zarr", engine="blocks", scheduler=where, **SMALL)


def test_no_worker_ever_comes(sea, tmp_path):
    from distributed import LocalCluster

    with LocalCluster(n_workers=0, **LOCAL) as empty:
        asked = {"kind": "address", "address": empty.scheduler_address, "wait": 0.3}
        with pytest.raises(ClusterError, match=r"0 of 1 workers came within 0\.3 s; start workers"):
            magxr.run(sea, tmp_path / "out.zarr", engine="blocks", cluster=asked, **SMALL)
    assert list(tmp_path.iterdir()) == []


def test_a_block_is_read_while_a_straggler_writes_it_again(tmp_path):
    """A worker of a cluster goes on with its block when its run is killed, and while it is resumed."""
    store = tmp_path / "maps.zarr"
    values = {"anomaly": np.random.default_rng(1).normal(size=(30, 50)).astype("f4")}
    dims, where = {"anomaly": ("lat", "lon")}, (slice(60, 90), slice(100, 150))  # a corner: half a shard
    lay_out(
        xr.Dataset({"anomaly": (("lat", "lon"), da.zeros((90, 150), dtype="f4"))}),
        store,
        {"lat": 60, "lon": 100},
    )
    write_block(store, values, dims, where, (1, 1))
    stop = threading.Event()

    def straggler():
        while not stop.is_set():
            write_block(store, values, dims, where, (1, 1))

    thread = threading.Thread(target=straggler)
    thread.start()
    try:
        seen = [checksum(read_region(store, values, where)) for _ in range(200)]
    finally:
        stop.set()
        thread.join()
    assert set(seen) == {checksum(values)}


# ---- killed runs


def test_runs_killed_at_random_moments(nursery, whole, tmp_path):
    began = time.monotonic()
    nursery.finish(tmp_path / "timed.zarr")
    lasts = time.monotonic() - began
    luck, kills, stores = random.Random(7), [], 0
    while len(kills) < 20:
        stores += 1
        out = tmp_path / f"{stores}.zarr"
        for _ in range(5):
            pid = nursery.start(out)
            time.sleep(luck.uniform(0.05, 0.9) * lasts)
            os.kill(pid, signal.SIGKILL)  # not waited for, so it is there even if it has ended
            if nursery.wait(pid) == 0:
                break
            kills.append(Path(f"{report_of(out)}.at").read_text() if of_output(out).there() else "begin")
        else:
            nursery.finish(out)
        assert_equal(out, whole)
        assert sorted(p.name for p in tmp_path.glob(f"*{stores}.*")) == [f"{stores}.html", f"{stores}.zarr"]
    assert stores >= 3
    assert len(set(kills) - {"begin"}) >= 4, kills


def test_runs_killed_between_any_two_moves_of_their_end(nursery, whole, tmp_path):
    out = tmp_path / "out.zarr"
    shutil.copytree(whole / "maps", out)  # an older one, to be replaced
    folder = of_output(out).folder
    states = []
    for attempt in range(1, 30):
        finished = (folder / "finished.json").exists()
        pid = nursery.start(out, deadly=1 if finished else attempt, overwrite=True)
        assert nursery.wait(pid) == -signal.SIGKILL
        if not folder.exists():
            break
        ready = sorted(p.name for p in folder.glob("ready/*"))
        states.append((finished, (folder / "out.zarr").exists(), out.exists(), *ready))
    assert len(set(states)) >= 6, states
    assert (True, True, False, "replaced") in states  # no store at all under the output's name
    assert_equal(out, whole)
    seen = sorted(p.name for p in tmp_path.iterdir())
    assert [name for name in seen if not name.startswith(".")] == ["out.html", "out.zarr"]


def test_what_appeared_meanwhile_is_not_replaced(nursery, whole, tmp_path):
    out = tmp_path / "out.zarr"
    pid = nursery.start(out, deadly=2)
    assert nursery.wait(pid) == -signal.SIGKILL
    assert of_output(out).finished() is not None
    out.mkdir()
    out.joinpath("thesis.txt").write_text("all of it")
    pid = nursery.start(out)
    assert nursery.wait(pid) == 1
    name, message = json.loads(report_of(out).read_text())["error"]
    assert name == "StoreError"
    assert "out.zarr' appeared while the run was at work; move it away" in message
    assert [p.name for p in out.iterdir()] == ["thesis.txt"]
    out.rename(tmp_path / "moved")
    assert nursery.finish(out) == []
    assert_equal(out, whole)


def test_a_store_that_was_lost_is_made_anew_with_its_byproducts(nursery, whole, tmp_path):
    out = tmp_path / "out.zarr"
    assert nursery.wait(nursery.start(out, deadly=1)) == -signal.SIGKILL
    shutil.rmtree(of_output(out).folder / "maps.zarr")
    half = of_output(out).folder / "out.zarr" / "linear" / "c" / "0" / "0.0123.partial"
    half.write_bytes(b"of a writer that was killed")
    made = nursery.finish(out)
    assert 0 < sum(made) < BLOCKS
    assert_equal(out, whole)


SCRIPT = """
import signal, sys
from magxr.cli import main
signal.signal(signal.SIGINT, signal.default_int_handler)  # under nohup it would be ignored
sys.exit(main())
"""
COMMAND = [sys.executable, "-c", SCRIPT, "run"]


def command(sea, out, *more):
    given = [w for name, value in SMALL.items() for w in (f"--{name.replace('_', '-')}", str(value))]
    return [sea, "--out", str(out), *given, "--engine", "blocks", *more]


def test_workers_do_not_outlive_a_killed_run(sea, nursery, whole, tmp_path):
    out = tmp_path / "out.zarr"
    driver = subprocess.Popen([*COMMAND, *command(sea, out, "--scheduler", "processes")])
    try:
        until(lambda: len(entries(out)) >= 3 or driver.poll() is not None)
        started = psutil.Process(driver.pid).children(recursive=True)
        assert len(started) >= 2
    finally:
        driver.kill()
        driver.wait()
    until(lambda: not [p for p in started if p.is_running() and p.status() != psutil.STATUS_ZOMBIE])
    before = len(entries(out))
    assert sum(not made for made in nursery.finish(out)) == before
    assert_equal(out, whole)


# ---- a full disk


def test_a_disk_that_is_full_again_and_again(sea, whole, tmp_path):
    if shutil.which("unshare") is None or subprocess.run(["unshare", "-rm", "true"], check=False).returncode:
        pytest.skip("a small disk needs `unshare -rm`, which is not allowed here")
    disk = tmp_path / "disk"
    disk.mkdir()
    nursery = Nursery(sea, "unshare", "-rm")
    try:
        nursery.load(tmp_path / "load.zarr")
        out, refused, signed = disk / "small.zarr", 0, []
        for kilobytes in range(200, 20_000, 400):
            assert nursery.ask("mount", path=str(disk), size=f"{kilobytes}k") == 0
            status = nursery.wait(nursery.start(out, scheduler="threads"))
            report = json.loads(report_of(out).read_text())
            signed.append(sum(not made for made in report["made"]))
            if status == 0:
                break
            name, message = report["error"]
            assert name == "StoreError", message
            assert re.search("make room (on its disk|and run the same again with .*--resume)", message)
            refused += 1
        found = tmp_path / "copied.zarr"
        left = nursery.ask("copy", source=str(out), target=str(found))
    finally:
        nursery.close()
    assert refused >= 3
    assert max(signed) > 4  # what was signed on a full disk was sound
    assert left == ["small.html", "small.zarr"]
    assert_equal(found, whole)


# ---- others


def test_a_second_run_is_refused_and_does_not_disturb_the_first(sea, nursery, whole, tmp_path, bare):
    out = tmp_path / "out.zarr"
    first = nursery.start(out)
    until(lambda: len(entries(out)) >= 2)
    os.kill(first, signal.SIGSTOP)
    try:
        for resume in (False, True):
            with pytest.raises(StoreError, match=f"a run is at work in .*process {first} on .*wait for it"):
                magxr.run(sea, out, engine="blocks", resume=resume, **SMALL)
        second = nursery.start(out)
        assert nursery.wait(second) == 1
    finally:
        os.kill(first, signal.SIGCONT)
    assert nursery.wait(first) == 0
    assert_equal(out, whole)


def test_runs_that_begin_together(nursery, whole, tmp_path):
    out = tmp_path / "out.zarr"
    statuses = sorted(nursery.wait(pid) for pid in [nursery.start(out) for _ in range(3)])
    assert statuses[0] == 0
    assert_equal(out, whole)
    assert not of_output(out).folder.exists()


# ---- signals


@pytest.mark.parametrize(
    ("number", "status", "scheduler"),
    [(signal.SIGINT, 130, "threads"), (signal.SIGINT, 130, "processes"), (signal.SIGTERM, 143, "processes")],
)
def test_signals_say_how_to_go_on(sea, whole, tmp_path, bare, capsys, number, status, scheduler):
    out = tmp_path / "out.zarr"
    asked = command(sea, out, "--scheduler", scheduler)
    run = subprocess.Popen([*COMMAND, *asked], start_new_session=True, stderr=subprocess.PIPE, text=True)
    try:
        until(lambda: len(entries(out)) >= 3 or run.poll() is not None)
        workers = psutil.Process(run.pid).children(recursive=True)
        for worker in workers:
            worker.send_signal(number)
        time.sleep(0.3)
        assert all(worker.is_running() for worker in workers)  # they leave it to the run
        os.killpg(run.pid, number)  # as a terminal and a batch system do
        said = run.communicate(timeout=PATIENCE)[1]
    finally:
        run.kill()
    assert run.returncode == status, said
    last = said.splitlines()[-1]
    assert last.startswith("magxr: stopped; what is done is kept in "), said
    assert f"{of_output(out).folder}: go on with" in last
    assert "--resume" in last
    assert not out.exists()
    assert main(["run", *asked[:-2], "--resume"]) == 0
    assert "store   " in capsys.readouterr().out
    assert_equal(out, whole)


def test_an_interrupt_that_python_drops_is_not_lost(sea, tmp_path, bare, capsys, monkeypatch):
    """What is raised while garbage is collected goes no further."""
    real = blocks.make_block

    class Last:
        def __del__(self):
            os.kill(os.getpid(), signal.SIGTERM)

    def make(*arguments):
        found = real(*arguments)
        if len(entries(out)) == 3:
            Last()
        return found

    monkeypatch.setattr(blocks, "make_block", make)
    monkeypatch.setattr(sys, "unraisablehook", lambda what: dropped.append(what.exc_type))
    dropped = []
    out = tmp_path / "out.zarr"
    assert main(["run", *command(sea, out, "--scheduler", "sync")]) == 143
    assert dropped == [KeyboardInterrupt]
    assert len(entries(out)) == 3
    assert "magxr: stopped; what is done is kept in" in capsys.readouterr().err


def test_what_follows_a_run_that_was_stopped_is_not_stopped():
    with contextlib.suppress(KeyboardInterrupt), listening() as asked:
        os.kill(os.getpid(), signal.SIGTERM)
        time.sleep(PATIENCE)
    assert asked == []
    interrupt.check()

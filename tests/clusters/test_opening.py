"""A cluster starts, is what a run needs, and leaves nothing, however it ends."""

import os
import subprocess
import sys
import time

import psutil
import pytest

from magxr.clusters import cuda, driver, local, matching, waiting
from magxr.clusters.opening import opened
from magxr.clusters.reading import described
from magxr.errors import ClusterError, MagxrError, MissingExtraError, ParameterError, StoreError
from magxr.models import spec as specs
from magxr.models.engine import threads

distributed = pytest.importorskip("distributed", reason="needs magxr[distributed]")

ONE = {"kind": "local", "workers": 1, "cores": 1}


def children():
    return {p.pid for p in psutil.Process().children(recursive=True)}


def gone(before):
    """Wait until no process is left that was not there before."""
    end = time.monotonic() + 60
    while left := [p for p in children() - before if psutil.pid_exists(p) and _runs(p)]:
        assert time.monotonic() < end, left
        time.sleep(0.05)
    return True


def _runs(pid):
    try:
        command = psutil.Process(pid).cmdline()
    except psutil.Error:
        return False
    return "resource_tracker" not in " ".join(command) and bool(command)


@pytest.mark.parametrize("how", [None, ValueError, KeyboardInterrupt])
def test_nothing_is_left(how):
    before = children()
    try:
        with opened(described(ONE)) as client:
            assert client.submit(sum, [1, 2]).result() == 3
            assert len(children() - before) >= 1
            if how:
                raise how
    except BaseException as error:
        if how is None or not isinstance(error, how):
            raise
    assert gone(before)


def test_what_is_started_listens_here_only():
    before = children()
    with opened(described(ONE | {"tls": True})) as client:
        assert client.scheduler.address.startswith("tls://127.0.0.1:")
        found = [psutil.Process(), *(psutil.Process(p) for p in children() - before)]
        heard = {
            c.laddr.ip for p in found for c in p.net_connections("tcp") if c.status == psutil.CONN_LISTEN
        }
    assert heard == {"127.0.0.1"}


FRESH = """
import sys
import dask
from magxr.clusters.opening import opened
from magxr.clusters.reading import described

if __name__ == "__main__":
    assert "distributed" not in sys.modules
    for _ in range(2):
        with opened(described({"kind": "local", "workers": 1, "cores": 1})):
            pass
    print(dask.config.get("distributed.scheduler.allowed-failures"))
"""


def test_settings_are_as_they_were(tmp_path):
    """Also where nothing had loaded distributed before, whose settings come with it."""
    path = tmp_path / "script.py"
    path.write_text(FRESH)
    run = subprocess.run(
        [sys.executable, str(path)], capture_output=True, text=True, check=False, timeout=120
    )
    assert run.returncode == 0, run.stderr
    assert run.stdout.split() == ["3"]


def loaded():
    from magxr.models import worker

    return len(worker.loads), os.getpid()


def test_the_model_is_there_before_the_first_block():
    with opened(described(ONE), spec=specs.load("default")) as client:
        first = client.submit(loaded, pure=False).result()
        assert first[0] == 1
        assert client.submit(loaded, pure=False).result() == first


def test_threads_of_the_network_are_those_of_the_worker(monkeypatch):
    monkeypatch.delenv("MAGXR_THREADS", raising=False)
    assert threads(3) == 3
    monkeypatch.setenv("MAGXR_THREADS", "2")
    assert threads(3) == 2


def own_threads():
    import tensorflow as tf

    return tf.config.threading.get_intra_op_parallelism_threads()


@pytest.mark.network_model
def test_a_worker_starts_the_network_on_its_own_threads(monkeypatch):
    """Before any task, of which alone the network could learn how many it may use."""
    monkeypatch.delenv("MAGXR_THREADS", raising=False)
    with opened(described(ONE), spec=specs.load("transfer")) as client:
        assert list(client.run(own_threads).values()) == [1]


def test_more_threads_than_cores_are_refused():
    with pytest.raises(ParameterError, match=r"workers of 64 cores need .*, this process may use"):
        local.start(described("local", workers=2, cores=64))


def test_other_versions_are_refused(monkeypatch):
    real = matching.versions()
    monkeypatch.setattr(matching, "versions", lambda: real | {"zarr": "1.2.3"})
    with pytest.raises(ClusterError) as found, opened(described(ONE)):
        pass
    assert str(found.value).startswith("workers have other versions: zarr ")
    assert "(here 1.2.3)" in str(found.value)


def test_a_package_that_workers_lack_is_named(monkeypatch):
    monkeypatch.setattr(matching, "PACKAGES", ("numpy", "magxr-of-tomorrow"))
    monkeypatch.setattr(
        matching, "versions", lambda: {"numpy": None, "magxr-of-tomorrow": "9", "python": "3.99"}
    )
    with pytest.raises(ClusterError) as found, opened(described(ONE)):
        pass
    assert "magxr-of-tomorrow not installed on tcp://" in str(found.value)
    assert "(here 9)" in str(found.value)
    assert "(here None)" in str(found.value)
    assert "(here 3.99)" in str(found.value)


def test_a_worker_that_comes_later_is_asked_too(monkeypatch):
    """One that is not alike never begins to work."""
    from magxr.clusters.ready import ready

    with opened(described(ONE)) as client:
        plugin = ready()
        plugin.versions = plugin.versions | {"dask": "1999.1"}
        with pytest.raises(ClusterError, match=r"has other versions: dask .*asked for 1999.1"):
            client.register_plugin(plugin)


def test_workers_see_the_folder(tmp_path):
    with opened(described(ONE)) as client:
        matching.check_sees(client, tmp_path, [tmp_path])
        assert list(tmp_path.iterdir()) == []
        with pytest.raises(ClusterError, match=r"the input .*not-there.* is not seen by the worker tcp://"):
            matching.check_sees(client, tmp_path, [tmp_path / "not-there"])
        with pytest.raises(StoreError, match="nothing can be written to"):
            matching.check_sees(client, tmp_path / "missing")


def test_workers_of_another_file_system_are_refused(tmp_path):
    """A worker under another mount of the output's folder does not find what is written there."""
    apart = ["unshare", "-rm"]
    if subprocess.run([*apart, "true"], check=False, capture_output=True).returncode:
        pytest.skip("another mount needs `unshare -rm`, which is not allowed here")
    shared = tmp_path / "shared"
    shared.mkdir()
    options = {"n_workers": 0, "host": "127.0.0.1", "dashboard_address": None}
    options["scheduler_kwargs"] = {"dashboard_address": "127.0.0.1:0"}
    with distributed.LocalCluster(**options) as cluster:
        worker = f"{sys.executable} -m distributed.cli.dask_worker {cluster.scheduler_address} --no-nanny"
        command = f"mount -t tmpfs tmpfs {shared} && exec {worker} --no-dashboard --nthreads 1"
        process = subprocess.Popen([*apart, "sh", "-c", command], stderr=subprocess.DEVNULL)
        try:
            with (
                opened(described(cluster.scheduler_address)) as client,
                pytest.raises(
                    ClusterError, match=r"folder of the output .* is not seen by the worker tcp://"
                ),
            ):
                matching.check_sees(client, shared)
        finally:
            process.terminate()
            process.wait()


def test_nobody_answers():
    with pytest.raises(StoreError) as found, opened(described("tcp://127.0.0.1:9")):
        pass
    assert "no Dask scheduler answers at tcp://127.0.0.1:9 within 10 s; start one" in str(found.value)


class Slow:
    """A client of a cluster to which workers come one by one."""

    def __init__(self, *counts):
        self.counts = list(counts)

    def scheduler_info(self, n_workers):
        count = self.counts.pop(0) if len(self.counts) > 1 else self.counts[0]
        return {"workers": dict.fromkeys(range(count))}


class Terminal:
    def __init__(self):
        self.text = ""

    def isatty(self):
        return True

    def write(self, text):
        self.text += text

    def flush(self):
        pass


def test_a_line_says_what_is_waited_for(monkeypatch):
    clock = iter(range(100))
    monkeypatch.setattr(waiting.time, "monotonic", lambda: float(next(clock)))
    monkeypatch.setattr(waiting.time, "sleep", lambda seconds: None)
    stream = Terminal()
    assert waiting.wait_for(Slow(0, 1, 1, 2), 2, 60, says=lambda: "job 7 PENDING", stream=stream) == 2
    assert "0/2 workers" in stream.text
    assert "1/2 workers  3 s  job 7 PENDING" in stream.text
    assert stream.text.endswith("\r\x1b[2K")


def test_a_time_out_says_what_the_queue_says():
    with pytest.raises(ClusterError, match=r"0 of 1 workers came within 0.2 s; job 7 PENDING \(Priority\)"):
        waiting.wait_for(Slow(0), 1, 0.2, says=lambda: "job 7 PENDING (Priority)")


# ---- GPUs


def test_no_gpu_says_what_was_looked_for(monkeypatch):
    monkeypatch.setattr(driver.shutil, "which", lambda name: None)
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    with pytest.raises(ClusterError) as found:
        cuda.devices()
    for word in ("nvidia-smi", "/dev/nvidia0", "CUDA_VISIBLE_DEVICES", "--cluster local"):
        assert word in str(found.value)


def test_dask_cuda_is_named_where_it_is_missing(monkeypatch):
    monkeypatch.setitem(sys.modules, "dask_cuda", None)
    with pytest.raises(MissingExtraError, match=r"'dask-cuda'.*pip install 'magxr\[cuda\]'"):
        cuda.cluster_class()


SCRIPT = """
import sys
from distributed import LocalCluster
from magxr.clusters import cuda
from magxr.clusters.opening import opened
from magxr.clusters.reading import described

def stand_in(CUDA_VISIBLE_DEVICES, n_workers, threads_per_worker, rmm_pool_size, **options):
    "What dask_cuda.LocalCUDACluster is asked for, on processors."
    assert CUDA_VISIBLE_DEVICES == "0,1" and n_workers == 2
    assert threads_per_worker == 1 and rmm_pool_size is None
    assert "tensorflow" not in sys.modules and "keras" not in sys.modules
    return LocalCluster(n_workers=n_workers, threads_per_worker=threads_per_worker, processes=True, **options)

def threads(dask_worker=None):
    import os
    return dask_worker.state.nthreads, os.getpid()

if __name__ == "__main__":
    cuda.devices = lambda: ["0", "1", "2"]
    cuda.cluster_class = lambda: stand_in
    with opened(described("cuda", workers=2)) as client:
        found = list(client.run(threads).values())
        assert [n for n, _ in found] == [1, 1] and len({pid for _, pid in found}) == 2, found
        assert "tensorflow" not in sys.modules
    print("one process and one thread each")
"""


def test_the_way_to_gpus_without_one(tmp_path):
    """The calls to devices are replaced at two functions; all else is what runs on GPUs."""
    path = tmp_path / "script.py"
    path.write_text(SCRIPT)
    run = subprocess.run(
        [sys.executable, str(path)], capture_output=True, text=True, check=False, timeout=120
    )
    assert run.returncode == 0, run.stderr
    assert run.stdout.strip() == "one process and one thread each"


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"workers": 4}, r"workers=4, but this machine has 2 GPUs \(0, 1\)"),
        ({"workers": (1, 2)}, "GPUs of one machine are all there from the start"),
        ({"cores": 4}, "a worker of a GPU has one thread"),
    ],
)
def test_gpus_that_are_not_there(monkeypatch, changes, says):
    monkeypatch.setattr(cuda, "devices", lambda: ["0", "1"])
    with pytest.raises(MagxrError, match=says):
        cuda.start(described("cuda", **changes))

"""Runs from an object store to an object store: the same bits, killed and resumed, throttled, held by one."""

import json
import os
import subprocess
import sys
import threading
import time

import numpy as np
import pytest

import magxr
from magxr.cli import main
from magxr.errors import StoreError
from magxr.io import moving, places, store
from magxr.runs import beat, blocks
from magxr.runs.lock import LOCK, locked
from magxr.synthetic.seafloor import demo_region
from tests.s3server import SECRET, TOKEN, Proxy, forget_clients

SMALL = {"stride": 10, "steps": 1, "chunk": 260}
PATIENCE = 300

SCRIPT = """
import json, logging, sys
region, out, changes, pictures = json.loads(sys.argv[1])
from magxr.runs import beat, finish, pipeline
beat.SECONDS = 0.2
def present(_, folder):
    (folder / "out.html").write_text("no pictures")
    return "out.html", [], "none"
if not pictures:
    finish.present = pipeline.present = present
if __name__ == "__main__":  # workers import this file too
    logging.basicConfig(level=logging.INFO)
    import magxr
    magxr.run(region, out, **changes)
"""


@pytest.fixture(scope="module")
def sea():
    """A map with gaps, larger than a window; two blocks."""
    return demo_region((260, 320), chunks=(130, 160))[["anomaly"]].load()


@pytest.fixture(scope="module")
def whole(sea, tmp_path_factory):
    """What a run on this machine leaves."""
    folder = tmp_path_factory.mktemp("whole")
    with pytest.MonkeyPatch.context() as patch:
        _bare(patch)
        store.write(sea, folder / "sea.zarr")
        return magxr.run(folder / "sea.zarr", folder / "out.zarr", **SMALL).store


@pytest.fixture
def bare(monkeypatch):
    """Leave the pictures out, and let a lock beat fast."""
    _bare(monkeypatch)
    monkeypatch.setattr(beat, "SECONDS", 0.2)


def _bare(patch):
    def present(_, folder):
        (folder / "out.html").write_text("no pictures")
        return "out.html", [], "none"

    for module in ("magxr.runs.finish", "magxr.runs.pipeline"):
        patch.setattr(f"{module}.present", present)


@pytest.fixture
def there(s3, sea):
    """The map in a bucket."""
    store.write(sea, f"{s3}/sea.zarr")
    return f"{s3}/sea.zarr"


def assert_equal(url, whole):
    for group in ("", "/maps"):
        a, b = store.open(f"{url}{group}", chunks=None), store.open(f"{whole}{group}", chunks=None)
        assert set(a.variables) == set(b.variables)
        assert a.attrs == b.attrs
        for name in a.variables:
            np.testing.assert_array_equal(a[name].values, b[name].values, err_msg=str(name))
            assert str(a[name].attrs) == str(b[name].attrs)


def objects(url):
    """Return the names of all objects under a URL."""
    root = places.place(url)
    return sorted(places.files(root).find(places.key(root).rstrip("/")))


def tops(s3):
    return sorted({name.split("/")[1] for name in objects(s3)})


def entries(out):
    return [name for name in objects(f"{out}.unfinished") if "/ledger/" in name]


def start(tmp_path, region, out, pictures=False, **changes):
    """Start a run in a process of its own."""
    script = tmp_path / "script.py"
    script.write_text(SCRIPT)
    asked = json.dumps([region, out, SMALL | {"engine": "blocks"} | changes, pictures])
    return subprocess.Popen([sys.executable, script, asked], stderr=subprocess.PIPE, text=True)


def until(ready):
    end = time.monotonic() + PATIENCE
    while not ready():
        assert time.monotonic() < end
        time.sleep(0.02)


@pytest.mark.slow
def test_by_blocks(s3, there, whole, bare, caplog):
    with caplog.at_level("INFO"):
        result = magxr.run(there, f"{s3}/out.zarr", engine="blocks", **SMALL)
    assert str(result.store) == f"{s3}/out.zarr"
    assert result.report.read_text() == "no pictures"
    assert_equal(f"{s3}/out.zarr", whole)
    assert tops(s3) == ["out.html", "out.zarr", "sea.zarr"]
    assert SECRET not in caplog.text
    with pytest.raises(StoreError, match=r"s3://.*out\.zarr' is already there; choose another name"):
        magxr.run(there, f"{s3}/out.zarr", engine="blocks", **SMALL)


@pytest.mark.slow
def test_by_a_graph_that_replaces_an_older_store(s3, sea, there, whole, bare):
    store.write(sea, f"{s3}/out.zarr")
    magxr.run(there, f"{s3}/out.zarr", overwrite=True, **SMALL)
    assert_equal(f"{s3}/out.zarr", whole)
    assert tops(s3) == ["out.html", "out.zarr", "sea.zarr"]


@pytest.mark.slow
def test_a_run_that_fails_leaves_nothing(s3, there, bare, monkeypatch):
    def fail(*_):
        msg = "enough"
        raise RuntimeError(msg)

    monkeypatch.setattr("magxr.runs.pipeline.present", fail)
    with pytest.raises(RuntimeError, match="enough"):
        magxr.run(there, f"{s3}/out.zarr", **SMALL)
    assert tops(s3) == ["sea.zarr"]


@pytest.mark.slow
def test_killed_in_the_middle_and_resumed(s3, there, whole, bare, tmp_path, monkeypatch):
    out = f"{s3}/out.zarr"
    driver = start(tmp_path, there, out)
    try:
        until(lambda: len(entries(out)) >= 6 or driver.poll() is not None)
    finally:
        driver.kill()
        driver.communicate()
    before = len(entries(out))
    assert before >= 6
    assert not places.place(out).exists()
    assert places.place(f"{out}.unfinished/{LOCK}").exists()  # of a holder that is dead
    with pytest.raises(StoreError, match=r"holds an unfinished run; finish it with resume=True"):
        magxr.run(there, out, engine="blocks", **SMALL)
    made, real = [], blocks.make_block
    monkeypatch.setattr(blocks, "make_block", lambda *a: made.append(real(*a)) or made[-1])
    magxr.run(there, out, engine="blocks", resume=True, **SMALL)
    assert sum(not entry["made"] for entry in made) == before
    assert_equal(out, whole)
    assert tops(s3) == ["out.html", "out.zarr", "sea.zarr"]


@pytest.mark.slow
def test_throttled_in_processes_and_no_secret_told(s3, s3_server, there, whole, tmp_path, monkeypatch):
    proxy = Proxy(s3_server, share=0.02)
    monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{proxy.server.server_port}")
    try:
        run = start(tmp_path, there, f"{s3}/out.zarr", pictures=True, scheduler="processes")
        said = run.communicate(timeout=2 * PATIENCE)[1]
    finally:
        run.kill()
        proxy.close()
    assert run.returncode == 0, said
    assert proxy.refused >= 10
    assert_equal(f"{s3}/out.zarr", whole)
    assert tops(s3) == [
        "out-cleaning.png",
        "out-linear.png",
        "out-strike.png",
        "out.html",
        "out.zarr",
        "sea.zarr",
    ]
    root = places.place(s3)
    left = {name: places.files(root).cat_file(name) for name in objects(s3)}
    assert b"<html" in next(content for name, content in left.items() if name.endswith("html"))
    for secret in (SECRET, TOKEN):
        assert secret not in said
        assert not [name for name, content in left.items() if secret.encode() in content]


def test_what_an_unfinished_run_tells_holds_no_secret(s3, there, bare, monkeypatch):
    def fail(*_):
        msg = "enough"
        raise RuntimeError(msg)

    monkeypatch.setattr(blocks, "make_block", fail)
    with pytest.raises(RuntimeError, match="enough") as caught:
        magxr.run(there, f"{s3}/out.zarr", engine="blocks", scheduler="sync", **SMALL)
    assert f"what is done is kept in {s3}/out.zarr.unfinished" in str(caught.value.__notes__)
    told = [places.files(places.place(s3)).cat_file(name) for name in objects(f"{s3}/out.zarr.unfinished")]
    assert any(b"parameter stride" in content for content in told)
    for secret in (SECRET, TOKEN):
        assert not [content for content in told if secret.encode() in content]


@pytest.mark.slow
def test_killed_between_any_two_moves_of_its_end(s3, sea, there, whole, bare, monkeypatch):
    """A process that is killed changes nothing any more: so do these calls, from some change on."""
    real, asked = blocks.finish, []

    class Killed(BaseException):
        pass

    def stop(plan, spec, ledger, seconds):
        asked.extend([plan, spec, ledger, seconds])
        raise Killed

    monkeypatch.setattr(blocks, "finish", stop)
    with pytest.raises(Killed):
        magxr.run(there, f"{s3}/out.zarr", engine="blocks", **SMALL)
    plan, spec, ledger, seconds = asked
    system, target = places.files(plan.folder), plan.config.out

    places.put(target / "thesis.txt", b"all of it")
    with pytest.raises(StoreError, match=r"out\.zarr' appeared while the run was at work; move it away"):
        real(plan, spec, ledger, seconds)
    assert [name.split("/")[-1] for name in objects(str(target))] == ["thesis.txt"]
    (target / "thesis.txt").unlink()

    seen = []
    for after in range(1, 40):
        with monkeypatch.context() as patch:
            left = [after]

            def counted(one, left=left):
                def changed(*arguments, **keywords):
                    left[0] -= 1
                    if left[0] < 0:
                        raise Killed
                    return one(*arguments, **keywords)

                return changed

            for name in ("copy", "rm", "rm_file", "pipe_file", "put_file"):
                patch.setattr(system, name, counted(getattr(system, name)))
            try:
                real(plan, spec, ledger, seconds)
            except Killed:
                seen.append((moving.complete(plan.store("out")), moving.complete(target)))
            else:
                break
    assert len(seen) >= 4
    assert (True, False) in seen
    assert all(any(state) for state in seen)  # one of them is whole, always
    assert_equal(target, whole)
    assert tops(s3) == ["out.html", "out.zarr", "sea.zarr"]


# ---- what is refused before any work


def test_buckets_that_are_not_there(s3, there, tmp_path, capsys):
    none = f"{s3[5:]}-none"
    with pytest.raises(StoreError, match=f"there is no bucket '{none}'"):
        magxr.run(there, f"s3://{none}/out.zarr", engine="blocks", **SMALL)
    assert main(["run", f"s3://{none}/sea.zarr", "--out", str(tmp_path / "out.zarr")]) == 1
    assert f"magxr: s3://{none}/sea.zarr: there is no bucket '{none}'" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


def test_a_wrong_key(s3, s3_server, there, monkeypatch, capsys):
    proxy = Proxy(s3_server, share=0)
    monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{proxy.server.server_port}")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIAOTHER")
    forget_clients()
    try:
        for engine in (["--engine", "blocks", "--resume"], []):
            assert main(["-v", "run", there, "--out", f"{s3}/out.zarr", *engine]) == 1
            said = capsys.readouterr().err
            assert "out.zarr" in said
            assert "the key is wrong or may not do this" in said
            assert SECRET not in said
    finally:
        proxy.close()


# ---- one at a time


def test_a_second_run_is_refused(s3, there, bare, monkeypatch):
    folder = places.place(f"{s3}/out.zarr.unfinished")
    with locked(folder):
        who = f"process {os.getpid()} on"
        with pytest.raises(StoreError, match=f"a run is at work in .*unfinished.*{who}.*wait for it"):
            magxr.run(there, f"{s3}/out.zarr", engine="blocks", resume=True, **SMALL)
    assert objects(folder) == []


def test_a_dead_holder_gives_way_to_one_of_many(s3, bare):
    folder = places.place(f"{s3}/out.zarr.unfinished")
    places.put(folder / LOCK, json.dumps({"token": "dead", "who": "process 1", "every": 0.1}).encode())
    barrier, inside, refused, most = threading.Barrier(3), [], [], []

    def run():
        barrier.wait()
        try:
            with locked(folder):
                inside.append(1)
                most.append(len(inside))
                done.wait()
                inside.pop()
        except StoreError as error:
            refused.append(str(error))

    done = threading.Event()
    threads = [threading.Thread(target=run) for _ in range(3)]
    for thread in threads:
        thread.start()
    until(lambda: len(refused) == 2)
    done.set()
    for thread in threads:
        thread.join()
    assert most == [1]
    assert all("a run is at work" in text for text in refused)
    assert objects(folder) == []


def test_a_holder_that_slept_and_lost_stops(s3, there, bare, monkeypatch):
    """As a machine that is suspended and wakes when another has taken its run over."""
    folder, real = places.place(f"{s3}/out.zarr.unfinished"), blocks.make_block
    lost = threading.Event()

    def refuse(self, real=beat._Mine.check):
        if self.lost:
            lost.set()
        real(self)

    def make(*arguments):
        if not lost.is_set():
            other = json.dumps({"token": "another", "who": "process 7 on moon", "every": 0.2}).encode()
            # again and again: a beat that has read its own name may write it once more
            until(lambda: (places.put(folder / LOCK, other), mine[0].lost)[1])
        return real(*arguments)

    mine, begin = [], beat._Mine.take
    monkeypatch.setattr(beat._Mine, "take", lambda self: (mine.insert(0, self), begin(self))[1])
    monkeypatch.setattr(beat._Mine, "check", refuse)
    monkeypatch.setattr(blocks, "make_block", make)
    with pytest.raises(StoreError, match="was taken over by process 7 on moon"):
        magxr.run(there, f"{s3}/out.zarr", engine="blocks", scheduler="sync", **SMALL)
    assert json.loads((folder / LOCK).read_bytes())["token"] == "another"

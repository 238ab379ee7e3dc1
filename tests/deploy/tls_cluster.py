"""A scheduler and workers as somebody would start them from a shell, with the certificates of deploy/tls."""

import json
import os
import subprocess
import sys
import time
from contextlib import contextmanager
from pathlib import Path

import yaml

ROOT = Path(__file__).parents[2]
SCRIPT = ROOT / "deploy" / "tls" / "make_certificates.sh"
PATIENCE = 120


def certificates(folder, *days):
    made = ["sh", str(SCRIPT), str(folder), *days]
    return subprocess.run(made, capture_output=True, text=True, check=False)


def settings(folder):
    """What dask.yaml in a folder of certificates says, for `dask.config.set`, which replaces whole tables."""

    def flat(table, before):
        for key, value in table.items():
            if isinstance(value, dict):
                yield from flat(value, f"{before}{key}.")
            else:
                yield f"{before}{key}", value

    return dict(flat(yaml.safe_load((folder / "dask.yaml").read_text()), ""))


def environment(folder=None):
    """The environment of a command: with the certificates in a folder, or with none."""
    bare = {k: v for k, v in os.environ.items() if not k.startswith("DASK_")}
    bare["PYTHONPATH"] = str(ROOT)
    return bare | ({} if folder is None else {"DASK_CONFIG": str(folder / "dask.yaml")})


@contextmanager
def cluster(folder, work, scheme="tls", workers=2):
    """Yield the address of a scheduler with workers, all on this machine only, and their processes."""
    told, env = work / "scheduler.json", environment(folder)
    here = ["--host", "127.0.0.1", "--dashboard-address", "127.0.0.1:0"]
    head = ["scheduler", "--port", "0", "--protocol", scheme, "--scheduler-file", str(told), *here]
    member = ["worker", "--scheduler-file", str(told), "--nthreads", "1", *here]
    begun = []
    try:
        for number, command in enumerate([head, *[member] * workers]):
            with (work / f"{number}.log").open("w") as log:
                command = [sys.executable, "-m", "dask", *command]
                begun.append(subprocess.Popen(command, env=env, stdout=log, stderr=log, cwd=work))
            if number == 0:
                until(lambda: told.exists() and told.read_text().endswith("}"))
                address = json.loads(told.read_text())["address"]
        logs = [work / f"{number}.log" for number in range(1, workers + 1)]
        until(lambda: all("Registered to" in log.read_text() for log in logs))
        yield address, [process.pid for process in begun]
    finally:
        for process in reversed(begun):
            process.terminate()
        for process in begun:
            try:
                process.wait(30)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def until(happens, patience=PATIENCE):
    end = time.monotonic() + patience
    while not happens():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.05)

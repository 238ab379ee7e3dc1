"""Clusters: how a run grows with workers, what a scheduler holds, and how soon the first block is there.

`scaling`: one map by the dense form, by blocks, with one worker process and with two of one thread each, in
turns: wall seconds of the stage that asks the network, and of all stages together. Workers have loaded the
network library before; each reads the weights of the network, which is in the figure.

`scheduler`: so many tasks that do nothing, handed out as the blocks of a run are: peak memory of the process
that is scheduler and client at once, tasks a second.

`first`: seconds from the command `magxr run` to the first block signed in the ledger, by where it computes.
With `slurm` a SLURM must answer (tests/slurm/slurm.sh).

Run: PYTHONPATH=. python benchmarks/clusters.py scaling
     PYTHONPATH=. python benchmarks/clusters.py scheduler
     PYTHONPATH=. python benchmarks/clusters.py first [--where threads local slurm]
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

import psutil


def scaling(side: int, chunk: int, rounds: int, folder: Path) -> None:
    """Print wall seconds with one process and with two."""
    import magxr
    from magxr.synthetic.seafloor import demo_region

    source = folder / "sea.nc"
    demo_region((side, side), chunks=(side, side))[["anomaly"]].load().to_netcdf(source)
    given = {
        "engine": "blocks",
        "mode": "dense",
        "model": "transfer",
        "stride": 8,
        "steps": 4,
    }
    times: dict[int, list[float]] = {1: [], 2: []}
    for turn in range(rounds):
        for workers in (1, 2):
            cluster = {"kind": "local", "workers": workers, "cores": 1}
            out = folder / f"out-{turn}-{workers}.zarr"
            result = magxr.run(source, out, cluster=cluster, chunk=chunk, **given)
            asked = result.seconds["classify"]
            times[workers].append(asked)
            stages = sum(result.seconds[name] for name in result.blocks)
            blocks = {name: tally.blocks for name, tally in result.blocks.items()}
            print(
                f"{workers} processes: classify {asked:.1f} s, all stages {stages:.1f} s, blocks {blocks}",
                flush=True,
            )
    ratios = [one / two for one, two in zip(times[1], times[2], strict=True)]
    print(
        f"dense form, {side} x {side}: two processes {statistics.median(ratios):.2f} x one, rounds {ratios}"
    )


def nothing(*_: object) -> dict[str, object]:
    """Do what the least of blocks does: nothing, and say so."""
    return {"made": True}


class Peak:
    """Largest resident memory of this process."""

    def __init__(self) -> None:
        self.bytes, self.over = 0, threading.Event()
        self.thread = threading.Thread(target=self._watch, daemon=True)
        self.thread.start()

    def _watch(self) -> None:
        here = psutil.Process()
        while not self.over.wait(0.05):
            self.bytes = max(self.bytes, here.memory_info().rss)

    def stop(self) -> float:
        """Return the peak, GiB."""
        self.over.set()
        self.thread.join()
        return self.bytes / 2**30


def scheduler(tasks: int, folder: Path) -> None:
    """Print what the process of the scheduler holds while so many blocks are handed out."""
    from magxr.clusters.opening import opened
    from magxr.clusters.reading import described
    from magxr.models.spec import load
    from magxr.runs.config import configure
    from magxr.runs.crew import Crew
    from magxr.runs.method import prepared
    from magxr.runs.planning import planned
    from magxr.runs.source import open_source
    from magxr.synthetic.seafloor import demo_region

    grid = demo_region((600, 600), chunks=(300, 300))[["anomaly"]]
    config = configure("(dataset)", folder / "out.zarr", engine="blocks", stride=20)
    source = open_source(config, grid)
    plan, _ = planned(config, load("default"), source, prepared(source, config), folder)
    with opened(described({"kind": "local", "workers": 2, "cores": 1})) as client:
        before, peak, began = psutil.Process().memory_info().rss / 2**30, Peak(), time.perf_counter()
        items = [(plan, "classify", (number // 400, number % 400)) for number in range(tasks)]
        done = sum(1 for _ in Crew(2, client).each(nothing, items))
        took, most = time.perf_counter() - began, peak.stop()
    print(
        f"{done} tasks: {took:.0f} s, {done / took:.0f} a second, "
        f"scheduler and client at most {most:.2f} GiB ({before:.2f} before)"
    )


def first(where: list[str], rounds: int, folder: Path) -> None:
    """Print the seconds from a command to its first block."""
    told = {
        "threads": [],
        "local": ["--cluster", "local", "--workers", "2"],
        "slurm": [*["--cluster", "slurm", "--workers", "2", "--interface", "lo", "--memory"], "2 GiB"],
    }
    for name in where:
        took = []
        for turn in range(rounds):
            out = folder / f"{name}-{turn}.zarr"
            ledger = folder / f"{out.name}.unfinished" / "ledger"
            command = [
                str(Path(sys.executable).with_name("magxr")),
                "run",
                "demo",
                "--out",
                str(out),
                "--engine",
                "blocks",
            ]
            began = time.perf_counter()
            run = subprocess.Popen(
                [*command, *told[name]], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
            )
            while not any(ledger.glob("*/*.json")) and run.poll() is None:
                time.sleep(0.01)
            took.append(time.perf_counter() - began)
            run.terminate()
            run.wait()
        seconds = ", ".join(f"{s:.1f}" for s in took)
        print(f"{name}: first block after {statistics.median(took):.1f} s ({seconds})", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("what", choices=["scaling", "scheduler", "first"])
    parser.add_argument("--side", type=int, default=1900)
    parser.add_argument("--chunk", type=int, default=320)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--tasks", type=int, default=100_000)
    parser.add_argument("--where", nargs="+", default=["threads", "local"])
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        if asked.what == "scaling":
            scaling(asked.side, asked.chunk, asked.rounds, Path(name))
        elif asked.what == "scheduler":
            scheduler(asked.tasks, Path(name))
        else:
            first(asked.where, asked.rounds, Path(name))


if __name__ == "__main__":
    main()

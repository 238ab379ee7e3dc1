"""What labels, blocks and threads cost: the accessor against the kernel, two threads against one, tasks.

    python benchmarks/peers/blocks.py [--size 4096] [--chunk 2048] [--steps 20] [--rounds 3]

The halo of the accessor is worked on twice, so its ratio holds that too. The kernel alone is timed on the
whole grid at once and, without halos, block by block. How far two threads get on this machine at all
is shown by the yardstick, run on the same blocks.
"""

from __future__ import annotations

import argparse
import os
from functools import partial
from statistics import median
from typing import Any

import dask
import dask.array as da
import numpy as np
import xarray as xr
from rivals import RULE, lineated
from scipy import ndimage
from timing import seconds

import magxr  # noqa: F401 (registers .mag)
from magxr.chunked.exchange import plan_exchanges
from magxr.kernels import diffusion


def labelled(data: Any) -> xr.DataArray:
    """Label a grid; one cell is a quarter of an arc minute, so that it never goes round the globe."""
    step = 1 / 240
    coords = {"lat": step * np.arange(data.shape[0]), "lon": step * np.arange(data.shape[1])}
    return xr.DataArray(data, coords, ("lat", "lon"), "anomaly", {"units": "nT"})


def tasks(chunk: int, steps: int, across: int = 6, **more: Any) -> tuple[float, float]:
    """Return tasks a chunk, source not counted, as built and as optimised."""
    source = da.zeros((across * chunk, across * chunk), dtype="f4", chunks=chunk)
    out = labelled(source).mag.diffuse(steps=steps, **RULE, **more).data
    (optimised,) = dask.optimize(out)
    return tuple((len(dict(x.__dask_graph__())) - across**2) / across**2 for x in (out, optimised))


def show_tasks(chunk: int) -> None:
    print(f"{f'tasks a chunk of {chunk}':44s} {'built':>8s} {'run':>8s}  target")
    for steps in (5, 20, 100):
        reach = diffusion.radius(RULE["sigma"], RULE["rho"])
        groups = plan_exchanges([(chunk,) * 6] * 2, [(reach, reach)] * steps).groups
        for halo in ("exact", "rule"):
            built, run = tasks(chunk, steps, halo=halo)
            name = f"{steps} steps, halo {halo!r}, {len(groups) if halo == 'exact' else 1} exchange(s)"
            print(f"{name:44s} {built:8.1f} {run:8.1f}  <= 20")


def show(size: int, chunk: int, steps: int, rounds: int) -> None:
    u = lineated(size, "float32")
    lazy = labelled(da.from_array(u, chunks=chunk)).mag.diffuse(steps=steps, **RULE)
    rule = labelled(da.from_array(u, chunks=chunk)).mag.diffuse(steps=steps, halo="rule", **RULE)
    fed = labelled(da.from_array(u, chunks=chunk)).mag.diffuse(steps=steps, scheme="fed", **RULE)
    corners = [(i, j) for i in range(0, size, chunk) for j in range(0, size, chunk)]
    blocks = [u[i : i + chunk, j : j + chunk].copy() for i, j in corners]
    smoothed = [dask.delayed(ndimage.gaussian_filter)(b, RULE["rho"], truncate=3) for b in blocks]
    kernel = partial(diffusion.diffuse, steps=steps, **RULE)
    two = {"scheduler": "threads", "num_workers": 2}
    one = {"scheduler": "synchronous"}
    works = {
        "kernel, whole grid": lambda: kernel(u),
        "kernel, block by block, no halo": lambda: [kernel(b) for b in blocks],
        "accessor, one thread": lambda: lazy.compute(**one),
        "accessor, halo by rule, one thread": lambda: rule.compute(**one),
        "accessor, fed, one thread": lambda: fed.compute(**one),
        "accessor, two threads": lambda: lazy.compute(**two),
        "yardstick, one thread": lambda: dask.compute(*smoothed, **one),
        "yardstick, two threads": lambda: dask.compute(*smoothed, **two),
    }
    few = labelled(da.from_array(u[:256, :256], chunks=128)).mag.diffuse(steps=2, **RULE)
    for how in (one, two):
        few.compute(**how)  # compile, start the threads
    took: dict[str, list[float]] = {name: [] for name in works}
    for _ in range(rounds):
        for name, work in works.items():
            took[name].append(seconds(work))
    print(f"{size} x {size} in chunks of {chunk}, {steps} steps, {rounds} rounds, {os.cpu_count()} cores")
    print(f"{'':44s} {'s':>8s} {'least':>8s}")
    for name, times in took.items():
        print(f"{name:44s} {median(times):8.2f} {min(times):8.2f}")
    for over, under, target in (
        ("accessor, one thread", "kernel, whole grid", "<= 1.5"),
        ("accessor, one thread", "kernel, block by block, no halo", ""),
        ("accessor, halo by rule, one thread", "accessor, one thread", ""),
        ("accessor, fed, one thread", "kernel, whole grid", "<= 0.3"),
        ("accessor, one thread", "accessor, two threads", ">= 1.85"),
        ("yardstick, one thread", "yardstick, two threads", ""),
    ):
        ratio = median(a / b for a, b in zip(took[over], took[under], strict=True))
        print(f"{f'{over} / {under}':60s} {ratio:6.2f}  {target}", flush=True)


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--size", type=int, default=4096, help="pixels on a side")
    options.add_argument("--chunk", type=int, default=2048)
    options.add_argument("--steps", type=int, default=20)
    options.add_argument("--rounds", type=int, default=3)
    asked = options.parse_args()
    show(asked.size, asked.chunk, asked.steps, asked.rounds)
    show_tasks(asked.chunk)


if __name__ == "__main__":
    main()

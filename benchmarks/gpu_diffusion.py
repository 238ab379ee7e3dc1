"""Diffusion of one block on a GPU against the CPU's kernel: time, difference, memory.

    python benchmarks/gpu_diffusion.py [--size 4096] [--steps 20] [--rounds 5] [--library cupy]

Both take the same steps in turn, round by round; the CPU's kernel uses one thread. Times of the GPU are taken
between synchronisations, with the block already there. ``--library numpy`` runs the array operations without
a GPU: it shows that the script works, and nothing about speed.
"""

from __future__ import annotations

import argparse
import time
from importlib import import_module
from statistics import median

import numpy as np

from magxr.kernels import diffusion, diffusion_array
from magxr.kernels.device import on_host


def lineated(size: int, gaps: float) -> np.ndarray:
    rng = np.random.default_rng(0)
    y, x = np.mgrid[:size, :size]
    across = x * np.cos(np.radians(25.0)) - y * np.sin(np.radians(25.0))
    u = 150 * np.sin(2 * np.pi * across / 14) + rng.normal(0, 20, (size, size))
    u[rng.random(u.shape) < gaps] = np.nan
    return u.astype("f4")


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--size", type=int, default=4096, help="pixels on a side")
    options.add_argument("--steps", type=int, default=20)
    options.add_argument("--rounds", type=int, default=5)
    options.add_argument("--library", choices=["cupy", "numpy"], default="cupy")
    asked = options.parse_args()

    xp = import_module(asked.library)
    gpu = asked.library == "cupy"
    rule = {"sigma": 1.0, "rho": 4.0, "tau": 0.25, "alpha": 1e-3, "contrast": 2.56e-8, "scale": 200.0}
    if gpu:
        print(xp.cuda.runtime.getDeviceProperties(0)["name"].decode())

    def timed(work: object) -> tuple[float, np.ndarray]:
        if gpu:
            xp.cuda.Device().synchronize()
        start = time.perf_counter()
        result = work()
        if gpu:
            xp.cuda.Device().synchronize()
        return (time.perf_counter() - start) * 1e9 / asked.steps / asked.size**2, result

    for gaps in (0.0, 0.02):
        host = lineated(asked.size, gaps)
        there = xp.asarray(host)
        runs = {
            "kernel of the CPU": lambda: diffusion.diffuse(host, steps=asked.steps, **rule),  # noqa: B023
            asked.library: lambda: diffusion_array.diffuse(there, steps=asked.steps, **rule),  # noqa: B023
        }
        took: dict[str, list[float]] = {name: [] for name in runs}
        results = {}
        for turn in range(asked.rounds + 1):
            for name, work in runs.items():
                nanoseconds, results[name] = timed(work)
                if turn:  # the first compiles
                    took[name].append(nanoseconds)
        ours, theirs = (on_host(result) for result in results.values())
        difference = np.nanmax(np.abs(ours - theirs)) / (np.nanmax(host) - np.nanmin(host))
        print(f"{asked.size} x {asked.size}, {gaps:.0%} gaps, {asked.steps} steps:")
        for name, each in took.items():
            print(f"  {name:20s} {median(each):8.3f} ns per pixel and step (median of {asked.rounds})")
        print(f"  greatest difference  {difference:8.1e} of the range")
        if gpu:
            held = xp.get_default_memory_pool().total_bytes() / host.nbytes
            print(f"  held by CuPy's pool  {held:8.1f} times the block")


if __name__ == "__main__":
    main()

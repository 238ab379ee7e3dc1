"""Milliseconds of CPU time of every step on a block without a value, and on the same block with a single one.

python benchmarks/empty.py [--size 1024] [--rounds 5]

A step has nothing to do on land and no-data, so the first column should hold little more than what Dask and a
look at the block take. The second shows what the block takes where the step goes its usual way.
"""

from __future__ import annotations

import argparse
import time
from typing import TYPE_CHECKING, Any

import numpy as np

import magxr
from magxr.testing import wavy_sea_floor

if TYPE_CHECKING:
    from collections.abc import Callable

    import xarray as xr
    from numpy.typing import NDArray

    Step = Callable[[xr.DataArray], Any]

STEPS: dict[str, Step] = {
    "grid, gaps": lambda da: magxr.grid(da),
    "grid, 3/2 of the cells": lambda da: magxr.grid(da, max_gap=0, spacing=f"{_minutes(da) / 1.5} arcmin"),
    "denoise, tiles": lambda da: magxr.denoise(da, mode="tile"),
    "diffuse, cell": lambda da: magxr.diffuse(da, scale=100.0),
    "diffuse, fed": lambda da: magxr.diffuse(da, scale=100.0, scheme="fed"),
    "diffuse, nonnegative": lambda da: magxr.diffuse(da, scale=100.0, scheme="nonnegative"),
    "diffuse, rotation invariant": lambda da: magxr.diffuse(da, scale=100.0, scheme="rotation_invariant"),
    "structure": lambda da: magxr.structure(da),
    "wavelength": lambda da: magxr.wavelength(da, stride=10),
    "classify": lambda da: magxr.classify(da, model=Constant(), stride=10).linear_probability,
    "calibrate": lambda da: magxr.calibrate(da.drop_attrs(deep=False) / 1000.0),
}


class Constant:
    """A stand-in for a network, which costs nothing."""

    window, batch = 250, 64

    def predict(self, windows: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return 0.5 for every window."""
        return np.full(len(windows), 0.5, np.float32)


def _minutes(da: xr.DataArray) -> float:
    return 60.0 * float(da.lat[1] - da.lat[0])


def milliseconds(step: Step, da: xr.DataArray, rounds: int) -> float:
    """Return the least CPU time of computing a step on one block, its graph made before."""
    lazy = step(da.chunk(-1))
    took = []
    for _ in range(rounds + 1):  # the first compiles
        start = time.process_time()
        lazy.compute(scheduler="sync")
        took.append(time.process_time() - start)
    return 1e3 * min(took[1:])


def main() -> None:
    """Print one line for each step."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--size", type=int, default=1024)
    parser.add_argument("--rounds", type=int, default=5)
    told = parser.parse_args()
    empty = wavy_sea_floor((told.size, told.size)).astype("float32").compute() * np.float32(np.nan)
    single = empty.copy()
    single[0, 0] = 100.0
    print(f"{told.size} x {told.size} float32, one block, CPU ms, least of {told.rounds}")
    print(f"{'':28s} {'no value':>10s} {'one value':>10s}")
    for name, step in STEPS.items():
        took = [milliseconds(step, da, told.rounds) for da in (empty, single)]
        print(f"{name:28s} {took[0]:10.1f} {took[1]:10.1f}", flush=True)


if __name__ == "__main__":
    main()

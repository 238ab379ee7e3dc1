"""Seconds and memory of the studies of neighbours and cut-offs on the predictions of a whole globe.

Predictions of 0.12 degrees (windows at stride 10 of cells of 0.72'): 1500 x 3000, random and smooth, a tenth
or so without an answer, in a Zarr store. Peak is that of the process above what it held before.
"""

from __future__ import annotations

import argparse
import tempfile
import threading
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import psutil
import xarray as xr
from scipy.ndimage import gaussian_filter

from magxr.io import store
from magxr.studies import cutoffs, neighbours

if TYPE_CHECKING:
    from collections.abc import Iterator


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=1500, help="rows of predictions, half as many as columns")
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "globe.zarr"
        store.write(predictions(chosen.rows), path)
        lazy = store.open(path)
        neighbours(lazy.isel(lat=slice(0, 60), lon=slice(0, 60)))  # imports and first calls
        for study in (neighbours, cutoffs):
            began, before = time.perf_counter(), memory()
            with watched() as peak:
                found = study(lazy)
            seconds = time.perf_counter() - began
            above = (peak[0] - before) / 2**20
            print(f"{study.__name__}: {seconds:.1f} s, {above:.0f} MiB above {before / 2**20:.0f}")
            print(found.to_text())


def predictions(rows: int) -> xr.Dataset:
    rng = np.random.default_rng(0)
    fields = []
    for width in (12, 2):
        field = gaussian_filter(rng.normal(size=(rows, 2 * rows)).astype("f4"), width, mode="wrap")
        fields.append(field / field.std())
    p = (1 / (1 + np.exp(-(2 * fields[0] + 1.2 * fields[1] + 0.5)))).astype("f4")
    p[fields[0] < -1.2] = np.nan
    step = 180 / rows
    coords = {"lat": -90 + step * (np.arange(rows) + 0.5), "lon": -180 + step * (np.arange(2 * rows) + 0.5)}
    return xr.DataArray(p, coords, name="linear_probability", attrs={"registration": "pixel"}).to_dataset()


def memory() -> int:
    return psutil.Process().memory_info().rss


@contextmanager
def watched() -> Iterator[list[int]]:
    """Give the largest memory of the process inside the block, in a list of one."""
    peak, done = [memory()], threading.Event()

    def look() -> None:
        while not done.wait(0.005):
            peak[0] = max(peak[0], memory())

    thread = threading.Thread(target=look, daemon=True)
    thread.start()
    try:
        yield peak
    finally:
        done.set()
        thread.join()


if __name__ == "__main__":
    main()

"""Peak memory of steps 2-5 on a float32 grid, 1000 px chunks, two threads: at most 2.5 GiB, flat in area.

Each size runs in a process of its own, from a Zarr store to a Zarr store.

Run: PYTHONPATH=. python benchmarks/memory.py [--sizes 4000 8000] [--chunk 1000]
"""

import argparse
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import dask
import dask.array as da
import numpy as np
import xarray as xr


def make(size: int, store: Path, chunk: int = 1000) -> None:
    """Write stripes, noise, gaps and spikes, block by block."""

    def block(block_info=None):
        (r0, r1), (c0, c1) = block_info[None]["array-location"]
        y, x = np.mgrid[r0:r1, c0:c1].astype("f4")
        rng = np.random.default_rng([r0, c0])
        values = 150 * np.sin(x / 9 + y / 23) + 60 * np.sin(x / 31) + rng.normal(0, 20, x.shape)
        values[rng.random(x.shape) < 0.001] = 5000.0
        values[rng.random(x.shape) < 0.01] = np.nan
        return values.astype("f4")

    chunks = da.core.normalize_chunks(chunk, (size, size))
    data = da.map_blocks(block, chunks=chunks, dtype="f4", meta=np.empty((0, 0), "f4"))
    step = 0.012
    grid = xr.DataArray(
        data,
        {"lat": -24.0 + step * np.arange(size) / 2, "lon": 10.0 + step * np.arange(size)},
        ("lat", "lon"),
        "anomaly",
        {"units": "nT"},
    )
    grid.to_dataset().to_zarr(store, consolidated=False)


def steps_2_to_5(store: Path, out: Path) -> None:
    """Run outliers, gridding (filling), denoising in tiles and diffusion."""
    import magxr  # noqa: F401 (registers .mag)

    ds = xr.open_zarr(store, consolidated=False)
    filled = ds.mag.remove_outliers().mag.grid()
    result = filled.mag.denoise(mode="tile").mag.diffuse(sigma=1, rho=4, steps=20)
    for name in result.variables:
        result[name].encoding = {}
    with dask.config.set(scheduler="threads", num_workers=2):
        result.to_zarr(out, consolidated=False)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sizes", type=int, nargs="+", default=[4000, 8000])
    parser.add_argument("--chunk", type=int, default=1000, help="side of a chunk, cells")
    parser.add_argument("--one", nargs=2, type=Path, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.one:
        began = time.perf_counter()
        steps_2_to_5(*arguments.one)
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
        print(f"{time.perf_counter() - began:.0f} s, peak {peak:.3f} GiB")
        return
    for size in arguments.sizes:
        folder = Path(tempfile.mkdtemp())
        make(size, folder / "in.zarr", arguments.chunk)
        command = [sys.executable, __file__, "--one", str(folder / "in.zarr"), str(folder / "out.zarr")]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        print(f"{size} x {size}: {done.stdout.strip()} {done.stderr.strip()[-2000:]}", flush=True)
        shutil.rmtree(folder)


if __name__ == "__main__":
    main()

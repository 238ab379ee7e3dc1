"""Discs hidden in real EMAG2v3 tiles: magxr, GMT surface, scipy griddata, in one run.

Usage: MAGXR_TEST_DATA=... python benchmarks/peers/gridding_gmt.py [--radius 1 4.5] [--discs 150] [--seed 0]

Prints rms of the hidden cells (nT) and seconds. GMT works on columns and rows as x and y (its default
aspect), then with the aspect of the middle latitude (-A), with a convergence limit of 0.001 nT.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import xarray as xr
from scipy.interpolate import RBFInterpolator, griddata

from magxr.steps.gridding import grid
from magxr.testing import hidden_discs


def surface(values: np.ndarray, *options: str) -> np.ndarray:
    """Grid the cells that have data with `gmt surface`."""
    rows, cols = values.shape
    y, x = np.nonzero(np.isfinite(values))
    with tempfile.TemporaryDirectory() as folder:
        points, out = Path(folder) / "points.txt", Path(folder) / "out.nc"
        np.savetxt(points, np.c_[x, y, values[y, x]], fmt="%.10g")
        region = f"-R0/{cols - 1}/0/{rows - 1}"
        call = [
            "gmt",
            "surface",
            str(points),
            region,
            "-I1",
            *options,
            "-C0.001",
            "-N5000",
            f"-G{out}",
            "-Vq",
        ]
        subprocess.run(call, check=True, stderr=subprocess.DEVNULL, cwd=folder)  # GMT leaves gmt.history
        return xr.load_dataset(out)["z"].values


def scattered(values: np.ndarray, hidden: np.ndarray, method: str) -> np.ndarray:
    at, wanted = np.argwhere(np.isfinite(values)), np.argwhere(hidden)
    data = values[tuple(at.T)]
    out = values.copy()
    if method == "plates":
        out[hidden] = RBFInterpolator(at, data, neighbors=64)(wanted)
    else:
        out[hidden] = griddata(at, data, wanted, method=method)
    return out


def main() -> None:
    ask = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ask.add_argument("--radius", type=float, nargs=2, help="cells; default: 1 to 4.5, then 2 to 9")
    ask.add_argument("--discs", type=int, default=150)
    ask.add_argument("--seed", type=int, default=0)
    told = ask.parse_args()
    folder = os.environ.get("MAGXR_TEST_DATA")
    if not folder:
        sys.exit("skipped: MAGXR_TEST_DATA does not name the folder of real data")
    if not shutil.which("gmt"):
        sys.exit("skipped: gmt is not installed (Debian: apt-get install gmt)")
    print(
        subprocess.run(["gmt", "--version"], check=True, capture_output=True, text=True).stdout.strip(), "GMT"
    )
    grid(xr.DataArray(np.where(np.eye(9) > 0, np.nan, 1.0), dims=("lat", "lon"), coords=_nine()))  # compile
    for radius in [tuple(told.radius)] if told.radius else [(1, 4.5), (2, 9)]:
        for tile in ("chile_margin", "nw_africa"):
            compare(Path(folder), tile, radius, told.discs, told.seed)


def _nine() -> dict[str, np.ndarray]:
    return {"lat": np.arange(9) * 0.1, "lon": np.arange(9) * 0.1}


def compare(folder: Path, tile: str, radius: tuple[float, float], discs: int, seed: int) -> None:
    da = xr.load_dataset(folder / "emag2v3" / f"{tile}.nc")["magnetic_anomaly"].astype("f8")
    hidden = hidden_discs(da.values, radius=radius, discs=discs, seed=seed)
    holed = da.where(~hidden)
    aspect = f"-A{np.cos(np.radians(float(da['lat'].mean()))):.4f}"
    print(
        f"\n{tile}: {hidden.sum()} cells in {discs} discs of radius {radius[0]:g} to {radius[1]:g} cells, "
        f"std {da.values[hidden].std():.1f} nT (tile {float(da.std()):.1f} nT)"
    )
    for name, work in {
        "magxr.grid": lambda: grid(holed).values,
        "gmt surface -T0": lambda: surface(holed.values, "-T0"),
        f"gmt surface -T0 {aspect}": lambda: surface(holed.values, "-T0", aspect),
        "gmt surface -T0.25": lambda: surface(holed.values, "-T0.25"),
        "thin plates, 64 neighbours": lambda: scattered(holed.values, hidden, "plates"),
        "griddata cubic": lambda: scattered(holed.values, hidden, "cubic"),
        "griddata linear": lambda: scattered(holed.values, hidden, "linear"),
        "griddata nearest": lambda: scattered(holed.values, hidden, "nearest"),
    }.items():
        start = time.perf_counter()
        found = work()
        seconds = time.perf_counter() - start
        rms = np.sqrt(np.mean((found - da.values)[hidden] ** 2))
        print(f"  {name:28s} {rms:6.2f} nT  {seconds:6.2f} s")


if __name__ == "__main__":
    main()

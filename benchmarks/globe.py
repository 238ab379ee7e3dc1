"""The whole globe by blocks: wall time by stage and peak memory over all processes, at 1, 4 and 16 times.

A globe is made by a plain forward model (no global age grid is at hand): ocean basins that spread from curved
ridges, with the reversals of the time scale seen from 4 km above them, land with fractal anomalies, and parts
without data. `globe` runs it at 2' (10800 x 5400 cells) with answers up to 80 degrees of latitude, `scale` at
8', 4' and 2', which is 1, 4 and 16 times the area.

Overhead is what workers did not spend in blocks while there were blocks to make: scheduling, and waiting for
the last block of a stage. `--estimate` asks `magxr.estimate` before each run, and for the globe at 0.72'.

`paper` respaces a part of the globe at 2' to the paper's 0.72' and runs it: 90 degrees of longitude by 80 of
latitude, 50 of the 400 Mpx between 80 degrees south and north. What the globe would take is that times eight.

Run: PYTHONPATH=. python benchmarks/globe.py globe [--model default --stride 20]
     PYTHONPATH=. python benchmarks/globe.py scale
     PYTHONPATH=. python benchmarks/globe.py paper
"""

from __future__ import annotations

import argparse
import json
import math
import multiprocessing
import tempfile
import threading
import time
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import numpy as np
import psutil
import xarray as xr
from scipy.ndimage import gaussian_filter

LATITUDE = 80.0
"""Beyond it there is no answer."""
SEAS = ((-150.0, 75.0, 55.0), (-25.0, 32.0, 20.0), (75.0, 35.0, 28.0))
"""Ridge's longitude, half width (degrees) and half-spreading rate (km/Myr) of each ocean."""


def make(path: Path, arcmin: float) -> None:
    """Write a globe of cells of so many arc minutes."""
    from magxr.synthetic.timescale import polarity

    step = arcmin / 60
    rows, columns = round(180 / step), round(360 / step)
    lat = -90 + step / 2 + step * np.arange(rows)
    lon = -180 + step / 2 + step * np.arange(columns)
    rng = np.random.default_rng(1)
    values = np.empty((rows, columns), "f4")
    broad = gaussian_filter(rng.normal(size=(rows // 4 + 1, columns // 4 + 1)), 6, mode="wrap")
    broad *= 120 / broad.std()
    for r0 in range(0, rows, 256):
        part = lat[r0 : r0 + 256, None]
        offset = 6 * np.sin(np.radians(3 * part)) + 1.5 * np.sign(np.sin(np.radians(11 * part)))
        noise = rng.normal(0, 12, (part.size, columns))
        land = broad[(r0 + np.arange(part.size))[:, None] // 4, np.arange(columns)[None] // 4]
        band = land + noise
        for ridge, width, rate in SEAS:
            away = np.abs((lon - ridge - offset + 180) % 360 - 180)
            age = away * 111.2 * np.cos(np.radians(part)) / rate
            sea = away < width
            band = np.where(sea, 200.0 * polarity(np.minimum(age, 150.0)) + noise, band)
        values[r0 : r0 + 256] = gaussian_filter(band, (1.0, 1.0), mode=("nearest", "wrap"))
    y, x = np.deg2rad(lat)[:, None], np.deg2rad(lon)[None]
    values[(np.sin(3 * x + 1) * np.cos(4 * y) > 0.9) | (np.abs(np.cos(2 * x) * np.sin(5 * y)) > 0.985)] = (
        np.nan
    )
    ds = xr.Dataset(
        {"anomaly": (("lat", "lon"), values, {"units": "nT"})},
        coords={
            "lat": ("lat", lat, {"units": "degrees_north"}),
            "lon": ("lon", lon, {"units": "degrees_east"}),
        },
        attrs={"title": f"Synthetic globe, {arcmin:g} arcmin"},
    )
    ds.to_zarr(path, consolidated=False, encoding={"anomaly": {"chunks": (512, 512)}})


PART = (-60.0, -40.0, 30.0, 40.0)
"""West, south, east, north of what `paper` runs, degrees: an eighth of the cells up to LATITUDE."""
PAPER = 0.72
"""Spacing of the paper's maps, arc minutes."""
GIVEN = {"denoise": "tile", "check_spacing": False, "max_latitude": LATITUDE}


class Peak:
    """Most memory of this process and its children; pages that they share count once."""

    def __init__(self) -> None:
        self.bytes = 0
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self._thread.start()

    def _watch(self) -> None:
        me = psutil.Process()
        while not self._stop.wait(0.5):
            total = 0
            for process in [me, *me.children(recursive=True)]:
                try:
                    total += process.memory_full_info().pss
                except psutil.Error:
                    continue
            self.bytes = max(self.bytes, total)

    def stop(self) -> float:
        """Return the peak, GiB."""
        self._stop.set()
        self._thread.join()
        return self.bytes / 2**30


def once(arcmin: float, folder: Path, changes: dict) -> dict:
    """Run one globe; return what it took."""
    import magxr
    from magxr.runs.config import configure
    from magxr.runs.crew import workers_of

    peak = Peak()
    began = time.perf_counter()
    source, out = folder / f"globe-{arcmin:g}.zarr", folder / f"found-{arcmin:g}.zarr"
    result = magxr.run(source, out, engine="blocks", **GIVEN, **changes)
    told = {"wall": time.perf_counter() - began, "peak": peak.stop(), "seconds": result.seconds}
    looped = {k: result.seconds[k] - tally.statistics for k, tally in result.blocks.items()}
    told |= {"blocks": {k: tally.blocks for k, tally in result.blocks.items()}, "looped": looped}
    count = workers_of(configure(str(source), out, scheduler=changes["scheduler"]))
    told["idle"] = {k: count * looped[k] - tally.seconds for k, tally in result.blocks.items()}
    return told | {"workers": count, "headline": result.headline}


def foretell(path: Path, changes: dict) -> None:
    """Print what `magxr.estimate` says of the run, and of one that respaces the grid to the paper's 0.72'."""
    import magxr

    whole = {k: v for k, v in changes.items() if k != "bounds"} | {"spacing": f"{PAPER} arcmin"}
    for title, asked in {"this run": changes, "the globe at 0.72'": whole}.items():
        began = time.perf_counter()
        told = magxr.estimate(path, **GIVEN, **asked)
        print(f"-- estimate of {title}, made in {time.perf_counter() - began:.0f} s\n{told}\n--")


def measured(arcmin: float, folder: Path, changes: dict, estimate: bool) -> dict:
    """Make a globe, run it, and print what it took."""
    make(folder / f"globe-{arcmin:g}.zarr", arcmin)
    if estimate:
        foretell(folder / f"globe-{arcmin:g}.zarr", changes)
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as alone:
        told = alone.submit(once, arcmin, folder, changes).result()
    west, south, east, north = changes.get("bounds", (-180.0, -90.0, 180.0, 90.0))
    cells = (east - west) * (north - south) * (60 / (PAPER if "spacing" in changes else arcmin)) ** 2
    told |= {"arcmin": arcmin, "megapixels": cells / 1e6, "changes": changes}
    print(f"{arcmin:g}': {cells / 1e6:.1f} Mpx in {told['wall'] / 60:.1f} min, peak {told['peak']:.2f} GiB")
    print("   " + "  ".join(f"{k} {v:.1f} s" for k, v in told["seconds"].items()))
    share = sum(told["idle"].values()) / (told["workers"] * sum(told["looped"].values()))
    print(f"   overhead {share:.1%} of {told['workers']} workers; blocks {told['blocks']}")
    print("   " + told["headline"])
    return told


def main() -> None:
    """Parse and run."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("what", choices=["globe", "scale", "paper"])
    parser.add_argument("--arcmin", type=float, nargs="*")
    parser.add_argument("--model", default="default")
    parser.add_argument("--stride", type=int, default=20)
    parser.add_argument("--scheduler", default="threads")
    parser.add_argument("--chunk", type=int)
    parser.add_argument("--estimate", action="store_true")
    parser.add_argument("--json", type=Path)
    parser.add_argument("--folder", type=Path, help="where to work (a temporary folder)")
    asked = parser.parse_args()
    spacings = asked.arcmin or {"scale": [8.0, 4.0, 2.0]}.get(asked.what, [2.0])
    changes = {k: getattr(asked, k) for k in ("model", "stride", "scheduler", "chunk")}
    if asked.what == "paper":
        changes |= {"spacing": f"{PAPER} arcmin", "bounds": PART}
    with tempfile.TemporaryDirectory(dir=asked.folder) as folder:
        found = [measured(arcmin, Path(folder), changes, asked.estimate) for arcmin in spacings]
    if asked.what == "paper":
        times = (found[0]["wall"] - found[0]["seconds"]["pictures"]) * 8
        print(f"eight times that, the globe at 0.72', is {times / 60:.0f} min without pictures: extrapolated")
    if len(found) > 1:
        first, last = found[0], found[-1]
        exponent = math.log(last["wall"] / first["wall"]) / math.log(last["megapixels"] / first["megapixels"])
        print(f"time exponent {exponent:.3f}, memory {last['peak'] / first['peak']:.2f} x the smallest's")
    if asked.json:
        asked.json.write_text(json.dumps(found, indent=1))


if __name__ == "__main__":
    main()

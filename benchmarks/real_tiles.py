"""What a model says of the real EMAG2v3 tiles, with the defaults of `magxr run`: two pictures to look at.

Run: MAGXR_TEST_DATA=... python benchmarks/real_tiles.py --stride 50 --out real_tiles
(At stride 10 chile-margin has 22,000 window positions: minutes on a GPU with KERAS_BACKEND=torch.)
"""

import argparse
import os
import time
from pathlib import Path

import numpy as np
import xarray as xr

import magxr
from magxr.view.figures import prediction_figure

TILES = {"chile_margin": "EMAG2v3 off Chile", "nw_africa": "EMAG2v3, Western Sahara and its margin"}


def read(folder: Path, tile: str) -> xr.Dataset:
    """Read a tile from NetCDF, or from an .npz of the same arrays where no NetCDF library is installed."""
    if (folder / f"{tile}.npz").exists():
        with np.load(folder / f"{tile}.npz") as kept:
            coords = {"lat": kept["lat"], "lon": kept["lon"]}
            attrs = {"units": "nT", "registration": "pixel"}
            return xr.Dataset({"anomaly": (("lat", "lon"), kept["anomaly"], attrs)}, coords)
    return magxr.open_anomaly(folder / "emag2v3" / f"{tile}.nc", crs="EPSG:4326")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--stride", type=int, default=50)
    parser.add_argument("--batch", type=int, default=None)
    parser.add_argument("--model", default="default")
    parser.add_argument("--out", type=Path, default=Path("real_tiles"))
    given = parser.parse_args()
    given.out.mkdir(parents=True, exist_ok=True)
    for tile, title in TILES.items():
        raw = read(Path(os.environ["MAGXR_TEST_DATA"]), tile)
        maps = magxr.grid(magxr.remove_outliers(raw), spacing="0.72 arcmin")
        maps = magxr.diffuse(magxr.denoise(maps)).compute()
        began = time.perf_counter()
        found = magxr.classify(maps["anomaly"], model=given.model, stride=given.stride, batch=given.batch)
        result = magxr.calibrate(found).compute()
        seconds = time.perf_counter() - began
        linear, first = result["linear"].values, result["linear_probability"].values
        answered = int((linear >= 0).sum())
        before, after = int(np.nansum(first > 0.5)), int((linear == 1).sum())
        print(
            f"{tile}: {answered} of {linear.size} positions answered in {seconds:.1f} s; "
            f"linear after the vote {after}, above 0.5 before it {before}"
        )
        prediction_figure(maps, result, title=title).savefig(given.out / f"{tile}.png", dpi=100)


if __name__ == "__main__":
    main()

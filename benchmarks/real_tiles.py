"""What a model says of the real EMAG2v3 tiles, with the defaults of `magxr run`: pictures and three figures.

Run: MAGXR_TEST_DATA=... python benchmarks/real_tiles.py --stride 50 --out real_tiles

The figures are the recall of published picks in cells called linear, beside that of random points as far
from cells without an answer; the share of land that is called linear (with `pip install global-land-mask`);
and the share without an answer.
"""

import argparse
import os
import time
from pathlib import Path

import numpy as np
import xarray as xr

import magxr
from magxr.io.picks import picks
from magxr.studies import pick_recall
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


def land(cells: xr.DataArray) -> xr.DataArray | None:
    """Return which cells are land, or None where the package that knows is not installed."""
    try:
        from global_land_mask import globe
    except ImportError:
        return None
    north, east = np.meshgrid(cells["lat"].values, cells["lon"].values, indexing="ij")
    return xr.zeros_like(cells, dtype=bool).copy(data=globe.is_land(north, east))


def words(found: dict) -> str:
    """Return the three figures as a sentence."""

    def share(name: str) -> str:
        return "none" if found[name] is None else f"{100 * found[name]:.1f} %"

    return (
        f"{found['picks']} picks, {found['answered']} with an answer, {share('recall')} called linear; "
        f"random points {share('null')} ({share('null_low')} to {share('null_high')}); linear of all "
        f"answered {share('linear')}, of land {share('on_land')}; no answer {share('no_answer')}"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--stride", type=int, default=50)
    parser.add_argument("--batch", type=int, default=None)
    parser.add_argument("--model", default="default")
    parser.add_argument("--out", type=Path, default=Path("real_tiles"))
    given = parser.parse_args()
    given.out.mkdir(parents=True, exist_ok=True)
    published = picks(Path(os.environ["MAGXR_TEST_DATA"]) / "gsfml" / "picks")
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
        print(f"{tile}: " + words(pick_recall(result, published, land=land(result["linear"]))))
        prediction_figure(maps, result, title=title).savefig(given.out / f"{tile}.png", dpi=100)


if __name__ == "__main__":
    main()

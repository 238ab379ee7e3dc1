"""Whether stable and suggested window sizes are sensible: several sizes on synthetic scenes of known truth.

Every scene goes through steps 2 to 5 and is asked by `magxr.studies.window_sizes` in windows of the sizes
that the model was trained for. Counted are windows that are linear in truth (70 % of their cells or more) and
seen by the survey (fidelity of 0.7 or more, as in the cards of the models), and those that are nonlinear (30
percent or less). Printed are how many of them are called linear, by size and by how many of the local
wavelengths they hold; and, of the scenes with enough such windows at every size, the smallest size from which
on nearly all are found, beside the smallest stable one, which knows no truth.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import pandas as pd

import magxr
from magxr.studies import window_sizes
from magxr.synthetic.scenes import scene

SIZES = (1.5, 2.0, 2.5, 3.0, 3.5, 4.0)
FIRST = 4_000_000
BINS = (0, 2, 3, 4, 5, 6, 8, 12, 100)
SEEN = 0.7
ENOUGH, FOUND = 6, 0.95
"""Windows that a scene needs at every size, and the share of them that must be called linear."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--scenes", type=int, default=40)
    parser.add_argument("--side", type=int, default=500, help="rows and columns of a scene, cells of 0.72'")
    parser.add_argument("--stride", type=float, default=0.5, help="degrees between places")
    parser.add_argument("--out", type=Path, help="CSV of every window")
    parser.add_argument("--read", type=Path, help="CSV of an earlier run, instead of running")
    chosen = parser.parse_args()
    if chosen.read:
        report(pd.read_csv(chosen.read))
        return
    frames = []
    for number in range(chosen.scenes):
        windows, about = one(FIRST + number, chosen.side, chosen.stride)
        frames.append(windows)
        print(about, flush=True)
    found = pd.concat(frames, ignore_index=True)
    if chosen.out:
        found.to_csv(chosen.out, index=False)
    report(found)


def one(seed: int, side: int, stride: float) -> tuple[pd.DataFrame, dict[str, float]]:
    """Ask every size on one scene; return its windows and what the study concludes."""
    rng = np.random.default_rng(seed)
    kind = ("linear", "mixed")[seed % 2]
    half_rate = float(np.exp(rng.uniform(np.log(8.0), np.log(70.0))))
    origin = (float(rng.uniform(-50.0, 45.0)), -120.0)
    made = scene(seed, (side, side), origin=origin, kind=kind, half_rates=(half_rate, half_rate)).compute()
    cleaned = magxr.denoise(magxr.grid(magxr.remove_outliers(made[["anomaly"]])))
    study = window_sizes(magxr.diffuse(cleaned), sizes=SIZES, stride=stride)
    rows = []
    answers, middle = study.answers, study.table["width"] / study.table["size"]
    for size in SIZES:
        here = answers.sel(size=size)
        for lat in here.latitude.values:
            for lon in here.longitude.values:
                at = here.sel(latitude=lat, longitude=lon)
                box = made.sel(
                    lat=slice(lat - size / 2, lat + size / 2), lon=slice(lon - size / 2, lon + size / 2)
                )
                rows.append({
                    "seed": seed, "half_rate": half_rate, "size": size, "latitude": lat, "longitude": lon,
                    "probability": float(at.probability), "wavelength": float(at.wavelength),
                    "waves": size * float(middle[0]) / float(at.wavelength),
                    "truth": float(box.linear.mean()), "fidelity": float(box.fidelity.mean()),
                })  # fmt: skip
    told = study.table.attrs
    about = {
        "seed": seed, "kind": kind, "half_rate": round(half_rate, 1), "places": told["compared"],
        "wavelength": round(told["wavelength"], 1), "stable": told["stable_size"],
        "suggested": round(told["suggested_size"], 2),
        **{f"at {s:g}": round(float(study.table.percent_linear.sel(size=s)), 1) for s in SIZES},
    }  # fmt: skip
    return pd.DataFrame(rows).assign(stable=told["stable_size"], median=told["wavelength"]), about


def report(found: pd.DataFrame) -> None:
    """Print the tables."""
    known = found[found.probability.notna()].copy()
    known["called"] = known.probability > 0.5
    known["held"] = pd.cut(known.waves, BINS, right=False)
    stripes = known[known.truth >= 0.7]
    linear, nonlinear = stripes[stripes.fidelity >= SEEN], known[known.truth <= 0.3]
    counts = {"windows": ("called", "size"), "scenes": ("seed", "nunique"), "share": ("called", "mean")}
    for what, windows in (
        ("linear and seen", linear),
        ("linear, not seen", stripes[stripes.fidelity < SEEN]),
        ("nonlinear", nonlinear),
    ):
        print(f"\n{what}: called linear, by size")
        print(windows.groupby("size").agg(**counts).round(3))
    print("\nlinear and seen: called linear, by wavelengths held")
    print(linear.groupby("held", observed=True).agg(**counts).round(3))
    rows = []
    for seed, windows in linear.groupby("seed"):
        of = windows.groupby("size").called.agg(["size", "mean"])
        if of["size"].reindex(SIZES).fillna(0).min() >= ENOUGH:
            enough = [s for s in SIZES if (of["mean"][of.index >= s] >= FOUND).all()]
            first = windows.iloc[0]
            rows.append((seed, first["median"], first["stable"], enough[0] if enough else np.nan))
    scenes = pd.DataFrame(rows, columns=["seed", "wavelength", "stable", "found from"])
    print(f"\nscenes with {ENOUGH} linear, seen windows at every size: stable, and {FOUND:.0%} found from")
    print(scenes.to_string(index=False))
    print("the same:", int((scenes["stable"] == scenes["found from"]).sum()), "of", len(scenes))
    print("rank correlation with the size from which they are found:")
    print(scenes.drop(columns="seed").corr("spearman")["found from"].round(2))


if __name__ == "__main__":
    main()

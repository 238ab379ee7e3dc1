"""How many wavelengths a window must hold: windows of several sizes on synthetic scenes of known truth.

Every scene goes through steps 2 to 5 and is asked by `magxr.studies.window_sizes` in windows of the sizes
that the model was trained for. Windows are grouped by how many of the local wavelengths they hold. Printed
are, by group and size, how many windows that are linear in truth (70 % of their cells or more, and seen by
the survey) are called so, and how many that are nonlinear (30 % or less) are.
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
"""Least mean fidelity of a window whose stripes the survey shows, as in the cards of the models."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--scenes", type=int, default=40)
    parser.add_argument("--side", type=int, default=500, help="rows and columns of a scene, cells of 0.72'")
    parser.add_argument("--stride", type=float, default=0.5, help="degrees between places")
    parser.add_argument("--out", type=Path, help="CSV of every window")
    chosen = parser.parse_args()
    frames, scenes = [], []
    for number in range(chosen.scenes):
        windows, about = one(FIRST + number, chosen.side, chosen.stride)
        frames.append(windows)
        scenes.append(about)
        print(about, flush=True)
    found, told = pd.concat(frames, ignore_index=True), pd.DataFrame(scenes)
    if chosen.out:
        found.to_csv(chosen.out, index=False)
    report(found, told)


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
    return pd.DataFrame(rows), about


def report(found: pd.DataFrame, told: pd.DataFrame) -> None:
    known = found[found.probability.notna()].copy()
    linear = known[(known.truth >= 0.7) & (known.fidelity >= SEEN) & known.waves.notna()].copy()
    linear["called"] = linear.probability > 0.5
    linear["held"] = pd.cut(linear.waves, BINS, right=False)
    print("\nlinear windows called linear, by wavelengths held (windows, scenes, percent)")
    print(linear.groupby("held", observed=True).agg(
        windows=("called", "size"), scenes=("seed", "nunique"), percent=("called", lambda c: 100 * c.mean())
    ).round(1))  # fmt: skip
    print("\nthe same, by size")
    print((100 * linear.pivot_table("called", "held", "size", aggfunc="mean", observed=True)).round(1))
    nonlinear = known[known.truth <= 0.3].copy()
    nonlinear["called"] = nonlinear.probability > 0.5
    print("\nnonlinear windows called linear, by size")
    print(nonlinear.groupby("size").called.agg(["size", "mean"]).round(3))
    print(f"\nscenes with a stable size: {told.stable.notna().sum()} of {len(told)}")


if __name__ == "__main__":
    main()

"""What `magxr.tune` gains where the truth is known, against diffusions that are fixed.

Scenes have a field without noise beside the surveyed one. Every scene is cleaned by no diffusion, by every
candidate of the rule, and by what tuning chooses without labels.
"""

from __future__ import annotations

import argparse
import json
import warnings

import numpy as np

import magxr
from magxr.errors import MagxrWarning
from magxr.synthetic.scenes import training_scenes

FIRST = 3_100_000
"""Seed of the first scene; rules and thresholds were looked at on scenes from 3,000,000."""


def measured(field, scene, cells, rho):
    """Correlation with the clean field over measured cells, and median error of strike where it is known."""
    clean = scene["clean"].values
    together = np.corrcoef(field.values[cells].astype("f8"), clean[cells].astype("f8"))[0, 1]
    strike = magxr.structure(field, sigma=1, rho=rho)["strike"].values
    off = np.abs((strike - scene["strike"].values + 90.0) % 180.0 - 90.0)
    linear = cells & (scene["linear"].values == 1)
    return together, float(np.nanmedian(off[linear])) if linear.any() else np.nan


def interval(values):
    """Mean and half width of the 95 % Student interval."""
    from scipy.stats import t

    known = np.asarray(values)[np.isfinite(values)]
    return known.mean(), t.ppf(0.975, len(known) - 1) * known.std(ddof=1) / np.sqrt(len(known))


def main() -> None:
    """Print one line a scene, then a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--scenes", type=int, default=20)
    parser.add_argument("--side", type=int, default=450, help="rows and columns of a scene, cells")
    parser.add_argument("--first", type=int, default=FIRST, help="seed of the first scene")
    parser.add_argument("--measured", action="store_true", help="tell which cells ships measured")
    asked = parser.parse_args()
    warnings.simplefilter("ignore", MagxrWarning)
    gains: dict[str, list[tuple[float, float]]] = {}
    for scene in training_scenes(range(asked.first, asked.first + asked.scenes), (asked.side, asked.side)):
        gridded = magxr.grid(magxr.remove_outliers(scene, variable="anomaly"), variable="anomaly")["anomaly"]
        cells = np.isfinite(gridded.values) & (gridded["filled"].values == 0)
        tuned = magxr.tune(gridded, measured=(scene["tracked"] == 1) if asked.measured else None)
        rho = max(2.0, 0.25 * tuned.stripes.cells) if tuned.stripes.answered else 4.0
        before = measured(gridded, scene, cells, rho)
        chosen = gridded if tuned.variance is None else magxr.denoise(gridded, variance=tuned.variance)
        chosen = chosen if tuned.chosen is None else magxr.diffuse(chosen, **tuned.chosen)
        fields = {"tuned": chosen}
        for name, how in zip(tuned.table["candidate"].values, tuned.table["diffuse"].values, strict=True):
            fields[str(name)] = magxr.diffuse(gridded, **json.loads(how))
        for name, field in fields.items():
            after = measured(field, scene, cells, rho)
            gains.setdefault(name, []).append((after[0] - before[0], before[1] - after[1]))
        at = gains["tuned"][-1]
        print(
            f"{scene.attrs['seed']} {scene.attrs['kind']}: correlation {before[0]:.3f}, {at[0]:+.3f}; "
            f"strike {at[1]:+.1f} degrees nearer; {tuned.to_text().splitlines()[0]}",
            flush=True,
        )
    print("| | scenes | gain in correlation | scenes that lose over 0.002, worst | strike nearer, degrees |")
    print("|---|---|---|---|---|")
    for name, found in gains.items():
        both = np.array(found)
        mean, half = interval(both[:, 0])
        strike, unsure = interval(both[:, 1])
        lost = int((both[:, 0] < -0.002).sum())
        print(
            f"| {name} | {len(both)} | {mean:+.4f} ({mean - half:+.4f} to {mean + half:+.4f}) | {lost}, "
            f"{both[:, 0].min():+.3f} | {strike:+.1f} ({strike - unsure:+.1f} to {strike + unsure:+.1f}) |"
        )


if __name__ == "__main__":
    main()

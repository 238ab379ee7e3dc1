"""What `magxr.tune` gains where the truth is known, against diffusions that are fixed.

Scenes have a field without noise beside the surveyed one. Every scene is cleaned by no diffusion, by every
candidate of the rule, and by what tuning chooses without labels.

With ``--labels`` windows of the western half of every scene, labelled by the truth, tune and train a head,
and windows of the eastern half, which neither has seen, are told by it.
"""

from __future__ import annotations

import argparse
import json
import warnings

import numpy as np

import magxr
from magxr.errors import MagxrWarning, ParameterError
from magxr.kernels.alignment import alignment
from magxr.models.compare import compare
from magxr.models.evaluate import confusion
from magxr.models.split import TEST, TRAIN
from magxr.studies.crossing import out_of_fold
from magxr.synthetic.scenes import scene as mixed_scene
from magxr.synthetic.scenes import training_scenes

FIRST = 3_100_000
"""Seed of the first scene; rules and thresholds were looked at on scenes from 3,000,000."""

FIRST_LABELLED = 4_000_000
"""Seed of the first scene with labels."""
WINDOWS = {"size": 120, "stride": 40}
"""Of windows with labels, cells: half a scene of 900 has too few of 250 for folds that hold both classes."""
MAX_MISSING = 0.2
"""Share of a window that may be missing, as for a run."""


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


def cut(field, half):
    """Windows of the western (0) or eastern (1) half."""
    middle = field.sizes["lon"] // 2
    return magxr.windows(field.isel(lon=slice(middle * half, middle * (half + 1))).chunk(), **WINDOWS)


def table(gridded, linear, half):
    """Labels of the windows of a half that a run would answer."""
    found = cut(gridded, half)
    labels = magxr.label_windows(found, mask=linear).compute()
    known = found["missing_share"].values <= MAX_MISSING
    return labels.isel(window=known & (labels["label"].values >= 0))


def told(field, tables):
    """Probabilities of "linear" of the eastern windows, by a head trained on the western ones."""
    windows = [cut(field, half)["anomaly"].sel(window=t["window"].values) for half, t in enumerate(tables)]
    numbers = alignment(np.concatenate([w.values for w in windows]))
    truth = np.concatenate([t["label"].values for t in tables]).astype(int)
    codes = np.repeat(np.array([TRAIN, TEST], np.int8), [t.sizes["window"] for t in tables])
    return out_of_fold(numbers, truth, codes[None])[codes == TEST]


def applied(tuned, field):
    """The field cleaned as tuned."""
    field = field if tuned.variance is None else magxr.denoise(field, variance=tuned.variance)
    return field if tuned.chosen is None else magxr.diffuse(field, **tuned.chosen)


def labelled(first: int, count: int, side: int) -> None:
    """Print one line a scene, then how diffusions compare on the halves that tuning never saw."""
    kept: dict[str, list] = {}
    meters, off = [], 0
    for seed in range(first, first + count):
        scene = mixed_scene(seed, (side, side), kind="mixed")
        gridded = magxr.grid(magxr.remove_outliers(scene, variable="anomaly"), variable="anomaly")
        gridded = gridded["anomaly"].compute()
        tables = [table(gridded, scene["linear"], half) for half in (0, 1)]
        counts = [np.bincount(t["label"].values, minlength=2).tolist() for t in tables]
        try:
            if min(map(min, counts)) == 0:
                raise ParameterError("a half lacks a class")
            tuned = magxr.tune(gridded.isel(lon=slice(0, side // 2)), tables[0], **WINDOWS)
        except ParameterError as error:  # or a fold of the tuner does
            print(f"{seed}: left out, windows {counts}: {error}", flush=True)
            continue
        fields = {"off": gridded, "defaults": magxr.diffuse(gridded), "tuned": applied(tuned, gridded)}
        answers = {"scene": np.full(sum(counts[1]), seed), "truth": tables[1]["label"].values.astype(int)}
        answers |= {name: told(field, tables) for name, field in fields.items()}
        for name, values in answers.items():
            kept.setdefault(name, []).append(values)
        off += tuned.chosen is None
        taken = [json.loads(how) == tuned.chosen for how in tuned.table["diffuse"].values]
        at = tuned.table.isel(candidate=int(np.argmax(taken if any(taken) else tuned.table["gain"].values)))
        meters.append([float(at[f"noise_{when}"]) for when in ("before", "after")])
        scores = [f"{n} {confusion(answers['truth'], answers[n]).balanced_accuracy:.3f}" for n in fields]
        print(f"{seed}: windows {counts}; {', '.join(scores)}; {tuned.to_text()}", flush=True)
        print(f"  noise coherent before and after {at['candidate'].item()!r}: {np.round(meters[-1], 3)}")
    joined = {name: np.concatenate(values) for name, values in kept.items()}
    found = compare(joined.pop("truth"), joined, joined.pop("scene"))
    print(found.markdown())
    base = found.names.index("off")
    for k, name in enumerate(found.names):
        ends = f"({found.low[k, base]:+.4f} to {found.high[k, base]:+.4f})"
        print(f"{name} minus off: {found.difference[k, base]:+.4f} {ends}, tied: {found.tied[k, base]}")
    print(f"{len(meters)} scenes, no diffusion in {off}; noise coherent {np.mean(meters, axis=0).round(3)}")


def main() -> None:
    """Print one line a scene, then a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--scenes", type=int, default=20)
    parser.add_argument("--side", type=int, default=450, help="rows and columns of a scene; 900 for --labels")
    parser.add_argument("--first", type=int, help="seed of the first scene")
    parser.add_argument("--labels", action="store_true", help="tune with labels")
    parser.add_argument("--measured", action="store_true", help="tell which cells ships measured")
    asked = parser.parse_args()
    warnings.simplefilter("ignore", MagxrWarning)
    first = asked.first or (FIRST_LABELLED if asked.labels else FIRST)
    if asked.labels:
        labelled(first, asked.scenes, asked.side)
        return
    gains: dict[str, list[tuple[float, float]]] = {}
    for scene in training_scenes(range(first, first + asked.scenes), (asked.side, asked.side)):
        gridded = magxr.grid(magxr.remove_outliers(scene, variable="anomaly"), variable="anomaly")["anomaly"]
        cells = np.isfinite(gridded.values) & (gridded["filled"].values == 0)
        tuned = magxr.tune(gridded, measured=(scene["tracked"] == 1) if asked.measured else None)
        rho = max(2.0, 0.25 * tuned.stripes.cells) if tuned.stripes.answered else 4.0
        before = measured(gridded, scene, cells, rho)
        fields = {"tuned": applied(tuned, gridded)}
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

"""What `magxr.tune` gains where the truth is known, against diffusions that are fixed.

Scenes have a field without noise beside the surveyed one. Every scene is cleaned by no diffusion, by every
candidate of the rule, and by what tuning chooses without labels. With ``--labels`` windows of the western
half of every scene, labelled by the truth, tune and train a head, which tells those of the eastern half.
"""

from __future__ import annotations

import argparse
import json
import warnings
from collections import defaultdict

import numpy as np

import magxr
from magxr.errors import MagxrWarning, ParameterError
from magxr.kernels.alignment import alignment
from magxr.models.compare import compare
from magxr.models.evaluate import confusion
from magxr.models.split import TEST, TRAIN
from magxr.studies.candidates import Candidate
from magxr.studies.crossing import out_of_fold
from magxr.synthetic import scenes

FIRST, FIRST_LABELLED = 3_100_000, 4_000_000
"""Seeds of the first scene; rules and thresholds were looked at on scenes from 3,000,000."""
WINDOWS = {"size": 120, "stride": 40}
"""Of windows with labels, cells: of 250, half a scene of 900 has three blocks, too few for five folds."""


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
    known = found["missing_share"].values <= 0.2  # as a run's max_missing
    return labels.isel(window=known & (labels["label"].values >= 0))


def told(field, tables):
    """Probabilities of "linear" of the eastern windows, by a head trained on the western ones."""
    windows = [cut(field, half)["anomaly"].sel(window=t["window"].values) for half, t in enumerate(tables)]
    numbers = alignment(np.concatenate([w.values for w in windows]))
    truth = np.concatenate([t["label"].values for t in tables]).astype(int)
    codes = np.repeat(np.array([TRAIN, TEST], np.int8), [t.sizes["window"] for t in tables])
    return out_of_fold(numbers, truth, codes[None])[codes == TEST]


def labelled(first: int, count: int, side: int) -> None:
    """Print one line a scene, then how diffusions compare on the halves that tuning never saw."""
    kept: dict[str, list] = defaultdict(list)
    meters = []
    for seed in range(first, first + count):
        scene = scenes.scene(seed, (side, side), kind="mixed")
        gridded = magxr.grid(magxr.remove_outliers(scene, variable="anomaly"), variable="anomaly")["anomaly"]
        tables = [table(gridded, scene["linear"], half) for half in (0, 1)]
        counts = [np.bincount(t["label"].values, minlength=2).tolist() for t in tables]
        try:
            if min(map(min, counts)) == 0:
                raise ParameterError("a half lacks a class")
            tuned = magxr.tune(gridded.isel(lon=slice(0, side // 2)), tables[0], **WINDOWS)
        except ParameterError as error:  # or a fold of the tuner does
            print(f"{seed}: left out, windows {counts}: {error}", flush=True)
            continue
        ways = {"off": (None, None), "defaults": ({}, None), "tuned": (tuned.chosen, tuned.variance)}
        ways["denoised"] = (None, tuned.variance)  # as tuned, without its diffusion
        kept["scene"].append(np.full(sum(counts[1]), seed))
        kept["truth"].append(tables[1]["label"].values.astype(int))
        for name, how in ways.items():
            kept[name].append(told(Candidate(name, *how).applied(gridded), tables))
        taken = [json.loads(how) == tuned.chosen for how in tuned.table["diffuse"].values]
        at = tuned.table.isel(candidate=int(np.argmax(taken if any(taken) else tuned.table["gain"].values)))
        meters.append([float(at["noise_before"]), float(at["noise_after"]), tuned.chosen is None])
        scores = [f"{n} {confusion(kept['truth'][-1], kept[n][-1]).balanced_accuracy:.3f}" for n in ways]
        print(f"{seed}: windows {counts}; {', '.join(scores)}; {tuned.to_text()}", flush=True)
        print(f"  noise coherent before and after {at['candidate'].item()!r}: {np.round(meters[-1][:2], 3)}")
    joined = {name: np.concatenate(values) for name, values in kept.items()}
    found = compare(joined.pop("truth"), joined, joined.pop("scene"))
    print(found.markdown())
    base = found.names.index("off")
    for k, name in enumerate(found.names):
        ends = f"({found.low[k, base]:+.4f} to {found.high[k, base]:+.4f})"
        print(f"{name} minus off: {found.difference[k, base]:+.4f} {ends}, tied: {found.tied[k, base]}")
    print(f"{len(meters)} scenes; means of noise before, after, and off: {np.mean(meters, axis=0).round(3)}")


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
    for scene in scenes.training_scenes(range(first, first + asked.scenes), (asked.side, asked.side)):
        gridded = magxr.grid(magxr.remove_outliers(scene, variable="anomaly"), variable="anomaly")["anomaly"]
        cells = np.isfinite(gridded.values) & (gridded["filled"].values == 0)
        tuned = magxr.tune(gridded, measured=(scene["tracked"] == 1) if asked.measured else None)
        rho = max(2.0, 0.25 * tuned.stripes.cells) if tuned.stripes.answered else 4.0
        before = measured(gridded, scene, cells, rho)
        fields = {"tuned": Candidate("tuned", tuned.chosen, tuned.variance).applied(gridded)}
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

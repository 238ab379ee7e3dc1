"""Map accuracy of a model on unseen synthetic scenes: the whole workflow, against the truth under each cell.

Training scenes count from 0, the card's unseen scenes from 2,000,000; these start at 3,000,000.
Each scene goes through outliers, gridding, denoising and diffusion with the defaults of `magxr run`, is
classified and calibrated, and every answered prediction is compared with the truth mask at its centre.

Run: python benchmarks/map_accuracy.py --scenes 50 --stride 20 --out map_accuracy
(On a GPU: KERAS_BACKEND=torch. One scene of 1000 x 1000 px has 1444 windows at stride 20.)
"""

import argparse
import json
import math
import time
import warnings
from pathlib import Path

import numpy as np
from matplotlib.colors import ListedColormap
from matplotlib.figure import Figure

import magxr
from magxr.models.evaluate import block_interval, confusion
from magxr.runs.config import RunConfig
from magxr.synthetic.scenes import training_scenes

FIRST = 3_000_000
SIDE = 1000
SPACING = "0.72 arcmin"


def one(seed: int, stride: int, model: str, batch: int | None) -> dict[str, np.ndarray]:
    scene = next(iter(training_scenes([seed], (SIDE, SIDE), SPACING)))
    maps = magxr.diffuse(magxr.denoise(magxr.grid(magxr.remove_outliers(scene[["anomaly"]]))))
    raw = magxr.classify(maps["anomaly"], model=model, stride=stride, batch=batch)
    votes = RunConfig("", Path(), stride=stride).votes(250)
    result = magxr.calibrate(raw, neighbours=votes).compute()
    truth = scene["linear"].sel(lat=result.lat, lon=result.lon, method="nearest").values
    share = _window_share(scene["linear"].values, result, scene)
    return {
        "truth": truth,
        "share": share,
        "raw": result.linear_probability.values,
        "linear": result.linear.values,
        "anomaly": maps["anomaly"].values[::4, ::4],
    }


def _window_share(linear: np.ndarray, result, scene) -> np.ndarray:
    """Share of linear cells in the window of each prediction."""
    total = np.pad(np.cumsum(np.cumsum(linear.astype(np.int64), 0), 1), ((1, 0), (1, 0)))
    half = 125
    rows = np.round(
        (result.lat.values - scene.lat.values[0]) / (scene.lat.values[1] - scene.lat.values[0]) + 0.5
    )
    cols = np.round(
        (result.lon.values - scene.lon.values[0]) / (scene.lon.values[1] - scene.lon.values[0]) + 0.5
    )

    def edges(centre, size):
        return np.clip(centre - half, 0, size).astype(int), np.clip(centre + half, 0, size).astype(int)

    (r0, r1), (c0, c1) = edges(rows, linear.shape[0]), edges(cols, linear.shape[1])
    inside = total[np.ix_(r1, c1)] - total[np.ix_(r0, c1)] - total[np.ix_(r1, c0)] + total[np.ix_(r0, c0)]
    return inside / (r1 - r0)[:, None] / (c1 - c0)[None, :]


def scores(kept: list[dict[str, np.ndarray]], which) -> dict:
    label, guess, block = [], [], []
    for number, scene in enumerate(kept):
        good = (scene["linear"] >= 0) & which(scene)
        label.append(scene["truth"][good])
        guess.append(scene["linear"][good].astype(float))
        block.append(np.full(good.sum(), number))
    label, guess, block = (np.concatenate(x) for x in (label, guess, block))
    found = confusion(label, guess).report()
    found["balanced_interval_by_scene"] = block_interval(label, guess, block)
    return found


def picture(kept: list[dict[str, np.ndarray]]) -> Figure:
    """Draw scenes with the truth outlined and what was called linear, nonlinear or left without an answer."""
    figure = Figure(figsize=(12, 4.4 * math.ceil(len(kept) / 3)), layout="constrained")
    colours = ListedColormap(["#d9d9d9", "#5b3a8c", "#1b7f5c"])
    for number, scene in enumerate(kept):
        over = figure.add_subplot(2 * math.ceil(len(kept) / 3), 3, number + 1 + 3 * (number // 3))
        under = figure.add_subplot(2 * math.ceil(len(kept) / 3), 3, number + 4 + 3 * (number // 3))
        limit = np.nanquantile(np.abs(scene["anomaly"]), 0.98)
        box = (0, 1, 0, 1)
        over.imshow(scene["anomaly"], origin="lower", cmap="RdBu_r", vmin=-limit, vmax=limit, extent=box)
        under.imshow(scene["linear"], origin="lower", cmap=colours, vmin=-1, vmax=1, extent=box)
        good = scene["linear"] >= 0
        right = np.mean(scene["linear"][good] == scene["truth"][good]) if good.any() else np.nan
        over.set_title(
            f"unseen scene {number + 1}: {100 * right:.0f} % of answers right", fontsize=9, loc="left"
        )
        for ax in (over, under):
            if np.ptp(scene["truth"]):
                ax.contour(scene["truth"], [0.5], colors="k", linewidths=1.2, extent=box)
            ax.set(xticks=[], yticks=[])
    figure.suptitle(
        "above: diffused anomaly; below: green linear, violet nonlinear, grey no answer; line: truth"
    )
    return figure


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--scenes", type=int, default=50)
    parser.add_argument("--stride", type=int, default=20)
    parser.add_argument("--batch", type=int, default=None)
    parser.add_argument("--model", default="default")
    parser.add_argument("--out", type=Path, default=Path("map_accuracy"))
    given = parser.parse_args()
    given.out.mkdir(exist_ok=True, parents=True)
    kept, began = [], time.perf_counter()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for seed in range(FIRST, FIRST + given.scenes):
            kept.append(one(seed, given.stride, given.model, given.batch))
            np.savez_compressed(given.out / f"{seed}.npz", **kept[-1])
    report = {
        "scenes": given.scenes,
        "stride": given.stride,
        "seconds": round(time.perf_counter() - began, 1),
        "all answered predictions": scores(kept, lambda s: np.ones(s["truth"].shape, bool)),
        "windows clearly linear or nonlinear (70 %)": scores(kept, lambda s: np.abs(s["share"] - 0.5) >= 0.2),
        "no answer, share": float(np.mean([np.mean(s["linear"] < 0) for s in kept])),
    }
    picture(kept[:6]).savefig(given.out / "scenes.png", dpi=90)
    (given.out / "report.json").write_text(json.dumps(report, indent=1, default=float))
    print(json.dumps(report, indent=1, default=float))


if __name__ == "__main__":
    main()

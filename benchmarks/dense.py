"""The dense form against the window form: what it costs, and how far the two agree.

Run: PYTHONPATH=. python benchmarks/dense.py speed
     MAGXR_TEST_DATA=... PYTHONPATH=. python benchmarks/dense.py agreement

`speed`: processor seconds, all threads together, of one 1500 x 1500 px map at stride 8: the dense form all
included; the trunk alone in one call over the same pixels (the bare pass: no scaling, no head, and no margin,
so that it makes a tenth fewer cells); the same by Keras (zeros around); and the window form on a sample of
windows, taken in turns; the least of the rounds counts. Windows of the whole map are the sample's seconds
times their number.

`agreement`: both forms of the model on unseen synthetic scenes (seeds from 3,000,000) and, where
MAGXR_TEST_DATA is set, on the real tiles, prepared as by `magxr run`: the share of windows that get the same
class, the correlation of probabilities, and on scenes how many clear windows each form has right.
"""

import argparse
import os
import time
import warnings
from pathlib import Path

import numpy as np

import magxr
from magxr.models import engine, weights, worker
from magxr.models.backbones import backbone
from magxr.models.spec import load
from magxr.synthetic.scenes import scene, training_scenes

SIDE, STRIDE, FIRST = 1500, 8, 3_000_000


def bare_pass():
    """The trunk a trous over a whole map, as the dense form runs it on a processor."""
    from magxr.models.dense_chain import chained
    from magxr.models.trunks.atrous import plan

    chosen = backbone("vgg16-hed")
    path = chosen.weights_file()
    form = chosen.form(path)
    tensors = weights.read_layers(path, form.layers, form.sketch.stored_order())
    parts = plan(form.sketch)
    near, far = chained(parts.near, tensors, form.scaling), chained(parts.far, tensors)
    return lambda image: far(near(image))


def bare_keras(side):
    """The trunk a trous over a whole map by Keras, padded with zeros as plain trunks are."""
    from magxr.models.assemble import layer_of, scaled
    from magxr.models.trunks.atrous import plan

    chosen = backbone("vgg16-hed")
    path = chosen.weights_file()
    form = chosen.form(path)
    tensors = weights.read_layers(path, form.layers, form.sketch.stored_order())
    keras, parts = engine.start(), plan(form.sketch)
    image = keras.Input((side, side, 1), batch_size=1)
    x = scaled(keras.layers, image, form.scaling)
    for step in (*parts.near.steps, *parts.far.steps):
        op = step.op._replace(stride=step.stride)
        if op.kind == "maximum" and step.stride == 1:
            for axis in (1, 2):
                pad = [(0, 0)] * 4
                pad[axis] = (0, step.dilation)
                moved = keras.ops.pad(x, pad)
                moved = moved[:, step.dilation :] if axis == 1 else moved[:, :, step.dilation :]
                x = keras.ops.maximum(x, moved)
            continue
        layer = layer_of(keras.layers, op, step.dilation)
        x = layer(x)
        if op.layer is not None:
            layer.set_weights(list(tensors[op.name]))
    return engine.compiled(keras.Model(image, x))


def spent(work):
    before = time.process_time()
    work()
    return time.process_time() - before


def speed(rounds, sample, chunk):
    made = scene(FIRST, (SIDE, SIDE), kind="mixed", tracks="full", holes=False)
    anomaly = made["anomaly"].load()
    print(f"{float(made['linear'].mean()):.0%} of the map is linear")
    spec = load("transfer")
    lazy = anomaly.chunk(chunk)
    told = {"model": spec, "stride": STRIDE, "max_missing": 1.0, "check_spacing": False}
    bare, by_keras = bare_pass(), bare_keras(SIDE)
    image = np.random.default_rng(0).random((1, SIDE, SIDE, 1), dtype="f4")
    cut = np.lib.stride_tricks.sliding_window_view(anomaly.values, (spec.window, spec.window))
    windows = cut[:: SIDE // 8, :: SIDE // 8].reshape(-1, spec.window, spec.window)[:sample]

    def whole():
        return magxr.classify(lazy, mode="dense", **told).compute(scheduler="sync")

    positions = int(whole().linear_probability.notnull().sum())
    works = {
        "dense": whole,
        "bare": lambda: bare(image[0, ..., 0]),
        "keras": lambda: by_keras(image),
        "windows": lambda: worker.predict(spec, windows),
    }
    best = dict.fromkeys(works, np.inf)
    for work in works.values():
        work()
    for _ in range(rounds):
        for name, work in works.items():
            best[name] = min(best[name], spent(work))
    loop = best["windows"] / len(windows) * positions
    print(
        f"{positions} positions; dense {best['dense']:.1f} core-seconds all included, bare pass "
        f"{best['bare']:.1f} (by Keras {best['keras']:.1f}), windows {best['windows'] / len(windows):.3f} "
        f"each, {loop:.0f} for all"
    )
    print(f"windows / dense {loop / best['dense']:.0f} x; dense / bare {best['dense'] / best['bare']:.2f} x")


def prepared(raw, spacing=None):
    maps = magxr.grid(magxr.remove_outliers(raw), spacing=spacing)
    return magxr.diffuse(magxr.denoise(maps))["anomaly"].compute()


def both(anomaly, stride):
    told = {"model": "transfer", "stride": stride, "check_spacing": False}
    dense = magxr.classify(anomaly, mode="dense", **told).linear_probability
    return dense, magxr.classify(anomaly, **told).linear_probability


def words(dense, windows):
    known = np.isfinite(dense) & np.isfinite(windows)
    dense, windows = dense[known], windows[known]
    same = np.mean((dense >= 0.5) == (windows >= 0.5))
    varies = len(dense) > 1 and dense.std() > 0 and windows.std() > 0
    r = np.corrcoef(dense, windows)[0, 1] if varies else np.nan
    called = [100 * np.mean(p >= 0.5) for p in (dense, windows)]
    band = np.mean((dense >= 0.3) & (dense <= 0.7))
    return (
        f"{len(dense)} windows, same class {100 * same:.1f} %, correlation {r:.2f}; called linear by dense "
        f"{called[0]:.1f} %, by windows {called[1]:.1f} %; dense within 0.3..0.7 {100 * band:.1f} %"
    )


def agreement(scenes, side, stride):
    said, truth = [], []
    for made in training_scenes(range(FIRST, FIRST + scenes), (side, side), "0.72 arcmin"):
        dense, windows = both(prepared(made[["anomaly"]]), stride)
        share = made["linear"].astype("f4").rolling(lat=250, lon=250, center=True).mean()
        at = {k: dense[k] for k in ("lat", "lon")}
        truth.append(share.sel(at, method="nearest").values.ravel())
        said.append([dense.values.ravel(), windows.values.ravel()])
    said, truth = np.concatenate(said, axis=1), np.concatenate(truth)
    print(f"{scenes} scenes: {words(*said)}")
    clear = np.isfinite(said).all(axis=0) & ((truth >= 0.7) | (truth <= 0.3))
    right = [
        [np.mean((p[clear & c] >= 0.5) == v) for v, c in ((1, truth > 0.5), (0, truth <= 0.5))] for p in said
    ]
    for name, (linear, other) in zip(("dense", "windows"), right, strict=True):
        print(f"  {name}: linear right {100 * linear:.1f} %, nonlinear {100 * other:.1f} %, "
              f"balanced {50 * (linear + other):.1f} % of {clear.sum()} clear windows")  # fmt: skip
    if not os.environ.get("MAGXR_TEST_DATA"):
        return
    for tile in ("chile_margin", "nw_africa"):
        raw = magxr.open_anomaly(
            Path(os.environ["MAGXR_TEST_DATA"]) / "emag2v3" / f"{tile}.nc", crs="EPSG:4326"
        )
        found = both(prepared(raw, "0.72 arcmin"), stride)
        print(f"{tile}: {words(*(f.values.ravel() for f in found))}")


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("what", choices=("speed", "agreement"))
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--sample", type=int, default=16, help="windows of one round")
    parser.add_argument("--chunk", type=int, default=750, help="of the map, cells")
    parser.add_argument("--scenes", type=int, default=20)
    parser.add_argument("--side", type=int, default=640, help="of a scene, cells")
    parser.add_argument("--stride", type=int, default=80, help="of agreement, a multiple of 8")
    given = parser.parse_args()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        if given.what == "speed":
            speed(given.rounds, given.sample, given.chunk)
        else:
            agreement(given.scenes, given.side, given.stride)


if __name__ == "__main__":
    main()

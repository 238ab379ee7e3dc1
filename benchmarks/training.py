"""Training: speed of features, time of heads, seeds that collapse, memory, and what a user would write.

::

    python benchmarks/training.py seeds --cache /tmp/features     # 20 seeds of the dense head, 120 windows
    python benchmarks/training.py throughput --windows 24         # features against the bare trunk
    python benchmarks/training.py heads                           # 25 epochs on 851 cached windows
    python benchmarks/training.py memory --windows 100000 --head dense --epochs 1
    python benchmarks/training.py keras --windows 24 --epochs 3   # the frozen trunk in a Keras model

Prints figures, asserts nothing. ``seeds``, ``throughput`` and ``keras`` run the trunk.
"""

from __future__ import annotations

import argparse
import resource
import sys
import tempfile
import time
import warnings
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

WINDOW = 250


def scenes(count):
    """Windows of scenes with stripes only and of scenes without, in turn, and their labels."""
    from magxr.synthetic.scenes import scene

    kinds = ("nonlinear", "linear")
    made = [
        scene(s, (WINDOW, WINDOW), kind=kinds[s % 2], holes=False, tracks="full", spikes=0.0)
        for s in range(count)
    ]
    return np.stack([m["anomaly"].values for m in made]).astype("f4"), np.arange(count) % 2


def seeds(given):
    from magxr.errors import MagxrWarning, ModelError
    from magxr.models.split import split_windows
    from magxr.models.train import Protocol, train_on_features
    from magxr.steps.features import features

    windows, labels = scenes(given.windows or 120)
    values = features(windows, kind="flat", cache=given.cache).read()
    codes = split_windows(labels, split="random")
    for guarded in (True, False):
        start, told = time.perf_counter(), []
        for seed in range(given.seeds):
            protocol = Protocol(seed=seed, guarded=guarded, epochs=given.epochs or 25)
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", MagxrWarning)
                try:
                    made = train_on_features(values, labels, codes, protocol, head="dense", retries=0)
                except ModelError:
                    continue
            report = made.report
            told.append(
                (report["train"]["balanced_accuracy"], report["validation"]["balanced_accuracy"],
                 report["history"][-1]["val_loss"])
            )  # fmt: skip
        train, validation, loss = np.array(told).T
        took = (time.perf_counter() - start) / given.seeds
        print(
            f"{'guarded' if guarded else 'unguarded'}: {len(told)} of {given.seeds} seeds trained, "
            f"{np.sum(train > 0.9)} to more than 0.9 on the training set; validation: balanced accuracy "
            f"{validation.mean():.2f} (least {validation.min():.2f}), loss {loss.mean():.2f}; "
            f"{took:.1f} s each"
        )


def throughput(given):
    from magxr.kernels.minmax import minmax
    from magxr.models import engine, worker
    from magxr.models.backbones import EMBEDDED, backbone, build
    from magxr.steps.features import features

    count = given.windows or 24
    windows = np.random.default_rng(0).normal(size=(count, WINDOW, WINDOW)).astype("f4")
    keras = engine.start()
    trunk = build(keras, backbone(EMBEDDED), backbone(EMBEDDED).weights_file(), WINDOW)
    run = engine.compiled(trunk)
    ready = minmax(windows)[..., None]
    run(ready[:8])
    worker.features(EMBEDDED, windows[:8], kind="flat")
    bare, ours = [], []
    for turn in range(given.repeats):  # in turn, so that both see the same machine
        start = time.perf_counter()
        for i in range(0, count, 8):
            run(ready[i : i + 8])
        bare.append(time.perf_counter() - start)
        with tempfile.TemporaryDirectory() as folder:
            start = time.perf_counter()
            features(windows + np.float32(turn), kind="flat", cache=f"{folder}/cache")
            ours.append(time.perf_counter() - start)
    best = min(bare) / min(ours)
    print(
        f"{count} windows: bare trunk {min(bare) / count * 1e3:.0f} ms a window, features with cache "
        f"{min(ours) / count * 1e3:.0f} ms: {100 * best:.0f} % of the trunk's throughput "
        f"(best of {given.repeats}; means {np.mean(bare):.1f} and {np.mean(ours):.1f} s)"
    )


def random_features(count, length, seed=0):
    """Like a trunk's: two thirds zeros, the others of very different sizes."""
    rng = np.random.default_rng(seed)
    values = np.maximum(rng.standard_normal((count, length), np.float32) - np.float32(0.4), 0)
    return values * rng.lognormal(2, 1, length).astype("f4")


def heads(given):
    from magxr.models.split import split_windows
    from magxr.models.train import Protocol, train_on_features

    count = given.windows or 851
    labels = np.arange(count) % 2
    codes = split_windows(labels, split="random")
    for head, length in (("pooled", 1024), ("dense", 25_088)):
        values = random_features(count, length)
        values[:, :50] *= 1 + labels[:, None]
        start = time.perf_counter()
        made = train_on_features(values, labels, codes, Protocol(epochs=given.epochs or 25), head=head)
        print(
            f"{head}: {made.report['parameters']:,} parameters, {given.epochs or 25} epochs on {count} "
            f"windows (6:2:2): {time.perf_counter() - start:.1f} s"
        )


def memory(given):
    from magxr.io.featurestore import open_features
    from magxr.models.features import Features, recipe
    from magxr.models.split import split_windows
    from magxr.models.train import Protocol, train_on_features

    count = given.windows or 100_000
    kind, length = {"pooled": ("pooled", 1024), "dense": ("flat", 25_088)}[given.head]
    made = recipe(WINDOW, kind=kind, dtype="float16")
    with tempfile.TemporaryDirectory(dir=given.cache) as folder:
        store = open_features(f"{folder}/cache", made.about())
        start = time.perf_counter()
        for first in range(0, count, 512):
            keys = [f"{i:064x}" for i in range(first, min(first + 512, count))]
            store.write(keys, random_features(len(keys), length, first).astype("f2"))
        print(f"{count} windows of {length} float16 written in {time.perf_counter() - start:.0f} s")
        segments = store.stored()
        place = np.array([(n, r) for n, s in enumerate(segments) for r in range(len(s))])
        given_features = Features(made, segments, place, length, np.dtype("f2"))
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
        labels = np.random.default_rng(0).integers(0, 2, count)
        codes = split_windows(labels, split="random")
        start = time.perf_counter()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            report = train_on_features(
                given_features, labels, codes, Protocol(epochs=given.epochs or 1), head=given.head
            ).report
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
        print(
            f"{given.head}: {given.epochs or 1} epochs in {time.perf_counter() - start:.0f} s, "
            f"{'streamed' if 'streamed' in report else 'in memory'}; peak {peak:.2f} GiB "
            f"({before:.2f} before)"
        )


def as_in_keras(given):
    from magxr.kernels.minmax import minmax
    from magxr.models import architectures, engine
    from magxr.models.backbones import EMBEDDED, backbone, build
    from magxr.models.train import train

    count, epochs = given.windows or 24, given.epochs or 3
    windows, labels = scenes(count)
    keras = engine.start()
    trunk = build(keras, backbone(EMBEDDED), backbone(EMBEDDED).weights_file(), WINDOW)
    model = architectures.transfer(keras, trunk)
    model.compile(optimizer=keras.optimizers.Adam(1e-3), loss="binary_crossentropy", jit_compile=False)
    ready = minmax(windows)[..., None]
    learn, check = slice(0, int(0.6 * count)), slice(int(0.6 * count), int(0.8 * count))
    start = time.perf_counter()
    model.fit(
        ready[learn],
        labels[learn],
        validation_data=(ready[check], labels[check]),
        batch_size=8,
        epochs=epochs,
        verbose=0,
    )
    model.predict(ready[check.stop :], batch_size=8, verbose=0)
    theirs = time.perf_counter() - start
    held = check.stop - learn.start
    evaluations = epochs * held + count - held
    start = time.perf_counter()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        train(windows, labels, split="random", head="dense", epochs=epochs, batch_size=8)
    ours = time.perf_counter() - start
    print(
        f"{count} windows, {epochs} epochs: a Keras model with the frozen trunk {theirs:.1f} s and "
        f"{evaluations} runs of the trunk on a window, magxr {ours:.1f} s and {count}: "
        f"{theirs / ours:.1f} times"
    )
    paper = 25 * (511 + 170) + 170
    print(
        f"the paper's 851 windows, 25 epochs: {paper} runs of the trunk against 851, {paper / 851:.1f} times"
    )


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    what = {"seeds": seeds, "throughput": throughput, "heads": heads, "memory": memory, "keras": as_in_keras}
    parser.add_argument("what", choices=what)
    parser.add_argument("--windows", type=int)
    parser.add_argument("--epochs", type=int)
    parser.add_argument("--seeds", type=int, default=20)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--head", choices=["pooled", "dense"], default="pooled")
    parser.add_argument("--cache", help="folder of features (seeds), or for the temporary ones (memory)")
    given = parser.parse_args()
    what[given.what](given)


if __name__ == "__main__":
    main()

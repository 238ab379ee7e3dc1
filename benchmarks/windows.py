"""The window form: milliseconds a window, threads, and how much of the bare trunk's speed is left.

::

    python benchmarks/windows.py numbers   # the default model's numbers: NumPy and SciPy against compiled
    python benchmarks/windows.py threads   # a map of windows, one Dask thread against two
    python benchmarks/windows.py slices    # cutting a window: xbatcher's batches against its plan
    python benchmarks/windows.py network   # the model "transfer" on a block against its bare trunk
    python benchmarks/windows.py device    # windows cut in memory and sent, against cut where the network is

Prints figures, asserts nothing. What is compared takes turns, round by round. ``network`` runs the trunk.
``device`` is for a GPU; without one it compares on the processor, where magxr cuts windows in memory.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

WINDOW = 250


def rounds(count, **ways):
    """Seconds of every way, shape (ways, rounds), in turn; each ran once before."""
    for way in ways.values():
        way()
    taken = np.zeros((len(ways), count))
    for n in range(count):
        for k, way in enumerate(ways.values()):
            start = time.perf_counter()
            way()
            taken[k, n] = time.perf_counter() - start
    return taken


def surveyed(rows, columns, seed=700):
    from magxr.synthetic.scenes import scene

    return scene(seed, (rows, columns), kind="mixed")["anomaly"]


def numbers(given):
    from magxr.kernels.alignment import alignment
    from magxr.models import spec
    from magxr.models.heads import read_head
    from tests.kernels import alignment_oracle as oracle

    values = surveyed(WINDOW + 240, WINDOW + 240).values
    across = int(np.ceil(np.sqrt(given.windows or 36)))
    places = np.linspace(0, 240, across).astype(int)
    holed = np.stack([values[i : i + WINDOW, j : j + WINDOW] for i in places for j in places])
    for name, windows in {"with gaps": holed, "whole": np.nan_to_num(holed)}.items():
        before, now = rounds(
            given.rounds,
            before=lambda w=windows: oracle.alignment(w),
            now=lambda w=windows: alignment(w),
        )
        each = 1e3 / len(windows)
        found, expected = alignment(windows), oracle.alignment(windows)
        head = read_head(spec.load("default").head_file())
        off = np.abs(head.probability(found) - head.probability(expected)).max()
        print(
            f"{len(windows)} windows {name}: NumPy and SciPy {before.min() * each:.1f} ms a window, compiled "
            f"{now.min() * each:.2f} (best of {given.rounds}), median of ratios "
            f"{np.median(before / now):.1f}; greatest difference {np.abs(found - expected).max():.0e}, of "
            f"probabilities {off:.0e}"
        )


def threads(given):
    import magxr

    across = int(np.ceil(np.sqrt(given.windows or 1600)))
    da = surveyed(WINDOW + 10 * (across - 1), WINDOW + 10 * (across - 1)).chunk(200)
    lazy = magxr.classify(da, stride=10, max_missing=1.0)["linear_probability"]
    one, two = rounds(
        given.rounds,
        one=lambda: lazy.compute(scheduler="threads", num_workers=1),
        two=lambda: lazy.compute(scheduler="threads", num_workers=2),
    )
    each = 1e3 / across**2
    print(
        f"{across**2} windows by the default model: one thread {one.min() * each:.2f} ms a window, two "
        f"{two.min() * each:.2f} (best of {given.rounds}): {one.min() / two.min():.2f} times as fast, median "
        f"of ratios {np.median(one / two):.2f}"
    )


def slices(given):
    import xarray as xr
    from xbatcher import BatchGenerator

    from magxr.steps.cutting import planned

    block = surveyed(WINDOW + 190, WINDOW + 190).values
    batches = BatchGenerator(
        xr.DataArray(block, dims=("row", "column")),
        input_dims={"row": WINDOW, "column": WINDOW},
        input_overlap={"row": WINDOW - 10, "column": WINDOW - 10},
        preload_batch=False,
    )
    plan = planned(block, WINDOW, 10)
    theirs, ours, plans = rounds(
        given.rounds,
        theirs=lambda: [batches[k].values.copy() for k in range(len(batches))],
        ours=lambda: [block[at].copy() for at in plan],
        plans=lambda: planned(block, WINDOW, 10),
    )
    each = 1e6 / len(plan)
    print(
        f"{len(plan)} windows: from xbatcher's batches {theirs.min() * each:.0f} us a window, by its plan "
        f"{ours.min() * each:.0f}, and {plans.min() * each:.0f} for the plan (best of {given.rounds})"
    )


def network(given):
    import magxr
    from magxr.kernels.minmax import minmax
    from magxr.models import engine, spec, worker
    from magxr.models.backbones import backbone, build
    from magxr.steps.cutting import planned

    batch = given.batch or 8
    wide = max(1, (given.windows or 48) // batch)
    da = surveyed(WINDOW + 10 * (batch - 1), WINDOW + 10 * (wide - 1))
    block, model = da.values, spec.load("transfer")
    plan = planned(block, WINDOW, 10)
    keras, trunk = engine.start(), backbone(model.trunk)
    run = engine.compiled(build(keras, trunk, trunk.weights_file(), WINDOW))
    ready = minmax(np.stack([block[at] for at in plan]))[..., None]
    cut = range(0, len(plan), batch)

    def after_each_other():
        for n in cut:
            worker.predict(model, np.stack([block[at] for at in plan[n : n + batch]]))

    bare, ours, turns = rounds(
        given.rounds,
        bare=lambda: [run(ready[n : n + batch]) for n in cut],
        ours=lambda: magxr.classify(da, model="transfer", stride=10, batch=batch, max_missing=1.0),
        turns=after_each_other,
    )
    print(
        f"{len(plan)} windows in batches of {batch}: bare trunk {np.median(bare) / len(plan) * 1e3:.0f} ms a "
        f"window, classify {np.median(ours) / len(plan) * 1e3:.0f}: {100 * np.median(bare / ours):.1f} % of "
        f"the trunk's throughput (median of {given.rounds} rounds, in turn); batches cut, scaled and run one "
        f"after the other {100 * np.median(bare / turns):.1f} %"
    )


def device(given):
    from magxr.models import engine
    from magxr.models.ahead import ready
    from magxr.models.ondevice import Slicer
    from magxr.steps.cutting import planned

    batch, ops = given.batch or 8, engine.start().ops
    holed = surveyed(WINDOW + 190, WINDOW + 190).values.astype("f4")
    plan = planned(holed, WINDOW, 10)
    batches = [plan[n : n + batch] for n in range(0, len(plan), batch)]

    def wait(images):
        return float(ops.max(images))  # one number comes back

    def in_memory(block):
        for windows in batches:
            wait(ops.convert_to_tensor(ready(np.stack([block[at] for at in windows]), batch).images))

    def there(block):
        slicer = Slicer(ops, block, WINDOW, batch)
        for windows in batches:
            wait(slicer(windows).images)

    for name, block in {"with gaps": holed, "whole": np.nan_to_num(holed)}.items():
        memory, ours = rounds(
            given.rounds, memory=lambda b=block: in_memory(b), there=lambda b=block: there(b)
        )
        each = 1e3 / len(plan)
        print(
            f"{len(plan)} windows {name} in batches of {batch} on {ops.zeros(()).device}: cut in "
            f"memory and sent {np.median(memory) * each:.2f} ms a window, cut there "
            f"{np.median(ours) * each:.2f} (medians of {given.rounds} rounds in turn): "
            f"{np.median(memory / ours):.2f} times as fast"
        )


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    what = {"numbers": numbers, "threads": threads, "slices": slices, "network": network, "device": device}
    parser.add_argument("what", choices=what)
    parser.add_argument("--windows", type=int)
    parser.add_argument("--batch", type=int)
    parser.add_argument("--rounds", type=int, default=7)
    given = parser.parse_args()
    what[given.what](given)


if __name__ == "__main__":
    main()

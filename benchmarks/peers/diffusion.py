"""Cost of coherence-enhancing diffusion against what a user would take instead, in one process and thread.

    pip install diplib opencv-python-headless numexpr scikit-image
    python benchmarks/peers/diffusion.py [--size 2048] [--rounds 7] [--slow-rounds 1] [--only rows]

All rows run in turn, round by round; the figures to watch are the medians of the rounds' ratios, to the
yardstick ``scipy.ndimage.gaussian_filter(u, 4, truncate=3)`` and to our explicit step, since absolute times
wander on shared machines. Each target stands beside its figure; nothing is asserted, but that the steps put
together from other packages take the step that they should (`agreement`). A package that is not installed
leaves its row out and is named. Parts, each with a script of its own: ``rows`` (the table and how far
it is from the machine's `ceilings`), ``memory`` (`footprint`), ``blocks`` (accessor, threads, tasks).
"""

from __future__ import annotations

import argparse
import os
from statistics import median

# First of all: it limits the threads of libraries that read the environment when loaded.
import rivals  # isort: skip

import agreement
import blocks
import ceilings
import footprint
import numpy as np
import ours
import timing
from rivals import RIVALS, RULE, Missing
from timing import Row

from magxr.kernels import structure

PARTS = ["rows", "memory", "blocks"]
YARDSTICK, OURS = "gaussian_filter(u, 4, truncate=3)", "explicit step"
FED = {n: f"time 5 by fed, {n} cycles" for n in (5, 3)}
TARGETS = {
    "OpenCV + numexpr step": ">= 6 x ours",
    "numpy + scipy step": ">= 30 x ours",
    "DIPlib step": ">= 150 x ours",
}


def with_gaps(u: np.ndarray, share: float) -> np.ndarray:
    """Return a copy with scattered gaps."""
    return np.where(np.random.default_rng(1).random(u.shape) < share, np.nan, u).astype(u.dtype)


def with_land(u: np.ndarray, share: float) -> np.ndarray:
    """Return a copy with one round gap that takes this share of the grid."""
    y, x = np.mgrid[: len(u), : len(u)] / len(u)
    out = u.copy()
    out[(y - 0.45) ** 2 + (x - 0.55) ** 2 < share / np.pi] = np.nan
    return out


def our_rows(u: np.ndarray, steps: int, gaps: float, land: float) -> list[Row]:
    """Return the rows of this package."""
    holey, coast = with_gaps(u, gaps), with_land(u, land)
    stretch = np.ones(len(u) + 1)
    masked = "<= 1.6 x ours"
    rows = [
        Row(OURS, lambda: ours.explicit(u, steps), steps, "<= 0.6 x yardstick"),
        Row(
            f"explicit step, {gaps:.0%} scattered gaps",
            lambda: ours.explicit(holey, steps),
            steps,
            masked,
        ),
        Row(
            f"explicit step, {land:.0%} land in one piece",
            lambda: ours.explicit(coast, steps),
            steps,
            masked,
        ),
        Row("coherence and strike", lambda: structure.orientation(u, 1.0, 4.0, stretch=stretch)),
    ]
    rows += [
        Row(f"{scheme} step", lambda scheme=scheme: ours.pixels(u, steps, scheme), steps)
        for scheme in ("nonnegative", "rotation_invariant")
    ]
    rows[3:3] = [
        Row("step with a frozen tensor", ours.frozen(u), 4, "<= 1.3 x its floor"),
        Row(FED[5], lambda: ours.fed(u), 1, "<= 4 x yardstick"),
        Row(FED[3], lambda: ours.fed(u, cycles=3)),
    ]
    return rows


def their_rows(u: np.ndarray) -> tuple[list[Row], list[Row]]:
    """Return the yardstick and the rows of other packages; check those that claim to take our step."""
    small = rivals.lineated(256, str(u.dtype))
    rows, tried = [], {}
    for name, make in RIVALS.items():
        try:
            step = make(u, RULE)
            tried[name] = make(small, RULE)
        except Missing as reason:
            print(reason)
            continue
        shown = YARDSTICK if name == "yardstick" else name
        target, slow = TARGETS.get(name, ""), name == "DIPlib step"
        rows.append(Row(shown, lambda step=step: step(u), 1, target, slow))
    steps = {name: step for name, step in tried.items() if name.endswith("step")}
    agreement.check(steps, small, RULE, set(steps) - {"DIPlib step"})
    return rows[:1], rows[1:]


def show_rows(asked: argparse.Namespace) -> None:
    u = rivals.lineated(asked.size, asked.dtype)
    yard, others = their_rows(u)
    rows = yard + our_rows(u, asked.steps, asked.gaps, asked.land) + others
    costs = timing.interleaved(rows, u.size, asked.rounds, asked.slow_rounds)
    print(f"\n{asked.size} x {asked.size} {asked.dtype}, {asked.rounds} rounds, sigma 1, rho 4, one thread")
    timing.show(rows, costs, YARDSTICK, OURS)
    if u.dtype != np.float32:
        return  # ceilings are measured and counted for float32
    found = ceilings.measured(asked.rounds)
    works = {OURS: ceilings.explicit(1, 4)}
    for row in rows:
        if row.name.startswith("explicit step, "):
            works[row.name] = ceilings.explicit_with_gaps(1, 4)
    works["step with a frozen tensor"] = ceilings.frozen()
    for cycles, name in FED.items():
        works[name] = ceilings.fed(1, 4, cycles, sum(map(len, ours.plan(cycles))))
    print()
    ceilings.show(found)
    ceilings.show_floors(works, {name: median(costs[name].values()) for name in works}, found)


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--size", type=int, default=2048, help="pixels on a side")
    options.add_argument("--rounds", type=int, default=7)
    options.add_argument("--slow-rounds", type=int, default=1, help="rounds in which DIPlib runs")
    options.add_argument("--block-rounds", type=int, default=3, help="rounds of the part on blocks")
    options.add_argument("--steps", type=int, default=4, help="our steps in one call")
    options.add_argument("--dtype", choices=["float32", "float64"], default="float32")
    options.add_argument("--gaps", type=float, default=0.02, help="share of scattered gaps")
    options.add_argument("--land", type=float, default=0.2, help="share of the gap in one piece")
    options.add_argument("--only", nargs="+", choices=PARTS, default=PARTS, help="parts; default: all")
    asked = options.parse_args()
    parts = asked.only
    print(f"{os.cpu_count()} cores; float32 unless said; targets are for 2048 x 2048")
    if "rows" in parts:
        show_rows(asked)
    if "memory" in parts:
        print()
        footprint.show([*footprint.OURS, *RIVALS], asked.size, asked.steps)
    if "blocks" in parts:
        print()
        blocks.show(2 * asked.size, asked.size, 20, asked.block_rounds)
        print()
        blocks.show_tasks(asked.size)


if __name__ == "__main__":
    main()

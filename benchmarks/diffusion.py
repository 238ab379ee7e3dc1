"""Cost of an explicit diffusion step against one ``scipy.ndimage.gaussian_filter(u, 4, truncate=3)``.

    python benchmarks/diffusion.py [--size 2048] [--rounds 7] [--dtype float32] [--gaps 0.02]

Both run in turn, round by round, in one process and one thread; the figure to watch is the median of the
rounds' ratios, since absolute times wander on shared machines.
"""

from __future__ import annotations

import argparse
import time
from statistics import median

import numpy as np
from scipy import ndimage

from magxr.kernels import diffusion, structure


def lineated(size: int, dtype: str, gaps: float) -> np.ndarray:
    rng = np.random.default_rng(0)
    y, x = np.mgrid[:size, :size]
    across = x * np.cos(np.radians(25.0)) - y * np.sin(np.radians(25.0))
    u = 150 * np.sin(2 * np.pi * across / 14) + rng.normal(0, 20, (size, size))
    u[rng.random(u.shape) < gaps] = np.nan
    return u.astype(dtype)


def timed(work) -> float:
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--size", type=int, default=2048, help="pixels on a side")
    options.add_argument("--rounds", type=int, default=7)
    options.add_argument("--steps", type=int, default=4, help="steps per call")
    options.add_argument("--dtype", choices=["float32", "float64"], default="float32")
    options.add_argument("--gaps", type=float, default=0.02, help="share missing in the masked run")
    asked = options.parse_args()

    whole, holey = lineated(asked.size, asked.dtype, 0.0), lineated(asked.size, asked.dtype, asked.gaps)
    rule = {"sigma": 1.0, "rho": 4.0, "tau": 0.25, "alpha": 1e-3, "contrast": 2.56e-8, "scale": 200.0}
    stretch = np.ones(asked.size + 1)
    runs = {
        "gaussian_filter(u, 4, truncate=3)": (1, lambda: ndimage.gaussian_filter(whole, 4, truncate=3)),
        "explicit step": (asked.steps, lambda: diffusion.diffuse(whole, steps=asked.steps, **rule)),
        "explicit step with gaps": (asked.steps, lambda: diffusion.diffuse(holey, steps=asked.steps, **rule)),
        "coherence and strike": (1, lambda: structure.orientation(whole, 1.0, 4.0, stretch=stretch)),
    }
    for _, work in runs.values():
        work()  # compile, touch memory
    took: dict[str, list[float]] = {name: [] for name in runs}
    for _ in range(asked.rounds):
        for name, (count, work) in runs.items():
            took[name].append(timed(work) / count * 1e9 / asked.size**2)
    yardstick = next(iter(runs))
    print(f"{asked.size} x {asked.size} {asked.dtype}, {asked.rounds} rounds, sigma 1, rho 4")
    print(f"{'':36s} {'ms/Mpx':>8s} {'least':>8s} {'ratio':>8s}")
    for name, costs in took.items():
        ratio = median(a / b for a, b in zip(costs, took[yardstick], strict=True))
        print(f"{name:36s} {median(costs):8.1f} {min(costs):8.1f} {ratio:8.2f}")


if __name__ == "__main__":
    main()

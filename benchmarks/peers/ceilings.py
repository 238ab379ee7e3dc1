"""What the machine can do at best on one core: copies in memory and in L2, multiply-adds in float32.

    python benchmarks/peers/ceilings.py [--rounds 7] [--megabytes 256]

and how far a diffusion step is from that (`floor`), by our own count of its arithmetic and of the bytes that
have to move. A copy counts 8 bytes a pixel of float32, 4 read and 4 written; the line that is fetched before
it is overwritten is not counted, here or there. No real mix of operations reaches the peak of
multiply-adds: an addition alone counts as one operation and takes the time of two.
"""

from __future__ import annotations

import argparse
import math
import time
from statistics import median
from typing import NamedTuple

import numpy as np
from numba import njit

CHAIN = 16
"""Multiply-adds on each number between load and store."""


class Ceilings(NamedTuple):
    """Medians of rounds."""

    memory: float
    """Copies between arrays much larger than the caches, GB/s read and written."""
    l2: float
    """The same between arrays that stay in L2."""
    peak: float
    """Multiply-adds, Gflop/s, two for each."""


class Work(NamedTuple):
    """What has to be done for a pixel."""

    flops: float
    bytes: float


@njit(fastmath={"contract"}, error_model="numpy")
def chains(x: np.ndarray, a: float, b: float, repeat: int) -> None:  # pragma: no cover - compiled
    """Run `CHAIN` dependent multiply-adds on each of many numbers: vectors of them are independent."""
    for _ in range(repeat):
        for j in range(x.size):
            v = x[j]
            v = v * a + b
            v = v * a + b
            v = v * a + b
            v = v * a + b
            v = v * a + b
            v = v * a + b
            v = v * a + b
            v = v * a + b
            v = v * a + b
            v = v * a + b
            v = v * a + b
            v = v * a + b
            v = v * a + b
            v = v * a + b
            v = v * a + b
            v = v * a + b
            x[j] = v


def copying(megabytes: float, least: float = 0.05) -> float:
    """Return GB/s, read and written, of ``np.copyto`` from one array to another of this size."""
    source = np.ones(int(megabytes * 2**20) // 4, np.float32)
    into = np.zeros_like(source)
    np.copyto(into, source)
    repeat = max(1, int(least * 10e9 / source.nbytes))
    start = time.perf_counter()
    for _ in range(repeat):
        np.copyto(into, source)
    return 2 * source.nbytes * repeat / (time.perf_counter() - start) / 1e9


def multiplying(count: int = 2048, repeat: int = 40_000) -> float:
    """Return Gflop/s of `chains` on an array that stays in L1."""
    x = np.ones(count, np.float32)
    a, b = np.float32(0.999), np.float32(0.001)
    chains(x, a, b, 1)
    start = time.perf_counter()
    chains(x, a, b, repeat)
    return 2 * CHAIN * count * repeat / (time.perf_counter() - start) / 1e9


def measured(rounds: int = 7, megabytes: float = 256) -> Ceilings:
    """Measure the three in turn, round by round."""
    found = [(copying(megabytes), copying(0.125), multiplying()) for _ in range(rounds)]
    return Ceilings(*(median(column) for column in zip(*found, strict=True)))


def tensor_flops(sigma: float, rho: float) -> int:
    """Count two planes of the structure tensor: folded filters (3 r + 1 an axis), gradients, products."""
    fine, coarse = (3 * math.ceil(3 * s) + 1 for s in (sigma, rho))
    return 2 * fine + 6 + 5 + 2 * 2 * coarse


DIFFUSIVITY = 40
"""D from J: the difference of the eigenvalues, a square root, an exponential of 7 terms."""
STENCIL = 30
"""Differences, fluxes and what each pixel gains."""


def explicit(sigma: float, rho: float) -> Work:
    """Return what one step needs with a tensor of its own: read u, write u."""
    return Work(tensor_flops(sigma, rho) + DIFFUSIVITY + STENCIL, 8)


def explicit_with_gaps(sigma: float, rho: float) -> Work:
    """Return the same with gaps: two weights are read, and multiply five values."""
    return Work(explicit(sigma, rho).flops + 5, 16)


def frozen() -> Work:
    """Return what a step needs whose tensor is stored: u and the tensor read, u written."""
    return Work(STENCIL, 20)


def fed(sigma: float, rho: float, cycles: int, inner: int) -> Work:
    """Return what fast explicit diffusion needs: a tensor written each cycle, read each inner step."""
    flops = cycles * (tensor_flops(sigma, rho) + DIFFUSIVITY) + inner * STENCIL
    return Work(flops, cycles * 16 + inner * 20)


def show(found: Ceilings) -> None:
    print(
        f"one core: copy {found.memory:.1f} GB/s in memory ({8 / found.memory:.2f} ms/Mpx), "
        f"{found.l2:.0f} GB/s in L2, multiply-add {found.peak:.0f} Gflop/s in float32"
    )


def show_floors(works: dict[str, Work], costs: dict[str, float], found: Ceilings) -> None:
    """Print what each row needs, the least time for that, and how many times as long it took."""
    print(
        f"{'':44s} {'flop/px':>8s} {'B/px':>8s} {'arithm.':>8s} {'memory':>8s} {'took':>8s}  times the floor"
    )
    for name, work in works.items():
        floors = work.flops / found.peak, work.bytes / found.memory
        times = f"{costs[name] / max(floors):6.1f}"
        print(
            f"{name:44s} {work.flops:8.0f} {work.bytes:8.0f} {floors[0]:8.2f} {floors[1]:8.2f} "
            f"{costs[name]:8.1f}  {times}"
        )


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--rounds", type=int, default=7)
    options.add_argument("--megabytes", type=float, default=256, help="size of each array copied in memory")
    asked = options.parse_args()
    show(measured(asked.rounds, asked.megabytes))


if __name__ == "__main__":
    main()

"""Peak memory beyond input and output, bytes a pixel, each in a fresh process.

    python benchmarks/peers/footprint.py [--size 2048] [--steps 4]

What is subtracted is the peak of a process that imports and compiles the same and holds input and output
only. Peaks are the kernel's own count of resident pages (VmHWM), which sees pages outside the heap too;
``ru_maxrss``, used where there is no ``/proc``, starts from the peak of the parent. Work space that is
prepared once and used by every step counts.
"""

from __future__ import annotations

import argparse
import resource
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import ours
from rivals import RIVALS, RULE, Missing, lineated

if TYPE_CHECKING:
    from collections.abc import Callable

    import numpy as np

SMALL = 192
"""Side of the grid on which everything is compiled and loaded first."""

OURS: dict[str, Callable[[np.ndarray, int], np.ndarray]] = {
    "explicit step": ours.explicit,
    "explicit step with gaps": ours.gapped,
    "time 5 by fed": ours.fed,
}
TARGETS = {"explicit step": "<= 8", "time 5 by fed": "<= 20"}


def peak() -> int:
    """Return the most bytes that this process ever had in memory."""
    status = Path("/proc/self/status")
    if status.exists():
        line = next(line for line in status.read_text().splitlines() if line.startswith("VmHWM"))
        return int(line.split()[1]) * 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)


def alone(name: str, size: int, steps: int, *, call: bool) -> int:
    """Return the peak of this process after one call, or with input and output alone."""

    def once(u: np.ndarray) -> object:
        return OURS[name](u, steps) if name in OURS else RIVALS[name](u, RULE)(u)

    once(lineated(SMALL, "float32"))
    u = lineated(size, "float32")
    kept = once(u) if call else u.copy()
    return peak() if kept is not None else 0


def extra(name: str, size: int, steps: int) -> float:
    """Return bytes a pixel, or raise `Missing`."""
    peaks = []
    for what in ("call", "hold"):
        call = [sys.executable, __file__, "--size", str(size), "--steps", str(steps), "--one", name, what]
        done = subprocess.run(call, capture_output=True, text=True, check=False)
        if done.returncode:
            raise Missing(done.stderr.strip().splitlines()[-1].removeprefix("rivals.Missing: "))
        peaks.append(int(done.stdout))
    return (peaks[0] - peaks[1]) / size**2


def show(names: list[str], size: int, steps: int) -> None:
    print(f"{'peak memory beyond input and output':44s} {'B/px':>8s}  target")
    for name in names:
        try:
            print(f"{name:44s} {extra(name, size, steps):8.1f}  {TARGETS.get(name, '')}", flush=True)
        except Missing as reason:
            print(f"{name:44s} {'-':>8s}  {reason}")


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--size", type=int, default=2048, help="pixels on a side")
    options.add_argument("--steps", type=int, default=4, help="explicit steps in the call")
    options.add_argument("--one", nargs=2, help=argparse.SUPPRESS)
    asked = options.parse_args()
    if asked.one:
        print(alone(asked.one[0], asked.size, asked.steps, call=asked.one[1] == "call"))
        return
    show([*OURS, *RIVALS], asked.size, asked.steps)


if __name__ == "__main__":
    main()

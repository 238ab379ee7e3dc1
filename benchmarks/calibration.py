"""Time the neighbour vote against passes over the whole map and against a box filter, in turn, on one core.

python benchmarks/calibration.py [--shape 3000 1500] [--neighbours 3 11 25 51] [--areas 50 5000] [--rounds 5]
"""

from __future__ import annotations

import argparse
import time
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy import ndimage
from scipy.spatial import KDTree

from magxr.kernels.votes import vote
from tests.kernels import ballots

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

RULE: dict[str, Any] = {"keep": (0.3, 0.7), "majority": 0.5, "cut": 0.5, "ties": "keep"}
PASSES = 60
"""Most areas given to the passes over the map, which take half a second for each, whatever the neighbours:
they are timed for the first neighbourhood only."""


def predictions(shape: tuple[int, int]) -> NDArray[np.float32]:
    """Return random probabilities, a tenth of them missing: 4 in 10 are uncertain."""
    rng = np.random.default_rng(0)
    p = rng.random(shape, dtype=np.float32)
    p[rng.random(shape) < 0.1] = np.nan
    return p


def nearest_of(count: int, shape: tuple[int, int]) -> NDArray[np.float32]:
    """Return areas around random points: each cell has the number of the nearest one."""
    points = np.random.default_rng(1).random((count, 2)) * shape
    cells = np.stack(np.indices(shape), axis=-1).reshape(-1, 2)
    return KDTree(points).query(cells)[1].reshape(shape).astype(np.float32)


def best(works: dict[str, Callable[[], Any]], rounds: int) -> dict[str, float]:
    """Return the least CPU time of each, seconds, in turn; passes over the map for each area once."""
    took = dict.fromkeys(works, np.inf)
    for turn in range(rounds):
        for name, work in works.items():
            if turn == 0 or name != "passes with areas":
                start = time.process_time()
                work()
                took[name] = min(took[name], time.process_time() - start)
    return took


def main() -> None:
    """Print one line for each barrier, neighbourhood and kind of maximum."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--shape", type=int, nargs=2, default=(3000, 1500))
    parser.add_argument("--neighbours", type=int, nargs="+", default=[3, 11, 25, 51])
    parser.add_argument("--areas", type=int, nargs="*", default=[50, 5000])
    parser.add_argument("--rounds", type=int, default=5)
    told = parser.parse_args()
    shape = (told.shape[0], told.shape[1])
    p = predictions(shape)
    known = np.nan_to_num(p)
    print(f"{shape[0]} x {shape[1]} predictions, CPU seconds, least of {told.rounds} rounds")
    print(f"{'areas':>6s} {'to':8s} {'neighbours':>10s} {'vote':>8s} {'passes':>8s} {'uniform_filter':>15s}")
    for count in (0, *told.areas):
        sides = nearest_of(count, shape) if count else None
        for to in ("certain", "extreme"):
            vote(p[:64], None, None if sides is None else sides[:64], neighbours=3, to=to, **RULE)  # compile
            for n in told.neighbours:
                rule = RULE | {"neighbours": n, "to": to}
                passes = "passes with areas" if count else "passes"
                works: dict[str, Callable[[], Any]] = {
                    "vote": partial(vote, p, None, sides, **rule),
                    "filter": partial(ndimage.uniform_filter, known, n, mode="constant"),
                }
                if not count or (count <= PASSES and n == told.neighbours[0]):
                    works[passes] = partial(ballots.vote, p, None, sides, **rule)
                took = best(works, told.rounds)
                slow = f"{took[passes]:8.2f}" if passes in took else f"{'-':>8s}"
                print(
                    f"{count:6d} {to:8s} {n:10d} {took['vote']:8.3f} {slow} {took['filter']:15.3f}",
                    flush=True,
                )


if __name__ == "__main__":
    main()

"""Rounds in which every row is timed once, in turn, and the tables made of them."""

from __future__ import annotations

import time
from dataclasses import dataclass
from statistics import median
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence


@dataclass(frozen=True)
class Row:
    """What is timed, and what it should cost."""

    name: str
    work: Callable[[], Any]
    steps: int = 1
    """Steps in one call; the cost shown is that of one of them."""
    target: str = ""
    slow: bool = False
    """Timed in the first ``slow_rounds`` rounds only."""


Costs = dict[str, dict[int, float]]
"""Milliseconds per million pixels and step, by row and round."""


def seconds(work: Callable[[], Any]) -> float:
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def interleaved(rows: Sequence[Row], pixels: int, rounds: int, slow_rounds: int) -> Costs:
    """Time all rows in turn, round by round, after one call of each that is not timed."""
    costs: Costs = {row.name: {} for row in rows}
    for row in rows:
        if not row.slow:
            row.work()  # compile, touch memory
    for turn in range(rounds):
        for row in rows:
            if turn < slow_rounds or not row.slow:
                costs[row.name][turn] = seconds(row.work) / row.steps * 1e9 / pixels
    return costs


def ratio(costs: Costs, name: str, to: str) -> float:
    """Return the median, over the rounds in which both ran, of one row's cost over another's."""
    both = costs[name].keys() & costs[to].keys()
    return median(costs[name][turn] / costs[to][turn] for turn in both)


def show(rows: Sequence[Row], costs: Costs, yardstick: str, ours: str) -> None:
    """Print one line a row."""
    print(f"{'':44s} {'ms/Mpx':>8s} {'least':>8s} {'/ yard':>8s} {'/ ours':>8s}  target")
    for row in rows:
        took = costs[row.name].values()
        if took:
            against = f"{ratio(costs, row.name, yardstick):8.2f} {ratio(costs, row.name, ours):8.2f}"
            print(f"{row.name:44s} {median(took):8.1f} {min(took):8.1f} {against}  {row.target}", flush=True)

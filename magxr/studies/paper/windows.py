"""Which windows the study learns from and is tested on."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from magxr.errors import ParameterError
from magxr.models.split import (
    LEFT_OUT,
    block_ids,
    check_both_classes,
    leakage,
    leave_out_overlaps,
    split_windows,
)
from magxr.studies.paper.ground import COLUMNS, MISSING, Ground, cut, labels
from magxr.studies.paper.ledger import key_of
from magxr.studies.paper.settings import SHARE

if TYPE_CHECKING:
    from numpy.typing import NDArray


@dataclass(frozen=True, eq=False)
class Chosen:
    """Windows of some areas, with their labels."""

    areas: tuple[Ground, ...]
    area: NDArray[np.int64]
    """Number of the area of every window, shape (n,)."""
    table: NDArray[np.float64]
    """See `magxr.studies.paper.ground.COLUMNS`, shape (n, 5)."""
    label: NDArray[np.int8]
    """1 linear, 0 nonlinear, -1 ambiguous, shape (n,)."""

    def __len__(self) -> int:
        return len(self.label)

    @property
    def positions(self) -> NDArray[np.int64]:
        """Area, first row and first column of every window, shape (n, 3)."""
        return np.column_stack([self.area, self.table[:, :2].astype(np.int64)])

    @property
    def blocks(self) -> NDArray[np.int64]:
        """Block of every window, shape (n,)."""
        return block_ids(self.positions, self.areas[0].settings.block)

    @property
    def key(self) -> str:
        """Hash of which windows these are and what they are labelled."""
        about = [a.about("windows") for a in self.areas]
        return key_of({"areas": about, "where": self.positions.tolist(), "label": self.label.tolist()})

    def values(self, diffusion: str) -> NDArray[np.float32]:
        """Return the windows after a diffusion, shape (n, size, size), nT."""
        size = self.areas[0].settings.window
        out = np.empty((len(self), size, size), np.float32)
        for number, ground in enumerate(self.areas):
            mine = self.area == number
            if mine.any():
                out[mine] = cut(ground.diffused(diffusion), self.table[mine], size)
        return out

    def split(self, kind: str, seed: int) -> tuple[NDArray[np.int8], dict[str, Any]]:
        """Return the set of every window (0 training, 1 validation, 2 test, -1 none), and how it came about.

        A blocked split leaves out what touches another set.
        """
        if kind == "random":
            codes = split_windows(self.label, split="random", seed=seed)
        else:
            drawn = split_windows(self.label, split="block", groups=self.blocks, seed=seed)
            codes = leave_out_overlaps(self.positions, drawn, self.areas[0].settings.window)
            check_both_classes(self.label, codes, "more windows, or split random only")
        shared = leakage(self.positions, codes, self.areas[0].settings.window)
        return codes, {"left_out": int(np.sum(codes == LEFT_OUT)), "leakage": shared}


def training(areas: tuple[Ground, ...], rule: str) -> Chosen:
    """Choose the labelled windows of the training areas, in the paper's proportions.

    The first area gives 277 of 851, or as many as it has; the others give the rest. Windows are drawn at
    random among those that the rule labels.

    Raises
    ------
    ParameterError
        If there are too few.
    """
    settings = areas[0].settings
    rng = np.random.default_rng([settings.seed, 0xC405])
    parts: list[tuple[NDArray[np.float64], NDArray[np.int8]]] = []
    for number, ground in enumerate(areas):
        table = ground.table()
        label = labels(table, rule)
        clear = np.flatnonzero(label >= 0)
        left = settings.windows - sum(len(p[1]) for p in parts)
        wanted = left if number else round(SHARE * settings.windows)
        count = min(wanted, clear.size)
        rows = np.sort(rng.choice(clear, count, replace=False))
        parts.append((table[rows], label[rows]))
    have = sum(len(p[1]) for p in parts)
    if have < settings.windows:
        msg = (
            f"windows={settings.windows} is more than the {have} that the areas give by the rule {rule!r}; "
            f"ask for {have} at most"
        )
        raise ParameterError(msg)
    area = np.concatenate([np.full(len(p[1]), n, np.int64) for n, p in enumerate(parts)])
    return Chosen(areas, area, np.concatenate([p[0] for p in parts]), np.concatenate([p[1] for p in parts]))


def unseen(ground: Ground) -> Chosen:
    """Choose windows of an area that nothing was trained on, ambiguous ones among them."""
    settings = ground.settings
    table = ground.table()
    table = table[table[:, COLUMNS.index("missing")] <= MISSING]
    rng = np.random.default_rng([settings.seed, 0x5EE7])
    rows = np.sort(rng.choice(len(table), min(settings.unseen, len(table)), replace=False))
    return Chosen((ground,), np.zeros(rows.size, np.int64), table[rows], labels(table[rows]))

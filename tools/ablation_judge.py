"""How recipes of the default model are judged for `tools/ablation.py`: folds, kept answers, the table."""

from __future__ import annotations

import logging
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import training_windows as tw

from magxr.errors import StoreError
from magxr.models import split as splits

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from numpy.typing import NDArray

    Mask = NDArray[np.bool_]
    Answers = NDArray[np.float32]

_log = logging.getLogger("ablation")

FOLDS = 5
SHIPPED = "the shipped recipe"


@dataclass(frozen=True, slots=True, eq=False)
class Data:
    """Labelled windows of the training scenes, and the folds they are tested in."""

    features: NDArray[np.float32]
    table: tw.Table
    label: NDArray[np.int64]
    codes: NDArray[np.int8]
    files: tuple[Path, ...]
    """Of the training scenes."""
    keep: Path

    @property
    def scene(self) -> NDArray[np.int64]:
        """Seed of every window's scene."""
        return self.table[:, 0].astype(int)

    def column(self, name: str) -> NDArray[np.float64]:
        """Return a column of the table."""
        return self.table[:, tw.COLUMNS.index(name)]

    def every(self, step: int) -> Mask:
        """Return which windows are of every step-th scene."""
        return np.isin(self.scene, [int(f.stem.split("-")[1]) for f in self.files[::step]])

    def windows(self, step: int) -> NDArray[np.float32]:
        """Return the windows of every step-th scene, nT."""
        parts = []
        for file in self.files[::step]:
            with np.load(file, allow_pickle=False) as scene:
                parts.append(tw.cut(scene["maps"], scene["table"][tw.labels_of(scene["table"]) >= 0]))
        return np.concatenate(parts)


@dataclass(frozen=True, slots=True)
class Row:
    """A line of the table: a recipe, and on which windows it is judged."""

    number: int
    name: str
    make: Callable[[Data], Answers]
    """Answers to windows by heads that had not seen their scenes; NaN where there is none."""
    control: str = ""
    """Name of the row it is compared with, beside the shipped recipe."""
    on: Callable[[Data], Mask] | None = None
    """Windows it is judged on, if not all."""
    file: str = ""
    """Where answers are kept; the name if not given."""


def read(out: Path, keep: Path) -> Data:
    """Read the training scenes; the test scenes stay closed."""
    from magxr.models.folds import fold_codes

    files = tuple(f for f in tw.scenes(out) if int(f.stem.split("-")[1]) < tw.FIRST_TEST)
    features, tables = [], []
    for file in files:
        with np.load(file, allow_pickle=False) as scene:
            known = tw.labels_of(scene["table"]) >= 0
            tables.append(scene["table"][known])
            features.append(scene["features"][known])
    table = np.concatenate(tables)
    label = tw.labels_of(table).astype(int)
    codes = fold_codes(label, folds=FOLDS, groups=table[:, 0].astype(int))
    return Data(np.concatenate(features), table, label, codes, files, keep)


def unseen(
    data: Data,
    *,
    features: NDArray[np.float32] | None = None,
    within: Mask | None = None,
    learn: Mask | None = None,
    head: str = "aligned",
    decay: float = 0.0,
    members: int = 1,
) -> Answers:
    """Cross-validate a recipe; what is not given is as shipped.

    Parameters
    ----------
    data : Data
    features : ndarray, shape (n, d), optional
        Of all windows.
    within : ndarray of bool, optional
        Windows there are at all.
    learn : ndarray of bool, optional
        Windows that may be learnt from; all of ``within`` are tested.
    head, decay, members
        See `magxr.models.train.train_on_features`.
    """
    from magxr.models.train import Protocol, train_on_features

    codes = data.codes.copy()
    if learn is not None:
        codes[(codes == splits.TRAIN) & ~learn] = splits.LEFT_OUT
    there = np.ones(data.label.size, bool) if within is None else within
    model = train_on_features(
        (data.features if features is None else features)[there], data.label[there], codes[:, there],
        Protocol(balanced=True, weight_decay=decay), head=head, members=members, window=tw.WINDOW,
    )  # fmt: skip
    answers = np.full(data.label.size, np.nan, np.float32)
    answers[there] = model.out_of_fold
    return answers


def kept(data: Data, row: Row) -> Answers:
    """Return a row's answers, made once for the same windows: remove its file to try another recipe."""
    from magxr.models.checkpoint import fingerprint

    path = data.keep / (re.sub(r"\W+", "-", row.file or row.name) + ".npz")
    of = fingerprint(data.features, data.label)
    if not path.exists():
        answers = row.make(data)
        data.keep.mkdir(parents=True, exist_ok=True)
        part = path.with_suffix(".part")
        with part.open("wb") as stream:
            np.savez(stream, answers=answers, of=of)
        part.rename(path)
        _log.info("%s", path.stem)
    with np.load(path, allow_pickle=False) as found:
        if str(found["of"]) != of:
            msg = f"{path} holds answers to other windows; remove it, or give another --keep"
            raise StoreError(msg)
        return np.asarray(found["answers"], np.float32)


def table(data: Data, rows: list[Row], known: dict[str, Row]) -> str:
    """Return rows as a table in Markdown; ``known`` are all rows by name, the shipped recipe among them."""
    shipped = kept(data, known[SHIPPED])
    lines = [
        "| | recipe | windows judged | half measured, % | sparser, % | noise called linear "
        "| half measured, minus shipped | sparser, minus shipped | half measured, minus its control "
        "| sparser, minus its control |",
        "|---|---|---|---|---|---|---|---|---|---|",
    ]
    for row in rows:
        answers = kept(data, row)
        on = np.isfinite(answers) & np.isfinite(shipped)
        on &= True if row.on is None else row.on(data)
        well = on & (data.column("measured") >= tw.MEASURED)
        noise = on & (data.label == 0) & (data.column("noise") == 1)
        control = kept(data, known[row.control]) if row.control else None
        parts = well, on & ~well
        cells = [
            str(row.number), row.name, str(int(on.sum())), *(_score(data, answers, m) for m in parts),
            f"{int(np.sum(answers[noise] >= 0.5))} of {int(noise.sum())}",
            *("" if row.name == SHIPPED else _behind(data, answers, shipped, m) for m in parts),
            *("" if control is None else _behind(data, answers, control, m & np.isfinite(control))
              for m in parts),
        ]  # fmt: skip
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines)


def _score(data: Data, answers: Answers, on: Mask) -> str:
    from magxr.models.bootstrap import interval

    value, low, high = interval(data.label[on], answers[on], data.scene[on])[:3]
    return f"{100 * value:.1f} [{100 * low:.1f}, {100 * high:.1f}]"


def _behind(data: Data, answers: Answers, other: Answers, on: Mask) -> str:
    """Return the difference of balanced accuracy with its interval; one that holds 0 is a tie."""
    from magxr.models.compare import compare

    both = {"own": answers[on], "other": other[on]}
    found = compare(data.label[on], both, data.scene[on], together=False)
    place = found.names.index("own"), found.names.index("other")
    value, low, high = (100 * float(x[place]) for x in (found.difference, found.low, found.high))
    return f"{value:+.1f} [{low:+.1f}, {high:+.1f}]{', tie' if found.tied[place] else ''}"

"""The paper's experiment from age grids to tables, every finished piece kept."""

from __future__ import annotations

import io
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from magxr.errors import ParameterError
from magxr.models import engine
from magxr.studies.paper import tell
from magxr.studies.paper.ground import Ground, labelled, labels, surveyed
from magxr.studies.paper.learn import Desk
from magxr.studies.paper.ledger import open_ledger
from magxr.studies.paper.rows import PAPER, comparable, plan
from magxr.studies.paper.score import line, ties
from magxr.studies.paper.settings import Settings
from magxr.studies.paper.windows import Chosen, training, unseen
from magxr.synthetic.places import TRAINING, UNSEEN, place
from magxr.view import paper_study as view
from magxr.view.maps import blank_figure

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from magxr.studies.paper.rows import Row
    from magxr.studies.paper.score import Trainings

TITLE = "The experiment of Ghosh et al. (2026) on replicas of its areas"


@dataclass(frozen=True)
class PaperStudy:
    """What the study left in its folder."""

    folder: Path
    lines: list[dict[str, Any]]
    """One for each row and split; see `magxr.studies.paper.score.line`."""
    made: int
    """Pieces made by this run."""
    found: int
    """Pieces that an earlier run had left."""

    def to_text(self) -> str:
        """Return test accuracies, one line each."""
        out = []
        for one in self.lines:
            if "test" in one:
                paper = "" if one["paper"] is None else f" (paper {one['paper']:g})"
                told = f"{one['test']:.1f} %, blocks {one['blocks_low']:.1f} to {one['blocks_high']:.1f}"
                out.append(f"{one['name']}, split {one['split']}: {told}{paper}")
            else:
                out.append(f"{one['name']}, split {one['split']}: every training collapsed")
        return "\n".join(out)


def paper_study(
    age: str | Path,
    out: str | Path,
    settings: Settings | None = None,
    *,
    say: Callable[[str], None] | None = None,
) -> PaperStudy:
    """Make replicas of the paper's areas, train its models on them, and put the results beside the paper's.

    Parameters
    ----------
    age : str or Path
        Folder of age grids of the four areas; see `magxr.synthetic.ages.read`.
    out : str or Path
        Folder of the study: a new one, or one of an earlier run, which then goes on. Maps, features and every
        training are kept there under the hash of all that they depend on. It ends with ``paper.md``,
        ``paper.html``, ``paper.csv``, ``paper.json``, ``paper.png`` and ``areas.png``.
    settings : Settings, optional
        Sizes and choices.
    say : callable, optional
        Is told a line of text before each piece of work.

    Returns
    -------
    PaperStudy

    Raises
    ------
    MagxrError
        If the age grids, a setting or ``out`` cannot be used, before any work; or if the areas give fewer
        windows than asked for.

    Notes
    -----
    Computes, on this machine. The paper's order: 277 + 574 windows of the East Pacific Rise and the Reykjanes
    Ridge, steps 2 to 7, three models (Fig. 9), ten backbones (Table S5), Azores and Shatsky Rise unseen.

    References
    ----------
    Ghosh et al. (2026), Sci. Rep. 16, 1185.
    """
    settings = settings or Settings()
    settings.check()
    engine.check_installed()
    blank_figure(1.0, 1.0)  # not after hours: matplotlib may be absent
    tell_ = say or (lambda _: None)
    names = (*TRAINING, *(UNSEEN if settings.unseen else ()))
    places = {name: surveyed(place(name), settings.shrink) for name in names}
    replicas = {name: p.replica(age, settings.seed) for name, p in places.items()}
    ledger = open_ledger(out)  # after all that can be refused: then nothing is left
    areas = {name: Ground(p, replicas[name], settings, ledger) for name, p in places.items()}
    desk, rows = _prepared(areas, settings, ledger, tell_)
    trainings: Trainings = {}
    for row in rows:
        for split in settings.splits:
            tell_(f"{row.name}, split {split}")
            trainings[row, split] = [desk.cell(row, split, seed) for seed in range(settings.seeds)]
    lines = [line(row, split, results) for (row, split), results in trainings.items()]
    kinds: dict[str, None] = dict.fromkeys(row.part for row in rows)
    compared = {
        (part, split): ties(trainings, comparable(rows, part), split)
        for part in kinds
        for split in settings.splits
    }
    tuned = areas.values() if any(row.diffusion == "tuned" for row in rows) else ()
    facts = {
        "areas": [_facts(a, desk) for a in areas.values()],
        "tuned": {a.place.title: a.tuned()["told"] for a in tuned},
    }
    parts = tell.account(lines, settings, facts, compared)
    curves, drawn = _curves(trainings, settings), _areas(areas)
    figures = {
        f"Accuracy against epochs, split {settings.splits[0]}: means over seeds, bands their range; "
        "dashed the paper's final accuracies.": curves,
        "The areas after steps 4 and 5 (by the paper's rule), and where their truth is linear.": drawn,
    }
    ledger.publish(
        {
            "paper.csv": _csv(lines),
            "paper.json": _json(settings, facts, lines, compared),
            "paper.png": curves,
            "areas.png": drawn,
            "paper.md": tell.markdown(TITLE, parts).encode(),
            "paper.html": view.page(TITLE, parts, figures).encode(),
        }
    )
    return PaperStudy(ledger.folder, lines, ledger.made, ledger.found)


def _prepared(
    areas: Mapping[str, Ground], settings: Settings, ledger: Any, say: Callable[[str], None]
) -> tuple[Desk, list[Row]]:
    rows = plan(settings)
    for area in areas.values():
        say(f"{area.place.title}: replica, gridding, noise reduction")
        area.gridded()
    learnt = tuple(areas[name] for name in TRAINING)
    if any(row.diffusion == "tuned" for row in rows):
        for area in areas.values():
            say(f"{area.place.title}: choice of a diffusion")
            area.tuned()
    chosen = {rule: training(learnt, rule) for rule in dict.fromkeys(row.labels for row in rows)}
    strange = {name: unseen(areas[name]) for name in areas if name in UNSEEN}
    return Desk(settings, ledger, chosen, strange), rows


def _facts(area: Ground, desk: Desk) -> dict[str, Any]:
    maps, table = area.gridded(), area.table()
    label = labels(table)
    windows: Chosen | None = desk.strange.get(area.place.name)
    if windows is None:
        clear = desk.chosen["clear"]
        taken = int(np.sum(clear.area == list(TRAINING).index(area.place.name)))
    else:
        taken = len(windows)
    return {
        "title": area.place.title,
        "rows": maps["denoised"].shape[0],
        "columns": maps["denoised"].shape[1],
        "spacing": area.spacing,
        "windows": len(table),
        "linear": int(np.sum(label == 1)),
        "nonlinear": int(np.sum(label == 0)),
        "left": int(np.sum(label < 0)),
        "linear_cells": float(maps["linear"].mean()),
        "taken": taken,
        "variance_kept": float(maps["retained"]),
    }


def _curves(trainings: Trainings, settings: Settings) -> bytes:
    split = settings.splits[0]
    panels, tests, paper = {}, {}, {}
    for (row, how), results in trainings.items():
        good = [r for r in results if "failed" not in r]
        if row.part == "fig9" and how == split and good:
            panels[row.name] = [r["history"] for r in good]
            tests[row.name] = 100.0 * float(np.mean([r["test"] for r in good]))
            paper[row.name] = PAPER[row.model]
    if not panels:
        msg = "every training of the models of Fig. 9 collapsed: there is nothing to draw; see the cells"
        raise ParameterError(msg)
    return _png(view.curves(panels, tests, paper))


def _areas(areas: Mapping[str, Ground]) -> bytes:
    """Draw all areas; the diffusion is that of the paper's rule whatever was trained."""
    drawn = []
    for area in areas.values():
        kept = area.gridded()
        kept["diffused"] = area.diffused("paper")
        kept["linear"] = kept["linear"].astype(np.float32)
        drawn.append((area.place.title, {k: labelled(kept, k) for k in ("denoised", "diffused", "linear")}))
    return _png(view.areas(drawn))


def _png(figure: Any) -> bytes:
    stream = io.BytesIO()
    figure.savefig(stream, format="png")
    return stream.getvalue()


def _csv(lines: list[dict[str, Any]]) -> bytes:
    import pandas as pd

    return str(pd.DataFrame(lines).to_csv(index=False)).encode()


def _json(
    settings: Settings, facts: dict[str, Any], lines: list[dict[str, Any]], compared: Mapping[Any, Any]
) -> bytes:
    told = {f"{part}, {split}": None if c is None else c.report() for (part, split), c in compared.items()}
    content = {"settings": settings.described(), **facts, "lines": lines, "compared": told}
    return (json.dumps(content, indent=1, default=str) + "\n").encode()

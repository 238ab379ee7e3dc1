"""What the study found, as text: tables beside the paper's figures, and why the order differs or not."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from magxr.studies.paper.rows import PAPER

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from magxr.models.compare import Comparison
    from magxr.studies.paper.settings import Settings

    Line = dict[str, Any]

PAPER_LINEAR = {"azores": 86.0, "shatsky": 73.0}
"""Share of the map that the paper calls linear, percent; Shatsky's east of the trenches."""


_TITLES = {
    "fig9": "The three models of Fig. 9",
    "ablation": "Diffusions and labels",
    "backbone": "Backbones (Table S5)",
}


@dataclass(frozen=True, slots=True)
class Part:
    """A part of the account: what stands above a table, the table, what stands below."""

    title: str
    before: tuple[str, ...] = ()
    head: tuple[str, ...] = ()
    rows: tuple[tuple[str, ...], ...] = ()
    after: tuple[str, ...] = ()


def account(
    lines: Sequence[Line],
    settings: Settings,
    facts: Mapping[str, Any],
    compared: Mapping[tuple[str, str], Comparison | None],
) -> list[Part]:
    """Return the whole account, part by part.

    Parameters
    ----------
    lines : sequence of dict
        From `magxr.studies.paper.score.line`.
    settings : Settings
    facts : mapping
        ``areas`` (what each area is like), ``tuned`` (title of an area -> what `magxr.tune` said).
    compared : mapping
        Part and split -> ties.
    """
    parts = [_data(settings, facts)]
    for part, title in _TITLES.items():
        mine = [line for line in lines if line["part"] == part]
        if mine and part == "ablation":  # beside those that they are to be compared with
            mine = [line for line in lines if line["part"] == "fig9" and line["head"] != "cnn"] + mine
        if mine:
            parts.append(_accuracies(title, mine, {s: compared.get((part, s)) for s in settings.splits}))
    told = [line for line in lines if line["part"] != "backbone" and line["labels"] == "clear"]
    strange = [line for line in told if "test" in line]
    areas = [name for name in PAPER_LINEAR if any(f"{name}_accuracy" in line for line in strange)]
    if areas:
        parts.append(_strange(strange, areas))
    parts.append(_order(lines, compared))
    return parts


def _data(settings: Settings, facts: Mapping[str, Any]) -> Part:
    head = (
        "area",
        "cells",
        "spacing, arcmin",
        "windows",
        "linear",
        "nonlinear",
        "neither",
        "taken",
        "linear cells, %",
    )
    rows = tuple(
        (
            a["title"],
            f"{a['rows']} x {a['columns']}",
            f"{a['spacing']:g}",
            str(a["windows"]),
            str(a["linear"]),
            str(a["nonlinear"]),
            str(a["left"]),
            str(a["taken"]),
            f"{100.0 * a['linear_cells']:.0f}",
        )
        for a in facts["areas"]
    )
    before = [
        "Replicas of the paper's areas: real ages, isochrons and depths, made-up surveys and provinces. "
        "Labels come from the truth: 70 % of a window linear, or nonlinear, and stripes that the survey "
        "shows; the others are neither.",
        f"{settings.windows} labelled windows of {settings.window} x {settings.window} cells, "
        f"{settings.seeds} seeds, {settings.epochs} epochs.",
    ]
    if settings.shrink > 1:
        before.append(
            f"Shrunk: cells are {settings.shrink} times wider than the paper's and windows hold as many "
            "times fewer. The ground is the same, the picture that the network sees is coarser."
        )
    after = tuple(f"Tuned, {title}: {'. '.join(told)}" for title, told in facts["tuned"].items())
    return Part("Data", tuple(before), head, rows, after)


def _accuracies(title: str, lines: Sequence[Line], compared: Mapping[str, Comparison | None]) -> Part:
    head = (
        "model", "split", "paper, test %", "train %", "validation %", "test %", "seeds", "Wilson 95 %",
        "blocks 95 %", "windows: train, test", "test pixels trained on", "ties",
    )  # fmt: skip
    rows = []
    for line in lines:
        paper = "" if line["paper"] is None else f"{line['paper']:g}"
        start = (line["name"], line["split"], paper)
        if "test" not in line:
            rows.append((*start, "", "", "every training collapsed", *[""] * 6))
            continue
        ranked = compared.get(line["split"])
        tie = ""
        if ranked is not None and line["name"] in ranked.names:
            tie = ranked.letters[ranked.names.index(line["name"])]
        collapsed = f", {line['failed']} collapsed" if line["failed"] else ""
        rows.append(
            (
                *start,
                f"{line['train']:.1f}",
                f"{line['validation']:.1f}",
                f"{line['test']:.1f}",
                f"{line['lowest']:.1f} to {line['highest']:.1f}{collapsed}",
                f"{line['wilson_low']:.1f} to {line['wilson_high']:.1f}",
                f"{line['blocks_low']:.1f} to {line['blocks_high']:.1f}",
                f"{line['train_windows']:.0f}, {line['test_windows']:.0f}",
                f"{line['leakage']:.0f} %",
                tie,
            )
        )
    note = (
        "Models with a letter in common cannot be told apart on these windows (blocks redrawn together for "
        "all models, 95 % for all pairs at once). Compare letters within one split."
    )
    return Part(title, (), head, tuple(rows), (note,))


def _strange(lines: Sequence[Line], areas: Sequence[str]) -> Part:
    each = ("right, %", "95 %", "balanced, %", "called linear, %")
    head = ("model", "split", *(f"{a}: {what}" for a in areas for what in each))
    rows = []
    for line in lines:
        cells = [line["name"], line["split"]]
        for a in areas:
            known = line[f"{a}_windows"] > 0
            low, high = (line[f"{a}_{k}"] for k in ("low", "high"))
            cells += [
                f"{line[f'{a}_accuracy']:.1f}" if known else "-",
                f"{low:.1f} to {high:.1f}" if known else "-",
                f"{line[f'{a}_balanced']:.1f}" if known and math.isfinite(line[f"{a}_balanced"]) else "-",
                f"{line[f'{a}_called_linear']:.1f}",
            ]
        rows.append(tuple(cells))
    first = lines[0]
    told = ", ".join(
        f"{first[f'{a}_linear']:.0f} % of {first[f'{a}_windows']} in {a}"
        for a in areas
        if first[f"{a}_windows"]
    )
    paper = ", ".join(f"{PAPER_LINEAR[a]:g} % in {a}" for a in areas)
    after = (
        f"Right: of windows with a clear label, of which {told or 'none'} are linear. The paper calls "
        f"linear {paper} of its real maps, which is no accuracy: nobody knows the truth there.",
    )
    return Part("Areas that were never seen", (), head, tuple(rows), after)


def _order(lines: Sequence[Line], compared: Mapping[tuple[str, str], Comparison | None]) -> Part:
    """Say which of the paper's differences are found here, from the numbers alone."""
    said = [f"The paper: {', then '.join(f'{m} {p[2]:g} %' for m, p in PAPER.items())} (one random split)."]
    for (part, split), ranked in compared.items():
        if part != "fig9" or ranked is None:
            continue
        raw = [line for line in lines if _is(line, split, "raw")]
        for line in raw:
            other = next((o for o in lines if _is(o, split, "diffused") and o["head"] == line["head"]), None)
            if other is not None and {line["name"], other["name"]} <= set(ranked.names):
                said.append(_difference(ranked, other["name"], line["name"], split, "Diffusion"))
    for (part, split), ranked in compared.items():
        if part in ("ablation", "backbone") and ranked is not None:
            first = [n for n, r in zip(ranked.names, ranked.rank, strict=True) if r == 1]
            what = f"{_TITLES[part]}, split {split}: {len(first)} of {len(ranked.names)}"
            said.append(f"{what} tie for the best: {'; '.join(first)}.")
    test = {
        (line["name"], line["split"]): line for line in lines if "test" in line and line["part"] == "fig9"
    }
    for (name, split), line in test.items():
        blocked = test.get((name, "block"))
        if split == "random" and blocked is not None:
            said.append(
                f"{name}: {line['test']:.1f} % with a random split, {line['leakage']:.0f} % of whose test "
                f"pixels were trained on, {blocked['test']:.1f} % with blocks, none of whose were."
            )
    return Part("Against the paper", tuple(said))


def _is(line: Line, split: str, model: str) -> bool:
    return bool(
        line["part"] == "fig9" and line["split"] == split and line["model"] == model and "test" in line
    )


def _difference(ranked: Comparison, better: str, worse: str, split: str, what: str) -> str:
    i, j = ranked.names.index(better), ranked.names.index(worse)
    low, high, value = (100.0 * float(a[i, j]) for a in (ranked.low, ranked.high, ranked.difference))
    verdict = "a tie" if low <= 0.0 <= high else ("a gain" if value > 0 else "a loss")
    return (
        f"{what}, split {split}: {better} minus {worse} is {value:+.1f} points ({low:+.1f} to {high:+.1f}): "
        f"{verdict}."
    )


def markdown(title: str, parts: Sequence[Part]) -> str:
    """Return the account as Markdown."""
    out = [f"# {title}"]
    for part in parts:
        out += [f"## {part.title}", *part.before]
        if part.head:
            table = ["| " + " | ".join(part.head) + " |", "|" + "---|" * len(part.head)]
            out.append("\n".join([*table, *("| " + " | ".join(r) + " |" for r in part.rows)]))
        out += part.after
    return "\n\n".join(out) + "\n"

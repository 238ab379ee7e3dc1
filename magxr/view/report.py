"""The report of a run: what it holds, and one self-contained HTML page of it.

The page loads nothing from anywhere (its content security policy forbids it), runs no script, and prints.
"""

from __future__ import annotations

import io
import json
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from magxr.errors import ParameterError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import xarray as xr


@dataclass(frozen=True, slots=True)
class Number:
    """A key figure, shown large."""

    value: str
    """With its unit, as it should be read: "73.2 %"."""
    label: str
    """What it is, a few words."""
    note: str = ""
    """How it was counted, or its interval."""


@dataclass(frozen=True, slots=True)
class Shares:
    """How the cells of the map divide; percent of all cells, adding up to 100."""

    linear: float
    nonlinear: float
    unanswered: float

    @classmethod
    def of(cls, linear: xr.DataArray) -> Shares:
        """Count a map of classes (1, 0, -1), numpy- or Dask-backed."""
        counts = [int((linear.data == c).sum()) for c in (1, 0, -1)]
        total = max(sum(counts), 1)
        return cls(*(100.0 * n / total for n in counts))


@dataclass(frozen=True, slots=True)
class Plate:
    """A figure of the report."""

    title: str
    caption: str
    image: Any
    """A matplotlib Figure or Axes, PNG bytes, or the path of a PNG file."""

    def png(self) -> bytes:
        """Return the picture as PNG."""
        if isinstance(self.image, bytes):
            return self.image
        if isinstance(self.image, str | Path):
            return Path(self.image).read_bytes()
        drawn = getattr(self.image, "figure", None) or self.image
        buffer = io.BytesIO()
        drawn.savefig(buffer, format="png", dpi=110)
        return buffer.getvalue()


@dataclass(frozen=True, slots=True)
class Step:
    """A step of the workflow as it was run."""

    name: str
    parameters: Mapping[str, Any] = field(default_factory=dict)
    measured: Mapping[str, Any] = field(default_factory=dict)
    """What is known only after computing: fences, counts, rank, ..."""
    about: str = ""
    """One sentence on what the step does."""


@dataclass(frozen=True, slots=True)
class ModelNote:
    """The model that classified, in short."""

    name: str
    sha256: str
    facts: Mapping[str, Any] = field(default_factory=dict)
    """Accuracy with its interval, trunk, head, window, spacing, ..."""
    trained_on: str = ""
    not_trained_on: str = ""

    @classmethod
    def of_card(cls, card: Mapping[str, Any], not_trained_on: str = "") -> ModelNote:
        """Sum up a model card (`magxr.models.spec.card`): accuracies with their intervals and counts.

        Of an evaluation by parts, those of the whole and of its first division; the card has the rest.
        """
        spec, training = card["spec"], card["training"]
        low, high = spec["spacing"]
        facts: dict[str, Any] = {
            "input": f"windows of {spec['window']} x {spec['window']} cells at {low:g} to {high:g} arcmin",
            **_seen_by(spec),
            "head": f"{spec['head']}, {text_of(training['parameters'])} trained parameters",
        }
        tables = {k: training[k] for k in ("validation", "test") if k in training}
        for name, table in {**tables, **card.get("evaluation", {})}.items():
            if name.count(", ") > 1:
                continue
            span = " to ".join(f"{100 * v:.1f}" for v in table["accuracy_interval"])
            facts[f"accuracy, {name}"] = (
                f"{100 * table['accuracy']:.1f} % of {table['windows']} windows (Wilson 95 %: {span} %)"
            )
        return cls(spec["name"], spec["sha256"], facts, spec["trained_on"], not_trained_on)


def _seen_by(spec: Mapping[str, Any]) -> dict[str, str]:
    """Return what makes features of a window: a trunk, or measuring."""
    if not spec["trunk_sha256"]:
        return {"features": f"{spec['features']}, without a trunk"}
    return {"trunk": f"{spec['trunk']}, SHA-256 {spec['trunk_sha256']}"}


@dataclass(frozen=True, slots=True)
class Report:
    """Everything the page shows. Empty parts are left out."""

    title: str
    region: str = ""
    """Name and bounds of the region, spacing and size of the grid."""
    summary: str = ""
    """One paragraph: what was done and what came out."""
    preset: str = ""
    shares: Shares | None = None
    numbers: Sequence[Number] = ()
    figures: Sequence[Plate] = ()
    steps: Sequence[Step] = ()
    model: ModelNote | None = None
    limits: Sequence[str] = ()
    """What the reader must not conclude."""
    source: Mapping[str, Any] = field(default_factory=dict)
    """The input: where from, licence, citation, hash."""
    provenance: Mapping[str, Any] = field(default_factory=dict)
    """Versions, command line, scheduler, output store."""
    history: str = ""
    """``attrs["history"]`` of the result."""
    timings: Mapping[str, float] = field(default_factory=dict)
    """What took how long, seconds."""


NO_ANSWER = (
    "No answer is an answer: where more of a window than allowed was missing or filled, or where it would "
    "reach over the edge of the map, nothing is claimed. Percentages of linear are of the answered cells."
)
"""A limit that every report should state."""


def write_report(report: Report, path: str | Path) -> Path:
    """Write the report as one HTML file.

    Parameters
    ----------
    report : Report
        What to show. All text is escaped; pictures are embedded as PNG.
    path : str or pathlib.Path
        A name ending in ``.html`` in a folder that exists. An older file there is replaced, whole or not at
        all.

    Returns
    -------
    pathlib.Path

    Raises
    ------
    ParameterError
        If the path does not end in .html, its folder does not exist, or the report has no title.
    """
    from magxr.view.page import page

    path = Path(path)
    if path.suffix != ".html":
        msg = f"a report is a web page: give a path that ends in .html, not {str(path)!r}"
        raise ParameterError(msg)
    if not path.parent.is_dir():
        msg = f"the folder {str(path.parent)!r} does not exist; create it first"
        raise ParameterError(msg)
    if not report.title.strip():
        msg = f"a report needs a title, got {report.title!r}"
        raise ParameterError(msg)
    partial = path.with_name(f".{path.name}.partial")
    try:
        partial.write_text(page(report), encoding="utf-8")
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)
    return path


def steps_of(history: str, measured: Mapping[str, Mapping[str, Any]] | None = None) -> list[Step]:
    """Read the steps and their parameters back from ``attrs["history"]``.

    Parameters
    ----------
    history : str
        Lines as `magxr.labelled.signed` writes them; others are passed over.
    measured : mapping, optional
        Step name -> what was measured there.
    """
    found = []
    for line in history.splitlines():
        match = re.fullmatch(r"magxr \S+: (\w+)\((.*)\)", line.strip())
        if match:
            name, arguments = match.groups()
            found.append(Step(name, _arguments(arguments), dict((measured or {}).get(name, {}))))
    return found


def _arguments(text: str) -> dict[str, Any]:
    found: dict[str, Any] = {}
    decoder = json.JSONDecoder()
    at = 0
    while match := re.compile(r"(?:, )?(\w+)=").match(text, at):
        value, at = decoder.raw_decode(text, match.end())
        found[match.group(1)] = value
    return found


def scalars(ds: xr.Dataset | xr.DataArray) -> dict[str, str]:
    """Return the by-products of the steps (scalar coordinates) as text with units; this computes them."""
    found = {}
    for name, value in ds.coords.items():
        if value.ndim or name == "spatial_ref" or not np.issubdtype(value.dtype, np.number):
            continue
        label = str(value.attrs.get("long_name", name)).replace("_", " ")
        found[label] = text_of(value.values[()]) + (
            f" {value.attrs['units']}" if "units" in value.attrs else ""
        )
    return found


def text_of(value: Any) -> str:
    """Write a value for a reader: four digits at most, counts whole, lists with commas."""
    if isinstance(value, bool | np.bool_):
        return "yes" if value else "no"
    if isinstance(value, int | np.integer):
        value = int(value)
        return f"{value:,}".replace(",", "\u2009") if abs(value) >= 10_000 else str(value)
    if isinstance(value, float | np.floating):
        value = float(value)
        return text_of(int(value)) if value.is_integer() and abs(value) < 1e15 else f"{value:.4g}"
    if isinstance(value, list | tuple | np.ndarray):
        return ", ".join(text_of(v) for v in value)
    return "none" if value is None else str(value)

"""Pictures and the report of a run, made from its stores."""

from __future__ import annotations

import platform
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from magxr.io.store import versions
from magxr.kernels import heap
from magxr.labelled import anomaly, canonical
from magxr.models.spec import card
from magxr.steps.percent import percent_linear
from magxr.view.figures import cleaning_figure, prediction_figure
from magxr.view.plot import plot
from magxr.view.report import (
    NO_ANSWER,
    ModelNote,
    Number,
    Plate,
    Report,
    Shares,
    Step,
    steps_of,
    write_report,
)

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    import xarray as xr

    from magxr.models.spec import ModelSpec
    from magxr.runs.config import RunConfig

_MEASURED = {
    "remove_outliers": ("lower_fence", "upper_fence", "outlier_count"),
    "denoise": ("rank", "retained_variance"),
}
"""Step -> by-products that it leaves as scalar coordinates."""

_READABLE = 300
"""Longest attribute of the input that is shown, characters; longer ones are for machines and in the store."""


@dataclass(frozen=True)
class Findings:
    """All that a run knows when it is done computing."""

    config: RunConfig
    spec: ModelSpec
    source: xr.Dataset
    maps: xr.Dataset
    result: xr.Dataset
    seconds: Mapping[str, float]


def present(found: Findings, folder: Path) -> tuple[str, list[str], str]:
    """Write PNG maps and the report into ``folder``; return their names and the headline."""
    stem = found.config.out.stem
    names, plates = [], []
    for name, draw in PICTURES.items():
        figure, title, text = draw(found)
        names.append(f"{stem}-{name}.png")
        figure.savefig(folder / names[-1], dpi=150)
        # as bytes: of figures, with all they were drawn from, one is in memory at a time
        plates.append(Plate(title, text, Plate(title, text, figure).png()))
        figure.clear()
        heap.give_back()
    shares = Shares.of(found.result["linear"])
    by = {w: float(percent_linear(found.result, weights=w)) for w in ("area", "cells")}
    page = _page(found, shares, by, plates)
    write_report(page, folder / f"{stem}.html")
    return f"{stem}.html", names, _headline(found, shares, by)


def _headline(found: Findings, shares: Shares, by: Mapping[str, float]) -> str:
    weights = found.config.weights
    return (
        f"{by[weights]:.1f} % of the answered map is linear (by {weights}); "
        f"{shares.unanswered:.1f} % of the map has no answer"
    )


def _cleaning(found: Findings) -> tuple[Any, str, str]:
    maps = found.maps
    removed = (maps["gridded"] - maps["denoised"]).assign_attrs(units="nT").rename("removed")
    fig = cleaning_figure(anomaly(found.source), maps["gridded"], maps["denoised"], removed)
    text = (
        "The anomaly as read, after outliers were removed and gaps filled, after the low-rank "
        "approximation, and what that removed (Fig. 7 of the paper)."
    )
    return fig, "From the raw grid to the cleaned one", text


def _prediction(found: Findings) -> tuple[Any, str, str]:
    fig = prediction_figure(found.maps["anomaly"], found.result)
    text = (
        "Dark shade: nonlinear. Hatching: no answer. Beside it the model's probabilities and those after "
        "the neighbours' vote (Figs 10 and 11 of the paper)."
    )
    return fig, "Where the anomalies are linear", text


def _strike(found: Findings) -> tuple[Any, str, str]:
    ax = plot(found.maps[["strike", "coherence"]], what="strike")
    text = "Direction of the stripes from north, from the structure tensor; strong colour where coherent."
    return ax.figure, "Strike of the lineations", text


PICTURES = {"linear": _prediction, "cleaning": _cleaning, "strike": _strike}
"""Name of a picture, as it stands in its file's name -> what draws it, with title and caption."""


def _page(found: Findings, shares: Shares, by: Mapping[str, float], plates: list[Plate]) -> Report:
    config, spec, result = found.config, found.spec, found.result
    _, grid, _ = canonical(anomaly(found.maps[["anomaly"]]))
    south, west = grid.origin
    north, east = grid.latitude[-1], grid.longitude[-1]
    rows, columns = grid.shape
    place = f"{rows} x {columns} cells of {grid.spacing[0] * 60:.3g} arcmin, "
    place += f"latitude {south:.2f} to {north:.2f}, longitude {west:.2f} to {east:.2f}"
    numbers = [
        Number(f"{by['area']:.1f} %", "linear, by area", "of the answered cells"),
        Number(f"{by['cells']:.1f} %", "linear, by cells", "as the paper counts"),
        Number(f"{shares.unanswered:.1f} %", "without an answer", "of the whole map"),
        Number(f"{result['linear'].size}", "window positions", f"stride {config.stride} cells"),
    ]
    about = card(spec.head_file())
    return Report(
        title=str(found.source.attrs.get("title", config.region)),
        region=place,
        summary=_headline(found, shares, by).capitalize() + ".",
        preset=config.preset,
        shares=shares,
        numbers=numbers,
        figures=plates,
        steps=_steps(found),
        model=ModelNote.of_card(about),
        limits=[NO_ANSWER, *about.get("limits", ())],
        source={k: v for k, v in found.source.attrs.items() if v and len(str(v)) <= _READABLE},
        provenance={
            "made with": versions(),
            "python": platform.python_version(),
            "parameters": ", ".join(f"{k}={v}" for k, v in config.parameters().items() if v is not None),
        },
        history=_history(found),
        timings=dict(found.seconds),
    )


def _steps(found: Findings) -> list[Step]:
    coords = found.maps["anomaly"].coords
    measured = {
        step: {n.replace("_", " "): coords[n].values[()] for n in names if n in coords}
        for step, names in _MEASURED.items()
    }
    return steps_of(_history(found), measured)


def _history(found: Findings) -> str:
    return str(found.result["linear"].attrs["history"])

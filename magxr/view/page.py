"""Lay a `Report` out as HTML. Every text goes through `escape`; nothing here reads data or decides."""

from __future__ import annotations

import base64
import struct
from html import escape
from importlib.resources import files
from typing import TYPE_CHECKING, Any

from magxr._version import __version__
from magxr.view.report import text_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from magxr.view.report import ModelNote, Plate, Report, Shares, Step

POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src data:"
"""The browser refuses to load or run anything but the inline style and the embedded pictures."""

_NARROW = 1400
"""Pictures with fewer pixels across are not stretched over the page."""


def page(report: Report) -> str:
    """Return the whole page."""
    parts = [
        _header(report),
        _numbers(report),
        _split(report.shares) if report.shares else "",
        _section("Maps", "".join(map(_figure, report.figures))),
        _section("Limits", _limits(report)),
        _section("Model", _model(report.model) if report.model else ""),
        _section("Steps", _steps(report)),
        _section("Input", _facts(report.source)),
        _section("Provenance", _facts(report.provenance) + _history(report.history)),
        _section("Time", _timings(report.timings)),
    ]
    css = files("magxr.view").joinpath("page.css").read_text(encoding="utf-8")
    return (
        "<!DOCTYPE html>\n"
        '<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{POLICY}">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{escape(report.title)}</title>\n<style>\n{css}</style>\n</head>\n<body>\n"
        + "\n".join(p for p in parts if p)
        + f"\n<footer>Made by magxr {escape(__version__)}, after Ghosh, Thoram, Sun and Sager (2026), "
        "Scientific Reports 16, 1185.</footer>\n</body>\n</html>\n"
    )


def _header(report: Report) -> str:
    kicker = "magxr report" + (f", preset “{escape(report.preset)}”" if report.preset else "")
    region = f'<p class="region">{escape(report.region)}</p>\n' if report.region else ""
    summary = f'\n<p class="lede">{escape(report.summary)}</p>' if report.summary else ""
    title = f'<p class="kicker">{kicker}</p>\n<h1>{escape(report.title)}</h1>\n'
    return f"<header>\n{title}{region}</header>{summary}"


def _numbers(report: Report) -> str:
    if not report.numbers:
        return ""
    made = []
    for n in report.numbers:
        note = f'<dd class="note">{escape(n.note)}</dd>' if n.note else ""
        made.append(f'<div><dt>{escape(n.label)}</dt><dd class="value">{escape(n.value)}</dd>{note}</div>')
    return '<dl class="numbers">\n' + "\n".join(made) + "\n</dl>"


def _split(shares: Shares) -> str:
    rows = [("linear", shares.linear), ("nonlinear", shares.nonlinear), ("none", shares.unanswered)]
    names = {"none": "no answer"}
    bars = "".join(f'<span class="{c}" style="width:{max(v, 0):.3f}%"></span>' for c, v in rows if v > 0)
    keys = "".join(f'<li><i class="{c}"></i>{names.get(c, c)} {v:.1f} %</li>' for c, v in rows)
    told = ", ".join(f"{names.get(c, c)} {v:.1f} %" for c, v in rows)
    return (
        f'<div class="split" role="img" aria-label="Of all cells: {told}">{bars}</div>\n'
        f'<ul class="keys"><li>Of all cells:</li>{keys}</ul>'
    )


def _section(title: str, body: str) -> str:
    return f"<section>\n<h2>{escape(title)}</h2>\n{body}\n</section>" if body else ""


def _figure(plate: Plate) -> str:
    png = plate.png()
    width, height = struct.unpack(">II", png[16:24])
    narrow = ' class="narrow"' if width < _NARROW else ""
    return (
        f'<figure{narrow}>\n<img width="{width}" height="{height}" alt="{escape(plate.title)}" '
        f'src="data:image/png;base64,{base64.b64encode(png).decode("ascii")}">\n'
        f"<figcaption><b>{escape(plate.title)}.</b> {escape(plate.caption)}</figcaption>\n</figure>\n"
    )


def _limits(report: Report) -> str:
    if not report.limits:
        return ""
    return '<ul class="limits">' + "".join(f"<li>{escape(t)}</li>" for t in report.limits) + "</ul>"


def _model(model: ModelNote) -> str:
    rows: dict[str, Any] = {"name": model.name, "SHA-256": model.sha256, **model.facts}
    if model.trained_on:
        rows["trained on"] = model.trained_on
    if model.not_trained_on:
        rows["not trained on"] = model.not_trained_on
    return _facts(rows)


def _steps(report: Report) -> str:
    if not report.steps:
        return ""
    rows = "\n".join(map(_step, report.steps))
    head = "<thead><tr><th>Step</th><th>Parameters</th><th>Measured</th></tr></thead>"
    return f'<div class="wide"><table>\n{head}\n<tbody>\n{rows}\n</tbody></table></div>'


def _step(step: Step) -> str:
    about = f"<p>{escape(step.about)}</p>" if step.about else ""
    cells = (escape(step.name) + about, _pairs(step.parameters), _pairs(step.measured))
    return "<tr>" + "".join(f"<td>{c}</td>" for c in cells) + "</tr>"


def _pairs(pairs: Mapping[str, Any]) -> str:
    items = "".join(f"<li>{escape(str(k))}: {escape(text_of(v))}</li>" for k, v in pairs.items())
    return f"<ul>{items}</ul>" if items else ""


def _facts(facts: Mapping[str, Any]) -> str:
    if not facts:
        return ""
    rows = "\n".join(
        f"<tr><td>{escape(str(k))}</td><td>{_linked(text_of(v))}</td></tr>" for k, v in facts.items()
    )
    return f'<table class="facts"><tbody>\n{rows}\n</tbody></table>'


def _linked(text: str) -> str:
    """Make a bare web address a link (followed only when clicked); all else is text."""
    if text.startswith(("https://", "http://")) and not any(c.isspace() for c in text):
        return f'<a href="{escape(text)}" rel="noreferrer">{escape(text)}</a>'
    return escape(text)


def _history(history: str) -> str:
    return f"<pre>{escape(history)}</pre>" if history else ""


def _timings(timings: Mapping[str, float]) -> str:
    if not timings:
        return ""
    longest = max(max(timings.values()), 1e-9)
    rows = "\n".join(
        f'<tr><td>{escape(name)}</td><td class="number">{_duration(seconds)}</td>'
        f'<td class="bar"><span style="width:{100 * seconds / longest:.2f}%"></span></td></tr>'
        for name, seconds in timings.items()
    )
    return f'<table class="facts"><tbody>\n{rows}\n</tbody></table>'


def _duration(seconds: float) -> str:
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest:02d} s" if minutes < 60 else f"{minutes // 60} h {minutes % 60:02d} min"

"""The report page: valid, self-contained, escaped, whole or not there."""

import base64
import re
from html.parser import HTMLParser

import numpy as np
import pytest
import xarray as xr

from magxr.errors import ParameterError
from magxr.labelled import signed
from magxr.testing import wavy_sea_floor
from magxr.view.plot import plot
from magxr.view.report import (
    ModelNote,
    Number,
    Plate,
    Report,
    Shares,
    Step,
    scalars,
    steps_of,
    text_of,
    write_report,
)

VOID = {"meta", "img", "br", "link", "input", "hr"}


class Balanced(HTMLParser):
    """Every tag that opens closes, in order; keeps tags, attributes and text."""

    def __init__(self):
        super().__init__(convert_charrefs=True)
        self.open, self.seen, self.text = [], [], []

    def handle_starttag(self, tag, attrs):
        self.seen.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open, f"</{tag}> closes nothing"
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.text.append(data)


def read(path):
    parser = Balanced()
    parser.feed(path.read_text(encoding="utf-8"))
    parser.close()
    assert parser.open == []
    return parser, " ".join(" ".join(parser.text).split())


@pytest.fixture(scope="module")
def picture():
    return plot(wavy_sea_floor((40, 50)))


def full(picture, text="plain"):
    return Report(
        title=f"T {text}",
        region=f"R {text}",
        summary=f"S {text}",
        preset=f"P {text}",
        shares=Shares(50.0, 30.0, 20.0),
        numbers=[Number(f"V {text}", f"L {text}", f"N {text}")],
        figures=[Plate(f"F {text}", f"C {text}", picture), Plate("again", "", picture.figure)],
        steps=[Step(f"step {text}", {f"key {text}": f"value {text}"}, {"fence": 1.25}, f"about {text}")],
        model=ModelNote(f"M {text}", "ab12", {f"fact {text}": text}, f"seen {text}", f"unseen {text}"),
        limits=[f"limit {text}"],
        source={f"address {text}": "https://doi.org/10.7289/V5H70CVX", "file": text},
        provenance={"command": f"magxr run {text}"},
        history=f"history {text}",
        timings={f"classify {text}": 75.0, "long": 7260.0, "short": 0.25},
    )


def test_a_full_report_is_balanced_and_says_everything(picture, tmp_path):
    path = write_report(full(picture), tmp_path / "report.html")
    parser, text = read(path)
    said = ("T R S P V L N F C M", "step about seen unseen limit history classify fact")
    for word in " ".join(said).split():
        assert f"{word} plain" in text
    for piece in ("fence: 1.25", "1 min 15 s", "2 h 01 min", "0.2 s", "no answer 20.0 %", "ab12"):
        assert piece in text
    images = [a for t, a in parser.seen if t == "img"]
    assert len(images) == 2
    png = base64.b64decode(images[0]["src"].removeprefix("data:image/png;base64,"))
    assert png.startswith(b"\x89PNG")
    assert int(images[0]["width"]) > 500
    assert [t for t, _ in parser.seen].count("h1") == 1


def test_nothing_is_loaded_and_nothing_runs(picture, tmp_path):
    parser, _ = read(write_report(full(picture), tmp_path / "report.html"))
    tags = {t for t, _ in parser.seen}
    assert not tags & {
        "script",
        "link",
        "iframe",
        "object",
        "embed",
        "base",
        "form",
        "video",
        "audio",
        "source",
    }
    for tag, attrs in parser.seen:
        assert not any(name.startswith("on") for name in attrs)
        for name in ("src", "srcset", "data", "poster", "background"):
            assert attrs.get(name, "data:").startswith("data:"), tag
        if "href" in attrs:
            assert tag == "a"
            assert attrs["href"].startswith("https://")
    policy = next(a["content"] for _, a in parser.seen if a.get("http-equiv") == "Content-Security-Policy")
    assert "default-src 'none'" in policy
    style = re.search(r"<style>(.*?)</style>", (tmp_path / "report.html").read_text(), re.S).group(1)
    assert "url(" not in style
    assert "@import" not in style


@pytest.mark.parametrize(
    "hostile",
    [
        "<script>alert(1)</script>",
        "\"><img src=x onerror='alert(1)'>",
        "</title></style></pre><b>& &amp;",
        "javascript:alert(1)",
        'https://a.b/"onmouseover="x',
    ],
)
def test_hostile_text_stays_text(picture, tmp_path, hostile):
    parser, text = read(write_report(full(picture, hostile), tmp_path / "report.html"))
    plain, _ = read(write_report(full(picture), tmp_path / "plain.html"))
    links = [a["href"] for t, a in parser.seen if t == "a"]
    assert all(link.startswith("https://") for link in links)
    assert [t for t, _ in parser.seen if t != "a"] == [t for t, _ in plain.seen if t != "a"]
    assert [sorted(a) for t, a in parser.seen if t != "a"] == [sorted(a) for t, a in plain.seen if t != "a"]
    assert " ".join(f"T {hostile}".split()) in text


def test_empty_parts_are_left_out(tmp_path):
    parser, text = read(write_report(Report("Only a title"), tmp_path / "r.html"))
    assert not [t for t, _ in parser.seen if t in ("section", "table", "img", "dl")]
    assert text.count("Only a title") == 2  # the tab and the heading


def test_the_file_is_replaced_whole_or_not_at_all(tmp_path):
    path = tmp_path / "r.html"
    write_report(Report("first"), path)
    with pytest.raises(FileNotFoundError):
        write_report(Report("second", figures=[Plate("gone", "", tmp_path / "no.png")]), path)
    assert "first" in path.read_text()
    assert [p.name for p in tmp_path.iterdir()] == ["r.html"]


@pytest.mark.parametrize(
    ("title", "name", "message"),
    [
        ("t", "report.pdf", "ends in .html, not .*report.pdf"),
        ("t", "no/such/report.html", "folder .*no/such' does not exist"),
        ("  ", "report.html", "a report needs a title, got '  '"),
    ],
)
def test_refusals(tmp_path, title, name, message):
    with pytest.raises(ParameterError, match=message):
        write_report(Report(title), tmp_path / name)
    assert list(tmp_path.iterdir()) == []


def test_a_model_card_is_summed_up_with_intervals():
    from magxr.models.spec import card

    told = card("default")
    note = ModelNote.of_card(told, "real maps")
    assert note.sha256 == told["spec"]["sha256"]
    assert note.not_trained_on == "real maps"
    test = told["training"]["test"]
    text = note.facts["accuracy, test"]
    assert f"{100 * test['accuracy']:.1f} % of {test['windows']} windows" in text
    assert f"{100 * test['accuracy_interval'][0]:.1f} to" in text
    assert note.facts["features"] == "alignment, without a trunk"
    assert [k for k in note.facts if k.startswith("accuracy")] == [
        "accuracy, test", "accuracy, test, half measured", "accuracy, test, sparser",
        "accuracy, unseen", "accuracy, unseen, half measured", "accuracy, unseen, sparser",
    ]  # fmt: skip
    assert ModelNote.of_card(card("transfer")).facts["trunk"].startswith("vgg16-hed, SHA-256 4502")


def test_shares_count_every_cell():
    classes = xr.DataArray(np.array([[1, 1, 0, -1], [1, 0, -1, -1]], dtype="i1"))
    assert Shares.of(classes) == Shares(37.5, 25.0, 37.5)
    assert Shares.of(classes.chunk(1)) == Shares(37.5, 25.0, 37.5)


def test_steps_are_read_back_from_history():
    arguments = {"k": 1.5, "mode": "tile, (large)", "sizes": [3, 4], "none": None, "on": True}
    attrs = signed({"history": "made by someone else"}, "remove_outliers", arguments)
    attrs = signed(attrs, "diffuse", {})
    steps = steps_of(attrs["history"], {"diffuse": {"halo": 9}})
    assert [s.name for s in steps] == ["remove_outliers", "diffuse"]
    assert steps[0].parameters == {"k": 1.5, "mode": "tile, (large)", "sizes": [3, 4], "on": True}
    assert steps[1].measured == {"halo": 9}


def test_scalars_are_named_with_units():
    ds = xr.Dataset(
        coords={"fence": ((), 12.3456789, {"units": "nT", "long_name": "upper_fence"}), "lat": [1, 2]}
    )
    assert scalars(ds.assign_coords(spatial_ref=0, rank=47)) == {"upper fence": "12.35 nT", "rank": "47"}


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (1.0, "1"),
        (0.123456, "0.1235"),
        (123456, "123\u2009456"),
        (True, "yes"),
        (None, "none"),
        ([1, 2.5], "1, 2.5"),
    ],
)
def test_values_as_text(value, text):
    assert text_of(value) == text

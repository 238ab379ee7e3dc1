"""What the documents say exists: links, tests, arguments and defaults, commands, calls in examples."""

import argparse
import ast
import inspect
import re
import shlex
import tomllib
from dataclasses import fields
from importlib import import_module
from pathlib import Path

import pytest

import magxr
from magxr.cli import _parser
from magxr.runs.config import RunConfig

ROOT = Path(__file__).parents[1]
PAGES = sorted(
    p
    for folder in (
        ROOT,
        *(ROOT / f for f in ("docs", "docs/howto", "deploy", "benchmarks", "catalogs")),
        *(ROOT / "deploy").glob("*/"),
    )
    for p in folder.glob("*.md")
)
MAP = (ROOT / "docs" / "paper_map.md").read_text(encoding="utf-8")
REFERENCE = (ROOT / "docs" / "reference.md").read_text(encoding="utf-8")
NOT_FLAGS = {"outliers", "rank", "weights"}
"""Settings of a run that the command line does not offer."""

every_page = pytest.mark.parametrize("page", PAGES, ids=lambda p: str(p.relative_to(ROOT)))


@every_page
def test_links_lead_somewhere(page):
    text = page.read_text(encoding="utf-8")
    assert text.startswith("# ")
    for target, part in re.findall(r"\]\(([^)#\s]*)#?([^)\s]*)\)", text):
        if target.startswith("https://"):
            continue
        other = page.parent / target if target else page
        assert other.exists(), target
        if part:
            assert part in anchors(other.read_text(encoding="utf-8")), f"{target}#{part}"


def anchors(text):
    """Names of the headings as GitHub makes them."""
    titles = re.findall(r"^#+ (.*)$", re.sub(r"```.*?```", "", text, flags=re.DOTALL), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", t.lower()).replace(" ", "-") for t in titles}


def blocks(page, language):
    return re.findall(rf"```{language}\n(.*?)```", page.read_text(encoding="utf-8"), re.DOTALL)


@every_page
def test_calls_in_examples_fit_the_functions(page):
    for block in blocks(page, "python"):
        for node in ast.walk(ast.parse(block)):
            if isinstance(node, ast.ImportFrom) and str(node.module).startswith("magxr"):
                home = import_module(node.module)
                for name in node.names:
                    assert hasattr(home, name.name) or import_module(f"{node.module}.{name.name}")
            if isinstance(node, ast.Call) and (function := called(node.func)) is not None:
                takes = inspect.signature(function).parameters
                known = set(takes) | ({f.name for f in fields(RunConfig)} if function is magxr.run else set())
                given = {k.arg for k in node.keywords}
                assert given <= known, f"{function.__name__} does not take {given - known}"


def called(func):
    """The function of magxr that ``magxr.name(...)`` or ``x.mag.name(...)`` calls; None for other calls."""
    if not isinstance(func, ast.Attribute):
        return None
    before = ast.unparse(func.value)
    return getattr(magxr, func.attr) if before == "magxr" or before.endswith(".mag") else None


def test_examples_hold_calls_of_every_step():
    source = "\n".join(b for page in PAGES for b in blocks(page, "python"))
    for name in ("remove_outliers", "grid", "denoise", "diffuse", "structure", "windows", "classify", "plot"):
        assert f".mag.{name}(" in source, name


@every_page
def test_commands_exist(page):
    text = page.read_text(encoding="utf-8")
    lines = [line for block in blocks(page, "sh") for line in block.splitlines()]
    lines += re.findall(r"`((?:magxr|make|python) [^`]*)`", re.sub(r"```.*?```", "", text, flags=re.DOTALL))
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    for line in lines:
        words = [w for w in shlex.split(line, comments=True) if not re.fullmatch(r"[A-Z_]+=.*|&|export", w)]
        if not words or any("..." in w for w in words):
            continue
        if words[0] == "magxr" and len(words) == 2:
            assert words[1] in commands(), line  # the name alone, or a command without arguments
        elif words[0] == "magxr":
            assert _parser().parse_args(words[1:]).call, line
        if words[0] == "make":
            assert re.search(rf"^{words[1]}:", makefile, re.MULTILINE), line
        if words[0].endswith("python") and words[1].endswith(".py"):
            source = (ROOT / words[1]).read_text(encoding="utf-8")
            for flag in (w for w in words if w.startswith("--")):
                assert f'"{flag}"' in source, f"{words[1]} has no {flag}"


def commands():
    """Return the parsers of the command line by name."""
    return next(a for a in _parser()._actions if isinstance(a, argparse._SubParsersAction)).choices


def test_every_benchmark_is_described():
    text = (ROOT / "benchmarks" / "README.md").read_text(encoding="utf-8")
    for script in (ROOT / "benchmarks").rglob("*.py"):
        name = str(script.relative_to(ROOT / "benchmarks"))
        assert f"`{name}" in text, name
        told = re.search(rf"`{re.escape(name)}([^`]*)`", text).group(1)
        for flag in re.findall(r"--[a-z-]+", told):
            assert f'"{flag}"' in script.read_text(encoding="utf-8"), f"{name} has no {flag}"


def test_the_extras_of_the_readme_exist():
    known = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    told = re.search(r"The extras are (.*?);", (ROOT / "README.md").read_text(encoding="utf-8")).group(1)
    named = set(re.findall(r"`(\w+)`", told))
    assert named == set(known) - {"all", "test", "dev"}


def test_every_regions_name_is_known_to_the_catalog():
    names = {r.name for r in magxr.regions()}
    text = "\n".join(p.read_text(encoding="utf-8") for p in PAGES)
    for name in re.findall(r'open_region\("([^"]+)"\)', text) + re.findall(
        r"magxr run ([a-z][a-z-]+) ", text
    ):
        assert name in names | {"name"}, name


def test_the_reference_has_every_function_with_its_defaults():
    for name in magxr._HOME:
        signature = inspect.signature(getattr(magxr, name))
        bare = [p.replace(annotation=p.empty) for p in signature.parameters.values()]
        shown = f"`{name}{signature.replace(parameters=bare, return_annotation=signature.empty)}`"
        method = "yes" if hasattr(magxr.accessor.Mag, name) else ""
        assert re.search(rf"^\| {re.escape(shown)} \| {method}\s*\| ", REFERENCE, re.MULTILINE), shown


def test_the_reference_names_what_it_lists_besides():
    for name, more in re.findall(r"`magxr\.([a-z_.]+)`(?: and `(\w+)`)?", REFERENCE):
        assert found(name) is not None
        assert not more or hasattr(import_module(f"magxr.{name.rsplit('.', 1)[0]}"), more), more


def test_the_reference_has_every_setting_and_flag():
    offered = {o for c in commands().values() for a in c._actions for o in a.option_strings} - {
        "-h",
        "--help",
    }
    for flag in offered:
        assert f"`{flag}" in REFERENCE or f" {flag} " in REFERENCE, flag
    for field in fields(RunConfig):
        name, flag = field.name, f"--{field.name.replace('_', '-')}"
        if name in {"region", "out"}:
            continue
        if flag in {"--preset", "--path", "--variable", "--units", "--crs", "--bounds"}:
            assert f"`{flag}" in REFERENCE
            continue
        row = f"| `{name}` | `{field.default}` | " + ("" if name in NOT_FLAGS else f"`{flag}` ") + "|"
        assert row in REFERENCE, row
        assert (flag in offered) == (name not in NOT_FLAGS), flag


def test_the_results_quote_the_shipped_card():
    results = (ROOT / "docs" / "results.md").read_text(encoding="utf-8")
    card = (ROOT / "magxr" / "models" / "default" / "card.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| ((?:test|unseen)\b.*) \|$", results, re.MULTILINE)
    assert len(rows) >= 5
    for row in rows:
        assert row in card, row


@pytest.mark.parametrize("page", ["paper_map.md", "security.md"])
def test_every_test_in_the_tables_exists(page):
    text = (ROOT / "docs" / page).read_text(encoding="utf-8")
    named = re.findall(r"`([\w/]+\.py)::(test_\w+)`", text)
    assert len(named) > 30
    for file, function in named:
        source = (ROOT / "tests" / file).read_text(encoding="utf-8")
        assert re.search(rf"^def {function}\(", source, re.MULTILINE), f"{file}::{function}"


def test_every_default_in_the_paper_map_is_the_real_one():
    named = re.findall(r"`([\w.]+)\((\w+)=(.+?)\)`", MAP)
    assert len(named) > 30
    for function, argument, default in named:
        parameters = inspect.signature(found(function)).parameters
        assert argument in parameters, f"{function} has no argument {argument}"
        assert parameters[argument].default == ast.literal_eval(default), f"{function}({argument}=...)"


def test_every_plain_function_in_the_paper_map_exists():
    for name in re.findall(r"`magxr\.([a-z_.]+)(?:\(\))?`", MAP):
        assert found(name) is not None


def found(name):
    """A public function by its name, or anything by its path below magxr."""
    if "." not in name:
        return getattr(magxr, name)
    module, last = name.rsplit(".", 1)
    home = import_module(f"magxr.{module}")
    return getattr(home, last, None) or import_module(f"magxr.{name}")

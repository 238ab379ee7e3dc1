"""What the documents say exists: links, tests, arguments and their defaults, and code that parses."""

import ast
import inspect
import re
from importlib import import_module
from pathlib import Path

import pytest

import magxr

ROOT = Path(__file__).parents[1]
PAGES = sorted(
    p
    for folder in (ROOT, *(ROOT / f for f in ("docs", "docs/howto", "deploy", "benchmarks", "catalogs")))
    for p in folder.glob("*.md")
)
MAP = (ROOT / "docs" / "paper_map.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("page", PAGES, ids=lambda p: str(p.relative_to(ROOT)))
def test_links_lead_somewhere(page):
    text = page.read_text(encoding="utf-8")
    assert text.startswith("# ")
    for target in re.findall(r"\]\(([^)#\s]+)", text):
        assert target.startswith("https://") or (page.parent / target).exists(), target


@pytest.mark.parametrize("page", PAGES, ids=lambda p: str(p.relative_to(ROOT)))
def test_examples_parse(page):
    for block in re.findall(r"```python\n(.*?)```", page.read_text(encoding="utf-8"), re.DOTALL):
        ast.parse(block)


def test_every_test_in_the_paper_map_exists():
    named = re.findall(r"`([\w/]+\.py)::(test_\w+)`", MAP)
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

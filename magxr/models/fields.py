"""What the fields of a model card may hold: a card that somebody else wrote is checked, then believed."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from magxr.errors import ModelError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

_UNSEEN = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")
"""Control characters: a terminal obeys them when models are listed."""
MOST = 10_000
"""Pixels of a window, or windows of a batch: more than any network takes, less than fills a memory."""


def check_fields(fields: Mapping[str, Any], path: Path) -> None:
    """Refuse fields of the wrong kind.

    Parameters
    ----------
    fields : mapping
        The specification of a model, as its card has it.
    path : Path
        The card, for the message.

    Raises
    ------
    ModelError
        Naming the first field that is wrong, its value and what it may be.
    """
    for name, value in fields.items():
        allowed, check = _RULES.get(name, _TEXT)
        if not check(value):
            shown = f"{value!r}"[:100]
            msg = f"{path} says {name}: {shown}, which is not {allowed}; restore it or train the model again"
            raise ModelError(msg)


def _text(value: object) -> bool:
    return isinstance(value, str) and not _UNSEEN.search(value)


def _count(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 < value <= MOST


def _number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _range(value: object) -> bool:
    return isinstance(value, list | tuple) and len(value) == 2 and all(map(_number, value)) and value[0] > 0


def _pairs(value: object) -> bool:
    return isinstance(value, list | tuple) and all(
        isinstance(pair, list | tuple) and len(pair) == 2 and all(map(_text, pair)) for pair in value
    )


_TEXT: tuple[str, Callable[[Any], bool]] = ("plain text", _text)
_MAYBE: tuple[str, Callable[[Any], bool]] = ("plain text or null", lambda v: v is None or _text(v))
_RULES: dict[str, tuple[str, Callable[[Any], bool]]] = {
    "window": (f"a whole number from 1 to {MOST}", _count),
    "batch": (f"a whole number from 1 to {MOST}", _count),
    "threshold": ("a number", _number),
    "spacing": ("two positive numbers", _range),
    "versions": ("a list of names and versions", _pairs),
    "trunk_weights": _MAYBE,
    "dense_sha256": _MAYBE,
    "doubt_sha256": _MAYBE,
}
"""Field -> what it may be; the others are text."""

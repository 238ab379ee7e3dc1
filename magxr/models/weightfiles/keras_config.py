"""What a ``.keras`` archive says of its network: read as data, and refused where it asks for code of its own.

magxr builds its networks itself and takes nothing but numbers from a file, so nothing of this would be run.
But Keras would run it, and a network with such layers is none that the weights could be taken for.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from magxr.errors import ModelError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

MEMBER = "config.json"
LARGEST = 10**7
"""Bytes; that of the largest trunk has 300,000."""


def check_config(path: Path, content: bytes) -> None:
    """Refuse a network that brings code, or names code outside Keras.

    Parameters
    ----------
    path : Path
        The archive, for the message.
    content : bytes
        Of its member ``config.json``.

    Raises
    ------
    ModelError
        If it is no readable JSON, or holds a Lambda, a class that somebody registered, or the path of a
        module that is not Keras's own.
    """
    try:
        told = json.loads(content)
        found = next(filter(None, map(_foreign, _tables(told))), None)
    except (ValueError, RecursionError) as error:
        msg = f"{path} is refused: its {MEMBER} is not readable JSON ({error}); save the model again"
        raise ModelError(msg) from error
    if found:
        fix = "give the weights alone, as model.save_weights('trunk.weights.h5') writes them"
        msg = f"{path} is refused, and nothing of it was run: its {MEMBER} asks for {found}; {fix}"
        raise ModelError(msg)


def _foreign(table: dict[str, Any]) -> str:
    """Return what a serialised object asks for beyond Keras, or nothing."""
    name, module = table.get("class_name"), table.get("module")
    registered = table.get("registered_name")
    if isinstance(name, str) and "lambda" in name.lower():
        return f"the layer {name!r}, which is code"
    if (
        isinstance(name, str)
        and isinstance(module, str)
        and module.split(".")[0] not in ("keras", "builtins")
    ):
        return f"{name!r} of the module {module!r}"
    if isinstance(name, str) and isinstance(registered, str) and ">" in registered:
        return f"the registered class {registered!r}"
    return ""


def _tables(value: Any) -> Iterator[dict[str, Any]]:
    waiting = [value]
    while waiting:
        held = waiting.pop()
        if isinstance(held, dict):
            yield held
            waiting.extend(held.values())
        elif isinstance(held, list):
            waiting.extend(held)

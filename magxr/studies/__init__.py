"""Studies: what a step does to the truth, measured where the truth is known.

``magxr.studies.hallucination``, ``gap_closing`` and ``pick_recall``, imported when they are first used.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

# The modules have other names than the functions: a submodule would take the function's place.
_HOME = {
    "hallucination": "magxr.studies.meter",
    "gap_closing": "magxr.studies.closing",
    "pick_recall": "magxr.studies.picked",
}

__all__ = ["gap_closing", "hallucination", "pick_recall"]

if TYPE_CHECKING:
    from magxr.studies.closing import gap_closing
    from magxr.studies.meter import hallucination
    from magxr.studies.picked import pick_recall


def __getattr__(name: str) -> Any:
    if name in _HOME:
        return getattr(import_module(_HOME[name]), name)
    msg = f"module 'magxr.studies' has no attribute {name!r}"
    raise AttributeError(msg)


def __dir__() -> list[str]:
    return sorted(__all__)

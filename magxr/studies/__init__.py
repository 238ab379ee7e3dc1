"""Studies: what a step does to the truth, and what the numbers that a person chooses change.

``magxr.studies.hallucination``, ``gap_closing`` and ``pick_recall``; ``neighbours``, ``cutoffs`` and
``window_sizes``, imported when they are first used.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

# The modules have other names than the functions: a submodule would take the function's place.
_HOME = {
    "hallucination": "magxr.studies.meter",
    "gap_closing": "magxr.studies.closing",
    "pick_recall": "magxr.studies.picked",
    "neighbours": "magxr.studies.voting",
    "cutoffs": "magxr.studies.limits",
    "window_sizes": "magxr.studies.sizes",
}

__all__ = ["cutoffs", "gap_closing", "hallucination", "neighbours", "pick_recall", "window_sizes"]

if TYPE_CHECKING:
    from magxr.studies.closing import gap_closing
    from magxr.studies.limits import cutoffs
    from magxr.studies.meter import hallucination
    from magxr.studies.picked import pick_recall
    from magxr.studies.sizes import window_sizes
    from magxr.studies.voting import neighbours


def __getattr__(name: str) -> Any:
    if name in _HOME:
        return getattr(import_module(_HOME[name]), name)
    msg = f"module 'magxr.studies' has no attribute {name!r}"
    raise AttributeError(msg)


def __dir__() -> list[str]:
    return sorted(__all__)

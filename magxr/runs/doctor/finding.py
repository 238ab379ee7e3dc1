"""One thing that was looked at: what was seen, and what to do about it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from magxr.errors import MagxrError, MissingExtraError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

State = Literal["ok", "note", "problem"]


@dataclass(frozen=True, slots=True)
class Finding:
    """One line of the report."""

    subject: str
    """What was looked at, one or two words."""
    state: State
    """"ok"; "note", good to know; "problem", which stops a run or makes it wrong."""
    seen: str
    fix: str = ""
    """What to do; empty where nothing has to be done."""


def guarded(subject: str, look: Callable[[], Iterable[Finding]]) -> Iterator[Finding]:
    """Yield what ``look`` finds; an error of it is a finding too, so that one broken part hides no other."""
    try:
        yield from look()
    except MissingExtraError as error:
        yield from_error(subject, error, "note")
    except Exception as error:  # whatever is broken here is what the doctor is asked about
        seen = f"could not be looked at ({type(error).__name__}: {' '.join(str(error).split())})"
        yield Finding(subject, "problem", seen, "see the message")


def from_error(subject: str, error: MagxrError, state: State = "problem") -> Finding:
    """Return an error of magxr as a finding: such errors name the rule first and the fix last."""
    if isinstance(error, MissingExtraError):
        seen = f"not looked at: {error.package} is not installed"
        return Finding(subject, state, seen, f"pip install 'magxr[{error.extra}]'")
    rule, _, fix = " ".join(str(error).split()).rpartition("; ")
    return Finding(subject, state, rule, fix) if rule else Finding(subject, state, fix, "give another")

"""``magxr study paper``: the paper's experiment on replicas of its areas, in a folder that can go on."""

from __future__ import annotations

from dataclasses import fields
from typing import TYPE_CHECKING, Any

from magxr.errors import ParameterError
from magxr.runs.leave import StudyResult
from magxr.studies.paper.settings import Settings
from magxr.studies.paper.study import paper_study

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path


def study_paper(
    age: str | Path,
    out: str | Path,
    *,
    weights: Sequence[str] = (),
    say: Callable[[str], None] | None = None,
    **settings: Any,
) -> StudyResult:
    """Make the paper's experiment again; see `magxr.studies.paper.study.paper_study`.

    Parameters
    ----------
    age : str or Path
        Folder of age grids.
    out : str or Path
        New folder, or one that this study wrote: then it goes on there.
    weights : sequence of str
        ``name=path`` for every backbone that is to be compared, or ``name=untrained``.
    say : callable, optional
        Is told what comes next.
    **settings
        Of `magxr.studies.paper.settings.Settings`.

    Returns
    -------
    StudyResult

    Raises
    ------
    MagxrError
        If something cannot be used; what was finished stays in ``out``.
    """
    known = {f.name for f in fields(Settings)} - {"weights"}
    odd = sorted(set(settings) - known)
    if odd:
        msg = f"{odd[0]!r} is no setting of this study; there are {sorted(known)}"
        raise ParameterError(msg)
    lists = {k: tuple(v) for k, v in settings.items() if k in ("models", "heads", "splits")}
    found = paper_study(age, out, Settings(weights=_named(weights), **{**settings, **lists}), say=say)
    return StudyResult(found.folder / "paper.csv", found.folder / "paper.png", found.to_text())


def _named(weights: Sequence[str]) -> dict[str, str]:
    named: dict[str, str] = {}
    for given in weights:
        name, sign, path = given.partition("=")
        if not (name and sign and path):
            msg = f"weights {given!r} must be name=path, e.g. vgg19=vgg19_notop.h5, or name=untrained"
            raise ParameterError(msg)
        if name in named:
            msg = f"weights of {name!r} are given twice; give one file for each backbone"
            raise ParameterError(msg)
        named[name] = path
    return named

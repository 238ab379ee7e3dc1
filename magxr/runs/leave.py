"""What a study leaves: a folder with table, parameters and picture, whole or not at all."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from magxr.errors import StoreError
from magxr.io.places import here
from magxr.runs.output import working_folder

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    import pandas as pd


@dataclass(frozen=True)
class StudyResult:
    """What a study left behind."""

    table: Path
    """CSV: one row for each seed and case. The same name with .json has the parameters."""
    picture: Path
    """PNG."""
    headline: str
    """The findings, in a few lines."""


def free(out: str | Path) -> Path:
    """Return the folder that a study is to make.

    Raises
    ------
    StoreError
        If something is there already, or the folder around it is missing.
    """
    folder = here(out, "what a study leaves")
    if folder.exists():
        msg = f"{str(out)!r} is already there; choose another folder or remove it"
        raise StoreError(msg)
    if not folder.parent.is_dir():
        msg = f"the folder {str(folder.parent)!r}, in which {folder.name!r} would be made, does not exist"
        raise StoreError(msg)
    return folder


def leave(
    folder: Path, name: str, table: pd.DataFrame, told: Mapping[str, Any], found: Any, *, drawn: bool = True
) -> StudyResult:
    """Write table, parameters, picture and, where ``found`` has one, report: all of them or nothing.

    Parameters
    ----------
    folder : Path
        To make.
    name : str
        Of the files in it.
    table : pandas.DataFrame
    told : mapping
        Parameters, for the JSON.
    found : object
        With ``to_text()``, ``figure()`` and perhaps ``report()``.
    drawn : bool
        Whether there is a picture; else the result's ``picture`` is the report.
    """
    figure, headline = found.figure() if drawn else None, found.to_text()
    about = json.dumps({**told, "headline": headline.splitlines()}, indent=1, default=str)
    with working_folder(folder) as work:
        table.to_csv(work / f"{name}.csv", index=False)
        (work / f"{name}.json").write_text(about + "\n", encoding="utf-8")
        if figure is not None:
            figure.savefig(work / f"{name}.png")
        if hasattr(found, "report"):
            (work / f"{name}.md").write_text(found.report(), encoding="utf-8")
        work.rename(folder)
    picture = folder / f"{name}.{'md' if figure is None else 'png'}"
    return StudyResult(folder / f"{name}.csv", picture, headline)

"""Give a store that is complete its name: by a rename, or at a URL, where there is none, by a copy.

At a URL a store is there when the file that marks its root is, for no reader finds it otherwise. So that file
is copied last, and removed first where something is to go: what is killed in between leaves no half a store.
The copy is made by the object store itself; no value passes through this machine.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from magxr.io import places

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

MARKS = ("zarr.json", ".zgroup", ".zmetadata")
"""Files of which the root of a Zarr group has at least one."""


def marked(path: Path) -> bool:
    """Tell whether a folder is a Zarr group, of format 2 or 3."""
    return any((path / mark).is_file() for mark in MARKS)


def complete(path: Path) -> bool:
    """Tell whether a store that this program made is there: it is complete, or has another name."""
    return marked(path) if places.is_url(path) else path.exists()


def move(made: Path, name: Path, inside: Mapping[str, Path] | None = None) -> None:
    """Give a store its name; there is nothing under it before.

    Parameters
    ----------
    made : Path
        The store.
    name : Path
        Its name, of the same disk or object store. At a URL there may be what a copy that was stopped left.
    inside : mapping of str to Path, optional
        Stores that become groups in it, by the group's name; those that are not there have been moved before.
    """
    groups = {group: part for group, part in (inside or {}).items() if complete(part)}
    if places.is_url(made):
        _copied(made, name, groups)
        return
    for group, part in groups.items():
        part.rename(made / group)
    made.rename(name)


def begun(made: Path, name: Path, inside: Mapping[str, Path] | None = None) -> bool:
    """Tell whether what is at a URL is what `move`, or `replace`, had made when it was stopped.

    All of it is, by name and size, of the store or file that was to be moved.
    """
    if not places.is_url(made):
        return False
    parts = [(made, name), *((part, name / group) for group, part in (inside or {}).items())]
    system = places.files(made)
    sizes = {}
    for part, to in parts:
        for file, info in system.find(places.key(part), detail=True).items():
            sizes[_renamed(file, part, to)] = info["size"]
    found = system.find(places.key(name), detail=True)
    return all(sizes.get(file) == info["size"] for file, info in found.items())


def replace(file: Path, name: Path) -> None:
    """Give a file its name, and let go of one that has it."""
    if places.is_url(file):
        places.files(file).copy(places.key(file), places.key(name))
        file.unlink()
    else:
        file.replace(name)


def _copied(made: Path, name: Path, groups: Mapping[str, Path]) -> None:
    system = places.files(made)
    pairs = [pair for group, part in groups.items() for pair in _pairs(part, name / group)]
    pairs += _pairs(made, name)
    last = {places.key(made / mark) for mark in MARKS}
    for chosen in ([p for p in pairs if p[0] not in last], [p for p in pairs if p[0] in last]):
        if chosen:
            system.copy(*map(list, zip(*chosen, strict=True)))
    for path in (made, *groups.values()):
        places.remove(path, MARKS)


def _pairs(made: Path, name: Path) -> Iterator[tuple[str, str]]:
    """Yield every file of a store with the name of its copy."""
    for file in places.files(made).find(places.key(made)):
        yield file, _renamed(file, made, name)


def _renamed(file: str, made: Path, name: Path) -> str:
    return places.key(name) + file.removeprefix(places.key(made))

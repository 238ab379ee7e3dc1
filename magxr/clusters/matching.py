"""Whether workers are what a run needs: the same versions as here, and the same files."""

from __future__ import annotations

import importlib.metadata
import platform
import uuid
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any

from magxr.errors import ClusterError, StoreError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

PACKAGES = ("magxr", "dask", "distributed", "numpy", "keras", "zarr")
"""What must be the same everywhere for a block to be the same wherever it is made."""


def versions() -> dict[str, str | None]:
    """Return the versions of what must match in this process; None is what is not installed."""
    found: dict[str, str | None] = {"python": ".".join(platform.python_version_tuple()[:2])}
    for package in PACKAGES:
        try:
            found[package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            found[package] = None
    return found


def check_versions(client: Any) -> None:
    """Refuse workers that have other versions than this process.

    Only functions of the standard library are sent, so that a worker without magxr can say so.

    Raises
    ------
    ClusterError
        Naming each package, its version here, and where it is another.
    """
    here = versions()
    wrong = []
    for package in PACKAGES:
        answers = _answers(client, importlib.metadata.version, package)
        there: dict[str, list[str]] = {}
        for address, answer in answers.items():
            there.setdefault(str(answer) if isinstance(answer, str) else "not installed", []).append(address)
        there.pop(here[package] or "not installed", None)
        wrong += [f"{package} {v} on {_some(on)} (here {here[package]})" for v, on in there.items()]
    pythons = _answers(client, platform.python_version_tuple)
    other = {a: ".".join(v[:2]) for a, v in pythons.items() if ".".join(v[:2]) != here["python"]}
    if other:
        wrong.append(f"Python {next(iter(other.values()))} on {_some(list(other))} (here {here['python']})")
    if wrong:
        msg = f"workers have other versions: {'; '.join(wrong)}; {FIX}"
        raise ClusterError(msg)


def _answers(client: Any, work: Callable[..., Any], *arguments: Any) -> dict[str, Any]:
    """Return what each worker answers, or its error; nothing of one that dies meanwhile.

    The one that follows it is asked by `magxr.clusters.ready`.
    """
    from distributed.comm.core import CommClosedError

    answers: dict[str, Any] = client.run(work, *arguments, on_error="return")
    return {a: found for a, found in answers.items() if not isinstance(found, CommClosedError | TimeoutError)}


FIX = "install the same there, e.g. start workers from the same environment or image"


def _some(addresses: Sequence[str]) -> str:
    return addresses[0] + (f" and {len(addresses) - 1} more" if len(addresses) > 1 else "")


def difference(theirs: dict[str, str | None]) -> str | None:
    """Return what is different here from the versions of the process that asks, None if nothing is."""
    here = versions()
    wrong = [f"{name} {here.get(name)} (asked for {v})" for name, v in theirs.items() if here.get(name) != v]
    return "; ".join(wrong) or None


def check_sees(client: Any, folder: Any, files: Sequence[Any] = ()) -> None:
    """Refuse workers that do not see the folder of the output, or a file that is read.

    Parameters
    ----------
    client : distributed.Client
    folder : path-like
        Into which a small file is written for them to find.
    files : sequence of path-like
        That they must see too.

    Raises
    ------
    ClusterError
        Naming the path and a worker that does not see it.
    """
    with _token(folder) as (place, token):
        answers = _answers(client, read, place)
        blind = [address for address, answer in answers.items() if answer != token]
        if blind:
            fix = "give an output under a path that all machines share, or the URL of an object store"
            msg = f"the folder of the output {str(folder)!r} is not seen by the worker {_some(blind)}; {fix}"
            raise ClusterError(msg)
    for file in files:
        answers = _answers(client, exists, file)
        blind = [address for address, answer in answers.items() if answer is not True]
        if blind:
            fix = "put it where all machines find it under the same path"
            msg = f"the input {str(file)!r} is not seen by the worker {_some(blind)}; {fix}"
            raise ClusterError(msg)


@contextmanager
def _token(folder: Path) -> Iterator[tuple[Path, str]]:
    token = uuid.uuid4().hex
    place = folder / f".magxr-{token[:8]}"
    try:
        place.write_text(token, encoding="ascii")
    except OSError as error:
        msg = f"nothing can be written to {str(folder)!r} ({error}); choose another output"
        raise StoreError(msg) from error
    try:
        yield place, token
    finally:
        with suppress(FileNotFoundError):
            place.unlink()


def read(place: Path) -> str:
    """Return what a file says, in a worker."""
    return place.read_text(encoding="ascii")


def exists(place: Path) -> bool:
    """Tell whether a worker sees a file or folder."""
    return place.exists()

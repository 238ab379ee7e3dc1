"""Look at everything, in the order in which trouble begins."""

from __future__ import annotations

from dataclasses import asdict
from functools import partial
from typing import TYPE_CHECKING, Any

from magxr.runs.doctor import cluster as clusters
from magxr.runs.doctor import data, gpu, machine, network, packages
from magxr.runs.doctor.finding import Finding, guarded

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence


def examine(cluster: Any = None, *, out: str | None = None, store: str | None = None) -> Iterator[Finding]:
    """Look at this machine, and at a cluster if one is named.

    Parameters
    ----------
    cluster : str, path-like, mapping or Cluster, optional
        What `magxr.clusters.reading.described` takes.
    out : str, optional
        Store that a run is to write: whether it could, and how much room there is.
    store : str, optional
        Zarr store that should be reachable, from here and from the workers.

    Yields
    ------
    Finding
        As they are found. Nothing is raised, downloaded or changed; TensorFlow is tried in a process of its
        own.
    """
    looks: list[tuple[str, Callable[[], Iterable[Finding]]]] = [
        ("packages", packages.look),
        ("cores", machine.cores),
        ("memory", machine.room),
        ("kernels", machine.kernels),
        ("GPU", gpu.look),
        ("networks", network.keras),
        ("weights", network.weights),
        ("regions", data.regions),
    ]
    if out is not None:
        looks.append(("output", partial(machine.disk, out)))
    if store is not None:
        looks.append(("store", partial(data.reached, store)))
    if cluster is not None:
        looks.append(("cluster", partial(clusters.look, cluster, store, out)))
    for subject, look in looks:
        yield from guarded(subject, look)


def lines(finding: Finding) -> list[str]:
    """Return a finding as lines to print, aligned with all others."""
    first = f"{finding.state:<8}{finding.subject:<19}{finding.seen}"
    return [first, f"{'':<27}{finding.fix}"] if finding.fix else [first]


def summary(findings: Sequence[Finding]) -> str:
    """Return the last line: how many problems and notes there are."""
    problems, notes = (sum(f.state == state for f in findings) for state in ("problem", "note"))
    said = f"{problems} problem{'' if problems == 1 else 's'}" if problems else "no problems"
    return f"{said}, {notes} note{'' if notes == 1 else 's'}"


def as_plain(findings: Sequence[Finding]) -> dict[str, Any]:
    """Return findings as JSON can hold them."""
    count = sum(f.state == "problem" for f in findings)
    return {"problems": count, "findings": [asdict(f) for f in findings]}

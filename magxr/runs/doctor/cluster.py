"""A cluster: its workers, their versions compared with those here, and whether they see the same files."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

from magxr.clusters import matching
from magxr.clusters.opening import connected
from magxr.clusters.reading import described
from magxr.errors import MagxrError
from magxr.runs.doctor.finding import Finding, from_error
from magxr.runs.doctor.packages import version

if TYPE_CHECKING:
    from collections.abc import Iterator

COMPARED = (*matching.PACKAGES, "xarray", "numba", "scipy", "cloudpickle")
_MUST_AGREE = ("python", *matching.PACKAGES)
"""What a run refuses to differ in; the others may change a last digit."""


def look(cluster: Any, store: str | None = None, out: str | None = None) -> Iterator[Finding]:
    """Connect to a cluster and ask every worker.

    Parameters
    ----------
    cluster : str, path-like, mapping or Cluster
        What `magxr.clusters.reading.described` takes; one that is not there yet is started, and ended again.
    store, out : str, optional
        What workers should see too: a store, and the folder of an output.
    """
    try:
        asked = described(cluster)
        with connected(asked, progress=True, least=0 if asked.kind == "address" else None) as client:
            yield from _workers(client)
            yield from _scheduler(client)
            told = client.run(report, store, out, on_error="return")
            yield from _versions({k: v for k, v in told.items() if isinstance(v, dict)})
            yield from _unable({k: v for k, v in told.items() if not isinstance(v, dict)})
            for what, name in (("store", store), ("out", out)):
                if name is not None:
                    yield from _seen(what, name, told)
    except MagxrError as error:
        yield from_error("cluster", error)


def report(store: str | None, out: str | None) -> dict[str, Any]:
    """Tell of the worker that this runs in; it travels there by its name."""
    from magxr.runs.doctor import data, machine

    return {
        "versions": versions(),
        "store": None if store is None else _first(data.reached(store)),
        "out": None if out is None else _first(machine.disk(out)),
    }


def versions() -> dict[str, str]:
    """Return the versions that workers and clients should have in common."""
    found = {name: told for name in COMPARED if (told := version(name)) is not None}
    return {"python": str(matching.versions()["python"])} | found


def _first(findings: Iterator[Finding]) -> tuple[str, str]:
    found = next(iter(findings))
    return found.state, found.seen


def _workers(client: Any) -> Iterator[Finding]:
    workers = client.scheduler_info(n_workers=-1)["workers"].values()
    address = client.scheduler.address
    if not workers:
        fix = f"start some, e.g. dask worker {address} --host ADDRESS --nthreads 1"
        yield Finding("cluster", "problem", f"the scheduler at {address} has no workers", fix)
        return
    threads, limit = sum(w["nthreads"] for w in workers), sum(w["memory_limit"] for w in workers)
    hosts = len({w["host"] for w in workers})
    memory = f"{limit / 2**30:.3g} GiB of memory" if limit else "no limit of memory"
    seen = f"{address}: {len(workers)} workers on {hosts} machines, {threads} threads, {memory}"
    yield Finding("cluster", "ok", seen)


def _scheduler(client: Any) -> Iterator[Finding]:
    """Compare the scheduler, which need not have magxr."""
    there = client.get_versions(check=False)["scheduler"]["packages"]
    other = {n: there[n] for n in ("dask", "distributed") if there.get(n) != version(n)}
    if other:
        seen = f"it has {_list(other)}, here is {_list({n: str(version(n)) for n in other})}"
        yield Finding("scheduler", "problem", seen, "start it with the environment that magxr runs in")


def _versions(told: dict[str, dict[str, Any]]) -> Iterator[Finding]:
    here = versions()
    odd: Counter[tuple[str, str]] = Counter()
    for answer in told.values():
        there = answer["versions"]
        odd.update((n, there.get(n, "missing")) for n in here if there.get(n) != here[n])
    fix = "start workers with the environment that magxr runs in"
    for (name, other), count in sorted(odd.items()):
        state = "problem" if name in _MUST_AGREE else "note"
        yield Finding(name, state, f"{count} workers have {other}, here is {here[name]}", fix)  # type: ignore[arg-type]
    if told and not odd:
        yield Finding("workers", "ok", f"{len(told)} have the versions that are here")


def _unable(told: dict[str, Any]) -> Iterator[Finding]:
    for error, count in Counter(f"{type(e).__name__}: {e}" for e in told.values()).items():
        fix = "install magxr where the workers run, the same version as here"
        yield Finding("workers", "problem", f"{count} cannot run magxr ({error})", fix)


def _seen(what: str, name: str, told: dict[str, Any]) -> Iterator[Finding]:
    answers = [answer[what] for answer in told.values() if isinstance(answer, dict)]
    subject = "workers' store" if what == "store" else "workers' output"
    blind = [seen for state, seen in answers if state == "problem"]
    if blind:
        fix = "mount it on the machines of the workers under the same path, or give one that they have"
        yield Finding(subject, "problem", f"{len(blind)} of {len(answers)} workers: {blind[0]}", fix)
    elif answers:
        yield Finding(subject, "ok", f"{len(answers)} workers reach {name}")


def _list(found: dict[str, str]) -> str:
    return ", ".join(f"{name} {told}" for name, told in found.items())

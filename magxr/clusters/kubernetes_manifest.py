"""The manifest of a Dask cluster on Kubernetes with what a user asks for; nothing is sent anywhere."""

from __future__ import annotations

import copy
import re
from typing import TYPE_CHECKING, Any

from magxr.clusters.description import check_variable
from magxr.errors import ParameterError
from magxr.io.yamlfile import read_yaml
from magxr.steps.arguments import is_whole

if TYPE_CHECKING:
    import os
    from collections.abc import Mapping, Sequence

KIND = ("kubernetes.dask.org/v1", "DaskCluster")
LONGEST = 53
"""Characters of a cluster's name: Kubernetes takes 63, and the operator adds "-scheduler"."""
_NAME = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?")


def read(path: str | os.PathLike[str]) -> dict[str, Any]:
    """Return the one DaskCluster that a file describes.

    Raises
    ------
    StoreError
        If the file cannot be read.
    ParameterError
        If it is no manifest of one DaskCluster.
    """
    found = read_yaml(path, "the manifest")
    if len(found) != 1 or not isinstance(found[0], dict):
        msg = f"the manifest {path} holds {len(found)} documents; it must hold one, a {KIND[1]}"
        raise ParameterError(msg)
    return found[0]


def manifest(
    base: Mapping[str, Any],
    *,
    name: str | None = None,
    workers: int | tuple[int, int] | None = None,
    image: str | None = None,
    memory: str | None = None,
    cores: int | None = None,
    gpus: int | None = None,
    environment: Mapping[str, str] | None = None,
) -> dict[str, Any]:
    """Return a manifest with what is asked for written in; what is None stays as it is.

    Parameters
    ----------
    base : mapping
        A DaskCluster as `read` returns it; it is not changed.
    name : str, optional
        Of the cluster; the service's selector follows.
    workers : int or (int, int), optional
        How many at the start: the number, or the fewer of two.
    image : str, optional
        With a tag other than "latest", or a digest; for scheduler and workers, which must have the same Dask.
    memory : str, optional
        Of a worker, e.g. "8 GiB": request and limit, and the limit that Dask keeps.
    cores : int, optional
        Of a worker: request and limit, and as many threads.
    gpus : int, optional
        1, for workers with a GPU each, which have one thread of Dask, whatever the cores.
    environment : mapping, optional
        Variables of scheduler and workers. Secrets are refused: whoever may read the cluster would read them.

    Returns
    -------
    dict
        A new manifest.

    Raises
    ------
    ParameterError
        If an argument cannot be used, or the manifest has no place for it.
    """
    out: dict[str, Any] = copy.deepcopy(dict(base))
    scheduler, worker = _container(out, "scheduler"), _container(out, "worker")
    if name is not None:
        out["metadata"]["name"] = checked_name(name)
        selector = out["spec"]["scheduler"].setdefault("service", {}).setdefault("selector", {})
        selector["dask.org/cluster-name"] = name
    checked_name(out["metadata"].get("name"))
    if workers is not None:
        out["spec"]["worker"]["replicas"] = checked_workers(workers)[0]
    if image is not None:
        scheduler["image"] = worker["image"] = _pinned(image)
    if cores is not None:
        if not is_whole(cores, 1):
            msg = f"cores={cores!r} must be a whole number of cores a worker, at least 1"
            raise ParameterError(msg)
        _limit(worker, "cpu", str(cores))
        _set(worker, "--nworkers", "1")
        _set(worker, "--nthreads", str(cores))
    if gpus is not None:
        if gpus != 1 or isinstance(gpus, bool):
            msg = f"gpus={gpus!r}: a worker is one process and has one GPU; ask for more workers"
            raise ParameterError(msg)
        _limit(worker, "nvidia.com/gpu", "1")
        _set(worker, "--nthreads", "1")
    if memory is not None:
        amount = _quantity(memory)
        _limit(worker, "memory", amount)
        _set(worker, "--memory-limit", f"{amount}B")
    for variable, value in (environment or {}).items():
        check_variable(variable, value)
        for container in (scheduler, worker):
            there = [v for v in container.get("env") or [] if v["name"] != variable]
            container["env"] = [*there, {"name": variable, "value": value}]
    return out


def checked_name(name: object) -> str:
    """Return a name that the operator takes for a cluster, or say what the rule is."""
    if not isinstance(name, str) or not _NAME.fullmatch(name) or len(name) > LONGEST:
        rule = f"of at most {LONGEST} small letters, digits and dashes, no dash at the ends"
        msg = f"a cluster cannot be named {name!r}; take a name {rule}, e.g. 'magxr'"
        raise ParameterError(msg)
    return name


def checked_workers(workers: object) -> tuple[int, int]:
    """Return the fewest and the most workers: twice the same for a plain number."""
    pair: Sequence[Any] = workers if isinstance(workers, (tuple, list)) else (workers, workers)
    if len(pair) != 2 or not all(is_whole(n, 0) for n in pair) or pair[0] > pair[1] or pair[1] < 1:
        msg = f"workers={workers!r} must be a whole number, at least 1, or the fewest and the most, (1, 8)"
        raise ParameterError(msg)
    return int(pair[0]), int(pair[1])


def _container(described: dict[str, Any], role: str) -> dict[str, Any]:
    """Return the first container of scheduler or worker, the one that Dask runs in."""
    kind = (described.get("apiVersion"), described.get("kind"))
    if kind != KIND:
        msg = f"the manifest describes a {kind[1]} of {kind[0]}; it must be a {KIND[1]} of {KIND[0]}"
        raise ParameterError(msg)
    try:
        described["metadata"].get("name")
        container = described["spec"][role]["spec"]["containers"][0]
        container.get("args")
    except (KeyError, IndexError, TypeError, AttributeError) as error:
        place = f"metadata and spec.{role}.spec.containers[0]"
        msg = f"the manifest has no {place} ({error!r}); deploy/kubernetes/cluster.yaml has them"
        raise ParameterError(msg) from error
    found: dict[str, Any] = container
    return found


def _pinned(image: object) -> str:
    """Return an image's name if it says which: workers that come later would else get another one."""
    last = image.rsplit("/", 1)[-1] if isinstance(image, str) else ""
    tag = last.partition(":")[2]
    if not isinstance(image, str) or image.split() != [image] or not tag or tag == "latest":
        msg = f"image={image!r} does not say which; give it a tag other than 'latest', or a digest"
        raise ParameterError(msg)
    return image


def _quantity(memory: object) -> str:
    """Return an amount of memory as Kubernetes writes it, to the mebibyte."""
    from dask.utils import parse_bytes

    try:
        size = parse_bytes(memory) // 2**20 if isinstance(memory, str) else 0
    except (ValueError, OverflowError):
        size = 0
    if size < 1:
        msg = f"memory={memory!r} must be an amount with its unit, at least 1 MiB, e.g. '8 GiB'"
        raise ParameterError(msg)
    return f"{size // 1024}Gi" if size % 1024 == 0 else f"{size}Mi"


def _limit(container: dict[str, Any], what: str, amount: str) -> None:
    """Write a limit and the same request: what is promised is there."""
    resources = container.setdefault("resources", {})
    for side in ("requests", "limits"):
        resources.setdefault(side, {})[what] = amount


def _set(container: dict[str, Any], option: str, value: str) -> None:
    """Write an option into the command of a worker, in the place of what it says now."""
    args: list[str] = list(container.get("args") or [])
    if not args:
        msg = "the worker's container has no args, e.g. [dask, worker], to add threads and memory to"
        raise ParameterError(msg)
    for i, word in enumerate(args):
        if word == option:
            args[i + 1 : i + 2] = [value]
            break
        if word.startswith(f"{option}="):
            args[i] = f"{option}={value}"
            break
    else:
        args += [option, value]
    container["args"] = args

"""A cluster as data: what is asked for, in one frozen description."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from magxr.errors import ParameterError
from magxr.steps.arguments import is_number, is_whole

KINDS = ("local", "slurm", "cuda", "kubernetes", "address")
SCHEMES = ("tcp", "tls", "ucx", "ucxx", "ws", "wss", "inproc")
"""How addresses of Dask schedulers begin."""
_CLOCK = re.compile(r"(?:(?P<days>\d+)-)?(?P<hours>\d{1,3}):(?P<minutes>[0-5]\d):(?P<seconds>[0-5]\d)")


@dataclass(frozen=True, slots=True)
class Cluster:
    """What a cluster is to be; what is None is left to the kind, or to Dask's own configuration.

    Raises
    ------
    ParameterError
        If a value cannot be used, or does not go with the kind.
    """

    kind: str
    """"local" (processes of this machine), "slurm", "cuda" (its GPUs), "kubernetes" or "address"."""
    address: str | None = None
    """Of a scheduler that runs already, e.g. "tcp://127.0.0.1:8786" (kind "address" only)."""
    workers: int | tuple[int, int] | None = None
    """Processes that work, each a job of its own; or the fewest and the most, as there is work for them."""
    cores: int | None = None
    """Threads of a worker, and cores that are asked for it."""
    memory: str | None = None
    """Memory of a worker, e.g. "8 GiB"."""
    gpus: int | None = None
    """GPUs of a worker (slurm, kubernetes); of "cuda" every worker has one."""
    walltime: str | None = None
    """Longest life of a job, "HH:MM:SS" or "D-HH:MM:SS" (slurm); workers hand over before it ends."""
    queue: str | None = None
    """Partition (slurm)."""
    account: str | None = None
    """Account that is charged (slurm)."""
    interface: str | None = None
    """Network interface of this machine that the nodes of the cluster reach, e.g. "ib0" (slurm)."""
    folder: str = "~/.magxr"
    """Folder that all nodes see, for the logs of jobs and the certificates of a run (slurm)."""
    tls: bool | None = None
    """Whether talk is encrypted, and only holders of the run's certificate are let in; None: with slurm."""
    wait: float = 600.0
    """Seconds that the first worker may take to come, and a run may be without any."""
    image: str | None = None
    """Container image (kubernetes)."""
    manifest: str | None = None
    """File with the DaskCluster to make (kubernetes)."""
    environment: Mapping[str, str] = field(default_factory=dict)
    """Variables that workers find in their environment. No secrets: job scripts and manifests can be read."""
    setup: tuple[str, ...] = ()
    """Shell lines that a job runs before its worker, e.g. "module load python" (slurm)."""

    def __post_init__(self) -> None:
        _check(self)

    def bounds(self, default: int) -> tuple[int, int]:
        """Return the fewest and the most workers."""
        asked = default if self.workers is None else self.workers
        return asked if isinstance(asked, tuple) else (asked, asked)


ONLY: dict[str, tuple[str, ...]] = {
    "address": ("address",),
    "gpus": ("slurm", "kubernetes"),
    "walltime": ("slurm",),
    "queue": ("slurm",),
    "account": ("slurm",),
    "interface": ("slurm",),
    "setup": ("slurm",),
    "tls": ("local", "slurm"),
    "image": ("kubernetes",),
    "manifest": ("kubernetes",),
}
"""Fields that only some kinds have a use for."""


_TEXTS = ("address", "memory", "walltime", "queue", "account", "interface", "folder", "image", "manifest")
"""Fields of one line of text."""
_SECRET = re.compile("SECRET|TOKEN|PASSW|PRIVATE|ACCESS_KEY|CREDENTIAL", re.IGNORECASE)


def is_address(text: str) -> bool:
    """Tell whether a text is the address of a Dask scheduler."""
    return "://" in text and text.split("://")[0] in SCHEMES


def _check(asked: Cluster) -> None:
    if asked.kind not in KINDS:
        msg = f"cluster kind {asked.kind!r} does not exist; use one of {KINDS}"
        raise ParameterError(msg)
    for name, kinds in ONLY.items():
        value = getattr(asked, name)
        if asked.kind not in kinds and value not in (None, ()):
            msg = f"{name}={value!r} is of no use to a cluster of kind {asked.kind!r}, only to {kinds}"
            raise ParameterError(msg)
    if asked.kind == "address":
        _check_address(asked)
    if asked.workers is not None:
        _check_workers(asked.workers)
    for name in ("cores", "gpus"):
        value = getattr(asked, name)
        if value is not None and not is_whole(value, 1):
            msg = f"{name}={value!r} must be a whole number, at least 1"
            raise ParameterError(msg)
    for name in _TEXTS:
        value = getattr(asked, name)
        if value is not None:
            _check_text(name, value)
    if asked.memory is not None:
        _check_memory(asked.memory)
    if asked.walltime is not None:
        seconds_of(asked.walltime)
    if asked.gpus not in (None, 1):
        msg = f"gpus={asked.gpus!r}: a worker is one process and has one GPU; ask for more workers"
        raise ParameterError(msg)
    if not is_number(asked.wait) or asked.wait <= 0:
        msg = f"wait={asked.wait!r} must be seconds, more than 0"
        raise ParameterError(msg)
    _check_environment(asked.environment)
    if not all(isinstance(line, str) for line in asked.setup) or isinstance(asked.setup, str):
        msg = f"setup={asked.setup!r} must be shell lines, e.g. ('module load python',)"
        raise ParameterError(msg)


def _check_address(asked: Cluster) -> None:
    if not isinstance(asked.address, str) or not is_address(asked.address):
        msg = f"address={asked.address!r} is not one of a Dask scheduler, such as tcp://127.0.0.1:8786"
        raise ParameterError(msg)
    for name in ("workers", "cores", "memory", "environment"):
        if getattr(asked, name):
            msg = f"{name} of the cluster at {asked.address} is what it is; leave {name} out"
            raise ParameterError(msg)


def _check_workers(workers: object) -> None:
    pair = workers if isinstance(workers, tuple) else (workers, workers)
    if len(pair) != 2 or not all(is_whole(n, 0) for n in pair) or pair[0] > pair[1] or pair[1] < 1:
        msg = (
            f"workers={workers!r} must be a whole number, at least 1, or the fewest and the most, e.g. (1, 8)"
        )
        raise ParameterError(msg)


def _check_text(name: str, value: object) -> None:
    if not isinstance(value, str) or not value or "\n" in value or "\0" in value:
        msg = f"{name}={value!r} must be one line of text"
        raise ParameterError(msg)


def _check_memory(memory: str) -> None:
    from dask.utils import parse_bytes

    try:
        enough = parse_bytes(memory) >= 2**20
    except (ValueError, AttributeError):
        enough = False
    if not enough:
        msg = f"memory={memory!r} must be an amount with its unit, at least 1 MiB, e.g. '8 GiB'"
        raise ParameterError(msg)


def _check_environment(environment: object) -> None:
    """Refuse what is no environment; values are not told, in case one is a secret after all."""
    if not isinstance(environment, Mapping):
        msg = f"environment is a {type(environment).__name__}; it must map names of variables to text"
        raise ParameterError(msg)
    for name, value in environment.items():
        check_variable(name, value)


def check_variable(name: object, value: object) -> None:
    """Refuse what is no variable of an environment, or by its name a secret; values are never told."""
    if not isinstance(name, str) or not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", name):
        msg = f"{name!r} is no name of an environment variable; use letters, digits and underscores"
        raise ParameterError(msg)
    if _SECRET.search(name):
        fix = "set it where workers run, or in a Secret that the manifest names under envFrom"
        msg = f"environment holds {name}, and others may read job scripts and manifests; {fix}"
        raise ParameterError(msg)
    if not isinstance(value, str) or "\n" in value or "\0" in value:
        msg = f"the value of {name!r} in environment must be one line of text (in YAML: in quotes)"
        raise ParameterError(msg)


def seconds_of(walltime: str) -> float:
    """Return a wall time as SLURM writes it in seconds."""
    found = _CLOCK.fullmatch(walltime)
    if found is None:
        msg = f"walltime={walltime!r} must be HH:MM:SS or D-HH:MM:SS, e.g. '04:00:00'"
        raise ParameterError(msg)
    days, hours, minutes, seconds = (int(found[n] or 0) for n in ("days", "hours", "minutes", "seconds"))
    total = ((days * 24 + hours) * 60 + minutes) * 60 + seconds
    if total < 60:
        msg = f"walltime={walltime!r} is shorter than a minute, too short to start a worker and hand over"
        raise ParameterError(msg)
    return float(total)


def cores_here() -> int:
    """Return how many cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1

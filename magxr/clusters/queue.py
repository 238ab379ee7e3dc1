"""What SLURM says of the jobs of a cluster, in its own words."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path
from typing import Any

from magxr.errors import ClusterError

Known = dict[str, tuple[str, str]]
"""State and reason of jobs, by their numbers."""


def check_there() -> None:
    """Refuse to go on where there is no SLURM."""
    missing = [name for name in ("sbatch", "squeue", "scancel") if shutil.which(name) is None]
    if missing:
        fix = "log in to a node that submits jobs, or load its module"
        msg = f"this machine has no SLURM: the command {missing[0]!r} is not on the PATH; {fix}"
        raise ClusterError(msg)


def jobs(cluster: Any) -> Known:
    """Return the state and the reason that SLURM gives of each job of a cluster that it still knows.

    Raises
    ------
    ClusterError
        If SLURM does not answer.
    """
    wanted = {str(job.job_id) for job in list(cluster.workers.values()) if getattr(job, "job_id", None)}
    if not wanted:
        return {}
    command = [
        "squeue",
        "--noheader",
        "--states=all",
        "--format=%i|%T|%r",
        f"--jobs={','.join(sorted(wanted))}",
    ]
    said = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603 - no shell
    if said.returncode and "Invalid job id" not in said.stderr:
        msg = f"SLURM does not answer: {' '.join(said.stderr.split())}"
        raise ClusterError(msg)
    found = {}
    for line in said.stdout.splitlines():
        number, state, reason = line.strip().split("|", 2)
        found[number] = (state, reason)
    return found


def says(known: Known) -> str:
    """Return one line of what SLURM says of jobs: why they wait, or how they ended."""
    if not known:
        return "SLURM knows none of its jobs any more"
    parts = [f"job {n} {state} ({reason})" for n, (state, reason) in sorted(known.items())]
    return "SLURM says: " + ", ".join(parts[:4]) + (f" and {len(parts) - 4} more" if len(parts) > 4 else "")


NEVER = ("PartitionTimeLimit", "PartitionNodeLimit", "BadConstraints", "InvalidAccount", "InvalidQOS")
"""Reasons for which a job that SLURM took will wait for ever."""


def never(known: Known) -> str | None:
    """Return what SLURM says, if one of the jobs will never run."""
    stuck = any(state == "PENDING" and reason in NEVER for state, reason in known.values())
    return says(known) if stuck else None


def ended(cluster: Any, known: Known) -> dict[Any, str]:
    """Return the names of places whose job has ended, and its last words, from the log of the job."""
    over = {}
    for name, job in list(cluster.workers.items()):
        number = getattr(job, "job_id", None)
        if number and known.get(str(number), ("GONE", ""))[0] not in _ALIVE:
            over[name] = _last_words(job, str(number))
    return over


_ALIVE = ("PENDING", "CONFIGURING", "RUNNING", "COMPLETING", "SUSPENDED", "REQUEUED", "RESIZING", "STAGE_OUT")


def _last_words(job: Any, number: str) -> str:
    log = Path(str(job.log_directory)) / f"{job.job_name}-{number}.err"
    try:
        lines = [line.strip() for line in log.read_text(encoding="utf-8", errors="replace").splitlines()]
    except OSError:
        return f"job {number} ended and left no log at {log}"
    words = [line for line in lines if line]
    return f"job {number} ended; the last line of {log}: {words[-1] if words else '(empty)'}"

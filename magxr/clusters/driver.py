"""What NVIDIA's driver says of the GPUs of this machine."""

from __future__ import annotations

import shutil
import subprocess


def cards(query: str) -> tuple[list[str], str]:
    """Ask nvidia-smi for something of every GPU.

    Parameters
    ----------
    query : str
        As its option ``--query-gpu`` takes it, e.g. "index".

    Returns
    -------
    list of str, str
        A line for each GPU; or none, and why.
    """
    program = shutil.which("nvidia-smi")
    if program is None:
        return [], "no nvidia-smi"
    command = [program, f"--query-gpu={query}", "--format=csv,noheader"]
    try:
        done = subprocess.run(  # noqa: S603 - the program of the driver, by its path
            command, capture_output=True, text=True, timeout=20, check=False
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        return [], str(error)
    lines = [line.strip() for line in done.stdout.splitlines() if line.strip()]
    if done.returncode or not lines:
        said = (done.stdout + done.stderr).strip().splitlines()
        return [], said[0] if said else f"exit status {done.returncode}"
    return lines, ""

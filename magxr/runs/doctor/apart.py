"""Try something in a process of its own, which may crash, hang or load gigabytes: the doctor does not."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

_MARK = "magxr-doctor:"
_WHOLE = "import json\n{code}\nprint({mark!r} + json.dumps(answer))"


def answer_of(code: str, patience: float) -> tuple[dict[str, Any], str]:
    """Run a script and return its answer.

    Parameters
    ----------
    code : str
        Sets the variable ``answer`` to a dict of plain values.
    patience : float
        Seconds after which it is given up.

    Returns
    -------
    tuple of (dict, str)
        The answer, and what went wrong: empty if nothing did.
    """
    command = [sys.executable, "-c", _WHOLE.format(code=code, mark=_MARK)]
    try:
        done = subprocess.run(  # noqa: S603 - this Python, a script of ours
            command, capture_output=True, text=True, timeout=patience, check=False, errors="replace"
        )
    except subprocess.TimeoutExpired:
        return {}, f"no answer within {patience:g} s"
    except OSError as error:
        return {}, str(error)
    for line in done.stdout.splitlines():
        if line.startswith(_MARK):
            told: dict[str, Any] = json.loads(line.removeprefix(_MARK))
            return told, ""
    if done.returncode < 0:
        return {}, f"ended by signal {-done.returncode}"
    said = [line.strip() for line in done.stderr.splitlines() if line.strip()]
    return {}, said[-1] if said else f"exit status {done.returncode}"

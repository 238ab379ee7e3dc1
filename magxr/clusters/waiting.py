"""Wait for workers, with a line that says how many there are and what the queue says."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from magxr.clusters.line import Line
from magxr.errors import ClusterError

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import TextIO

_EVERY = 0.1


def wait_for(
    client: Any,
    count: int,
    seconds: float,
    *,
    says: Callable[[], str] = lambda: "",
    hopeless: Callable[[], str | None] = lambda: None,
    stream: TextIO | None = None,
) -> int:
    """Wait until so many workers are there.

    Parameters
    ----------
    client : distributed.Client
    count : int
    seconds : float
        After which it is given up.
    says : callable
        What the queue says, one line; asked every few seconds.
    hopeless : callable
        Why no worker will come, None while one may.
    stream : file, optional
        Where the line is drawn, if it is a terminal, or written every quarter of a minute.

    Returns
    -------
    int
        Workers that are there.

    Raises
    ------
    ClusterError
        If they do not come: with what the queue says.
    """
    began = time.monotonic()
    told = asked = 0.0
    words = ""
    line = Line(stream)
    try:
        while (there := len(client.scheduler_info(n_workers=-1)["workers"])) < count:
            spent = time.monotonic() - began
            if spent - asked > 2.0:
                asked, words = spent, says()
                if why := hopeless():
                    msg = f"no worker comes: {why}"
                    raise ClusterError(msg)
            if spent > seconds:
                words = says() or "start workers for this scheduler"
                msg = f"{there} of {count} workers came within {seconds:g} s; {words}"
                raise ClusterError(msg)
            if spent - told > (0.5 if line.live else 15.0):
                told = spent
                line.write(f"waiting    {there}/{count} workers  {spent:.0f} s  {words}".rstrip())
            time.sleep(_EVERY)
        return there
    finally:
        line.erase()

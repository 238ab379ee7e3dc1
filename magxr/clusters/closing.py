"""Close a cluster, whatever happens."""

from __future__ import annotations

from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator


@contextmanager
def closing(cluster: Any) -> Iterator[Any]:
    """Yield a cluster that has been started, and close it at the end of the block."""
    try:
        yield cluster
    finally:
        with suppress(TimeoutError):  # a block in work is not waited for: workers end with this process
            cluster.close()

"""Compute lazy arrays a region at a time, with their global statistics found once and put in their place.

What a cell needs of the whole map (quartiles, a low-rank basis) stands in the graph as tasks that read every
block. `statistics` computes them in one pass over the data; `Piecewise` puts their values where the tasks
were, so that what is left of a region is its own blocks and their neighbours.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np

from magxr.chunked.fold import MARK

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    Slices = tuple[slice, ...]

_TOKEN = re.compile(r"-[0-9a-f]{32}$")


def statistics(arrays: Sequence[Any]) -> dict[str, Any]:
    """Return what blocks need of the whole map, each by its role and lazy (`dask.delayed.Delayed`).

    Parameters
    ----------
    arrays : sequence of Dask arrays
        Built to be computed as a whole (`magxr.chunked.streaming`), so that the pass over the data keeps few
        blocks in memory.

    Returns
    -------
    dict of str to Delayed
        The role is the statistic's name and, where there are many, its numbers: the same in a graph built
        anew from the same steps.
    """
    from dask.delayed import Delayed
    from dask.highlevelgraph import HighLevelGraph

    if not arrays:
        return {}
    graph = HighLevelGraph.merge(*(a.__dask_graph__() for a in arrays))
    return {role: Delayed(key, graph, layer=_label(key)) for role, key in _roles(_tasks(graph)).items()}


class Piecewise:
    """Lazy arrays of which regions are computed, one after the other or from several threads.

    Parameters
    ----------
    arrays : mapping of str to Dask array
        Built inside `magxr.chunked.streaming.one_by_one`.
    inputs : sequence of str
        Names of the Dask arrays whose blocks count as what is read.
    known : mapping of str to object
        Values of `statistics`, by role.

    Raises
    ------
    KeyError
        If a statistic that the arrays need is not known.
    """

    def __init__(self, arrays: Mapping[str, Any], inputs: Sequence[str], known: Mapping[str, Any]) -> None:
        from dask._task_spec import DataNode
        from dask.highlevelgraph import HighLevelGraph

        self._arrays = dict(arrays)
        self._inputs = frozenset(inputs)
        self._tasks = _tasks(HighLevelGraph.merge(*(a.__dask_graph__() for a in arrays.values())))
        for role, key in _roles(self._tasks).items():
            self._tasks[key] = DataNode(key, known[role])

    def region(self, where: Mapping[str, Slices]) -> tuple[dict[str, NDArray[Any]], list[NDArray[Any]]]:
        """Compute a region of every array in this thread.

        Parameters
        ----------
        where : mapping of str to tuple of slice
            First and last cell along each dimension, by array.

        Returns
        -------
        values : dict of str to ndarray
        read : list of ndarray
            The blocks of the inputs that they were made from, in a fixed order.
        """
        from dask._task_spec import DataNode
        from dask.local import get_sync
        from dask.optimization import cull

        pieces = {name: _pieces(self._arrays[name], slices) for name, slices in where.items()}
        keys = sorted({key for found in pieces.values() for _, key, _ in found}, key=str)
        needed, _ = cull(self._tasks, keys)
        sources = sorted((k for k in needed if isinstance(k, tuple) and k[0] in self._inputs), key=str)
        read = list(get_sync(needed, sources)) if sources else []
        needed = dict(needed) | {k: DataNode(k, v) for k, v in zip(sources, read, strict=True)}
        needed, _ = cull(needed, keys)
        made = dict(zip(keys, get_sync(needed, keys), strict=True))
        values = {}
        for name, slices in where.items():
            out = np.empty(tuple(s.stop - s.start for s in slices), self._arrays[name].dtype)
            for at, key, part in pieces[name]:
                out[at] = made[key][part]
            values[name] = out
        return values, read


def _tasks(graph: Any) -> dict[Any, Any]:
    from dask._task_spec import convert_legacy_graph
    from dask.utils import ensure_dict

    plain = ensure_dict(graph)
    return dict(convert_legacy_graph(plain))


def _roles(tasks: Mapping[Any, Any]) -> dict[str, Any]:
    """Return the statistics that tasks other than statistics use: role -> key."""
    found: dict[str, Any] = {}
    for key, task in tasks.items():
        if _is_statistic(key):
            continue
        for used in task.dependencies:
            if _is_statistic(used):
                role = _role(used)
                assert found.setdefault(role, used) == used, f"two statistics are called {role}"
    return found


def _is_statistic(key: Any) -> bool:
    return _label(key).startswith(MARK)


def _label(key: Any) -> str:
    return str(key[0] if isinstance(key, tuple) else key)


def _role(key: Any) -> str:
    numbers = key[1:] if isinstance(key, tuple) else ()
    return "-".join([_name(_label(key)), *map(str, numbers)])


@lru_cache(maxsize=256)
def _name(label: str) -> str:
    return _TOKEN.sub("", label.removeprefix(f"{MARK}-"))


def _pieces(array: Any, slices: Slices) -> list[tuple[Slices, Any, Slices]]:
    """Return (place in the region, key, part of the block) for each block that a region meets."""
    axes = []
    for sizes, wanted in zip(array.chunks, slices, strict=True):
        ends = np.cumsum([0, *sizes])
        first = int(np.searchsorted(ends, wanted.start, side="right")) - 1
        last = int(np.searchsorted(ends, wanted.stop, side="left"))
        line = []
        for n in range(first, last):
            lo, hi = max(int(ends[n]), wanted.start), min(int(ends[n + 1]), wanted.stop)
            if hi > lo:
                begin = int(ends[n])
                line.append((slice(lo - wanted.start, hi - wanted.start), n, slice(lo - begin, hi - begin)))
        axes.append(line)
    found: list[tuple[Slices, Any, Slices]] = [((), (array.name,), ())]
    for line in axes:
        found = [((*at, a), (*key, n), (*part, p)) for at, key, part in found for a, n, p in line]
    return found

"""Fold all chunks of an array into one small result, and chain small results, lazily.

A global statistic that is then applied to the same data would make Dask keep every chunk in memory from
the first use to the second. So each pass over the data reads its own copy of the source's graph
(`reread`): the chunks are made twice, and memory stays at a few chunks.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from magxr.chunked.plan import is_chunked
from magxr.chunked.streaming import streaming

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

MARK = "magxr-statistic"
"""How the graph layers of finished statistics are named, so that `reread` can tell them from data."""


def reread(x: Any, why: str) -> Any:
    """Return ``x`` made anew from its sources, under other task names; numpy arrays as they are.

    Finished statistics in the history of ``x`` (the fences of an earlier step, say) are small and are
    shared, not made anew. ``why`` tells one rereading from another: equal names share their tasks. Where
    blocks are computed one by one (`magxr.chunked.streaming`) ``x`` is returned as it is.
    """
    if not is_chunked(x) or not streaming():
        return x
    from dask.base import clone_key
    from dask.highlevelgraph import HighLevelGraph

    seed = f"magxr-{why}-{x.name}"
    old, needs = x.dask.layers, x.dask.dependencies
    fresh = _below(set(x.__dask_layers__()), needs, stop=MARK)
    shared = _below({d for name in fresh for d in needs[name] if d.startswith(MARK)}, needs)
    keys = {key for name in fresh for key in old[name].get_output_keys()}
    known = keys | {key for name in shared for key in old[name].get_output_keys()}
    layers = {name: old[name] for name in shared}
    layers |= {clone_key(name, seed): _renamed(old[name], keys, known, seed) for name in fresh}
    dependencies = {name: needs[name] for name in shared}
    dependencies |= {
        clone_key(name, seed): {clone_key(d, seed) if d in fresh else d for d in needs[name]}
        for name in fresh
    }
    import dask.array as da

    return da.Array(HighLevelGraph(layers, dependencies), clone_key(x.name, seed), x.chunks, meta=x._meta)


def _below(names: set[str], needs: Mapping[str, set[str]], stop: str | None = None) -> set[str]:
    """Return ``names`` and all layers that they are made from, but none that starts with ``stop``."""
    found: set[str] = set()
    left = set(names)
    while left:
        name = left.pop()
        if name not in found and not (stop and name.startswith(stop)):
            found.add(name)
            left |= needs[name]
    return found


def _renamed(layer: Any, keys: set[Any], known: set[Any], seed: str) -> Any:
    """Rename the tasks of a layer, and the ones of ``keys`` that they use; ``known`` are all keys there are.

    `dask.graph_manipulation.clone` does this for blockwise layers only: in others it leaves references
    inside `Task` objects as they were (dask 2026.8), so slices and concatenations came out broken.
    """
    from dask._task_spec import convert_legacy_graph
    from dask.base import clone_key
    from dask.blockwise import Blockwise
    from dask.highlevelgraph import MaterializedLayer

    if isinstance(layer, Blockwise):
        return layer.clone(keys, seed)[0]
    tasks = {}
    for key, task in convert_legacy_graph(dict(layer), all_keys=known).items():
        uses = {k: clone_key(k, seed) for k in task.dependencies if k in keys}
        tasks[clone_key(key, seed)] = task.substitute(uses, key=clone_key(key, seed))
    return MaterializedLayer(tasks, annotations=layer.annotations)


def fold(
    x: Any,
    kernel: Callable[..., Any],
    merge: Callable[[list[Any]], Any],
    *small: Any,
    name: str,
    every: int = 8,
) -> Any:
    """Apply ``kernel(chunk, *small)`` to every chunk and merge the results in a tree.

    Parameters
    ----------
    x : numpy or Dask array, 2-D
        A Dask array is read through `reread`.
    kernel : callable
        Returns any small object.
    merge : callable
        Takes a list of such objects and returns one. Its result must not depend on how they are grouped.
    small
        Further arguments: results of `fold` or `then` (lazy or not), or plain values.
    name : str
        Of the statistic, for task names.
    every : int
        How many results are merged at a time.

    Returns
    -------
    object
        For numpy input the merged result, else a `dask.delayed.Delayed` of it.
    """
    if not is_chunked(x):
        return merge([kernel(x, *small)])
    from dask.base import tokenize
    from dask.core import flatten
    from dask.delayed import Delayed
    from dask.highlevelgraph import HighLevelGraph

    x = reread(x, name)
    lazy, arguments = _references(small)
    label = f"{MARK}-{name}-{tokenize(x.name, kernel, merge, *arguments)}"
    level: list[Any] = [(label, 0, i) for i, _ in enumerate(flatten(x.__dask_keys__()))]
    layer: dict[Any, Any] = {
        key: (kernel, block, *arguments) for key, block in zip(level, flatten(x.__dask_keys__()), strict=True)
    }
    depth = 0
    while depth == 0 or len(level) > 1:
        depth += 1
        groups = [level[i : i + every] for i in range(0, len(level), every)]
        level = [(label, depth, i) for i in range(len(groups))]
        layer.update({key: (merge, group) for key, group in zip(level, groups, strict=True)})
    graph = HighLevelGraph.from_collections(label, layer, dependencies=[x, *lazy])
    return Delayed(level[0], graph, layer=label)


def then(function: Callable[..., Any], *args: Any, name: str, shape: Sequence[int] | None = None) -> Any:
    """Return ``function(*args)``, as one lazy task if any argument is lazy.

    With ``shape`` the lazy result is a float64 Dask array of one chunk, which is what ``function`` must
    return; without, a `dask.delayed.Delayed` of whatever it returns.
    """
    lazy, arguments = _references(args)
    if not lazy:
        return function(*args)
    from dask.base import tokenize
    from dask.delayed import Delayed
    from dask.highlevelgraph import HighLevelGraph

    label = f"{MARK}-{name}-{tokenize(function, *arguments)}"
    task = (function, *arguments)
    key: Any = label if shape is None else (label, *(0 for _ in shape))
    graph = HighLevelGraph.from_collections(label, {key: task}, dependencies=lazy)
    if shape is None:
        return Delayed(label, graph)
    import dask.array as da

    return da.Array(graph, label, tuple((n,) for n in shape), meta=np.empty((0,) * len(shape)))


def on_chunks(x: Any, kernel: Callable[..., Any], *small: Any, name: str) -> Any:
    """Return ``kernel(chunk, *small)`` for every chunk: same shape and dtype as ``x``, lazy if ``x`` is.

    ``small`` are 1-D results of `then`.
    """
    if not is_chunked(x):
        return kernel(x, *small)
    import dask.array as da

    pairs: list[Any] = []
    for number, array in enumerate(small):
        pairs += [array, (f"small-{number}",)]
    return da.blockwise(
        kernel,
        ("row", "column"),
        x,
        ("row", "column"),
        *pairs,
        concatenate=True,
        dtype=x.dtype,
        meta=np.empty((0, 0), dtype=x.dtype),
        token=f"magxr-{name}",
    )


def _references(args: Sequence[Any]) -> tuple[list[Any], list[Any]]:
    """Return the lazy ones of ``args``, and ``args`` with the task key in the place of each lazy one."""
    from dask.delayed import Delayed

    lazy = [a for a in args if isinstance(a, Delayed) or is_chunked(a)]
    keys = [
        a.key if isinstance(a, Delayed) else (a.name, *(0,) * a.ndim) if is_chunked(a) else a for a in args
    ]
    return lazy, keys

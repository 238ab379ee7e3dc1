"""Exact low-rank approximation of a whole region, whatever its chunks (mode "region" of `denoise`).

With A the map, rows along its shorter side, the eigenvectors U of A A^T are the left singular vectors of A,
and U_k U_k^T A is its best approximation of rank k. The data are read four times: for their extremes, for
A A^T, for U_k^T A and for the result. In memory are at most about nine matrices of the shorter side squared
(float64, while the eigenvectors are found), two columns of chunks across the shorter side, and U_k^T A.
"""

from __future__ import annotations

from itertools import accumulate
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from magxr.chunked.fold import MARK, reread, then
from magxr.chunked.plan import is_chunked
from magxr.chunked.quantiles import check_extent, extremes, mean
from magxr.errors import ParameterError
from magxr.kernels import lowrank
from magxr.kernels.lowrank import Basis, Scale

if TYPE_CHECKING:
    from numpy.typing import NDArray

SHORT_SIDE = 4096
"""Longest shorter side of a region: its Gram matrix takes 128 MiB, its decomposition about 1.2 GiB."""


class LowRank(NamedTuple):
    """A low-rank approximation and what it is made of; every field is lazy if the input was."""

    values: Any
    """The approximation, in the dtype and chunks of the input; NaN where the input is."""
    rank: Any
    """Number of components kept, 0-D float64."""
    retained: Any
    """Share of the variance that they hold, 0-D float64."""
    singular_values: Any
    """All singular values, largest first, 1-D float64, nT."""


def low_rank(x: Any, *, variance: float, k: int | None, center: bool) -> LowRank:
    """Approximate a map by its largest singular components.

    Parameters
    ----------
    x : numpy or Dask array, 2-D, float32 or float64
        NaN counts as the mean (``center``) or as 0.
    variance : float
        Keep the fewest components whose squared singular values sum to this share, if ``k`` is None.
    k : int or None
        Number of components to keep.
    center : bool
        Take the mean of all valid cells away before and put it back after.

    Raises
    ------
    ParameterError
        If the shorter side has more than ``SHORT_SIDE`` cells.
    GridError
        If the values are unusable (`magxr.chunked.quantiles.problem`); at once for numpy, else when the
        statistic is computed.
    """
    if min(x.shape) > SHORT_SIDE:
        msg = (
            f"mode='region' decomposes a matrix of the shorter side squared, and a grid of {x.shape[0]} x "
            f"{x.shape[1]} cells is over its limit of {SHORT_SIDE}; use mode='tile', or a smaller region"
        )
        raise ParameterError(msg)
    if x.shape[0] > x.shape[1]:
        turned = low_rank(x.T, variance=variance, k=k, center=center)
        return turned._replace(values=turned.values.T)
    scale = then(_scale, extremes(x), mean(x) if center else 0.0, name="scale")
    bits = lowrank.slice_bits(x.shape[1])
    parts = _gram(x, scale, bits)
    found = then(lowrank.basis, parts, scale, bits, variance, k, name="basis")
    return LowRank(
        _approximation(x, found, scale),
        then(_rank, found, name="rank", shape=()),
        then(_retained, found, name="retained", shape=()),
        then(_spectrum, found, name="spectrum", shape=(x.shape[0],)),
    )


def _gram(x: Any, scale: Any, bits: int) -> Any:
    """Sum the Gram matrix over columns of chunks, one after the other: never more than two at a time."""
    if not is_chunked(x):
        return lowrank.gram([x], scale, bits)
    from dask.base import tokenize

    x = reread(x, "gram")
    label = f"{MARK}-gram-{tokenize(x.name, scale.key, bits)}"
    layer: dict[Any, Any] = {}
    sofar: Any = None
    for column in range(x.numblocks[1]):
        blocks = [(x.name, row, column) for row in range(x.numblocks[0])]
        layer[label, column] = (_add_gram, sofar, blocks, scale.key, bits)
        sofar = (label, column)
    return _delayed(label, layer, sofar, x, scale)


def _approximation(x: Any, found: Any, scale: Any) -> Any:
    """Project the columns on the basis, adding rows from south to north, and expand them again."""
    if not is_chunked(x):
        return _expand(found, _add_projection(None, found, x, scale, 0), x, scale, 0)
    import dask.array as da
    from dask.base import tokenize
    from dask.highlevelgraph import HighLevelGraph

    again = reread(x, "project")
    project = f"{MARK}-project-{tokenize(again.name, found.key)}"
    label = f"magxr-low-rank-{tokenize(x.name, found.key)}"
    starts = [0, *accumulate(x.chunks[0])]
    projections: dict[Any, Any] = {}
    results: dict[Any, Any] = {}
    carried: Any = None
    for column in range(x.numblocks[1]):
        carried = None
        for row in range(x.numblocks[0]):
            block = (again.name, row, column)
            projections[project, row, column] = (
                _add_projection,
                carried,
                found.key,
                block,
                scale.key,
                starts[row],
            )
            carried = (project, row, column)
        for row in range(x.numblocks[0]):
            block = (x.name, row, column)
            results[label, row, column] = (_expand, found.key, carried, block, scale.key, starts[row])
    last = _delayed(project, projections, carried, again, found, scale)
    graph = HighLevelGraph.from_collections(label, results, dependencies=[x, last, found, scale])
    return da.Array(graph, label, x.chunks, meta=np.empty((0, 0), dtype=x.dtype))


def _delayed(label: str, layer: dict[Any, Any], key: Any, *dependencies: Any) -> Any:
    from dask.delayed import Delayed
    from dask.highlevelgraph import HighLevelGraph

    return Delayed(key, HighLevelGraph.from_collections(label, layer, dependencies=dependencies), layer=label)


def _scale(extent: NDArray[np.float64], centre: float) -> Scale:
    check_extent(extent)
    largest = np.abs(extent[:2] - centre).max()
    return Scale(float(centre), int(np.frexp(largest)[1]))


def _add_gram(
    sofar: NDArray[np.float64] | None, blocks: list[NDArray[Any]], scale: Scale, bits: int
) -> NDArray[np.float64]:
    parts = lowrank.gram(blocks, scale, bits)
    if sofar is not None:
        parts += sofar
    return parts


def _add_projection(
    carried: NDArray[np.float64] | None, found: Basis, block: NDArray[Any], scale: Scale, start: int
) -> NDArray[np.float64]:
    vectors = found.vectors[start : start + block.shape[0]]
    if carried is None:
        carried = np.zeros((vectors.shape[1], block.shape[1]))
    return lowrank.project(carried, vectors, lowrank.centred(block, scale.mean))


def _expand(
    found: Basis, coefficients: NDArray[np.float64], block: NDArray[Any], scale: Scale, start: int
) -> NDArray[Any]:
    values = lowrank.expand(found.vectors[start : start + block.shape[0]], coefficients) + scale.mean
    values[np.isnan(block)] = np.nan
    return values.astype(block.dtype)


def _rank(found: Basis) -> np.float64:
    return np.float64(found.vectors.shape[1])


def _retained(found: Basis) -> np.float64:
    return np.float64(found.retained)


def _spectrum(found: Basis) -> NDArray[np.float64]:
    return found.singular_values

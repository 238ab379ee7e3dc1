"""Connected patches of a map of classes, and how large they are."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray


def patches(marked: NDArray[np.bool_], *, wrap: bool = False) -> tuple[NDArray[np.int32], int]:
    """Give a number to each of the connected patches of marked cells.

    Parameters
    ----------
    marked : (rows, columns) bool
        Cells are connected where they share a side, not where they only touch at a corner.
    wrap : bool
        Whether the last column meets the first.

    Returns
    -------
    labels : (rows, columns) int32
        0 where not marked, else the number of the patch, from 1 on.
    count : int
        Number of patches.
    """
    from scipy.ndimage import label

    labels, count = label(marked)
    numbered: NDArray[np.int32] = labels.astype(np.int32)
    if not wrap or count == 0:
        return numbered, int(count)
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    meet = marked[:, 0] & marked[:, -1]
    pairs = (numbered[meet, 0] - 1, numbered[meet, -1] - 1)
    graph = coo_array((np.ones(len(pairs[0]), dtype=bool), pairs), shape=(count, count))
    joined, of = connected_components(graph, directed=False)
    number: NDArray[np.int32] = np.concatenate([[0], of + 1]).astype(np.int32)
    return number[numbered], int(joined)


def sizes(labels: NDArray[np.int32], count: int, row_area: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the area of each patch.

    Parameters
    ----------
    labels, count
        As `patches` returns them.
    row_area : (rows,) float64
        Area of a cell, by row.

    Returns
    -------
    (count,) float64
        In the unit of ``row_area``.
    """
    weights = np.broadcast_to(row_area[:, None], labels.shape)
    area = np.bincount(labels.ravel(), weights.ravel(), minlength=count + 1)
    return area[1:].astype(np.float64)

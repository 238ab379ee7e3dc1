"""Which cells of a grid lie inside a polygon."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray


def inside(
    rings: Sequence[NDArray[np.float64]], latitude: NDArray[np.float64], longitude: NDArray[np.float64]
) -> NDArray[np.bool_]:
    """Tell which cell centres lie inside a polygon, by the even-odd rule.

    Parameters
    ----------
    rings : sequence of (n, 2) float
        Outline and holes as longitude, latitude; closed or not. Edges are straight in degrees. A polygon
        may be given in any turn of longitude (-180..180, 0..360).
    latitude, longitude : (rows,), (columns,) float
        Centres, ascending.

    Returns
    -------
    (rows, columns) bool

    Notes
    -----
    Each edge toggles, in every row it crosses, all cells to its east; the running parity along the row is
    the answer. A centre on an edge belongs to the polygon east of that edge, so polygons that share an edge
    never share a cell.
    """
    parity = np.zeros((len(latitude), len(longitude)), dtype=bool)
    heights = np.concatenate([np.asarray(ring, dtype=np.float64)[:, 1] for ring in rings])
    rows = slice(*np.searchsorted(latitude, [heights.min(), heights.max()], side="left"))
    # Only rows that an edge can cross: areas are many and small beside the map.
    latitude = latitude[rows]
    toggles = np.zeros((len(latitude), len(longitude) + 1), dtype=bool)
    for ring in rings:
        closed = np.asarray(ring, dtype=np.float64)
        if not np.array_equal(closed[0], closed[-1]):
            closed = np.vstack([closed, closed[:1]])
        for turn in _turns(closed[:, 0], longitude):
            _toggle(toggles, closed + np.array([turn, 0.0]), latitude, longitude)
    parity[rows] = np.logical_xor.accumulate(toggles, axis=1)[:, :-1]
    return parity


def _turns(x: NDArray[np.float64], longitude: NDArray[np.float64]) -> list[float]:
    lowest = int(np.floor((longitude[0] - x.max()) / 360.0))
    highest = int(np.ceil((longitude[-1] - x.min()) / 360.0))
    return [
        360.0 * k
        for k in range(lowest, highest + 1)
        if x.max() + 360.0 * k >= longitude[0] and x.min() + 360.0 * k <= longitude[-1]
    ]


def _toggle(
    toggles: NDArray[np.bool_],
    ring: NDArray[np.float64],
    latitude: NDArray[np.float64],
    longitude: NDArray[np.float64],
) -> None:
    for (x0, y0), (x1, y1) in pairwise(ring):
        low, high = (y0, y1) if y0 <= y1 else (y1, y0)
        first, last = np.searchsorted(latitude, [low, high], side="left")
        if first == last:
            continue
        rows = np.arange(first, last)
        crossing = x0 + (latitude[rows] - y0) * ((x1 - x0) / (y1 - y0))
        columns = np.searchsorted(longitude, crossing, side="left")
        toggles[rows, columns] ^= True

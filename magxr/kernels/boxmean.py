"""Mean of k x k boxes of cells, NaN left out: what shrinks a map to a screen without aliasing."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray


def box_mean(values: NDArray[Any], k: int) -> NDArray[np.float32]:
    """Average boxes of ``k`` x ``k`` cells.

    Parameters
    ----------
    values : array, 2-D, float
        Any unit; NaN marks a missing cell.
    k : int
        Side of a box, cells. Boxes at the far edges hold the cells that are left.

    Returns
    -------
    array, float32, shape ``ceil(n / k)``
        Mean of the cells that are not NaN; NaN where a box holds none.

    Notes
    -----
    The cells of a box are added in a fixed order, so that a box gives the same bits from any block that
    holds it.
    """
    rows, cols = (-(-n // k) for n in values.shape)
    total = np.zeros((rows, cols))
    count = np.zeros((rows, cols), dtype=np.int32)
    for i in range(k):
        for j in range(k):
            part = values[i::k, j::k].astype(np.float64)
            known = ~np.isnan(part)
            total[: part.shape[0], : part.shape[1]] += np.where(known, part, 0.0)
            count[: part.shape[0], : part.shape[1]] += known
    mean = np.full((rows, cols), np.nan)
    np.divide(total, count, out=mean, where=count > 0)
    return mean.astype(np.float32)

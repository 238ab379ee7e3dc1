"""What heads say of crops of a dense map, and the features that they learn from there."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np

from magxr.errors import ModelError
from magxr.kernels.blas import one_thread
from magxr.kernels.cellstats import crop_statistics
from magxr.models import weights
from magxr.models.backbones import backbone
from magxr.models.dense import DenseTrunk, flat_map_cell
from magxr.models.dense_head import DenseHead
from magxr.models.ensemble import Ensemble
from magxr.models.heads import read_head
from magxr.models.pooled_head import sigmoid

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from numpy.typing import NDArray

    from magxr.models.heads import Head

    Floats = NDArray[np.float32]

_ROWS = 4096
"""Windows whose standardised features, float64, are held at once."""


def extent(trunk: DenseTrunk, window: int, kind: str) -> int:
    """Return the side, cells, of the crop that a window's features of a kind are taken from.

    "pooled": all cells from the window's first to as far before its end. "flat": from the first to the last
    cell of the plain trunk's map of such a window, of which every 4th is used at 32 pixels a cell.
    """
    parts = trunk.plan
    if kind == "pooled":
        return parts.crop(window)
    return parts.every * (backbone(trunk.name).cells(window) - 1) + 1


def answers(
    trunk: DenseTrunk, head: Any, cells: Floats, window: int, step: int, wanted: NDArray[np.bool_]
) -> Floats:
    """Return the probability of "linear" of windows ``step`` cells apart.

    Parameters
    ----------
    trunk : DenseTrunk
    head : pooled or dense head, or an ensemble of such
    cells : ndarray of float32, shape (rows, columns, channels)
        Of the dense map, from the first cell of the first window to the last of the last.
    window : int
        Side, pixels.
    step : int
        Cells from one window to the next.
    wanted : ndarray of bool, shape (m, n)
        Which windows need an answer.

    Returns
    -------
    ndarray of float32, shape (m, n)
        NaN where none is wanted.
    """
    members = head.members if isinstance(head, Ensemble) else (head,)
    out = np.full(wanted.shape, np.nan, np.float32)
    if not wanted.any():
        return out
    with one_thread():
        if isinstance(members[0], DenseHead):
            each = [_convolved(trunk, m, cells, window, step, wanted) for m in members]
            out[wanted] = np.mean(each, axis=0, dtype=np.float64)
            return out
        side = extent(trunk, window, "pooled")
        features = crop_statistics(cells, side, step, flat_map_cell(trunk))[wanted]
        said: list[Any] = [head.probability(features[i : i + _ROWS]) for i in range(0, len(features), _ROWS)]
    out[wanted] = np.concatenate(said)
    return out


def _convolved(
    trunk: DenseTrunk, head: Any, cells: Floats, window: int, step: int, wanted: NDArray[np.bool_]
) -> NDArray[np.float64]:
    """Run a dense head as a dilated convolution: its first layer, one cell of the crop after the other."""
    every, side = trunk.plan.every, backbone(trunk.name).cells(window)
    (kernel, bias), *others = head.layers
    parts = kernel.reshape(side, side, cells.shape[2], -1)
    m, n = ((count - 1) * step + 1 for count in wanted.shape)
    total = np.zeros((int(wanted.sum()), parts.shape[-1]), np.float32)
    for i in range(side):
        for j in range(side):
            here = cells[every * i : every * i + m : step, every * j : every * j + n : step]
            total += here[wanted] @ parts[i, j]
    x = total + bias
    for weight, offset in others:
        x = np.maximum(x, np.float32(0)) @ weight + offset
    return sigmoid(np.asarray(x[:, 0], np.float64))


def crop_features(
    trunk: DenseTrunk, cells: Floats, places: Iterable[tuple[int, int]], window: int, kind: str
) -> Floats:
    """Return the features of windows that begin at given cells, wherever these are, shape (n, d)."""
    side, every = extent(trunk, window, kind), trunk.plan.every if kind == "flat" else 1
    found = []
    for row, column in places:
        crop = cells[row : row + side : every, column : column + side : every]
        if kind == "flat":
            found.append(crop.ravel())
        else:
            found.append(crop_statistics(crop, side, 1, flat_map_cell(trunk))[0, 0])
    return np.stack(found).astype(np.float32)


@lru_cache(maxsize=4)
def loaded_head(path: Path, sha256: str) -> Head:
    """Return a head from its checked file, read once a process."""
    weights.check_hash(path, sha256)
    return read_head(path)


def check_length(trunk: DenseTrunk, head: Any, window: int, name: str) -> None:
    """Refuse a head that takes other features than the trunk's dense map gives."""
    channels = trunk.channels[1]
    kinds = {"pooled": 2 * channels, "dense": backbone(trunk.name).cells(window) ** 2 * channels}
    if head.kind not in kinds:
        msg = f"the head of {name!r} is {head.kind!r}; in the dense form a head is one of {sorted(kinds)}"
        raise ModelError(msg)
    if head.length != kinds[head.kind]:
        msg = (
            f"the head of {name!r} takes {head.length} features, but the dense map of {trunk.name!r} gives "
            f"{kinds[head.kind]}; it was trained on another trunk or window"
        )
        raise ModelError(msg)

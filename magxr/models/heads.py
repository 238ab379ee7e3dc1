"""Heads: what there are, and how any of them is read from its file."""

from __future__ import annotations

from typing import TYPE_CHECKING

from magxr.errors import ModelError
from magxr.models import archive, cnn_head, dense_head, pooled_head, radial_head
from magxr.models.cnn_head import CnnHead
from magxr.models.dense_head import DenseHead
from magxr.models.ensemble import Ensemble
from magxr.models.pooled_head import PooledHead, sigmoid
from magxr.models.radial_head import RadialHead

if TYPE_CHECKING:
    from pathlib import Path

    import numpy as np
    from numpy.typing import NDArray

    Head = PooledHead | DenseHead | RadialHead | Ensemble | CnnHead

__all__ = ["FEATURES", "CnnHead", "DenseHead", "Ensemble", "PooledHead", "RadialHead", "read_head", "sigmoid"]

FEATURES = {"pooled": "pooled", "dense": "flat", "cnn": None, "aligned": "alignment"}
"""Head -> the features it takes unless told otherwise, see `magxr.models.kinds`; None: windows."""

FORMS = {"aligned": "radial"}
"""Head -> the form it is kept in, where that has another name."""


def check_head(name: str) -> None:
    """Refuse a head that there is not."""
    if name not in FEATURES:
        msg = f"unknown head {name!r}; there are {', '.join(map(repr, FEATURES))}"
        raise ModelError(msg)


def read_head(path: Path) -> Head:
    """Read a head from its ``.npz`` file; objects are refused, so no code can run.

    Parameters
    ----------
    path : Path
        Written by `magxr.models.card.save`. The names of the arrays tell what it is.

    Raises
    ------
    ModelError
        If the file is missing, is not such an archive, holds Python objects, or arrays do not fit.
    """
    arrays = archive.unpack(path)
    if "member0.bias" not in arrays and "member0.bias0" not in arrays:
        return _one(arrays, str(path))
    parts: dict[str, dict[str, NDArray[np.float32]]] = {}
    for name, array in arrays.items():
        member, _, own = name.partition(".")
        parts.setdefault(member, {})[own] = array
    wanted = [f"member{i}" for i in range(len(parts))]
    if sorted(parts) != sorted(wanted):
        msg = f"{path} is no ensemble: it has the members {sorted(parts)}, expected {wanted}"
        raise ModelError(msg)
    members = [_one(parts[m], f"{path}, {m}") for m in wanted]
    if len({(m.kind, m.length) for m in members if not isinstance(m, CnnHead)}) != 1 or any(
        isinstance(m, CnnHead) for m in members
    ):
        msg = f"{path} is no ensemble: its members are of different kinds, or take different features"
        raise ModelError(msg)
    return Ensemble(tuple(m for m in members if not isinstance(m, CnnHead)))


def _one(arrays: archive.Arrays, where: str) -> PooledHead | DenseHead | RadialHead | CnnHead:
    if "landmarks" in arrays:
        return radial_head.from_arrays(arrays, where)
    first = arrays.get("kernel0")
    if first is None:
        return pooled_head.from_arrays(arrays, where)
    return cnn_head.from_arrays(arrays, where) if first.ndim == 4 else dense_head.from_arrays(arrays, where)

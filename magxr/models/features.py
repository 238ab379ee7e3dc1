"""Features of windows: what makes two of them the same, how they are computed, and how they are kept."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any, Literal, Protocol

import numpy as np

from magxr.errors import ModelError, ParameterError
from magxr.kernels.minmax import minmax
from magxr.models import weights, worker
from magxr.models.backbones import EMBEDDED, backbone
from magxr.models.kinds import kind_of
from magxr.models.trained import NO_TRUNK

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    Precision = Literal["float32", "float16"]

FORMAT_VERSION = 1
"""Of keys; raise it when windows are prepared differently."""


@dataclass(frozen=True, slots=True)
class Recipe:
    """What a window's features depend on, beside the window."""

    trunk: str
    trunk_sha256: str
    kind: str
    kind_version: int
    window: int
    dtype: str = "float32"
    """As kept; they are computed in float32."""
    normalisation: str = "minmax"
    format_version: int = FORMAT_VERSION
    trunk_weights: str | None = field(default=None, compare=False)
    """Where this machine keeps the trunk's weights; no part of the key."""

    def about(self) -> dict[str, Any]:
        """Return everything the key is made of, as plain data."""
        return {k: v for k, v in asdict(self).items() if k != "trunk_weights"}

    @property
    def key(self) -> str:
        """SHA-256 of `about`, hexadecimal."""
        return hashlib.sha256(json.dumps(self.about(), sort_keys=True).encode()).hexdigest()


def recipe(
    window: int,
    *,
    trunk: str = EMBEDDED,
    trunk_weights: str | Path | None = None,
    kind: str = "pooled",
    dtype: Precision = "float32",
) -> Recipe:
    """Return the recipe of features, checked; no network library is imported.

    Raises
    ------
    ModelError
        If there is no such trunk or kind, or the trunk's weights are missing.
    ParameterError
        If ``dtype`` is neither "float32" nor "float16".
    """
    if dtype not in ("float32", "float16"):
        msg = f"dtype={dtype!r}; features are kept as 'float32' or 'float16'"
        raise ParameterError(msg)
    wanted = kind_of(kind)
    if wanted.measured is not None:
        return Recipe(NO_TRUNK, "", kind, wanted.version, int(window), dtype)
    chosen = backbone(trunk)
    path = chosen.weights_file(trunk_weights)
    given = None if trunk_weights is None else str(trunk_weights)
    found = weights.sha256(path)
    return Recipe(trunk, found, kind, wanted.version, int(window), dtype, trunk_weights=given)


def keys(made: Recipe, windows: NDArray[np.floating]) -> list[str]:
    """Return the key of every window: SHA-256 of the recipe, of its bytes after min-max scaling, and of gaps.

    What is the same to the network, bit for bit, has the same key: a window in another unit may have. A gap
    is the median to a network, but not to features that are measured without one.
    """
    worker.check_windows(windows, made.window)
    start = hashlib.sha256(made.key.encode())
    found = []
    gaps = kind_of(made.kind).measured is not None
    for window, scaled in zip(windows, minmax(windows), strict=True):
        own = start.copy()
        own.update(scaled.tobytes())
        if gaps:
            own.update(np.packbits(np.isfinite(window)).tobytes())
        found.append(own.hexdigest())
    return found


def compute(made: Recipe, windows: NDArray[np.floating], *, batch: int = 8) -> NDArray[np.floating]:
    """Run the trunk over windows and return their features, shape (n, d), in the recipe's dtype.

    Raises
    ------
    ModelError
        If features are not finite, as where float16 is too narrow for them.
    """
    values = worker.features(
        made.trunk, windows, batch=batch, trunk_weights=made.trunk_weights, kind=made.kind
    )
    with np.errstate(over="ignore"):  # told below
        kept = values.astype(made.dtype)
    if not np.isfinite(kept).all():
        fix = "keep them as float32" if made.dtype == "float16" else "check the trunk's weights"
        msg = f"the trunk {made.trunk!r} gives features that {made.dtype} does not hold; {fix}"
        raise ModelError(msg)
    return kept


class Segment(Protocol):
    """Features of some windows that were computed together, in memory or on disk."""

    def __len__(self) -> int:
        """Return the number of windows."""
        ...

    def read(self) -> NDArray[np.floating]:
        """Return their features, shape (n, d)."""
        ...


@dataclass(frozen=True, slots=True)
class InMemory:
    """A segment that is an array."""

    values: NDArray[np.floating]

    def __len__(self) -> int:
        return len(self.values)

    def read(self) -> NDArray[np.floating]:
        """Return the array."""
        return self.values


@dataclass(frozen=True, slots=True, eq=False)
class Features:
    """Features of windows, read segment by segment; windows that are alike share theirs."""

    recipe: Recipe | None
    """None for an array that somebody brought."""
    segments: Sequence[Segment] = field(repr=False)
    place: NDArray[np.int64] = field(repr=False)
    """Segment and row of every window, shape (n, 2)."""
    length: int
    """Features of a window."""
    dtype: np.dtype[Any]
    """Of the features as they are kept."""
    keys: tuple[str, ...] = field(default=(), repr=False)
    """Of every window; two windows with the same key are the same window."""
    hits: int = 0
    """Windows whose features were already in the cache."""
    computed: int = 0
    """Windows that the trunk was run over."""
    duplicates: int = 0
    """Windows that are the same as an earlier one, and were neither looked up nor computed."""

    @property
    def shape(self) -> tuple[int, int]:
        """Windows and features."""
        return len(self.place), self.length

    def __len__(self) -> int:
        return len(self.place)

    def read(self, rows: NDArray[np.integer] | None = None) -> NDArray[np.floating]:
        """Return the features of some windows, or of all, in the order asked for."""
        rows = np.arange(len(self)) if rows is None else np.asarray(rows)
        out = np.empty((len(rows), self.length), self.dtype)
        for number in np.unique(self.place[rows, 0]):
            mine = np.flatnonzero(self.place[rows, 0] == number)
            out[mine] = self.segments[number].read()[self.place[rows[mine], 1]]
        return out

    def blocks(self, windows: int = 1024) -> Iterator[NDArray[np.floating]]:
        """Yield the features of so many windows after the other, in their order."""
        for first in range(0, len(self), windows):
            yield self.read(np.arange(first, min(first + windows, len(self))))

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> NDArray[Any]:
        values = self.read()
        return values if dtype is None else values.astype(dtype)

    def dask(self, windows: int = 1024) -> Any:
        """Return the features as a Dask array of shape (n, d); nothing is read before it is computed."""
        import dask.array as da

        sizes = [min(windows, len(self) - i) for i in range(0, len(self), windows)]
        return da.map_blocks(_read_block, self, chunks=(tuple(sizes), (self.length,)), dtype=self.dtype)


def _read_block(features: Features, block_info: Any = None) -> NDArray[np.floating]:
    low, high = block_info[None]["array-location"][0]
    return features.read(np.arange(low, high))


@dataclass(frozen=True, slots=True)
class _Lazy:
    """A segment that is a block of a Dask array of windows, made whenever it is read."""

    block: Any

    def __len__(self) -> int:
        return int(self.block.shape[0])

    def read(self) -> NDArray[np.floating]:
        """Return the windows, one row each."""
        return np.asarray(self.block.compute()).reshape(len(self), -1)


def of_windows(windows: Any) -> Features:
    """Return windows themselves, numpy or Dask, as `Features`, one row each: what a CNN learns from."""
    worker.check_windows(windows, int(windows.shape[-1]))
    side = int(windows.shape[-1])
    if not hasattr(windows, "dask"):
        return as_features(np.asarray(windows).reshape(len(windows), side * side))
    if windows.numblocks[1:] != (1, 1):
        msg = f"windows have the chunks {windows.chunks}; each window must lie in one, as magxr.windows cuts"
        raise ModelError(msg)
    segments = [_Lazy(windows.blocks[i]) for i in range(windows.numblocks[0])]
    place = np.concatenate([[(i, row) for row in range(len(s))] for i, s in enumerate(segments)])
    return Features(None, segments, place.astype(np.int64), side * side, windows.dtype)


def as_features(values: Features | NDArray[np.floating]) -> Features:
    """Return an array of features, shape (n, d), as `Features`; what is that already stays as it is."""
    if isinstance(values, Features):
        return values
    array = np.asarray(values)
    if array.ndim != 2 or array.dtype.kind != "f":
        msg = f"features must be floats of shape (windows, features), got {array.dtype} of {array.shape}"
        raise ModelError(msg)
    place = np.column_stack([np.zeros(len(array), np.int64), np.arange(len(array))])
    return Features(None, [InMemory(array)], place, array.shape[1], array.dtype)

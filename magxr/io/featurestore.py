"""Features on disk: a Zarr group per recipe, in it one array per lot of windows computed together.

An array is written under a temporary name and renamed when it is whole, and is never changed again. So any
number of workers and processes may add to one folder, an interrupted computation goes on where it stopped,
and half an array is never found. Its chunks carry a checksum: what a disk spoils later is dropped.
"""

from __future__ import annotations

import hashlib
import logging
import shutil
import uuid
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from magxr.errors import StoreError
from magxr.io.places import here

if TYPE_CHECKING:
    import os
    from collections.abc import Sequence
    from pathlib import Path

    from numpy.typing import NDArray

log = logging.getLogger("magxr.features")

FORMAT = "magxr-features"
_FOREIGN = (OSError, ValueError, KeyError, TypeError, RuntimeError)
"""What zarr raises for damaged files."""


@dataclass(frozen=True, slots=True)
class Stored:
    """Features of some windows in one Zarr array."""

    path: Path
    keys: tuple[str, ...]
    """Of the windows, row by row."""
    length: int
    """Features of a window."""

    def __len__(self) -> int:
        return len(self.keys)

    def read(self) -> NDArray[np.floating]:
        """Return the features, shape (windows, length).

        Raises
        ------
        StoreError
            If the array is gone or damaged.
        """
        import zarr

        try:
            values = np.asarray(zarr.open_array(self.path, mode="r", zarr_format=3)[:])
        except _FOREIGN as error:
            msg = f"{self.path} is damaged ({type(error).__name__}: {error}); compute the features again"
            raise StoreError(msg) from error
        # a chunk that is missing reads as its fill value, NaN
        if values.shape != (len(self.keys), self.length) or not np.isfinite(values).all():
            msg = f"{self.path} is damaged (a chunk is missing or cut short); compute the features again"
            raise StoreError(msg)
        return values


@dataclass(frozen=True, slots=True)
class FeatureStore:
    """The arrays of one recipe in a folder; it travels in a Dask graph as the path that it is."""

    group: Path

    def stored(self) -> list[Stored]:
        """Return what is there, in the order of names; arrays whose description is damaged are dropped."""
        import zarr

        found = []
        for path in sorted(p for p in self.group.iterdir() if p.is_dir() and not p.name.startswith(".")):
            try:
                array = zarr.open_array(path, mode="r", zarr_format=3)
                keys = _texts(array.attrs["keys"])
                rows, length = array.shape
            except _FOREIGN as error:
                log.warning("dropping %s: %s: %s", path, type(error).__name__, error)
                self.drop(path)
                continue
            if rows != len(keys) or path.name != _name(keys):
                log.warning("dropping %s: it does not hold what its name says", path)
                self.drop(path)
                continue
            found.append(Stored(path, keys, int(length)))
        return found

    def write(self, keys: Sequence[str], values: NDArray[np.floating]) -> Stored:
        """Write the features of some windows, whole or not at all."""
        import zarr
        from zarr.codecs import Crc32cCodec, ZstdCodec

        place = self.group / _name(keys)
        growing = self.group / f".{place.name}-{uuid.uuid4().hex[:8]}"
        try:
            array = zarr.create_array(
                growing,
                data=None,
                shape=values.shape,
                dtype=values.dtype,
                chunks=tuple(max(1, n) for n in values.shape),
                compressors=[ZstdCodec(level=1), Crc32cCodec()],
                fill_value=np.nan,
                attributes={"keys": list(keys)},
                dimension_names=("window", "feature"),
                zarr_format=3,  # format 2 has a codec that unpickles; see magxr.io.codecs
            )
            array[:] = values
            if not place.exists():  # else another worker was faster: the same windows, the same features
                growing.rename(place)
        except FileExistsError:
            log.info("%s was written by another worker meanwhile", place)
        finally:
            shutil.rmtree(growing, ignore_errors=True)
        return Stored(place, tuple(keys), int(values.shape[1]))

    def drop(self, path: Path) -> None:
        """Remove a damaged array."""
        shutil.rmtree(path, ignore_errors=True)


def open_features(folder: str | os.PathLike[str], about: dict[str, Any]) -> FeatureStore:
    """Return the store of one recipe in a folder of features, made if there is none.

    Parameters
    ----------
    folder : str or path-like
        Holds any number of recipes. The folder around it must exist.
    about : dict
        The recipe as plain data.

    Raises
    ------
    StoreError
        If the folder is something else, or holds other features under this recipe's name.
    """
    root = here(folder, "a folder of features")
    if not root.parent.is_dir():
        msg = f"the folder {str(root.parent)!r} for {root.name!r} does not exist; make it first"
        raise StoreError(msg)
    _group(root, {"format": FORMAT})
    words = [str(about[k]) for k in ("trunk", "kind", "window")]
    name = "-".join([*words, _name([repr(sorted(about.items()))])[:12]])
    _group(root / name, about)
    return FeatureStore(root / name)


def _group(path: Path, attributes: dict[str, Any]) -> None:
    import zarr

    if not path.exists():
        growing = path.with_name(f".{path.name}-{uuid.uuid4().hex[:8]}")
        try:
            zarr.create_group(growing, attributes=attributes, zarr_format=3)
            growing.rename(path)
        except OSError:
            if not path.exists():  # else another process was faster
                raise
        finally:
            shutil.rmtree(growing, ignore_errors=True)
    try:
        found = dict(zarr.open_group(path, mode="r", zarr_format=3).attrs)
    except _FOREIGN as error:
        msg = f"{path} is not a folder of features ({type(error).__name__}); choose another for cache="
        raise StoreError(msg) from error
    if found != attributes:
        differ = sorted(k for k in {*found, *attributes} if found.get(k) != attributes.get(k))
        msg = (
            f"{path} holds other features: it differs in {differ} ({[found.get(k) for k in differ]} there, "
            f"{[attributes.get(k) for k in differ]} asked for); choose another folder for cache="
        )
        raise StoreError(msg)


def _texts(found: Any) -> tuple[str, ...]:
    if not isinstance(found, list) or not all(isinstance(k, str) for k in found):
        msg = "the keys are no list of texts"
        raise ValueError(msg)
    return tuple(found)


def _name(keys: Sequence[str]) -> str:
    return hashlib.sha256("\n".join(keys).encode()).hexdigest()[:32]

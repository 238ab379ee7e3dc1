"""A Zarr store laid out before its values are known, filled region by region.

The format is 3; one block is one shard, so no two blocks ever write into the same object, and a shard holds
smaller chunks, so that a reader need not take a whole block to look at a corner of it.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr

from magxr.chunked.plan import is_chunked
from magxr.io import places, store
from magxr.io.moving import MARKS, move

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    from numpy.typing import NDArray

    Slices = tuple[slice, ...]

_INNER = 256
"""Longest side of the chunks within a shard, cells."""
UNREADABLE = (OSError, ValueError, KeyError, RuntimeError)
"""What zarr raises of a torn shard."""


def lay_out(ds: xr.Dataset, path: Path, blocks: Mapping[str, int]) -> None:
    """Write everything of a lazy Dataset but its lazy values; the store is there whole or not at all.

    At a URL too: what was laid out is copied, its root last (`magxr.io.moving`).

    Parameters
    ----------
    ds : xarray.Dataset
        Dask-backed variables and coordinates are laid out empty, all others are written.
    path : Path
        Store to make; its folder exists.
    blocks : mapping
        Cells of a block along each dimension: the shards.
    """
    import dask.array as da

    out = ds.copy()
    encoding: dict[Any, dict[str, Any]] = {}
    for name, var in out.variables.items():
        var.encoding = {}
        if not is_chunked(var.data):
            continue
        shards = tuple(min(blocks.get(str(d), n), n) for d, n in var.sizes.items())
        var.data = da.zeros(var.shape, dtype=var.dtype, chunks=shards)
        if var.ndim:
            encoding[name] = {"chunks": tuple(map(_inner, shards)), "shards": shards}
    out.attrs = {**ds.attrs, **store.made_with()}
    out.encoding = {}
    growing = path.with_name(f".{path.name}.layout")
    places.remove(growing, MARKS)
    where, how = places.address(growing)
    out.to_zarr(where, mode="w-", encoding=encoding, zarr_format=3, consolidated=False, compute=False, **how)
    move(growing, path)


def _inner(length: int) -> int:
    """Return the longest chunk of at most 256 cells that divides a shard, if one is not much shorter."""
    good = [n for n in range(_INNER // 2, _INNER + 1) if length % n == 0]
    return max(good, default=length)


def write_block(
    path: Path,
    values: Mapping[str, NDArray[Any]],
    dims: Mapping[str, tuple[str, ...]],
    where: Slices,
    number: tuple[int, ...],
) -> None:
    """Write the values of one block into a store that was laid out, whatever stands there.

    Parameters
    ----------
    path : Path
    values : mapping of str to ndarray
    dims : mapping of str to tuple of str
        Dimensions of each variable.
    where : tuple of slice
        Cells of the block, along the dimensions of every variable.
    number : tuple of int
        Number of the block, and so of the shard.
    """
    shards = [path.joinpath(name, "c", *map(str, number)) for name in values]
    if any(shard.exists() for shard in shards):
        try:
            read_region(path, values, where)
        except UNREADABLE:
            # zarr reads a shard before it writes at the map's edge, and cannot read a torn one. A sound one
            # stays until it is replaced: a worker that outlived its run may write it while others read it.
            for shard in shards:
                shard.unlink(missing_ok=True)
    fields = {name: (dims[name], array) for name, array in values.items()}
    region = {d: s for name in values for d, s in zip(dims[name], where, strict=True)}
    at, how = places.address(path)
    xr.Dataset(fields).to_zarr(at, region=region, mode="r+", zarr_format=3, consolidated=False, **how)


def read_region(path: Path, names: Iterable[str], where: Slices) -> dict[str, NDArray[Any]]:
    """Return the values of one block as they are stored.

    Raises
    ------
    Exception
        Whatever zarr raises of a block that is torn.
    """
    at, how = places.address(path)
    how |= {"engine": "zarr", "consolidated": False, "zarr_format": 3}
    with xr.open_dataset(at, chunks=None, cache=False, **how) as ds:
        return {name: np.asarray(ds[name].variable[where].values) for name in names}


def sweep(path: Path) -> None:
    """Remove what killed writers left in a store: zarr gives a file its name when it is whole.

    At a URL there is nothing to sweep: an object that was not sent whole is not there.
    """
    if places.is_url(path):
        return
    for half in path.rglob("*.partial"):
        half.unlink(missing_ok=True)


def checksum(values: Mapping[str, NDArray[Any]]) -> str:
    """Return the SHA-256 of arrays, in the order of their names, hexadecimal."""
    found = hashlib.sha256()
    for name in sorted(values):
        array = np.ascontiguousarray(values[name])
        found.update(f"{name} {array.dtype.str} {array.shape}".encode())
        found.update(array.data)
    return found.hexdigest()

"""Write results to Zarr, whole or not at all, and open them again. The only module that imports zarr.

One Dask chunk becomes one Zarr chunk, so no two tasks ever write into the same object. The store grows
under a temporary name beside its place and gets its own name when everything is in it (`magxr.io.moving`).
"""

from __future__ import annotations

import importlib.metadata
import logging
import uuid
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, overload

import xarray as xr

from magxr._version import __version__
from magxr.chunked.plan import is_chunked, rechunk
from magxr.errors import StoreError
from magxr.io import places, reach
from magxr.io.byproducts import copy_byproducts
from magxr.io.chunking import Chunks, plan
from magxr.io.codecs import check_codecs
from magxr.io.moving import MARKS, complete, marked, move

if TYPE_CHECKING:
    import os

    from dask.delayed import Delayed

log = logging.getLogger("magxr.store")

CONVENTIONS = "CF-1.11"


def is_zarr(path: str | os.PathLike[str]) -> bool:
    """Tell whether a folder is a Zarr group, of format 2 or 3."""
    return marked(places.place(path))


@overload
def write(
    ds: xr.Dataset | xr.DataArray,
    path: str | os.PathLike[str],
    *,
    overwrite: bool = ...,
    compute: Literal[True] = ...,
) -> Path: ...


@overload
def write(
    ds: xr.Dataset | xr.DataArray,
    path: str | os.PathLike[str],
    *,
    overwrite: bool = ...,
    compute: Literal[False],
) -> Delayed: ...


def write(
    ds: xr.Dataset | xr.DataArray,
    path: str | os.PathLike[str],
    *,
    overwrite: bool = False,
    compute: bool = True,
) -> Path | Delayed:
    """Compute a lazy Dataset block by block into a Zarr store of format 3.

    Parameters
    ----------
    ds : xarray.Dataset or xarray.DataArray
        What to write. Dask chunks become Zarr chunks; irregular ones are made regular first (logged by
        ``magxr.plan``), arrays in memory are cut into pieces of about 1024 cells a side.
    path : str or path-like
        Folder to make, e.g. ``"chile.zarr"``, or a URL, e.g. ``"s3://bucket/chile.zarr"``. The folder around
        it, or the bucket, must exist.
    overwrite : bool, optional
        Replace a Zarr store that is already there, once the new one is complete.
    compute : bool, optional
        If False, return a `dask.delayed.Delayed` that does the work and returns the path.

    Returns
    -------
    pathlib.Path or dask.delayed.Delayed
        The path written (at a URL a `upath.UPath`), or the work to be done.

    Raises
    ------
    StoreError
        If its folder or bucket is missing, or something is there already (and, with ``overwrite``, if that
        is not a Zarr store); if a URL cannot be used.

    Notes
    -----
    By-products that are known only after computing (fences, a count, a rank, a spectrum) are written as
    coordinates and, once computed, copied into the attrs of the variables that carry them. After a
    failure or an interrupt, once the chunks in work are done, the temporary store is removed and an old
    store is as it was. If the process
    is killed, or work put off with ``compute=False`` fails, a folder ``.NAME.writing-*`` is left, which is
    safe to delete.
    """
    target = place(path, overwrite)
    if isinstance(ds, xr.DataArray):
        ds = ds.to_dataset(name=ds.name if ds.name is not None else "anomaly")
    ready, encoding = _prepared(ds)
    growing = target.with_name(f".{target.name}.writing-{uuid.uuid4().hex[:8]}")
    from dask.delayed import delayed

    try:
        done = _begun(ready, encoding, growing)
        if compute:
            _computed(done)
            return _finish(None, growing, target, overwrite)
    except BaseException:
        places.tidy(growing, MARKS)
        raise
    later: Delayed = delayed(_finish)(done, growing, target, overwrite)
    return later


def open(path: str | os.PathLike[str], *, chunks: Chunks = "auto") -> xr.Dataset:
    """Open a Zarr store lazily, with Dask chunks along its own.

    Parameters
    ----------
    path : str or path-like
        Zarr store, of format 2 or 3: a local folder or a URL.
    chunks : "auto", int, dict or None, optional
        As in `magxr.io.read.open_anomaly`; None leaves values to be read when they are used.

    Raises
    ------
    StoreError
        If there is nothing, or no Zarr store, at the path; if a URL cannot be used.
    """
    where = places.place(path)
    if not reach.there(where):
        looked = "" if places.is_url(where) else f" (looked from {Path.cwd()})"
        msg = f"there is no Zarr store {str(path)!r}{looked}; check the path"
        raise StoreError(msg)
    if not marked(where):
        marks = "zarr.json, .zgroup or .zmetadata"
        msg = f"{where} is not a Zarr store (it has no {marks}); give the folder of one"
        raise StoreError(msg)
    check_codecs(where)
    try:
        at, how = places.address(where)
        ds = xr.open_dataset(at, engine="zarr", consolidated=False, chunks=None, cache=False, **how)
    except (OSError, ValueError, KeyError, TypeError, RuntimeError) as err:
        msg = f"{where} is damaged, or not a group of arrays ({type(err).__name__}: {err}); write it anew"
        raise StoreError(msg) from err
    if chunks is None:
        return ds
    token = version(where)
    stored: dict[Any, int] = {}
    for v in ds.data_vars.values():
        stored |= v.encoding.get("preferred_chunks") or {}
    return ds.chunk(plan(ds.sizes, stored, chunks), token=token)


def made_with() -> dict[str, str]:
    """Return the attrs of every store: its conventions, and what wrote it."""
    return {"Conventions": CONVENTIONS, "created_with": versions()}


def versions() -> str:
    """Return the versions of magxr and of what it computes with, for the attrs of a store."""
    others = (f"{p} {importlib.metadata.version(p)}" for p in ("xarray", "dask", "numpy", "zarr"))
    return ", ".join((f"magxr {__version__}", *others))


def version(path: Path) -> str:
    """Return what changes when a store becomes another: for a URL it is that of the file that marks it."""
    if places.is_url(path):
        path = next(path / mark for mark in MARKS if (path / mark).is_file())
    return places.version(path)


def place(path: str | os.PathLike[str], overwrite: bool) -> Path:
    """Return where a store is to be, or tell why none can be written there."""
    target = places.place(path)
    text = str(target) if places.is_url(target) else str(path)
    if places.is_url(target):
        if not target.name or target == target.parent:
            msg = f"{text} is no place for a store; name one inside it, e.g. {text.rstrip('/')}/chile.zarr"
            raise StoreError(msg)
        reach.check_writable(target)
    elif not target.parent.is_dir():
        msg = f"the folder {str(target.parent)!r} for {target.name!r} does not exist; make it first"
        raise StoreError(msg)
    if reach.there(target) or target.is_symlink():
        if not overwrite:
            fix = "choose another name, remove it, or pass overwrite=True (--overwrite)"
            msg = f"{text!r} is already there; {fix}"
            raise StoreError(msg)
        if not marked(target):
            msg = f"{text!r} is not a Zarr store, so overwrite=True does not replace it; remove it yourself"
            raise StoreError(msg)
    return target


def _prepared(ds: xr.Dataset) -> tuple[xr.Dataset, dict[Any, dict[str, Any]]]:
    """Return the Dataset with regular chunks and no encoding of its past, and the encoding to write with."""
    out = ds.copy()
    encoding: dict[Any, dict[str, Any]] = {}
    for name, var in out.variables.items():
        var.encoding = {}
        if not var.ndim or name in out.indexes:
            continue
        if is_chunked(var.data):
            lengths = tuple(max(c) for c in var.data.chunks)
            even = tuple(_even(n, c) for n, c in zip(var.shape, lengths, strict=True))
            var.data = rechunk(var.data, even, why=f"the Zarr chunks of {name!r} must all be alike")
        else:
            planned = plan(dict(var.sizes), {}, "auto")
            lengths = tuple(planned[d] for d in var.dims)
        encoding[name] = {"chunks": tuple(max(1, n) for n in lengths)}
    out.attrs = {**ds.attrs, **made_with()}
    out.encoding = {}
    return out, encoding


def _computed(done: Delayed) -> None:
    """Compute, and come back only when no thread writes any more, also after a failure or Ctrl-C.

    Dask's threads finish the task that they are at when another one fails: in a pool of our own they can be
    waited for, so that they do not write into a store that has been removed.
    """
    import dask
    from dask import threaded
    from dask.base import get_scheduler
    from dask.system import CPU_COUNT

    if get_scheduler(collections=[done]) is not threaded.get or dask.config.get("pool", None) is not None:
        done.compute()
        return
    pool = ThreadPoolExecutor(dask.config.get("num_workers", None) or CPU_COUNT)
    try:
        done.compute(scheduler="threads", pool=pool)
    except KeyboardInterrupt:
        log.warning("stopping: waiting for the chunks in work")
        raise
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


def _even(size: int, length: int) -> tuple[int, ...]:
    return (length,) * (size // length) + ((size % length,) if size % length else ())


def _begun(ds: xr.Dataset, encoding: dict[Any, dict[str, Any]], path: Path) -> Delayed:
    """Write all but lazy values; return the rest of the work."""
    at, how = places.address(path)
    done: Delayed = ds.to_zarr(
        at, mode="w-", encoding=encoding, zarr_format=3, consolidated=False, compute=False, **how
    )
    return done


def _finish(_done: object, growing: Path, target: Path, overwrite: bool) -> Path:
    """Copy by-products into attrs, then give the store its name."""
    try:
        copy_byproducts(growing)
        if not overwrite:
            if target.exists():
                msg = f"{str(target)!r} appeared while it was being written; choose another name"
                raise StoreError(msg)
            move(growing, target)
            return target
        old = target.with_name(f"{growing.name}-old")
        if complete(target):
            move(target, old)
        move(growing, target)
        places.tidy(old, MARKS)
    except BaseException:
        places.tidy(growing, MARKS)
        raise
    return target

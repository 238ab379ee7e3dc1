"""Whether a URL can be read or written, asked before any work: one error that says what is wrong."""

from __future__ import annotations

import uuid
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from magxr.errors import MagxrError, StoreError
from magxr.io.places import KEYS, files, is_url, key, place, without_secret

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_FEW = 2
"""Attempts to reach a store that nobody has reached yet: one that is not there should not take a minute."""
_LOST = ("EndpointConnectionError", "ConnectTimeoutError", "ProxyConnectionError", "ClientConnectionError")
_NO_KEY = ("NoCredentialsError", "PartialCredentialsError", "CredentialRetrievalError", "ProfileNotFound")
_LIBRARIES = ("botocore", "aiobotocore", "aiohttp", "gcsfs", "adlfs", "azure")
_reached: set[tuple[str, str]] = set()
"""Protocols and buckets that this process has reached."""


def there(path: Path) -> bool:
    """Tell whether something is at a place.

    Raises
    ------
    StoreError
        If a URL cannot be asked: no such bucket, no or the wrong key, nobody at the endpoint.
    """
    if not is_url(path):
        return path.exists()
    with reaching(path):
        _reach(path)
        if path.exists():
            return True
        root = bucket(path)
        if root and key(path).startswith(f"{root}/") and not path.parent.exists():
            files(path).ls(root)  # of a bucket that is missing this says so
        return False


def check_writable(path: Path) -> None:
    """Write a small file beside a place at a URL, and remove it.

    Raises
    ------
    StoreError
        As `there`, and if the key may not write.
    """
    with reaching(path):
        if urlsplit(str(path)).scheme in ("http", "https"):
            raise NotImplementedError
        _reach(path)
        system, name = files(path), f"{key(path)}.magxr-{uuid.uuid4().hex[:8]}"
        system.pipe_file(name, b"may magxr write here?")
        system.rm_file(name)


@contextmanager
def reaching(path: Path) -> Iterator[None]:
    """Turn what libraries raise of a URL inside the block into one error that says what to do."""
    try:
        yield
    except MagxrError:
        raise
    except Exception as error:
        if not is_url(path):
            raise
        raise StoreError(why(path, error)) from error


@contextmanager
def working(*places: object) -> Iterator[None]:
    """Do the same for a whole run, but only to what is of an object store and no other's fault.

    Parameters
    ----------
    *places : object
        What the run reads and writes; the first URL among them is named.
    """
    urls = [p for p in places if is_url(p)]
    try:
        yield
    except MagxrError:
        raise
    except Exception as error:
        of_it = type(error).__module__.split(".")[0] in _LIBRARIES or isinstance(error, PermissionError)
        if not urls or not of_it:
            raise
        raise StoreError(why(place(str(urls[0])), error)) from error


def why(path: Path, error: Exception) -> str:
    """Return what to say of a URL that cannot be used."""
    kinds = {kind.__name__ for kind in type(error).__mro__}
    said = without_secret(" ".join(str(error).split()))[:300]
    if kinds & {"FileNotFoundError"}:
        return f"{path}: there is no bucket {bucket(path)!r} ({said}); make it, or correct the URL"
    if kinds & {"PermissionError"}:
        fix = f"check the one in {KEYS}, and what it is allowed"
        return f"{path}: the key is wrong or may not do this ({said}); {fix}"
    if kinds & {*_NO_KEY}:
        return f"{path}: there is no key to use ({said}); put one into {KEYS}"
    if kinds & {*_LOST}:
        return f"{path}: nobody answers ({said}); check the network and AWS_ENDPOINT_URL"
    if kinds & {"NotImplementedError"}:
        return f"{path}: what is at {urlsplit(str(path)).scheme}:// can only be read; choose another place"
    fix = "try again, or work on this machine and copy"
    return f"{path} cannot be used ({type(error).__name__}: {said}); {fix}"


def bucket(path: Path) -> str:
    """Return the bucket of a URL, "" where it has none."""
    return urlsplit(str(path)).netloc


def _reach(path: Path) -> None:
    """Find out soon that nobody is there; anything else is for those who have more patience."""
    which = urlsplit(str(path)).scheme, bucket(path)
    if which in _reached:
        return
    known: Any = path
    options = dict(known.storage_options)
    if "config_kwargs" in options:
        retries = options["config_kwargs"]["retries"] | {"total_max_attempts": _FEW}
        options["config_kwargs"] = options["config_kwargs"] | {"retries": retries}
    try:
        type(known.fs)(**options).exists(key(path))
    except Exception as error:
        if {kind.__name__ for kind in type(error).__mro__} & {*_LOST}:
            raise
    _reached.add(which)

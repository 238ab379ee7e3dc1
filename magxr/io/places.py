"""Where grids and stores lie: on this machine, or at a URL. The only module that imports fsspec and upath.

A place of this machine is a `pathlib.Path`, one at a URL a `upath.UPath`, which has the same methods. Keys
and endpoints come from the environment, from ``~/.aws`` or from fsspec's own configuration, never from here.
"""

from __future__ import annotations

import os
import shutil
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast
from urllib.parse import unquote, urlsplit

from magxr.errors import MissingExtraError, StoreError

if TYPE_CHECKING:
    from collections.abc import Sequence

EXTRA = "cloud"
KEYS = "the environment (AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY), ~/.aws or fsspec's configuration"
RETRIES = {"mode": "standard", "total_max_attempts": 10}
"""How S3 is asked again after a 503 or a lost connection: ever later, up to 20 s (botocore's words)."""
_S3 = ("s3", "s3a")
_NAMED = ("abfs", "abfss", "wasb", "wasbs", "sftp", "ssh", "hdfs", "webhdfs", "smb", "ftp")
"""Protocols whose URLs have a name, which is no secret, before an @."""


def is_url(path: object) -> bool:
    """Tell whether text or a place is a URL."""
    return "://" in path if isinstance(path, str) else hasattr(path, "storage_options")


def place(path: str | os.PathLike[str]) -> Path:
    """Return the place that text means; nobody is asked yet.

    Parameters
    ----------
    path : str or path-like
        A path of this machine, or a URL of a protocol that fsspec knows, e.g. ``"s3://bucket/chile.zarr"``.

    Returns
    -------
    pathlib.Path
        At a URL a `upath.UPath`, which is none but has the same methods.

    Raises
    ------
    StoreError
        If the URL holds what may be a secret, or is of an unknown protocol.
    MissingExtraError
        If the package that knows its protocol is not installed.
    """
    if hasattr(path, "storage_options"):
        return cast("Path", path)
    text = os.fspath(path)
    if not is_url(text):
        return Path(text).expanduser()
    _check_no_secret(text)
    parts = urlsplit(text)
    if parts.scheme in ("file", "local"):
        return Path(unquote(parts.path))
    _check_protocol(parts.scheme, text)
    try:
        from upath import UPath
    except ImportError as err:
        package = "universal-pathlib"
        raise MissingExtraError(package, EXTRA, f"{text}, which is a URL,") from err
    try:
        return cast("Path", UPath(text.rstrip("/"), **_options(parts.scheme)))
    except ValueError as err:
        msg = f"{text} is no URL that can be used ({err}); write it as protocol://bucket/name"
        raise StoreError(msg) from err


def here(path: str | os.PathLike[str], what: str) -> Path:
    """Return the place of something that is kept on this machine only.

    Raises
    ------
    StoreError
        If it is a URL.
    """
    if is_url(path):
        shown = without_secret(str(path))
        msg = f"{shown} is a URL, but {what} can only be on this machine; give a local path"
        raise StoreError(msg)
    return Path(path).expanduser()


def _check_no_secret(text: str) -> None:
    """Refuse a URL with a password, a key or a signed query: it would stand in logs, attrs and reports."""
    scheme, rest = text.split("://", 1)
    before, at, _ = rest.rpartition("@")
    shown = without_secret(text)
    fix = f"leave it out; keys are taken from {KEYS}"
    if at and (":" in before or scheme not in _NAMED):
        msg = f"{shown} holds a name or password before '@', which would be written into logs; {fix}"
        raise StoreError(msg)
    if "?" in rest:
        msg = f"{shown} has a query after '?', which may hold a secret; {fix}"
        raise StoreError(msg)
    if "::" in text:
        msg = f"{shown} is a chain of URLs ('::'); give a single one, e.g. s3://bucket/name"
        raise StoreError(msg)


def without_secret(text: str) -> str:
    """Return text, a URL or not, without what may be a secret in it."""
    if "://" in text:
        scheme, rest = text.split("://", 1)
        name, at, end = rest.rpartition("@")
        plain = at and scheme in _NAMED and ":" not in name
        text = f"{scheme}://{f'{name}@' if plain else '***@' if at else ''}{end}"
        text, query, _ = text.partition("?")
        text += "?***" if query else ""
    for name in ("AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"):
        secret = os.environ.get(name)
        text = text.replace(secret, "***") if secret else text
    return text


def _check_protocol(protocol: str, text: str) -> None:
    import fsspec

    try:
        fsspec.get_filesystem_class(protocol)
    except ValueError as err:
        msg = f"{text} begins with {protocol}://, which fsspec does not know; use e.g. s3://bucket/name"
        raise StoreError(msg) from err
    except ImportError as err:
        if protocol in _S3:
            package = "s3fs"
            raise MissingExtraError(package, EXTRA, f"{protocol}://") from err
        msg = f"{text} needs a package that is not installed: {err}"
        raise StoreError(msg) from err


def _options(protocol: str) -> dict[str, Any]:
    """Return how files of a protocol are asked for; none of it is secret."""
    import fsspec.config

    found: dict[str, Any] = {"use_listings_cache": False}  # others write there too
    if protocol in _S3:
        said = fsspec.config.conf.get(protocol, {})
        found |= {k: v for k, v in _s3_options().items() if k not in said}
    return found


def _s3_options() -> dict[str, Any]:
    import botocore.exceptions
    import botocore.session

    # Else s3fs asks for the length of each object before it reads it, to read long ones in parts.
    found: dict[str, Any] = {"max_concurrency": 1}
    try:
        profile = botocore.session.Session().get_scoped_config()
    except botocore.exceptions.BotoCoreError as err:
        msg = f"the configuration of AWS cannot be used ({err}); correct AWS_PROFILE or ~/.aws"
        raise StoreError(msg) from err
    names = ("retry_mode", "max_attempts")
    if not any(profile.get(n) or os.environ.get(f"AWS_{n.upper()}") for n in names):
        found["config_kwargs"] = {"retries": dict(RETRIES)}
    return found


def address(path: Path) -> tuple[Path | str, dict[str, Any]]:
    """Return what xarray and zarr take for a place: its path or URL, and keyword arguments beside it."""
    if not is_url(path):
        return path, {}
    return str(path), {"storage_options": dict(cast("Any", path).storage_options)}


def files(path: Path) -> Any:
    """Return fsspec's file system of a place at a URL."""
    return cast("Any", path).fs


def key(path: Path) -> str:
    """Return the name by which fsspec's file system knows a place at a URL."""
    return str(cast("Any", path).path)


def make_folder(path: Path) -> None:
    """Make a folder, which may be there; at a URL there are none."""
    if not is_url(path):
        path.mkdir(exist_ok=True)


def listed(folder: Path) -> list[Path]:
    """Return what lies in a folder; at a URL one that holds nothing is none."""
    try:
        return sorted(folder.iterdir())
    except NotADirectoryError:
        if is_url(folder):
            return []
        raise


def start(path: Path, length: int) -> bytes:
    """Return the first bytes of a file."""
    if is_url(path):
        return bytes(files(path).cat_file(key(path), start=0, end=length))
    with path.open("rb") as file:
        return file.read(length)


def content(path: Path) -> bytes:
    """Return a file, as one moment had it: at a URL in one request, where one that opens it takes several."""
    return bytes(files(path).cat_file(key(path))) if is_url(path) else path.read_bytes()


def put(path: Path, whole: bytes) -> None:
    """Write a file at a URL, whole or not at all: one request."""
    files(path).pipe_file(key(path), whole)


def version(path: Path) -> str:
    """Return what changes when a file, or a store that is written once, becomes another."""
    if is_url(path):
        info = files(path).info(key(path))
        return "-".join(
            str(info.get(k)) for k in ("name", "ETag", "LastModified", "created", "mtime", "size")
        )
    stat = path.stat()
    return f"{path.resolve()}-{stat.st_mtime_ns}-{stat.st_size}"


def remove(path: Path, first: Sequence[str] = ()) -> None:
    """Remove a folder and all in it, or what is left of it.

    Parameters
    ----------
    path : Path
    first : sequence of str
        Files in it without which it is nothing. At a URL they go before all others, so that what is left of
        a removal that was stopped does not look whole.
    """
    if not is_url(path):
        shutil.rmtree(path, ignore_errors=True)
        return
    for name in first:
        (path / name).unlink(missing_ok=True)
    with suppress(FileNotFoundError):  # there is no folder without a file in it
        files(path).rm(key(path), recursive=True)


def tidy(path: Path, first: Sequence[str] = ()) -> None:
    """Remove what is left of work that failed, and keep to what it failed of if that cannot be done."""
    with suppress(Exception):
        remove(path, first)

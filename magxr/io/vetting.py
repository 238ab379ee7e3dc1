"""Read a catalog file that someone else wrote, and refuse what could do more than describe data.

Intake expands ``{env(X)}``, ``{func(package:name)}``, ``{import(...)}`` and ``{pickle64(...)}`` inside the
strings of a catalog, and imports whatever class an entry names. So a catalog is parsed as plain YAML and
checked against a list of what is allowed before intake sees it.
"""

from __future__ import annotations

import re
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any, NoReturn
from urllib.parse import urlsplit

from magxr.errors import MissingExtraError, StoreError

if TYPE_CHECKING:
    from pathlib import Path

DATATYPES = frozenset(
    f"intake.readers.datatypes:{name}" for name in ("FileData", "HDF5", "NetCDF3", "TIFF", "Zarr")
)
READERS = frozenset(
    f"intake.readers.readers:{name}" for name in ("XArrayDatasetReader", "RasterIOXarrayReader")
)
SYNTHETIC = "synthetic:demo"
"""Address of the region that is computed, not read."""

_LARGEST = 1_000_000
_TOP = frozenset({"version", "metadata", "data", "entries", "aliases", "user_parameters"})
_DATA = frozenset({"datatype", "kwargs", "metadata", "user_parameters"})
_ENTRY = frozenset({"reader", "kwargs", "metadata", "user_parameters", "output_instance"})
_CALL = re.compile(r"\b(shell|env|func|import|pickle64|data|eval|exec|__\w+__)\s*\(|__\w+__")
_BRACES = re.compile(r"[{}]|<%|\$\(|`")
_UNSEEN = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")
"""Control characters: a terminal obeys them when titles are listed."""
_CLASSES = frozenset({"xarray:Dataset", "xarray:DataArray"})
_NAME = re.compile(r"\w[\w .-]*")
_REFERENCE = re.compile(r"\{data\(([A-Za-z0-9_.-]+)\)\}")


def load(path: Path) -> dict[str, Any]:
    """Return the content of a catalog, checked.

    Parameters
    ----------
    path : pathlib.Path
        An intake catalog of version 2, YAML.

    Returns
    -------
    dict
        With the keys ``version``, ``metadata``, ``data``, ``entries``, ``aliases`` and ``user_parameters``.

    Raises
    ------
    StoreError
        If it is no such catalog, or holds anything that could run code, read the environment or leave its
        folder; the message names the entry.
    """
    try:
        import yaml
    except ImportError as err:
        package = "pyyaml"
        raise MissingExtraError(package, "catalog", "reading a catalog") from err
    if not path.is_file():
        msg = f"there is no catalog {str(path)!r}; give the path of an intake catalog (YAML, version 2)"
        raise StoreError(msg)
    if path.stat().st_size > _LARGEST:
        msg = f"the catalog {path} has {path.stat().st_size} bytes; at most {_LARGEST} are read"
        raise StoreError(msg)
    try:
        text = path.read_text(encoding="utf-8")
    except UnicodeDecodeError as err:
        msg = f"the catalog {path} is no text; give the path of an intake catalog (YAML, version 2)"
        raise StoreError(msg) from err
    try:
        for token in yaml.scan(text):
            if isinstance(token, yaml.TagToken):
                _refuse(path, f"line {token.start_mark.line + 1}", f"the tag {token.value}", "plain values")
            if isinstance(token, yaml.AliasToken | yaml.AnchorToken):
                _refuse(path, f"line {token.start_mark.line + 1}", "an anchor or alias", "values written out")
        content = yaml.safe_load(text)
    except yaml.YAMLError as err:
        msg = f"the catalog {path} is not valid YAML: {err}"
        raise StoreError(msg) from err
    except RecursionError as err:
        msg = f"the catalog {path} is nested too deep to be read; entries have three levels"
        raise StoreError(msg) from err
    return _checked(path, content)


def _checked(path: Path, content: Any) -> dict[str, Any]:
    if not isinstance(content, dict) or content.get("version") != 2:
        msg = f"the catalog {path} does not say version: 2; rewrite it for intake 2 (data and entries)"
        raise StoreError(msg)
    _only(path, "the catalog", content, _TOP)
    whole = {key: content.get(key) or {} for key in _TOP - {"version"}} | {"version": 2}
    for key in _TOP - {"version"}:
        if not isinstance(whole[key], dict):
            _refuse(path, key, f"a value of type {type(whole[key]).__name__}", "a mapping")
    if whole["user_parameters"]:
        _refuse(path, "user_parameters", "templates", "no user_parameters")
    _plain(path, "metadata", whole["metadata"])
    for name, data in whole["data"].items():
        _mapping(path, name, data, _DATA)
        _one_of(path, name, "datatype", data.get("datatype"), DATATYPES)
        kwargs = data.setdefault("kwargs", {})
        _only(path, name, kwargs, frozenset({"url"}))
        _plain(path, name, kwargs)
        check_address(path, name, kwargs.get("url"))
        _told(path, name, data)
    for name, entry in whole["entries"].items():
        _mapping(path, name, entry, _ENTRY)
        if name in whole["data"]:
            _refuse(path, name, "the name of something under data:", "another name")
        _one_of(path, name, "reader", entry.get("reader"), READERS)
        kwargs = entry.setdefault("kwargs", {})
        _only(path, name, kwargs, frozenset({"data", "chunks"}))
        refers = _REFERENCE.fullmatch(str(kwargs.get("data")))
        if refers is None or refers.group(1) not in whole["data"]:
            _refuse(path, name, f"data {kwargs.get('data')!r}", "'{data(NAME)}' with a NAME under data:")
        _plain(path, name, {k: v for k, v in kwargs.items() if k != "data"})
        _told(path, name, entry)
        what = entry.setdefault("output_instance", "xarray:Dataset")  # a name that intake imports
        _one_of(path, name, "output_instance", what, _CLASSES)
    names = set(whole["data"]) | set(whole["entries"])
    for alias, name in whole["aliases"].items():
        _one_of(path, str(alias), "an alias of", name, frozenset(names))
    return whole


def check_address(path: Path, name: str, url: Any) -> None:
    """Refuse an address other than https, ``synthetic:demo`` or a relative path that stays in its folder."""
    fix = "an https address, or a relative path inside the catalog's or the data folder"
    if not isinstance(url, str) or not url:
        _refuse(path, name, f"the address {url!r}", fix)
    if url == SYNTHETIC:
        return
    if "::" in url or "\\" in url or "$" in url or _UNSEEN.search(url):
        _refuse(path, name, f"the address {url!r}", fix)
    if ":" in url:
        parts = urlsplit(url)
        if parts.scheme != "https" or not parts.hostname or "@" in parts.netloc:
            _refuse(path, name, f"the address {url!r}", fix)
        return
    where = PurePosixPath(url)
    if where.is_absolute() or ".." in where.parts or url.startswith("~"):
        _refuse(path, name, f"the path {url!r}, which leaves the folder", fix)


def _one_of(path: Path, name: str, what: str, value: Any, allowed: frozenset[str]) -> None:
    if not isinstance(value, str) or value not in allowed:
        _refuse(path, name, f"{what} {value!r}", f"one of {sorted(allowed)}")


def _told(path: Path, name: str, value: dict[str, Any]) -> None:
    """Check what an entry says of itself, and fill in what it leaves out."""
    value["user_parameters"] = {}
    metadata = value["metadata"] = value.get("metadata") or {}
    if not isinstance(metadata, dict):
        _refuse(path, name, f"metadata of type {type(metadata).__name__}", "a mapping")
    _plain(path, name, metadata)
    files = metadata.get("files", [])
    if not isinstance(files, list):
        _refuse(path, name, f"files of type {type(files).__name__}", "a list")


def _mapping(path: Path, name: str, value: Any, allowed: frozenset[str]) -> None:
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        _refuse(path, str(name), "that name", "letters, digits, spaces, dots and hyphens")
    if not isinstance(value, dict):
        _refuse(path, name, f"a value of type {type(value).__name__}", "a mapping")
    if value.get("user_parameters"):
        _refuse(path, name, "user_parameters", "no templates")
    _only(path, name, value, allowed)


def _only(path: Path, name: str, value: Any, allowed: frozenset[str]) -> None:
    if not isinstance(value, dict):
        _refuse(path, name, f"a value of type {type(value).__name__}", "a mapping")
    for key in value:
        if key not in allowed:
            _refuse(path, name, f"the key {key!r}", f"only {sorted(allowed)}")


def _plain(path: Path, name: str, value: Any) -> None:
    """Refuse templates and calls in any string, however deep."""
    if isinstance(value, dict):
        for key, inner in value.items():
            _plain(path, name, key)
            _plain(path, name, inner)
    elif isinstance(value, list):
        for inner in value:
            _plain(path, name, inner)
    elif isinstance(value, str):
        found = _CALL.search(value) or _BRACES.search(value) or _UNSEEN.search(value)
        if found:
            _refuse(path, name, f"{found.group(0)!r} in {value!r}", "plain text without templates or calls")


def _refuse(path: Path, name: str, what: str, allowed: str) -> NoReturn:
    msg = f"the catalog {path} is refused: {name!r} has {what}; allowed is {allowed}"
    raise StoreError(msg)

"""Read a YAML file that a user wrote: plain values only, and one error where it is none."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from magxr.errors import MissingExtraError, ParameterError, StoreError

if TYPE_CHECKING:
    import os


def read_yaml(path: str | os.PathLike[str], what: str) -> list[Any]:
    """Return the documents in a YAML file.

    Parameters
    ----------
    path : str or path-like
        Local file.
    what : str
        What it should hold, for errors: "the description of a cluster".

    Returns
    -------
    list
        Of plain values; tags that would make objects are refused.

    Raises
    ------
    StoreError
        If it cannot be read.
    ParameterError
        If it is no YAML.
    MissingExtraError
        If PyYAML is not installed.
    """
    try:
        import yaml
    except ImportError as error:
        package = "pyyaml"
        raise MissingExtraError(package, "distributed", f"reading {path}") from error
    try:
        return list(yaml.safe_load_all(Path(path).expanduser().read_text(encoding="utf-8")))
    except OSError as error:
        msg = f"{what} {str(path)!r} cannot be read ({error.strerror}); check the path"
        raise StoreError(msg) from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        msg = f"{what} {str(path)!r} is not YAML: {' '.join(str(error).split())}"
        raise ParameterError(msg) from error

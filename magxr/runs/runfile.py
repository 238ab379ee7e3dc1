"""A run in a file: what is typed as flags, kept to be done again, here or on a cluster."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from magxr.errors import MissingExtraError, ParameterError, StoreError


def is_run_file(region: str) -> bool:
    """Tell whether what is given as a region is the file of a run."""
    return Path(region).suffix in (".yaml", ".yml")


def read_run(path: str | Path) -> dict[str, Any]:
    """Return the arguments of `magxr.run` that a YAML file holds.

    Parameters
    ----------
    path : str or Path
        File with one argument a line, e.g. ``region: chile-margin`` and ``stride: 10``. Paths in it are those
        that would be typed where the command is.

    Returns
    -------
    dict of str to Any
        With "region" among them.

    Raises
    ------
    StoreError
        If the file cannot be read.
    ParameterError
        If it is not YAML, or names no region.
    """
    try:
        import yaml
    except ImportError as error:
        package = "pyyaml"
        raise MissingExtraError(package, "distributed", f"reading {path}") from error
    try:
        found = yaml.safe_load(Path(path).read_text(encoding="utf-8"))
    except OSError as error:
        msg = f"the file of the run {str(path)!r} cannot be read ({error.strerror}); check the path"
        raise StoreError(msg) from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        msg = f"{str(path)!r} is not YAML: {' '.join(str(error).split())}"
        raise ParameterError(msg) from error
    if not isinstance(found, Mapping) or not isinstance(found.get("region"), str):
        msg = f"{str(path)!r} is no run: it must hold arguments, one of them the region, e.g. 'region: demo'"
        raise ParameterError(msg)
    bounds = found.get("bounds")
    return dict(found) | ({"bounds": tuple(bounds)} if isinstance(bounds, list) else {})

"""A run in a file: what is typed as flags, kept to be done again, here or on a cluster."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from magxr.errors import ParameterError
from magxr.io.yamlfile import read_yaml


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
    documents = read_yaml(path, "the file of a run")
    found = documents[0] if len(documents) == 1 else None
    if not isinstance(found, Mapping) or not isinstance(found.get("region"), str):
        msg = f"{str(path)!r} is no run: it must hold arguments, one of them the region, e.g. 'region: demo'"
        raise ParameterError(msg)
    bounds = found.get("bounds")
    return dict(found) | ({"bounds": tuple(bounds)} if isinstance(bounds, list) else {})

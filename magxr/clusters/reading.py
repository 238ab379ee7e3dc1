"""Make the description of a cluster of a word, an address, a file, Dask's configuration and flags."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any

from magxr.clusters.description import KINDS, Cluster, is_address
from magxr.errors import ParameterError, meant
from magxr.io.yamlfile import read_yaml

_FIELDS = tuple(f.name for f in fields(Cluster))


def described(asked: object, **changes: Any) -> Cluster:
    """Return the description of a cluster.

    Parameters
    ----------
    asked : str, path-like, mapping or Cluster
        A kind ("local", "slurm", "cuda", "kubernetes"), the address of a scheduler, a YAML file with the
        fields of `Cluster` (``deploy/slurm/cluster.yaml``), or the fields themselves.
    **changes
        Fields that go before those; None leaves them.

    Returns
    -------
    Cluster
        Fields that neither says are those of Dask's configuration under ``magxr.cluster``, if they are of
        the same kind or of none; a scheduler that runs already has none.

    Raises
    ------
    ParameterError, StoreError
        If a field does not exist or cannot be used, or the file cannot be read.
    """
    given = {name: value for name, value in changes.items() if value is not None}
    _check_names(given, "a cluster")
    found = _fields(asked) | given
    found = _configured(found.get("kind")) | found
    if "kind" not in found:
        msg = f"cluster={asked!r} does not say its kind; add one of {', '.join(KINDS)}"
        raise ParameterError(msg)
    return Cluster(**_tuples(found))


def _fields(asked: object) -> dict[str, Any]:
    if isinstance(asked, Cluster):
        return asdict(asked)
    if isinstance(asked, Mapping):
        _check_names(asked, "a cluster")
        return dict(asked)
    if isinstance(asked, str) and is_address(asked):
        return {"kind": "address", "address": asked}
    if isinstance(asked, str) and asked in KINDS and asked != "address":
        return {"kind": asked}
    path = Path(str(asked)).expanduser()
    if isinstance(asked, str | Path) and path.suffix in (".yaml", ".yml"):
        return _read(path)
    msg = (
        f"cluster={asked!r} is neither a kind (local, slurm, cuda, kubernetes), nor an address such as "
        "tcp://127.0.0.1:8786, nor a YAML file that describes one"
    )
    raise ParameterError(msg)


def _read(path: Path) -> dict[str, Any]:
    documents = read_yaml(path, "the description of a cluster")
    found = documents[0] if len(documents) == 1 else None
    if not isinstance(found, Mapping):
        msg = f"{str(path)!r} does not describe a cluster: it must hold fields such as 'kind: slurm'"
        raise ParameterError(msg)
    _check_names(found, repr(str(path)))
    return dict(found)


def _configured(kind: object) -> dict[str, Any]:
    """Return what Dask's configuration says of clusters of a kind."""
    import dask

    found = dask.config.get("magxr.cluster", {}) or {}
    if not isinstance(found, Mapping):
        msg = f"magxr.cluster of Dask's configuration is {found!r}; it must hold fields such as 'kind: slurm'"
        raise ParameterError(msg)
    if kind == "address" or (kind is not None and found.get("kind", kind) != kind):
        return {}
    _check_names(found, "magxr.cluster of Dask's configuration")
    return dict(found)


def _check_names(found: Mapping[Any, Any], where: str) -> None:
    strange = sorted(str(name) for name in set(found) - set(_FIELDS))
    if strange:
        hint = meant(strange[0], _FIELDS)
        msg = f"{where} has no field {strange[0]!r}{hint}; fields are {', '.join(_FIELDS)}"
        raise ParameterError(msg)


def _tuples(found: dict[str, Any]) -> dict[str, Any]:
    """Return the fields with lists, which are all that YAML has, as tuples, and a range of workers as two."""
    out = {name: tuple(value) if isinstance(value, list) else value for name, value in found.items()}
    workers = out.get("workers")
    if isinstance(workers, str):
        parts = workers.split("-")
        if not 1 <= len(parts) <= 2 or not all(p.strip().isdigit() for p in parts):
            msg = f"workers={workers!r} must be a whole number, or the fewest and the most, e.g. 1-8"
            raise ParameterError(msg)
        numbers = tuple(int(p) for p in parts)
        out["workers"] = numbers if len(numbers) == 2 else numbers[0]
    return out

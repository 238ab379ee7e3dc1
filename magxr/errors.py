"""What can go wrong, as a small tree.

::

    MagxrError
    ├── GridError        (also ValueError)         the input is not a magnetic grid we can work on
    ├── ParameterError   (also ValueError)         an argument is out of its range
    ├── ChunkError       (also ValueError)         Dask chunks do not fit the operation
    ├── StoreError       (also OSError)            a file, store or catalog entry is missing or foreign
    ├── ModelError       (also ValueError)         a model or its weights do not fit or cannot be trusted
    └── MissingExtraError (also ImportError)       an optional dependency is not installed

Every message names the offending value, the rule it breaks and the fix.
"""

from __future__ import annotations


class MagxrError(Exception):
    """Base of every error that magxr raises on purpose."""


class GridError(MagxrError, ValueError):
    """The input is not a regular latitude/longitude grid of magnetic anomalies in nT."""


class ParameterError(MagxrError, ValueError):
    """An argument is outside its valid range or contradicts another."""


class ChunkError(MagxrError, ValueError):
    """The Dask chunks of the input are too small or misaligned for the operation."""


class StoreError(MagxrError, OSError):
    """A file, Zarr store or catalog entry is missing, foreign, damaged or already there."""


class ModelError(MagxrError, ValueError):
    """A model or weights file does not fit the data or is not what its card says."""


class MissingExtraError(MagxrError, ImportError):
    """An optional dependency is needed and not installed."""

    def __init__(self, package: str, extra: str, purpose: str) -> None:
        super().__init__(
            f"{purpose} needs the package {package!r}, which is not installed; "
            f"install it with: pip install 'magxr[{extra}]'"
        )
        self.package = package
        self.extra = extra


class MagxrWarning(UserWarning):
    """Something worth knowing that is not an error."""

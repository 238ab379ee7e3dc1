"""What can go wrong, as a small tree.

::

    MagxrError
    ├── GridError        (also ValueError)         the input is not a magnetic grid we can work on
    ├── ParameterError   (also ValueError)         an argument is out of its range
    ├── ChunkError       (also ValueError)         Dask chunks do not fit the operation
    ├── StoreError       (also OSError)            a file, store or catalog entry is missing or foreign
    ├── ClusterError     (also RuntimeError)       a cluster does not start, or its workers do not fit
    ├── ModelError       (also ValueError)         a model or its weights do not fit or cannot be trusted
    │   └── CollapseError                          training ends with one answer for every window
    └── MissingExtraError (also ImportError)       an optional dependency is not installed

Every message names the offending value, the rule it breaks and the fix.
"""

from __future__ import annotations

import difflib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable


class MagxrError(Exception):
    """Base of every error that magxr raises on purpose."""


class GridError(MagxrError, ValueError):
    """The input is not a regular latitude/longitude grid of magnetic anomalies in nT."""


class ParameterError(MagxrError, ValueError):
    """An argument is outside its valid range or contradicts another."""


class ChunkError(MagxrError, ValueError):
    """The Dask chunks of the input are too small or misaligned for the operation.

    Parameters
    ----------
    message : str
        May hold ``{latitude}`` and ``{longitude}``: the places of the names of the dimensions, which are not
        known where chunks are checked. `named` fills them in.
    least : int, optional
        Smallest chunk that would do, cells.
    """

    def __init__(self, message: str, least: int | None = None) -> None:
        super().__init__(_filled_in(message, "latitude", "longitude"))
        self.message = message
        self.least = least

    def named(self, latitude: str, longitude: str) -> ChunkError:
        """Return the same error in the words of a grid: with the names of its own dimensions."""
        return ChunkError(_filled_in(self.message, latitude, longitude), self.least)

    def __reduce__(self) -> tuple[type[ChunkError], tuple[str, int | None]]:
        """Pickle with all arguments, as errors cross processes."""
        return type(self), (self.message, self.least)


def _filled_in(message: str, latitude: str, longitude: str) -> str:
    return message.replace("{latitude}", latitude).replace("{longitude}", longitude)


class StoreError(MagxrError, OSError):
    """A file, Zarr store or catalog entry is missing, foreign, damaged or already there."""


class ClusterError(MagxrError, RuntimeError):
    """A cluster cannot be had, or its workers are not as they must be."""


class ModelError(MagxrError, ValueError):
    """A model or weights file does not fit the data or is not what its card says."""


class CollapseError(ModelError):
    """Training came to nothing with every seed: one answer for all windows, or a loss that is no number."""


class MissingExtraError(MagxrError, ImportError):
    """An optional dependency is needed and not installed."""

    def __init__(self, package: str, extra: str, purpose: str) -> None:
        super().__init__(
            f"{purpose} needs the package {package!r}, which is not installed; "
            f"install it with: pip install 'magxr[{extra}]'"
        )
        self.package = package
        self.extra = extra


def meant(strange: object, known: Iterable[str]) -> str:
    """Return a hint at the known name that is most like a strange one, with a space before it, or nothing."""
    close = difflib.get_close_matches(str(strange), known, 1)
    return f" (did you mean {close[0]!r}?)" if close else ""


class MagxrWarning(UserWarning):
    """Something worth knowing that is not an error."""

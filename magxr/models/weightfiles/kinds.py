"""Which kind of weights file one is, by its first bytes and never by its name."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from magxr.errors import ModelError
from magxr.models.weightfiles import archive

if TYPE_CHECKING:
    from pathlib import Path

Kind = Literal["hdf5", "keras archive", "safetensors", "torch archive", "torch stream"]

KERAS_MEMBER = "model.weights.h5"
"""Weights inside a ``.keras`` archive."""
_HDF5 = b"\x89HDF\r\n\x1a\n"
_STREAM = b"\x80\x02\x8a\x0al\xfc\x9cF\xf9 j\xa8P\x19."
"""Pickle of the number that torch files before version 1.6 begin with."""


def kind(path: Path) -> Kind:
    """Return the kind of a weights file.

    Raises
    ------
    ModelError
        If the file does not exist, or is none of those that magxr reads.
    """
    if not path.is_file():
        msg = f"the weights file {path} does not exist; check the path"
        raise ModelError(msg)
    with path.open("rb") as stream:
        start = stream.read(16)
    if start.startswith(_HDF5):
        return "hdf5"
    if start.startswith(_STREAM):
        return "torch stream"
    if start.startswith(b"PK\x03\x04"):
        return _archive(path)
    if start[8:9] == b"{":
        return "safetensors"
    msg = (
        f"{path} is no weights file that magxr reads: it is truncated, or neither Keras (.h5, .keras), "
        "safetensors nor torch (.pth)"
    )
    raise ModelError(msg)


def _archive(path: Path) -> Kind:
    names = archive.names(path)
    if KERAS_MEMBER in names:
        return "keras archive"
    if any(n.split("/")[-1] == "data.pkl" for n in names):
        return "torch archive"
    msg = (
        f"{path} is a zip archive without weights: it has neither {KERAS_MEMBER} (Keras) nor data.pkl (torch)"
    )
    raise ModelError(msg)

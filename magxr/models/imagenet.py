"""The weights that keras.applications publishes: where they lie on this machine, and how to fetch them.

Only `fetch` goes to the network, and only people call it: nothing that trains or predicts does.
"""

from __future__ import annotations

import hashlib
import os
import tempfile
import urllib.request
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple

from magxr.errors import ModelError, StoreError

WORD = "imagenet"
"""What to give as ``trunk_weights``."""
_HOST = "https://storage.googleapis.com/tensorflow/keras-applications"
_LARGEST = 2**29
"""Bytes; the largest of these files has 171 MB."""


class Published(NamedTuple):
    """One file of keras.applications: a trunk without its top, trained on ImageNet."""

    folder: str
    name: str
    md5: str | None
    """As Keras itself checks it; None where Keras checks nothing."""

    @property
    def url(self) -> str:
        """Where Keras has it from."""
        return f"{_HOST}/{self.folder}/{self.name}"


_ORDER = "weights_tf_dim_ordering_tf_kernels"
FILES = {
    "vgg16": Published("vgg16", f"vgg16_{_ORDER}_notop.h5", "6d6bbae143d832006294945121d1f1fc"),
    "vgg19": Published("vgg19", f"vgg19_{_ORDER}_notop.h5", "253f8cb515780f3b799900260a226db6"),
    "inceptionv3": Published(
        "inception_v3", f"inception_v3_{_ORDER}_notop.h5", "bcbd6486424b2319ff4ef7d526e38f63"
    ),
    "mobilenet": Published("mobilenet", "mobilenet_1_0_224_tf_no_top.h5", None),
    "mobilenetv2": Published("mobilenet_v2", f"mobilenet_v2_{_ORDER}_1.0_224_no_top.h5", None),
    "resnet50": Published("resnet", f"resnet50_{_ORDER}_notop.h5", "4d473c1dd8becc155b73f8504c6f6626"),
    "resnet101": Published("resnet", f"resnet101_{_ORDER}_notop.h5", "88cf7a10940856eca736dc7b7e228a21"),
}
"""Trunk -> its file; as in the source of Keras 3.15."""


def folder() -> Path:
    """Return the folder where Keras keeps such files: ``models`` in ``KERAS_HOME`` or in ``~/.keras``."""
    return Path(os.environ.get("KERAS_HOME") or Path.home() / ".keras") / "models"


def here(trunk: str) -> Path | None:
    """Return the file of a trunk if this machine has it, unchecked."""
    published = FILES.get(trunk)
    path = folder() / published.name if published else None
    return path if path is not None and path.is_file() else None


def cached(trunk: str) -> Path:
    """Return the file of a trunk, which must be on this machine and be what Keras publishes.

    Raises
    ------
    ModelError
        If Keras publishes none for this trunk, it is not here, or its MD5 is another.
    """
    published = _published(trunk)
    path = here(trunk)
    if path is None:
        msg = (
            f"the ImageNet weights of {trunk!r} are not on this machine: {folder() / published.name} does "
            f"not exist; get them with `magxr models --fetch {trunk}`, or copy them there from another "
            "machine. Training and predicting download nothing"
        )
        raise ModelError(msg)
    _check(path, published)
    return path


def fetch(trunk: str) -> Path:
    """Download the ImageNet weights of a trunk to where Keras keeps them, unless they are there.

    Parameters
    ----------
    trunk : str
        Name of a trunk that keras.applications has.

    Returns
    -------
    Path
        The file, checked by its MD5 where Keras states one.

    Raises
    ------
    ModelError
        If Keras publishes none for this trunk, or what came is not what Keras publishes.
    StoreError
        If the download fails.
    """
    published = _published(trunk)
    if here(trunk) is not None:
        return cached(trunk)
    target = folder() / published.name
    target.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=target.parent, prefix=f".{published.name}.")
    part = Path(name)
    try:
        with os.fdopen(handle, "wb") as out, _opened(published.url) as answer:
            while chunk := answer.read(2**20):
                out.write(chunk)
                if out.tell() > _LARGEST:
                    msg = f"{published.url} sends over {_LARGEST} bytes, no such weights; try again later"
                    raise ModelError(msg)
        _check(part, published)
        part.replace(target)
    except OSError as error:
        msg = (
            f"{published.url} could not be downloaded ({error}); fetch it on a machine with internet and "
            f"copy it to {target}"
        )
        raise StoreError(msg) from error
    finally:
        part.unlink(missing_ok=True)
    return target


def _opened(url: str) -> Any:
    return urllib.request.urlopen(url, timeout=60)  # noqa: S310 - https, to one host named above


def _published(trunk: str) -> Published:
    if trunk not in FILES:
        msg = f"keras.applications has no ImageNet weights for {trunk!r}, only for {sorted(FILES)}"
        raise ModelError(msg)
    return FILES[trunk]


def _check(path: Path, published: Published) -> None:
    if published.md5 is None:
        return
    state = path.stat()
    found = _md5(path, state.st_size, state.st_mtime_ns)
    if found != published.md5:
        msg = f"{path} has the MD5 {found}, Keras publishes {published.md5}: it is damaged or another file; "
        msg += "remove it and fetch it again"
        raise ModelError(msg)


@lru_cache(maxsize=32)
def _md5(path: Path, _size: int, _time: int) -> str:
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, lambda: hashlib.md5(usedforsecurity=False)).hexdigest()

"""What a model is, in a few hundred bytes: where its files are, their hashes, what input it holds for.

A specification travels in the Dask graph; the model itself never does. Reading one imports no network
library. A model is a folder with ``head.npz`` (the trained head), ``card.json`` (its specification and
everything known about it) and ``card.md`` (the same, to read).
"""

from __future__ import annotations

import json
import os
from dataclasses import asdict, dataclass, field
from importlib.resources import files
from pathlib import Path
from typing import Any

from magxr.errors import ModelError
from magxr.io.places import here
from magxr.models import engine, weights
from magxr.models.backbones import EMBEDDED, backbone
from magxr.models.fields import check_fields
from magxr.models.heads import read_head
from magxr.models.kinds import kind_of

FORMAT = "magxr-model"
FORMAT_VERSION = 3
"""2 added dense heads, CNNs, ensembles and kinds of features, 3 heads for the dense form of classification;
earlier versions are read as they were written."""
_READ = (1, 2, 3)
HEAD_FILE = "head.npz"
DENSE_FILE = "dense.npz"
CARD_FILE = "card.json"
DOUBT_FILE = "doubt.npz"
SHIPPED = ("default", "transfer")
"""Models that come with the package, each in a folder of its name beside this module: the default one, and a
transfer model, a head on the VGG16 trunk, as the paper's."""


@dataclass(frozen=True, slots=True)
class ModelSpec:
    """A trained model by path and hash, and the input it holds for."""

    name: str
    path: str
    """The head's ``.npz`` file."""
    sha256: str
    """Of that file."""
    trunk: str = EMBEDDED
    """Name of the trunk, see `magxr.models.backbones`; "none" for a model without one."""
    trunk_sha256: str = weights.HED_SHA256
    """Of the trunk's weights file."""
    trunk_weights: str | None = None
    """Path of the trunk's weights file; None for the one that an installed package brings."""
    head: str = "pooled"
    """Kind of the head: "pooled", "dense", "radial" or "cnn"."""
    features: str = "pooled"
    """Kind of features it takes, see `magxr.models.kinds`; a CNN takes windows."""
    window: int = 250
    """Side of the square window, pixels."""
    batch: int = 8
    """Windows run at once; the last batch is padded, so the compiled shape never changes."""
    spacing: tuple[float, float] = (0.2, 0.8)
    """Smallest and largest grid spacing, arcmin, that the model was trained for."""
    normalisation: str = "minmax"
    """Every window is scaled to 0..1 by its own extremes (`magxr.kernels.minmax`)."""
    form: str = "windows"
    """What ``head.npz`` is for: "windows", run one by one, or "dense", crops of a map run in one pass."""
    dense_sha256: str | None = None
    """Of ``dense.npz`` beside it, a second head on the same trunk, for the dense form."""
    doubt_sha256: str | None = None
    """Of ``doubt.npz`` beside the head (`magxr.models.doubt`); None for a model without one."""
    threshold: float = 0.5
    """Probability from which a window counts as linear in the card's accuracy."""
    trained_on: str = ""
    """One line on the training data; the card says more."""
    versions: tuple[tuple[str, str], ...] = field(default=())
    """Packages and versions it was trained with."""

    def head_file(self) -> Path:
        """Return the head's file: at its path, or for a shipped model in this process's own package."""
        path = Path(self.path)
        shipped = self.name in SHIPPED and path.parts[-4:-1] == ("magxr", "models", self.name)
        if not path.is_file() and shipped:
            return _shipped(self.name) / HEAD_FILE
        return path

    def check_reads_windows(self) -> None:
        """Refuse to give windows to a head that was trained on crops of dense maps."""
        if self.form == "dense":
            msg = f"model {self.name!r} is for the dense form, not for windows; use classify(mode='dense')"
            raise ModelError(msg)

    def dense_head(self) -> tuple[Path, str]:
        """Return the file of the head for the dense form, and its SHA-256.

        Raises
        ------
        ModelError
            If the model has none, or its file is missing.
        """
        if self.form == "dense":
            return self.head_file(), self.sha256
        path = self.head_file().with_name(DENSE_FILE)
        if self.dense_sha256 is None or not path.is_file():
            fix = "train one with magxr train --form dense, use the model 'transfer', or mode='windows'"
            lost = f"{path} is missing; restore it" if self.dense_sha256 else f"its head reads windows; {fix}"
            msg = f"model {self.name!r} has no head for the dense form: {lost}"
            raise ModelError(msg)
        return path, self.dense_sha256

    def doubt_file(self) -> Path:
        """Return the file with what the model knows of its own doubt, which lies beside its head."""
        path = self.head_file().with_name(DOUBT_FILE)
        if self.doubt_sha256 is None or not path.is_file():
            fix = "train one with magxr train --folds and enough blocks, or use the model 'default'"
            lost = f"{path} is missing; restore it" if self.doubt_sha256 else f"it was made without; {fix}"
            msg = f"model {self.name!r} cannot tell how sure it is: {lost}"
            raise ModelError(msg)
        return path

    @property
    def network(self) -> bool:
        """Whether it runs a network, and is not measured with NumPy and SciPy."""
        return self.head == "cnn" or kind_of(self.features).measured is None

    def trunk_file(self) -> Path:
        """Return the trunk's weights file; see `Backbone.weights_file`."""
        return backbone(self.trunk).weights_file(self.trunk_weights)

    def check(self) -> None:
        """Raise unless everything needed to predict is here and is what the specification says.

        Raises
        ------
        ModelError
            If a weights file is missing or its SHA-256 differs.
        MissingExtraError
            If keras, its backend or the package with the trunk's weights is not installed.
        """
        head = self.head_file()
        if not head.is_file():
            fix = "restore it, train the model again with magxr train, or use another, e.g. 'default'"
            msg = f"model {self.name!r}: the weights file {head} does not exist; {fix}"
            raise ModelError(msg)
        weights.check_hash(head, self.sha256)
        if self.doubt_sha256 is not None:
            weights.check_hash(self.doubt_file(), self.doubt_sha256)
        if self.dense_sha256 is not None:
            weights.check_hash(*self.dense_head())
        if self.network and self.head != "cnn":
            backbone(self.trunk).check(self.trunk_file(), self.trunk_sha256)
        if self.network:
            engine.check_installed()


def load(model: str | Path | ModelSpec = "default") -> ModelSpec:
    """Return the specification of a model, checked; no network library is imported.

    Parameters
    ----------
    model : str, Path or ModelSpec
        "default" or "transfer" (shipped with the package), a model's folder, its ``card.json`` or
        ``head.npz``, or a specification, which is only checked again.

    Returns
    -------
    ModelSpec

    Raises
    ------
    ModelError
        If there is no such model, it is not a magxr model, or one of its files is missing or changed.
    MissingExtraError
        If a package needed to run it is not installed.
    """
    spec = model if isinstance(model, ModelSpec) else _read(_folder(model), str(model))
    spec.check()
    return spec


def card(model: str | Path = "default") -> dict[str, Any]:
    """Return everything a model's card says (``card.json``), without checking its weights."""
    return _read_card(_folder(model))


def _shipped(name: str) -> Path:
    return Path(str(files("magxr.models") / name))


def _folder(model: str | Path) -> Path:
    if isinstance(model, str) and model in SHIPPED:
        return _shipped(model)
    if not isinstance(model, str | os.PathLike):
        msg = f"model={model!r} is no model; give the name of one ({list(SHIPPED)}) or the path of its folder"
        raise ModelError(msg)
    path = here(model, "a model")
    if path.name in (HEAD_FILE, CARD_FILE):
        path = path.parent
    if not path.is_dir():
        msg = (
            f"unknown model {str(model)!r}: neither one that comes with magxr ({list(SHIPPED)}) nor a "
            f"folder with {CARD_FILE} and {HEAD_FILE}; check the name or the path"
        )
        raise ModelError(msg)
    return path


def _read_card(folder: Path) -> dict[str, Any]:
    path = folder / CARD_FILE
    if not path.is_file():
        msg = f"{folder} is not a magxr model: it has no {CARD_FILE}; models are written by magxr train"
        raise ModelError(msg)
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (ValueError, OSError, RecursionError) as error:
        msg = f"{path} is not readable JSON ({error}); restore it or train the model again"
        raise ModelError(msg) from error
    if not isinstance(content, dict) or content.get("format") != FORMAT:
        msg = f'{path} is not a magxr model card: it lacks "format": {FORMAT!r}; train one with magxr train'
        raise ModelError(msg)
    if content.get("format_version") not in _READ:
        msg = (
            f"{path} has format version {content.get('format_version')!r}, this magxr reads "
            f"{', '.join(map(str, _READ))}; use the magxr that wrote it, or train again"
        )
        raise ModelError(msg)
    return content


def _read(folder: Path, name: str) -> ModelSpec:
    fields = _read_card(folder).get("spec")
    known = set(ModelSpec.__dataclass_fields__) - {"path"}
    if (
        not isinstance(fields, dict)
        or not {"name", "sha256", "trunk", "trunk_sha256"} <= set(fields) <= known
    ):
        fix = "restore it or train the model again"
        msg = f"{folder / CARD_FILE} holds no complete specification of model {name!r}; {fix}"
        raise ModelError(msg)
    check_fields(fields, folder / CARD_FILE)
    fields = dict(fields, path=str(folder / HEAD_FILE))
    fields["spacing"] = tuple(fields["spacing"])
    fields["versions"] = tuple(tuple(v) for v in fields.get("versions", ()))
    spec = ModelSpec(**fields)
    if spec.head_file().is_file():
        weights.check_hash(spec.head_file(), spec.sha256)
        head = read_head(spec.head_file())
        if head.kind != spec.head:
            msg = f"model {name!r}: the card says {spec.head!r}, {HEAD_FILE} is {head.kind!r}; restore both"
            raise ModelError(msg)
    return spec


def to_card(spec: ModelSpec) -> dict[str, Any]:
    """Return the specification as the card stores it: without its path, which is where the card lies."""
    fields = asdict(spec)
    del fields["path"]
    return fields

"""Which trunks and trained models there are, and what of them this machine can use now, without Keras."""

from __future__ import annotations

from dataclasses import dataclass

from magxr.errors import MissingExtraError, ModelError
from magxr.models import imagenet, spec, untrained, weights
from magxr.models.backbones import BACKBONES, Backbone

EMBEDDED_FILE = "embedded"
"""What `BackboneState` calls weights that an installed package brings: nothing need be given."""
KERAS_FILE = "Keras file (.h5, .weights.h5, .keras)"
TORCHVISION_FILE = "torchvision file (.pth, .safetensors)"


@dataclass(frozen=True, slots=True)
class BackboneState:
    """One trunk, and where its weights can come from."""

    name: str
    """What to give as ``trunk``."""
    description: str
    parameters: int
    """Values in all tensors of the trunk, without a head."""
    channels: int
    """Channels of the last feature map."""
    stride: int
    """Pixels to one cell of it."""
    smallest: int
    """Side of the smallest window, pixels."""
    dense: bool
    """Whether its strides can be taken as dilation, so that one pass serves all windows of a tile."""
    dense_reason: str
    scaling: tuple[str, ...]
    """What it does to windows of 0..1, by the files that its weights come from."""
    sources: tuple[str, ...]
    """Where weights can come from, on any machine."""
    here: tuple[str, ...]
    """What works on this machine now, without a file of your own: "embedded", "imagenet", "untrained"."""


@dataclass(frozen=True, slots=True)
class ModelState:
    """One trained model that comes with the package."""

    name: str
    trunk: str
    head: str
    features: str
    """Kind of features that the head takes, see `magxr.models.kinds`."""
    window: int
    """Side of its windows, pixels."""
    spacing: tuple[float, float]
    """Smallest and largest grid spacing it was trained for, arcmin."""
    trained_on: str
    ready: str
    """Empty if it can run on this machine, else what is missing."""


def backbones() -> tuple[BackboneState, ...]:
    """Return every trunk, and which of its weights this machine has.

    Returns
    -------
    tuple of BackboneState
        In the order of the table in docs/howto/backbones.md. A trained trunk that is not listed as "here"
        needs a file: see ``sources``.

    Notes
    -----
    Nothing is built, downloaded or imported: parameters are counted from the drawings of the networks. The
    paper compares the ten (Ghosh et al. 2026, Table S5) and takes VGG19.
    """
    return tuple(_state(trunk) for trunk in BACKBONES.values())


def trained() -> tuple[ModelState, ...]:
    """Return the trained models that come with the package, by the names that ``model=`` takes."""
    return tuple(_model(name) for name in spec.SHIPPED)


def _state(trunk: Backbone) -> BackboneState:
    sources, here = [], []
    if trunk.sha256 is not None:
        sources.append(f"package {weights.HED_PACKAGE}")
        if _embedded():
            here.append(EMBEDDED_FILE)
    else:
        families = {f.files for f in trunk.forms}
        if trunk.name in imagenet.FILES:
            sources.append(imagenet.WORD)
        sources += [KERAS_FILE] if "keras" in families else []
        sources += [TORCHVISION_FILE] if "torchvision" in families else []
        sources.append(untrained.WORD)
        here += [imagenet.WORD] if imagenet.here(trunk.name) is not None else []
        here.append(untrained.WORD)
    return BackboneState(
        name=trunk.name,
        description=trunk.description,
        parameters=trunk.parameters,
        channels=trunk.channels,
        stride=trunk.stride,
        smallest=trunk.smallest,
        dense=trunk.dense,
        dense_reason=trunk.dense_reason,
        scaling=tuple(f"{f.files}: {f.scaling.description}" for f in trunk.forms),
        sources=tuple(sources),
        here=tuple(here),
    )


def _embedded() -> bool:
    try:
        weights.embedded_file()
    except (MissingExtraError, ModelError):
        return False
    return True


def _model(name: str) -> ModelState:
    told = spec.card(name)["spec"]
    try:
        spec.load(name)
    except (MissingExtraError, ModelError) as error:
        missing = str(error)
    else:
        missing = ""
    low, high = told["spacing"]
    features = told.get("features", "pooled")
    about = told["trunk"], told["head"], features, told["window"], (low, high), told["trained_on"]
    return ModelState(told["name"], *about, missing)

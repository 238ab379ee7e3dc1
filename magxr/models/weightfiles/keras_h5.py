"""Weights from HDF5: the files of keras.applications, of Keras 3 and of HED, and ``.keras`` archives.

The same layer is stored under different groups. A file is read by the first way of naming that finds all
layers, so that no two ways are mixed.
"""

from __future__ import annotations

import io
import re
from typing import TYPE_CHECKING, Any

from magxr.errors import MissingExtraError, ModelError
from magxr.models.weightfiles import found, keras_config
from magxr.models.weightfiles.archive import member, names
from magxr.models.weightfiles.kinds import KERAS_MEMBER

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    import numpy as np
    from numpy.typing import NDArray

    from magxr.models.trunks.sketch import Layer, Tensor

    Naming = Callable[[Any, Sequence[Layer]], dict[str, str]]
    """From the file and its layers to the group of each layer that is there."""

_LARGEST = 2**31
"""Bytes of weights that an archive may hold unpacked: four times those of the largest trunk."""
_MOST_NAMES = 10_000
"""Layers that a file may list; the largest trunk has 345."""
_LONGEST_NAME = 1_000
_CLASSES = {"convolution": "conv2d", "depthwise": "depthwise_conv2d", "norm": "batch_normalization"}
_STORED = {
    ("convolution", "kernel"): ("kernel",),
    ("depthwise", "kernel"): ("depthwise_kernel", "kernel"),
    ("norm", "mean"): ("moving_mean",),
    ("norm", "variance"): ("moving_variance",),
}
"""What Keras calls a tensor, where it is not what it is called here."""


def read(
    path: Path, layers: Sequence[Layer], order: Sequence[Layer] = (), *, archive: bool = False
) -> dict[str, tuple[NDArray[np.float32], ...]]:
    """Read all tensors of layers.

    Parameters
    ----------
    path : Path
        HDF5 file, or ``.keras`` archive with one inside.
    layers : sequence of Layer
        What must be there.
    order : sequence of Layer
        All layers of the network in the order of ``keras.Model.layers``, by which Keras 3 numbers them.
    archive : bool
        Whether it is an archive.

    Returns
    -------
    dict
        Layer name -> its tensors, float32, in the order that Keras keeps them.

    Raises
    ------
    ModelError
        If the file cannot be read, or a tensor is missing, cut short, of another shape or not finite.
    MissingExtraError
        If h5py is not installed.
    """
    try:
        import h5py
    except ImportError:
        package = "h5py"
        raise MissingExtraError(package, "files", "reading network weights") from None
    if archive and keras_config.MEMBER in names(path):
        keras_config.check_config(path, member(path, keras_config.MEMBER, keras_config.LARGEST))
    source = io.BytesIO(member(path, KERAS_MEMBER, _LARGEST)) if archive else path
    try:
        with h5py.File(source, "r") as file:
            _check_links(file)
            groups = _groups(file, layers, order)
            return {layer.name: _read_layer(file, layer, groups) for layer in layers}
    except (OSError, RuntimeError, KeyError, TypeError, ValueError) as error:  # as h5py meets damage
        if isinstance(error, ModelError):
            raise
        first = layers[0]
        msg = (
            f"{path} cannot be read as HDF5 ({error}); it is truncated or not a weights file, so its first "
            f"tensor {first.name} of shape {first.kernel} is missing too"
        )
        raise ModelError(msg) from error


def _by_name(file: Any, layers: Sequence[Layer]) -> dict[str, str]:
    """As keras.applications: a group a layer, at the root or under ``model_weights`` of a whole model."""
    root = "model_weights/" if "model_weights" in file else ""
    return {layer.name: root + layer.name for layer in layers if root + layer.name in file}


def _by_label(file: Any, layers: Sequence[Layer]) -> dict[str, str]:
    """As Keras 3 since it writes the layer's name beside its numbered group."""
    if "layers" not in file:
        return {}
    places, root = {}, _member(file, "layers")
    for group in root:
        held = _member(root, group)
        values = held.get("vars") if hasattr(held, "get") else None
        if values is not None and "name" in values.attrs:
            places[str(values.attrs["name"])] = f"layers/{group}"
    return {layer.name: places[layer.name] for layer in layers if layer.name in places}


def _by_own_groups(file: Any, layers: Sequence[Layer]) -> dict[str, str]:
    """As the layer itself says (HED)."""
    return {layer.name: g for layer in layers for g in layer.groups if g in file}


def _by_order(file: Any, layers: Sequence[Layer]) -> dict[str, str]:
    """As Keras 3: layers of a class are numbered in the order of the model."""
    places, counts = {}, dict.fromkeys(_CLASSES, 0)
    for layer in layers:
        count = counts[layer.kind]
        counts[layer.kind] += 1
        group = f"layers/{_CLASSES[layer.kind]}" + (f"_{count}" if count else "")
        if group in file:
            places[layer.name] = group
    return places


def _by_list(file: Any, layers: Sequence[Layer]) -> dict[str, str]:
    """As Keras itself reads old files: the file lists its layers, and names do not count."""
    root = "model_weights/" if "model_weights" in file else ""
    group = _member(file, "model_weights") if root else file
    listed: list[Any] = []
    # one list, or numbered pieces where it is long
    for part in ("layer_names", *(f"layer_names{i}" for i in range(_MOST_NAMES))):
        if not _length(group, part):
            if part != "layer_names":
                break
        elif group.attrs.get_id(part).dtype.kind == "S":
            listed += list(group.attrs[part])
        else:  # texts of any length: damaged ones can keep HDF5 looking forever, and newer files tell names
            return {}
    names = [n.decode() if isinstance(n, bytes) else str(n) for n in listed]
    held = [root + n for n in names if n in group and _length(_member(group, n), "weight_names")]
    return {layer.name: place for layer, place in zip(layers, held, strict=False)}


def _length(group: Any, attribute: str) -> int:
    """Return how many names an attribute lists, without reading it; 0 if there is none."""
    if attribute not in group.attrs:
        return 0
    held = group.attrs.get_id(attribute)
    shape, size = held.shape, held.dtype.itemsize
    if len(shape) != 1 or shape[0] > _MOST_NAMES or size > _LONGEST_NAME:
        msg = f"its attribute {attribute}, {shape} texts of {size} bytes, is no list of names"
        raise ValueError(msg)
    return int(shape[0])


def _by_number(file: Any, layers: Sequence[Layer]) -> dict[str, str]:
    """As keras.applications stores layers without names of their own: numbered as they were made."""
    root = "model_weights/" if "model_weights" in file else ""
    held = list(_member(file, "model_weights") if root else file)
    places: dict[str, str] = {}
    for kind, stem in _CLASSES.items():
        numbered = [(int(m[1] or 0), g) for g in held if (m := re.fullmatch(rf"{stem}(?:_(\d+))?", g))]
        wanted = [layer.name for layer in layers if layer.kind == kind]
        if len(numbered) == len(wanted):
            places |= {name: root + g for name, (_, g) in zip(wanted, sorted(numbered), strict=True)}
    return places


def _groups(file: Any, layers: Sequence[Layer], order: Sequence[Layer]) -> dict[str, str]:
    """Return the group of each layer, by the first naming that finds all, else by the one that finds most."""
    numbered = all(re.fullmatch(r"(conv2d|batch_normalization)_\d+", layer.name) for layer in layers)
    ways: list[dict[str, str]] = []
    if not numbered:  # Keras's own numbers depend on what was made before: they are no names
        ways += [_by_name(file, layers), _by_label(file, layers)]
    ways += [_by_own_groups(file, layers), _by_order(file, order or layers)]
    listed = _by_list(file, order or layers)
    if numbered:
        ways += [listed, _by_number(file, layers)]
    elif not any(ways):  # names that are no one's: only then does the order alone tell
        ways.append(listed)
    for way in ways:
        if all(layer.name in way for layer in layers):
            return way
    return max(ways, key=len)


def _check_links(file: Any) -> None:
    """Refuse links to other files, before a look at what is there follows one."""
    import h5py

    def foreign(name: bytes, told: Any) -> str | None:
        return name.decode(errors="replace") if told.type == h5py.h5l.TYPE_EXTERNAL else None

    link = file.id.links.visit(foreign, info=True)
    if link is not None:
        place, _ = file.id.links.get_val(link.encode())
        msg = f"{link!r} in the weights file is a link (ExternalLink) to {place.decode()!r}; refused"
        raise ModelError(msg)


def _member(group: Any, name: str) -> Any:
    """Return a member of a group; links to other places and files are refused."""
    import h5py

    link = group.get(name, getlink=True) if hasattr(group, "get") else None
    if link is None:
        raise KeyError(name)
    if not isinstance(link, h5py.HardLink):
        msg = f"{name!r} in the weights file is a link ({type(link).__name__}) to {link.path!r}; refused"
        raise ModelError(msg)
    return group[name]


def _read_layer(file: Any, layer: Layer, groups: dict[str, str]) -> tuple[NDArray[np.float32], ...]:
    place = groups.get(layer.name)
    if place is None:
        where = " or ".join((layer.name, *layer.groups, f"layers/{_CLASSES[layer.kind]}_..."))
        first = f"{layer.name}/{layer.tensors[0].part}"
        raise found.missing(first, layer.kernel, where)
    group = file
    for step in place.split("/"):
        group = _member(group, step)
    stored = list(_datasets(group, "", 0))
    return tuple(_read_tensor(stored, layer, tensor, i) for i, tensor in enumerate(layer.tensors))


def _datasets(group: Any, name: str, depth: int) -> Iterator[tuple[str, Any]]:
    if hasattr(group, "shape"):
        yield name, group
    elif hasattr(group, "keys") and depth < 4:  # as deep as Keras goes; a link back up would never end
        for key in group:
            yield from _datasets(_member(group, key), key, depth + 1)


def _read_tensor(
    stored: list[tuple[str, Any]], layer: Layer, tensor: Tensor, index: int
) -> NDArray[np.float32]:
    name = f"{layer.name}/{tensor.part}"
    called = _STORED.get((layer.kind, tensor.part), (tensor.part,))
    fits = [d for n, d in stored if n.split(":")[0] in called or n == str(index)]
    if not fits and layer.kind == "convolution":  # the oldest files call them W and b
        fits = [d for _, d in stored if len(d.shape) == len(tensor.shape)]
    if not fits:
        raise found.missing(name, tensor.shape)
    dataset = fits[0]
    found.check_shape(name, dataset.shape, tensor.shape)
    if dataset.external or dataset.is_virtual:
        msg = f"tensor {name} lies in another file ({dataset.external}); refused: weights are one file"
        raise ModelError(msg)
    if dataset.dtype.kind != "f":
        msg = f"tensor {name} holds {dataset.dtype}, expected floating-point numbers"
        raise ModelError(msg)
    try:
        return found.checked(name, dataset[...])
    except OSError as error:
        raise found.cut_short(name, tensor.shape, error) from error

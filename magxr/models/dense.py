"""A trunk over whole tiles: what travels in the graph, and the networks it becomes in a worker."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from magxr.errors import ModelError
from magxr.kernels.minmax import NO_INFORMATION
from magxr.models import engine, weights
from magxr.models.backbones import backbone
from magxr.models.dense_chain import chained, is_chain
from magxr.models.dense_trunk import assemble_part
from magxr.models.trunks.atrous import Plan, plan

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from numpy.typing import NDArray

    from magxr.models.trunks.form import Form
    from magxr.models.weights import Tensors

    Floats = NDArray[np.float32]
    Tile = tuple[int, int]

_KEPT = 8
"""Compiled networks kept a process: two parts of a map's tile, two of a single cell, of two maps."""


@dataclass(frozen=True, slots=True)
class DenseTrunk:
    """A trunk with a dense form, by name and weights: a few hundred bytes."""

    name: str
    sha256: str
    """Of the weights file."""
    weights: str | None = None
    """Path of the weights file; None for the one that an installed package brings."""

    @property
    def plan(self) -> Plan:
        """How it is run a trous."""
        return plan(backbone(self.name).form(self._file()).sketch)

    @property
    def channels(self) -> tuple[int, int]:
        """Channels of its first part and of the map."""
        parts = self.plan
        return parts.near.steps[-1].op.channels, parts.far.steps[-1].op.channels

    def _file(self) -> Path:
        return backbone(self.name).weights_file(self.weights)


def dense_trunk(name: str, trunk_weights: str | Path | None = None) -> DenseTrunk:
    """Return a trunk for the dense form, checked; no network library is imported.

    Raises
    ------
    ModelError
        If there is no such trunk, it has no dense form, or its weights are missing.
    """
    chosen = backbone(name)
    if not chosen.dense:
        fix = "use mode='windows', or a trunk with a dense form (`magxr models` lists them)"
        msg = f"the trunk {name!r} has no dense form: {chosen.dense_reason}; {fix}"
        raise ModelError(msg)
    path = chosen.weights_file(trunk_weights)
    return DenseTrunk(name, weights.sha256(path), None if trunk_weights is None else str(trunk_weights))


def near_cells(trunk: DenseTrunk, image: NDArray[np.float32], tile: Tile) -> Floats:
    """Run the first part over a tile of pixels.

    Parameters
    ----------
    trunk : DenseTrunk
    image : ndarray of float32, shape (rows, columns)
        0 to 1, from the first pixel that the first cell reads to the last that the last cell reads.
    tile : (int, int)
        Cells that the network makes where Keras compiles it; a smaller image is filled up, so that it is
        compiled once.

    Returns
    -------
    ndarray of float32, shape (cells, cells, channels)
    """
    part = trunk.plan.near
    size = tuple((n - part.given(1)) // part.stride + 1 for n in image.shape)
    if (image == NO_INFORMATION).all():  # the open sea of a map is land, or holes: no work is done there
        return np.broadcast_to(flat_cell(trunk), (*size, trunk.channels[0]))
    return _run(trunk, "near", tile, image, NO_INFORMATION)[: size[0], : size[1]]


def far_cells(trunk: DenseTrunk, cells: Floats, tile: Tile) -> Floats:
    """Run the second part over cells of the first, from the first that is read to the last.

    Parameters and result are as those of `near_cells`, with cells in the place of pixels.
    """
    part = trunk.plan.far
    size = tuple(n - part.given(1) + 1 for n in cells.shape[:2])
    flat = flat_cell(trunk)
    if (cells == flat).all():
        return np.broadcast_to(flat_map_cell(trunk), (*size, trunk.channels[1]))
    return _run(trunk, "far", tile, cells, flat)[: size[0], : size[1]]


def flat_cell(trunk: DenseTrunk) -> Floats:
    """Return what the first part says of a plane without any contrast, shape (channels,)."""
    side = trunk.plan.near.given(1)
    return _once(trunk, "near", np.full((side, side), NO_INFORMATION, np.float32))


def flat_map_cell(trunk: DenseTrunk) -> Floats:
    """Return what the whole trunk says of a plane without any contrast, shape (channels,)."""
    side = trunk.plan.far.given(1)
    cells = np.broadcast_to(flat_cell(trunk), (side, side, trunk.channels[0]))
    return _once(trunk, "far", np.ascontiguousarray(cells))


@dataclass(frozen=True, slots=True)
class _Network:
    run: Callable[[Floats, Any], Floats]
    """From a tile, and what to fill it up with where the network takes tiles of one size only."""
    turn: threading.Lock = field(default_factory=threading.Lock)


_networks: dict[tuple[Any, ...], _Network] = {}
_flat: dict[tuple[Any, ...], Floats] = {}
_loading = threading.Lock()
compiled: list[tuple[Any, ...]] = []
"""What this process has made so far, in order: each part once; by Keras, for each shape of tile."""


def _run(trunk: DenseTrunk, part: str, tile: Tile, given: Floats, beyond: Any) -> Floats:
    chain = _by_chain(trunk, part)
    key = (trunk, part, *(() if chain else tile))
    with _loading:
        if key not in _networks:
            while len(_networks) >= _KEPT:
                del _networks[next(iter(_networks))]
            _networks[key] = _Network(_chained(trunk, part) if chain else _compiled(trunk, part, tile))
            compiled.append(key)
        network = _networks[key]
    with network.turn:
        return network.run(given, beyond)


def _once(trunk: DenseTrunk, part: str, given: Floats) -> Floats:
    if (trunk, part) not in _flat:
        _flat[trunk, part] = _run(trunk, part, (1, 1), given, 0)[0, 0]
    return _flat[trunk, part]


def _by_chain(trunk: DenseTrunk, part: str) -> bool:
    return is_chain(getattr(trunk.plan, part)) and not engine.accelerated()


def _chained(trunk: DenseTrunk, part: str) -> Callable[[Floats, Any], Floats]:
    form, tensors = _read(trunk)
    chain = chained(getattr(trunk.plan, part), tensors, form.scaling if part == "near" else None)

    def run(given: Floats, beyond: Any) -> Floats:
        del beyond  # it takes tiles of any size
        return chain(given)

    return run


def _compiled(trunk: DenseTrunk, part: str, tile: Tile) -> Callable[[Floats, Any], Floats]:
    form, tensors = _read(trunk)
    keras, near = engine.start(), part == "near"
    own = getattr(trunk.plan, part)
    told: dict[str, Any] = {"scaling": form.scaling} if near else {"channels": trunk.channels[0]}
    network = engine.compiled(assemble_part(keras, own, tensors, tile, **told))

    def run(given: Floats, beyond: Any) -> Floats:
        full = np.empty((*map(own.given, tile), 1 if near else given.shape[2]), np.float32)
        full[...] = beyond
        full[: given.shape[0], : given.shape[1]] = given[..., None] if near else given
        made: Floats = network(full[None])[0]
        return made

    return run


def _read(trunk: DenseTrunk) -> tuple[Form, Tensors]:
    chosen = backbone(trunk.name)
    path = chosen.weights_file(trunk.weights)
    chosen.check(path, trunk.sha256)
    form = chosen.form(path)
    return form, weights.read_layers(path, form.layers, form.sketch.stored_order())

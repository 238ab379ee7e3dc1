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
from magxr.models.dense_trunk import assemble_part
from magxr.models.trunks.atrous import Plan, plan

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from numpy.typing import NDArray

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
        Cells that the compiled network makes; a smaller image is filled up, so that it is compiled once.

    Returns
    -------
    ndarray of float32, shape (cells, cells, channels)
    """
    part = trunk.plan.near
    size = tuple((n - part.given(1)) // part.stride + 1 for n in image.shape)
    if (image == NO_INFORMATION).all():  # the open sea of a map is land, or holes: no work is done there
        return np.broadcast_to(flat_cell(trunk), (*size, trunk.channels[0]))
    full = np.full(tuple(map(part.given, tile)), NO_INFORMATION, np.float32)
    full[: image.shape[0], : image.shape[1]] = image
    return _run(trunk, "near", tile, full[None, ..., None])[0, : size[0], : size[1]]


def far_cells(trunk: DenseTrunk, cells: Floats, tile: Tile) -> Floats:
    """Run the second part over cells of the first, from the first that is read to the last.

    Parameters and result are as those of `near_cells`, with cells in the place of pixels.
    """
    part = trunk.plan.far
    size = tuple(n - part.given(1) + 1 for n in cells.shape[:2])
    flat = flat_cell(trunk)
    if (cells == flat).all():
        return np.broadcast_to(flat_map_cell(trunk), (*size, trunk.channels[1]))
    full = np.empty((*map(part.given, tile), cells.shape[2]), np.float32)
    full[...] = flat
    full[: cells.shape[0], : cells.shape[1]] = cells
    return _run(trunk, "far", tile, full[None])[0, : size[0], : size[1]]


def flat_cell(trunk: DenseTrunk) -> Floats:
    """Return what the first part says of a plane without any contrast, shape (channels,)."""
    side = trunk.plan.near.given(1)
    image = np.full((1, side, side, 1), NO_INFORMATION, np.float32)
    return _once(trunk, "near", image)


def flat_map_cell(trunk: DenseTrunk) -> Floats:
    """Return what the whole trunk says of a plane without any contrast, shape (channels,)."""
    side = trunk.plan.far.given(1)
    cells = np.broadcast_to(flat_cell(trunk), (1, side, side, trunk.channels[0]))
    return _once(trunk, "far", np.ascontiguousarray(cells))


@dataclass(frozen=True, slots=True)
class _Network:
    run: Callable[[Floats], Floats]
    turn: threading.Lock = field(default_factory=threading.Lock)


_networks: dict[tuple[Any, ...], _Network] = {}
_flat: dict[tuple[Any, ...], Floats] = {}
_loading = threading.Lock()
compiled: list[tuple[Any, ...]] = []
"""What this process has compiled so far, in order: each part once for each shape of tile."""


def _run(trunk: DenseTrunk, part: str, tile: Tile, given: Floats) -> Floats:
    key = (trunk, part, *tile)
    with _loading:
        if key not in _networks:
            while len(_networks) >= _KEPT:
                del _networks[next(iter(_networks))]
            _networks[key] = _Network(_compiled(trunk, part, tile))
            compiled.append(key)
        network = _networks[key]
    with network.turn:
        return network.run(given)


def _once(trunk: DenseTrunk, part: str, given: Floats) -> Floats:
    if (trunk, part) not in _flat:
        _flat[trunk, part] = _run(trunk, part, (1, 1), given)[0, 0, 0]
    return _flat[trunk, part]


def _compiled(trunk: DenseTrunk, part: str, tile: Tile) -> Callable[[Floats], Floats]:
    chosen = backbone(trunk.name)
    path = chosen.weights_file(trunk.weights)
    chosen.check(path, trunk.sha256)
    form = chosen.form(path)
    tensors = weights.read_layers(path, form.layers, form.sketch.stored_order())
    keras = engine.start()
    if part == "near":
        model = assemble_part(keras, trunk.plan.near, tensors, tile, scaling=form.scaling)
    else:
        model = assemble_part(keras, trunk.plan.far, tensors, tile, channels=trunk.channels[0])
    return engine.compiled(model)

"""Build one part of a trunk a trous in Keras: from a tile to the cells that all of what they read lies in."""

from __future__ import annotations

from functools import reduce
from typing import TYPE_CHECKING, Any

from magxr.models.assemble import layer_of, scaled

if TYPE_CHECKING:
    from collections.abc import Mapping

    import numpy as np
    from numpy.typing import NDArray

    from magxr.models.trunks.atrous import Part, Step
    from magxr.models.trunks.form import Scaling

    Made = tuple[Any, int]
    """A Keras tensor, and which cell its first row and its first column is."""


def assemble_part(
    keras: Any,
    part: Part,
    tensors: Mapping[str, tuple[NDArray[np.float32], ...]],
    tile: tuple[int, int],
    *,
    scaling: Scaling | None = None,
    channels: int = 1,
) -> Any:
    """Return a part of a trunk as a functional model for one tile.

    Parameters
    ----------
    keras : module
        The keras module, already started (see `magxr.models.engine`).
    part : Part
        From `magxr.models.trunks.atrous.plan`.
    tensors : mapping
        Layer name -> its tensors, from `magxr.models.weights.read_layers`.
    tile : (int, int)
        Rows and columns of cells that it makes.
    scaling : Scaling, optional
        Of the part that takes the image, which is in 0..1 and has one channel.
    channels : int
        Of what the part takes.

    Returns
    -------
    keras.Model
        From ``(1, rows, columns, channels)`` float32, ``part.given`` cells or pixels of each side, to
        ``(1, *tile, channels)``. Nothing is padded: every cell is the trunk's on a plane without end.
    """
    image = keras.Input((*map(part.given, tile), channels), batch_size=1, name="tile")
    start = part.steps[0].number - 1
    made: dict[int, Made] = {
        start: (image if scaling is None else scaled(keras.layers, image, scaling), part.reads[0])
    }
    placed = []
    for step in part.steps:
        read = [made[x] for x in step.op.inputs]
        if step.op.kind == "zeros":
            made[step.number] = (read[0][0], read[0][1] + step.before)
        elif step.op.kind in ("add", "join"):
            alike, first = _alike(read)
            made[step.number] = (layer_of(keras.layers, step.op)(alike), first)
        else:
            made[step.number], layer = _moved(keras, step, *read[0])
            if step.op.layer is not None:
                placed.append((layer, tensors[step.op.name]))
    last, first = made[part.steps[-1].number]
    # a branch may have reached further than the one that decides
    model = keras.Model(image, last[:, -first : tile[0] - first, -first : tile[1] - first, :], name="part")
    for layer, values in placed:
        layer.set_weights(list(values))
    return model


def _moved(keras: Any, step: Step, x: Any, first: int) -> tuple[Made, Any]:
    """Return the result of an operation, with the cell it begins at, and the layer that makes it."""
    begin = -(-(first + step.before) // step.stride)
    skip = step.stride * begin - step.before - first
    if skip:
        x = x[:, skip:, skip:, :]
    op = step.op._replace(stride=step.stride, padding="valid")
    if op.kind in ("maximum", "mean") and step.dilation > 1:
        return (_pooled(keras, step, x), begin), None
    layer = layer_of(keras.layers, op, step.dilation)
    return (layer(x), begin), layer


def _pooled(keras: Any, step: Step, x: Any) -> Any:
    """Pool cells that lie apart, rows first: no layer of Keras does, so shifted slices are compared."""
    size = step.op.size[0]
    for axis in (1, 2):
        count = x.shape[axis] - step.dilation * (size - 1)
        parts = []
        for tap in range(size):
            kept = [slice(None)] * 4
            kept[axis] = slice(step.dilation * tap, step.dilation * tap + count)
            parts.append(x[tuple(kept)])
        x = reduce(keras.ops.maximum if step.op.kind == "maximum" else keras.ops.add, parts)
        if step.op.kind == "mean":
            x = x / size
    return x


def _alike(read: list[Made]) -> tuple[list[Any], int]:
    """Cut results down to the cells that all of them have."""
    first = max(begin for _, begin in read)
    ends = [min(begin + x.shape[axis] for x, begin in read) for axis in (1, 2)]
    cut = [x[:, first - b : ends[0] - b, first - b : ends[1] - b, :] for x, b in read]
    return cut, first

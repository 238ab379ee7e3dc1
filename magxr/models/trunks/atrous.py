"""A trunk a trous, from its drawing: how every operation is done so that there is a cell every 8 pixels.

Strides are kept until 8 pixels make one cell; those that come later are left out, and what follows them
reads cells that far apart. So the map of a whole tile holds the trunk's answer to windows from every 8th
pixel, not from every 32nd (Holschneider et al., 1989; Chen et al., DeepLab, ICLR 2015).

Nothing is padded here. The plane is thought to go on for ever, a cell is made where all that it reads is
there, and `Part.reads` says what that is.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple

from magxr.errors import ModelError

if TYPE_CHECKING:
    from magxr.models.trunks.sketch import Op, Sketch

CELL = 8
"""Pixels from one cell of the dense map to the next."""


class Step(NamedTuple):
    """How one operation is done. Result ``i`` reads ``stride * i - before + dilation * tap``."""

    op: Op
    number: int
    """Of the operation in the drawing; the scaled image is 0."""
    stride: int
    dilation: int
    before: int
    """Cells (pixels) before its own place at which it begins to read; of "zeros", by how many they shift."""


class Part(NamedTuple):
    """Consecutive operations that need nothing of what came before but one result."""

    steps: tuple[Step, ...]
    reads: tuple[int, int]
    """First and last cell (pixel) of what it is given that its cell 0 depends on, both counted."""
    stride: int
    """Cells (pixels) that it is given to one cell of its result."""

    def given(self, cells: int) -> int:
        """Return how many cells (pixels) in a row make so many cells."""
        return self.stride * (cells - 1) + self.reads[1] - self.reads[0] + 1


class Plan(NamedTuple):
    """A trunk in two parts, cut where a cell first is 8 pixels: only the first works on pixels.

    The second part reads cells of the first at some distance. Where they come from another tile they need
    not be made again.
    """

    near: Part
    far: Part
    stride: int
    """Pixels from one cell of the plain trunk's map to the next."""

    @property
    def reads(self) -> tuple[int, int]:
        """First and last pixel that cell 0 depends on, counted from the pixel at its own place."""
        return tuple(CELL * f + n for f, n in zip(self.far.reads, self.near.reads, strict=True))  # type: ignore[return-value]

    @property
    def every(self) -> int:
        """Cells of the dense map to one of the plain trunk's."""
        return self.stride // CELL

    def crop(self, window: int) -> int:
        """Return the side, cells, of what stands for a window: from its first cell, as far on both sides.

        The middle of what cell 0 reads is ``c`` pixels from the window's first; the last cell's lies at most
        ``c`` before its last.
        """
        return (window - 1 - sum(self.reads)) // CELL + 1


@lru_cache(maxsize=32)
def plan(sketch: Sketch) -> Plan:
    """Return how a drawn trunk is run a trous.

    Raises
    ------
    ModelError
        If an operation of it cannot be: one that is not square, or a padded mean or maximum.
    """
    strides, steps = [1], []
    for number, op in enumerate(sketch.ops, 1):
        given = strides[op.inputs[0]]
        strides.append(given * op.stride)
        dilation = max(1, given // CELL)
        stride = op.stride * dilation // max(1, strides[-1] // CELL)
        steps.append(Step(op, number, stride, dilation, dilation * _padded(op)))
    cut = _cut(sketch, strides)
    near, far = tuple(steps[:cut]), tuple(steps[cut:])
    return Plan(_part(near, 0, CELL), _part(far, cut, 1), strides[-1])


def _padded(op: Op) -> int:
    """Return how many rows of zeros come first, on a map whose sides are multiples of the stride."""
    if op.kind == "zeros":
        return op.zeros[0]
    if op.size[0] != op.size[1] or (op.kind in ("maximum", "mean") and op.padding == "same"):
        msg = f"the operation {op.name!r} has no dense form: it is not square, or a padded pool"
        raise ModelError(msg)
    return max(op.size[0] - op.stride, 0) // 2 if op.padding == "same" else 0


def _cut(sketch: Sketch, strides: list[int]) -> int:
    """Return the first operation with a cell of 8 pixels that all later ones depend on alone."""
    for number in range(1, len(strides)):
        later = sketch.ops[number:]
        if strides[number] >= CELL and all(min(op.inputs) >= number for op in later):
            return number
    msg = f"the trunk has {strides[-1]} pixels to a cell, a dense form needs at least {CELL}"
    raise ModelError(msg)


def _part(steps: tuple[Step, ...], start: int, stride: int) -> Part:
    """Go back from cell 0 of the last operation to all that it depends on."""
    needs = {steps[-1].number: (0, 0)}
    for step in reversed(steps):
        low, high = needs.get(step.number, (0, 0))
        taps = step.dilation * (step.op.size[0] - 1)
        own = (step.stride * low - step.before, step.stride * high - step.before + taps)
        for x in step.op.inputs:
            known = needs.get(x, own)
            needs[x] = (min(known[0], own[0]), max(known[1], own[1]))
    return Part(steps, needs[start], stride)

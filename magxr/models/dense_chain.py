"""A part of a trunk a trous on processors, where it is a chain of 3 x 3 convolutions and 2 x 2 maxima.

Keras runs it too (`magxr.models.dense_trunk`), and does so on GPUs and for all other trunks. On processors
its convolutions are direct; those of `magxr.kernels.winograd` take less than half the time.
"""

from __future__ import annotations

from functools import reduce
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from magxr.kernels.blas import one_thread
from magxr.kernels.plane import convolve_plane
from magxr.kernels.winograd import convolve, transformed
from magxr.models import engine

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from numpy.typing import NDArray

    from magxr.models.trunks.atrous import Part, Step
    from magxr.models.trunks.form import Scaling

    Floats = NDArray[np.float32]


def is_chain(part: Part) -> bool:
    """Tell whether a part is such a convolution, then others and maxima, each on the result before."""
    return part.steps[0].op.kind == "convolution" and all(_fits(step) for step in part.steps)


def _fits(step: Step) -> bool:
    op = step.op
    if op.inputs != (step.number - 1,):
        return False
    if op.kind == "convolution":
        return op.size == (3, 3) and step.stride == 1 and op.relu
    return op.kind == "maximum" and op.size == (2, 2) and step.stride * step.dilation in (1, 2)


class _Link(NamedTuple):
    """Weights and bias of a convolution, or none of a maximum that no convolution has taken in."""

    step: Step
    weights: Floats | None = None
    bias: Floats | None = None
    pool: bool = False
    """Whether the 2 x 2 maximum that follows is taken as well."""
    skip: int = 0
    """Rows and columns left out first."""

    def takes_maximum(self) -> bool:
        """Tell whether the maximum that follows may be taken with it: of a convolution that took none."""
        return self.weights is not None and self.weights.ndim == 3 and not self.pool


def chained(
    part: Part, tensors: Mapping[str, tuple[Floats, ...]], scaling: Scaling | None = None
) -> Callable[[Floats], Floats]:
    """Return a part of a trunk as a function of a tile of any size.

    Parameters
    ----------
    part : Part
        From `magxr.models.trunks.atrous.plan`; see `is_chain`.
    tensors : mapping
        Layer name -> its tensors, from `magxr.models.weights.read_layers`.
    scaling : Scaling, optional
        Of the part that takes the image, which is in 0..1.

    Returns
    -------
    callable
        From float32 of shape ``(rows, columns)``, with a scaling, or ``(rows, columns, channels)`` to
        ``(rows, columns, channels)``: ``part.given`` pixels or cells of each side make a cell. It works on
        `magxr.models.engine.threads` threads.
    """
    links = _links(part, tensors, scaling)

    def run(given: Floats) -> Floats:
        threads = engine.threads()
        with one_thread():
            return reduce(lambda x, link: _done(x, link, threads), links, given)

    return run


def _done(x: Floats, link: _Link, threads: int) -> Floats:
    step, weights, bias, pool, skip = link
    if weights is None or bias is None:
        return _maximum(x[skip:, skip:], step)
    if x.ndim == 2:
        return convolve_plane(x, weights, bias, threads=threads)
    return convolve(x, weights, bias, dilation=step.dilation, skip=skip, pool=pool, threads=threads)


def _links(part: Part, tensors: Mapping[str, tuple[Floats, ...]], scaling: Scaling | None) -> list[_Link]:
    links: list[_Link] = []
    first = part.reads[0]
    for step in part.steps:
        begin = -(-(first + step.before) // step.stride)
        skip = step.stride * begin - step.before - first
        first = begin
        if step.op.kind == "convolution":
            kernel, bias = tensors[step.op.name]
            if scaling is not None and not links:
                links.append(_Link(step, *_of_one_channel(kernel, bias, scaling)))
            else:
                links.append(_Link(step, transformed(kernel), bias))
        elif step.stride == 2 and links[-1].takes_maximum():
            # what the maximum leaves out, the convolution before it need not make
            links[-1] = links[-1]._replace(pool=True, skip=skip)
        else:
            links.append(_Link(step, skip=skip))
    return links


def _of_one_channel(kernel: Floats, bias: Floats, scaling: Scaling) -> tuple[Floats, Floats]:
    """Put the scaling into the first layer, whose three channels are the same plane."""
    scale, offset = (np.array(x, np.float64) for x in (scaling.scale, scaling.offset))
    weights = np.einsum("ijcn,c->ijn", kernel.astype(np.float64), scaling.factor * scale)
    moved = bias + np.einsum("ijcn,c->n", kernel.astype(np.float64), offset)
    return weights.reshape(9, -1).astype(np.float32), moved.astype(np.float32)


def _maximum(x: Floats, step: Step) -> Floats:
    """Return the maxima of 2 x 2 cells that lie ``dilation`` apart."""
    for axis in (0, 1):
        count = (x.shape[axis] - step.dilation - 1) // step.stride + 1
        taps = []
        for first in (0, step.dilation):
            kept = [slice(None)] * 3
            kept[axis] = slice(first, first + step.stride * (count - 1) + 1, step.stride)
            taps.append(x[tuple(kept)])
        x = np.maximum(*taps)
    return x
